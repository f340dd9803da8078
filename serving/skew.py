"""Skew between serving and training: what is online, or was served, replayed through historical retrieval, value by value."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from quality.events import event_id
from schemas.catalogue import load_catalogue
from schemas.rules import STORE_TABLE
from serving.feature_store import service_refs
from serving.lookup_log import read_log
from serving.online_rows import QUALITY_SERVICE, matrix_of
from serving.slate import read_slate
from warehouse.protocol import RecordWrite, Warehouse

if TYPE_CHECKING:
    import pyarrow as pa
    from feast import FeatureStore

    from schemas.settings import Settings

EVENTS = "nba_orchestration.data_quality_events"
EVENT_TYPE = "serving_skew"
TOLERANCE = 1e-9
"""Largest difference that is no skew: both sides hold the same doubles, written once."""
SAMPLE = 2_000
"""Rows replayed after a materialization."""
NUMBERS = ("Float64", "Int64", "Float32", "Int32")
ONLINE, SERVED = "online", "served"

Matrix = np.ndarray[Any, Any]


@dataclass(frozen=True)
class FeatureSkew:
    """One feature over all rows compared. Missing: a value offline, none in serving; extra: the other way round."""

    feature: str
    rows: int
    mismatch: int = 0
    missing: int = 0
    extra: int = 0
    largest: float = 0.0

    @property
    def wrong(self) -> int:
        """Number of rows that differ."""
        return self.mismatch + self.missing + self.extra


@dataclass(frozen=True)
class SkewReport:
    """What a replay of a game date found.

    `what` is online or served; `passed_over` counts rows that cannot be compared: not online, or published again since they
    were served.
    """

    what: str
    game_date: dt.date
    rows: int
    passed_over: int
    features: tuple[FeatureSkew, ...]

    @property
    def wrong(self) -> tuple[FeatureSkew, ...]:
        """The features that differ in at least one row."""
        return tuple(feature for feature in self.features if feature.wrong)

    def as_dict(self) -> dict[str, Any]:
        """Return the report for `--json`."""
        return {
            "what": self.what,
            "game_date": self.game_date.isoformat(),
            "rows": self.rows,
            "passed_over": self.passed_over,
            "features": [vars(feature) for feature in self.features],
        }


def compare(features: Sequence[str], served: Matrix, replayed: Matrix, tolerance: float = TOLERANCE) -> tuple[FeatureSkew, ...]:
    """Return the skew of each feature: matrices of rows x features, NaN for no value."""
    here, there = ~np.isnan(served), ~np.isnan(replayed)
    # Two infinities are equal; their difference is no number.
    with np.errstate(invalid="ignore"):
        apart = np.where(here & there & (served != replayed), np.abs(served - replayed), 0.0)
    mismatch, missing, extra = apart > tolerance, there & ~here, here & ~there
    return tuple(
        FeatureSkew(
            name,
            len(served),
            int(mismatch[:, at].sum()),
            int(missing[:, at].sum()),
            int(extra[:, at].sum()),
            float(apart[:, at].max(initial=0.0)),
        )
        for at, name in enumerate(features)
    )


def as_matrix(rows: pa.Table, features: Sequence[str]) -> Matrix:
    """Return the columns as rows x features, NaN for NULL."""
    import pyarrow as pa

    columns = [rows.column(name).cast(pa.float64()).to_numpy(zero_copy_only=False) for name in features]
    return np.array(columns, float).reshape(len(features), rows.num_rows).T


def entity_rows(players: Sequence[str], games: Sequence[str], instants: Sequence[dt.datetime]) -> Any:
    """Return the frame historical retrieval is asked with."""
    import pandas as pd

    return pd.DataFrame(
        {"player_lookup": list(players), "game_id": list(games), "event_timestamp": pd.to_datetime(list(instants), utc=True)}
    )


def replay(retrieve: Callable[..., Any], refs: Sequence[str], frame: Any) -> Matrix:
    """Return what historical retrieval gives for the frame, in the order of its rows and of the references."""
    rows = retrieve(entity_df=frame, features=list(refs)).to_arrow()
    return as_matrix(rows, [ref.split(":", 1)[1] for ref in refs])


def _features(store: FeatureStore) -> tuple[list[str], list[str]]:
    """Return references and names of every feature that a model of the catalogue reads."""
    refs = list(dict.fromkeys(service_refs(store, *(service.name for service in load_catalogue().services))))
    return refs, [ref.split(":", 1)[1] for ref in refs]


def online_skew(store: FeatureStore, warehouse: Warehouse, game_date: dt.date, tolerance: float = TOLERANCE) -> SkewReport:
    """Replay what is online of a date: the published slate at each row's own event time, every feature of every model.

    A row that is not online counts as passed over: the lookup calls it not found.
    """
    refs, names = _features(store)
    slate = read_slate(warehouse, game_date)
    if not slate.players:
        return SkewReport(ONLINE, game_date, 0, 0, compare(names, np.zeros((0, len(names))), np.zeros((0, len(names))), tolerance))
    keys = {"player_lookup": list(slate.players), "game_id": slate.games}
    response = store.get_online_features(features=[*refs, *service_refs(store, QUALITY_SERVICE)], entity_rows=keys)
    served, _ = matrix_of(response, names, len(slate.players))
    tiers = response.values("quality_tier") if hasattr(response, "values") else response.to_dict()["quality_tier"]
    here = np.fromiter(map(bool, tiers), bool, len(tiers))
    frame = entity_rows(slate.players, slate.games, [row["event_timestamp"] for row in slate.rows.values()])
    replayed = replay(store.get_historical_features, refs, frame)
    return SkewReport(ONLINE, game_date, int(here.sum()), int((~here).sum()), compare(names, served[here], replayed[here], tolerance))


def written_skew(provider: Any, view: Any, registry: Any, project: str, written: pa.Table, game_date: dt.date) -> SkewReport:
    """Replay one view's numbers over keys and event times that were just written; of many rows an even sample."""
    import pyarrow as pa

    numbers = [field.name for field in view.features if str(field.dtype) in NUMBERS]
    step = max(1, -(-written.num_rows // SAMPLE))
    rows = written.take(pa.array(range(0, written.num_rows, step)))
    if not numbers or not rows.num_rows:
        return SkewReport(ONLINE, game_date, 0, 0, ())
    refs = [f"{view.name}:{name}" for name in numbers]
    keys = {name: rows.column(name).to_pylist() for name in view.join_keys}
    response = provider.get_online_features(provider.repo_config, refs, keys, registry, project)
    served, _ = matrix_of(response, numbers, rows.num_rows)
    frame = rows.to_pandas()

    def retrieve(entity_df: Any, features: list[str]) -> Any:
        return provider.get_historical_features(provider.repo_config, [view], features, entity_df, registry, project, False)

    return SkewReport(ONLINE, game_date, rows.num_rows, 0, compare(numbers, served, replay(retrieve, refs, frame)))


def _comparable(log: pa.Table, warehouse: Warehouse, game_date: dt.date) -> list[bool]:
    """TRUE for logged answers whose row has not been published again since, at another event time or after the answer."""
    rows = read_slate(warehouse, game_date).rows
    keys = zip(*(log.column(name).to_pylist() for name in ("player_lookup", "game_id", "event_timestamp", "logged_at")), strict=True)
    found = []
    for player, game, event, logged in keys:
        row = rows.get(player)
        same = row is not None and row["game_id"] == game and row["event_timestamp"] == event
        found.append(bool(same and row is not None and row["created_timestamp"] <= logged))
    return found


def served_skew(
    store: FeatureStore, warehouse: Warehouse, settings: Settings, game_date: dt.date, tolerance: float = TOLERANCE
) -> SkewReport | None:
    """Replay the logged answers of a date at the event time each was served with; None when none were logged."""
    import pyarrow as pa

    log = read_log(settings, game_date)
    if log is None:
        return None
    usable = log.filter(pa.array(_comparable(log, warehouse, game_date)))
    found: dict[str, FeatureSkew] = {}
    refs_of = {ref.split(":", 1)[1]: ref for ref in _features(store)[0]}
    # Answers of one service and version have the same features.
    for names in sorted({tuple(names) for names in usable.column("features").to_pylist()}):
        known = [name for name in names if name in refs_of]
        part = usable.filter(pa.array([tuple(row) == names for row in usable.column("features").to_pylist()]))
        vectors = np.array([[np.nan if v is None else v for v in row] for row in part.column("vector").to_pylist()], float)
        keys = [part.column(name).to_pylist() for name in ("player_lookup", "game_id", "event_timestamp")]
        replayed = replay(store.get_historical_features, [refs_of[name] for name in known], entity_rows(*keys))
        for skew in compare(known, vectors[:, [names.index(name) for name in known]], replayed, tolerance):
            found[skew.feature] = _sum(found[skew.feature], skew) if skew.feature in found else skew
    return SkewReport(SERVED, game_date, usable.num_rows, log.num_rows - usable.num_rows, tuple(found.values()))


def _sum(one: FeatureSkew, other: FeatureSkew) -> FeatureSkew:
    return FeatureSkew(
        one.feature,
        one.rows + other.rows,
        one.mismatch + other.mismatch,
        one.missing + other.missing,
        one.extra + other.extra,
        max(one.largest, other.largest),
    )


def skew_events(report: SkewReport, tolerance: float, run_id: str, now: dt.datetime) -> list[dict[str, Any]]:
    """Return an event per feature that differs."""
    return [
        {
            "event_id": event_id(STORE_TABLE, report.game_date, f"skew:{report.what}:{feature.feature}", run_id),
            "event_timestamp": now,
            "event_type": EVENT_TYPE,
            "severity": "P1",
            "table_name": STORE_TABLE,
            "game_date": report.game_date,
            "metric_name": "largest_difference",
            "metric_value": feature.largest,
            "threshold": tolerance,
            "reason_code": f"skew:{report.what}",
            "columns": feature.feature,
            "fate": "warned",
            "resolution_status": "open",
            "details_json": json.dumps({**vars(feature), "passed_over": report.passed_over}, sort_keys=True),
            "run_id": run_id,
        }
        for feature in report.wrong
    ]


def record_skew(warehouse: Warehouse, reports: Sequence[SkewReport], tolerance: float, run_id: str, now: dt.datetime) -> int:
    """Record the events of the reports in one step; return how many."""
    rows = [row for report in reports for row in skew_events(report, tolerance, run_id, now)]
    if rows:
        warehouse.record([RecordWrite(EVENTS, rows)])
    return len(rows)
