"""Look up tonight's slate in the online store: a verdict per player, and a vector only where one may be used."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from schemas.catalogue import Service, load_catalogue
from schemas.clock import UTC
from serving.feature_store import service_refs
from serving.model_registry import serving_problems
from serving.slate import Slate, read_slate, refuse_unknown_players
from warehouse.protocol import Warehouse

if TYPE_CHECKING:
    from feast import FeatureStore

READY = "ready"
NOT_READY = "not_ready"
STALE = "stale"
NOT_FOUND = "not_found"
INCOMPATIBLE = "incompatible"
VERDICTS = (READY, NOT_READY, STALE, NOT_FOUND, INCOMPATIBLE)
QUALITY_SERVICE = "row_quality"
TIMES = "__ts"


@dataclass(frozen=True)
class OnlineRow:
    """What the online store answers for one player and game: values by feature, and the event times of the views.

    `incompatible` is set where the store holds the row under another schema of a view; it then has no values.
    """

    values: Mapping[str, Any]
    event_seconds: frozenset[int]
    incompatible: bool = False


@dataclass(frozen=True)
class Answer:
    """One player's answer; `vector` is in the service's order and is given only to a ready row.

    `masked` names the features whose default was replaced by NaN.
    """

    player_lookup: str
    game_id: str | None
    verdict: str
    reasons: tuple[str, ...] = ()
    vector: tuple[float | None, ...] | None = None
    quality: Mapping[str, Any] = field(default_factory=dict)
    event_timestamp: dt.datetime | None = None
    masked: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Return the answer for JSON, NaN as null."""
        vector = None if self.vector is None else [None if v is None or v != v else v for v in self.vector]
        instant = self.event_timestamp.isoformat() if self.event_timestamp else None
        lists = {"reasons": list(self.reasons), "masked": list(self.masked)}
        return {**vars(self), **lists, "vector": vector, "event_timestamp": instant, "quality": dict(self.quality)}


@dataclass(frozen=True)
class Lookup:
    """The answers for a slate, in the order of the players."""

    service: str
    features: tuple[str, ...]
    game_date: dt.date
    answers: tuple[Answer, ...]
    schema_version: str = ""

    def counts(self) -> dict[str, int]:
        """Return the number of answers per verdict."""
        return {verdict: sum(answer.verdict == verdict for answer in self.answers) for verdict in VERDICTS}

    def as_dict(self) -> dict[str, Any]:
        """Return the lookup for `--json`."""
        return {**self.head(), "answers": [answer.as_dict() for answer in self.answers]}

    def head(self) -> dict[str, Any]:
        """Return what the answers have in common, for `--json` and HTTP."""
        return {
            "service": self.service,
            "feature_schema_version": self.schema_version,
            "features": list(self.features),
            "game_date": self.game_date.isoformat(),
            "counts": self.counts(),
        }


def read_online(store: FeatureStore, refs: Sequence[str], pairs: Sequence[tuple[str, str]]) -> list[OnlineRow | None]:
    """Return the online row of each (player_lookup, game_id), None where the store holds none.

    Feast answers an absent key with NULLs and a status (Redis not even with that): a row counts as there when its quality
    tier, which no published row lacks, has a value.
    """
    if not pairs:
        return []
    keys = {"player_lookup": [player for player, _ in pairs], "game_id": [game for _, game in pairs]}
    response = store.get_online_features(features=list(refs), entity_rows=keys)
    found = response.to_dict(include_event_timestamps=True)
    names = [name for name in found if name not in keys and f"{name}{TIMES}" in found]
    values = zip(*(found[name] for name in names), strict=True)
    # Views share one list of event times; each is looked at once.
    times = {id(found[name + TIMES]): found[name + TIMES] for name in names}.values()
    other: frozenset[int] = getattr(response, "incompatible", frozenset())
    rows: list[OnlineRow | None] = []
    for at, (row, seconds) in enumerate(zip(values, zip(*times, strict=True), strict=True)):
        by_name = dict(zip(names, row, strict=True))
        if at in other:
            rows.append(OnlineRow({}, frozenset(), incompatible=True))
        else:
            rows.append(OnlineRow(by_name, frozenset(seconds)) if by_name.get("quality_tier") else None)
    return rows


@lru_cache(maxsize=16)
def _needed(service: Service) -> tuple[str, ...]:
    """Return the features that the catalogue does not allow to be NULL."""
    by_name = load_catalogue().by_name
    return tuple(name for name in service.features if name not in by_name or by_name[name].has_default)


def _missing(service: Service, values: Mapping[str, Any]) -> list[str]:
    """Return the features without a value that the catalogue does not allow to be NULL."""
    return [name for name in _needed(service) if values.get(name) is None]


def _not_ready(service: Service, row: OnlineRow) -> tuple[str, ...]:
    """Return why a current row may not be used, or nothing when it may."""
    values = row.values
    reasons = []
    if not values.get("is_quality_ready"):
        reasons += ["not_quality_ready", f"alert_level_{values.get('quality_alert_level')}", *(values.get("quality_alerts") or [])]
    reasons += [f"missing_feature:{name}" for name in _missing(service, values)]
    return tuple(reasons)


def judge_row(service: Service, published: Mapping[str, Any], row: OnlineRow | None, quality_fields: Sequence[str]) -> Answer:
    """Return the answer for a player on the slate.

    Incompatible: it was written under another schema of a view or another feature list. Stale: what is online is not the
    published row (event times are compared to the second, as online stores keep them), or the views were not written together.
    """
    player, game = published["player_lookup"], published["game_id"]
    if row is None:
        return Answer(player, game, NOT_FOUND, ("not_materialized",))
    if row.incompatible:
        return Answer(player, game, INCOMPATIBLE, ("other_view_schema",))
    quality = {name: row.values.get(name) for name in quality_fields}
    newest = dt.datetime.fromtimestamp(max(row.event_seconds), UTC)
    if row.event_seconds != {int(published["event_timestamp"].timestamp())}:
        reason = "views_not_written_together" if len(row.event_seconds) > 1 else "not_the_published_row"
        return Answer(player, game, STALE, (reason,), quality=quality, event_timestamp=newest)
    if row.values.get("feature_schema_version") != load_catalogue().schema_version:
        return Answer(player, game, INCOMPATIBLE, ("other_feature_schema_version",), quality=quality, event_timestamp=newest)
    reasons = _not_ready(service, row)
    if reasons:
        return Answer(player, game, NOT_READY, reasons, quality=quality, event_timestamp=newest)
    vector = tuple(row.values[name] for name in service.features)
    return Answer(player, game, READY, (), vector, quality, published["event_timestamp"])


def _absent(slate: Slate, player: str) -> Answer:
    return Answer(player, None, NOT_FOUND, slate.reasons or ("not_on_slate",))


def _masked(answer: Answer, features: Sequence[str], published: Mapping[str, Any]) -> Answer:
    """Return a ready answer with NaN in the place of every default."""
    if answer.vector is None:
        return answer
    defaults = {load_catalogue().features[index].name for index in published.get("default_feature_indices") or ()}
    hidden = tuple(name for name in features if name in defaults)
    vector = tuple(math.nan if name in defaults else value for name, value in zip(features, answer.vector, strict=True))
    return replace(answer, vector=vector, masked=hidden)


def answer_slate(
    store: FeatureStore,
    service: str,
    slate: Slate,
    named: Sequence[str],
    *,
    strict: bool = False,
    mask_defaults: bool = False,
    problems: Sequence[str] = (),
) -> Lookup:
    """Return the verdicts for these players of a slate that was read before.

    `problems` is what makes the model's contract differ from what the store supplies: with any, no vector leaves.
    """
    contract = load_catalogue().service(service)
    quality_refs = service_refs(store, QUALITY_SERVICE)
    quality_fields = [ref.split(":", 1)[1] for ref in quality_refs]
    asked = [slate.rows[player] for player in named if player in slate.rows]
    refs = [*service_refs(store, service), *quality_refs]
    found = read_online(store, refs, [(row["player_lookup"], row["game_id"]) for row in asked])
    answers = {}
    for row, online in zip(asked, found, strict=True):
        answer = judge_row(contract, row, online, quality_fields)
        if problems and answer.verdict != NOT_FOUND:
            answer = replace(answer, verdict=INCOMPATIBLE, reasons=tuple(problems), vector=None)
        answers[row["player_lookup"]] = _masked(answer, contract.features, row) if mask_defaults else answer
    told = [answers.get(player) or _absent(slate, player) for player in named]
    kept = tuple(answer for answer in told if answer.verdict == READY or not strict)
    return Lookup(service, contract.features, slate.game_date, kept, load_catalogue().schema_version)


def lookup(
    store: FeatureStore,
    warehouse: Warehouse,
    service: str,
    game_date: dt.date,
    players: Sequence[str] | None = None,
    *,
    strict: bool = False,
    mask_defaults: bool = False,
) -> Lookup:
    """Return a verdict for each player of the slate, or for the players named.

    With `strict` only ready rows are returned; with `mask_defaults` a value that is a default reads NaN.

    Raises:
        UnknownNameError: no such service or player; a known player without a row on the date is `not_found`.
    """
    load_catalogue().service(service)
    slate = read_slate(warehouse, game_date)
    named = list(dict.fromkeys(players)) if players is not None else list(slate.rows)
    refuse_unknown_players(warehouse, slate, named)
    problems = serving_problems(warehouse, service)
    return answer_slate(store, service, slate, named, strict=strict, mask_defaults=mask_defaults, problems=problems)
