"""Look up tonight's slate in the online store: a verdict per player, and a vector only where one may be used."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from schemas.catalogue import Service, load_catalogue
from schemas.clock import UTC
from serving.feature_store import service_refs
from serving.slate import Slate, read_slate, refuse_unknown_players
from warehouse.protocol import Warehouse

if TYPE_CHECKING:
    from feast import FeatureStore

READY = "ready"
NOT_READY = "not_ready"
STALE = "stale"
NOT_FOUND = "not_found"
VERDICTS = (READY, NOT_READY, STALE, NOT_FOUND)
QUALITY_SERVICE = "row_quality"


@dataclass(frozen=True)
class OnlineRow:
    """What the online store answers for one player and game: values by feature, and the event times of the views."""

    values: Mapping[str, Any]
    event_seconds: frozenset[int]


@dataclass(frozen=True)
class Answer:
    """One player's answer; `vector` is in the service's order and is given only to a ready row."""

    player_lookup: str
    game_id: str | None
    verdict: str
    reasons: tuple[str, ...] = ()
    vector: tuple[float | None, ...] | None = None
    quality: Mapping[str, Any] = field(default_factory=dict)
    event_timestamp: dt.datetime | None = None


@dataclass(frozen=True)
class Lookup:
    """The answers for a slate, in the order of the players."""

    service: str
    features: tuple[str, ...]
    game_date: dt.date
    answers: tuple[Answer, ...]

    def counts(self) -> dict[str, int]:
        """Return the number of answers per verdict."""
        return {verdict: sum(answer.verdict == verdict for answer in self.answers) for verdict in VERDICTS}

    def as_dict(self) -> dict[str, Any]:
        """Return the lookup for `--json` and HTTP."""
        answers = [
            {**asdict(a), "event_timestamp": a.event_timestamp.isoformat() if a.event_timestamp else None, "reasons": list(a.reasons)}
            for a in self.answers
        ]
        return {
            "service": self.service,
            "features": list(self.features),
            "game_date": self.game_date.isoformat(),
            "counts": self.counts(),
            "answers": answers,
        }


def read_online(store: FeatureStore, refs: Sequence[str], pairs: Sequence[tuple[str, str]]) -> list[OnlineRow | None]:
    """Return the online row of each (player_lookup, game_id), None where the store holds none.

    Feast answers an absent key with NULLs and a status (Redis not even with that): a row counts as there when its quality
    tier, which no published row lacks, has a value.
    """
    from feast.type_map import feast_value_type_to_python_type

    if not pairs:
        return []
    entities = [{"player_lookup": player, "game_id": game} for player, game in pairs]
    response = store.get_online_features(features=list(refs), entity_rows=entities).proto
    names = list(response.metadata.feature_names.val)
    columns = [[feast_value_type_to_python_type(value) for value in result.values] for result in response.results]
    keys = {"player_lookup", "game_id"}
    rows: list[OnlineRow | None] = []
    for index in range(len(pairs)):
        values = {name: column[index] for name, column in zip(names, columns, strict=True)}
        times = zip(names, response.results, strict=True)
        seconds = frozenset(result.event_timestamps[index].seconds for name, result in times if name not in keys)
        rows.append(OnlineRow(values, seconds) if values.get("quality_tier") else None)
    return rows


def _missing(service: Service, values: Mapping[str, Any]) -> list[str]:
    """Return the features without a value that the catalogue does not allow to be NULL."""
    by_name = load_catalogue().by_name
    return [name for name in service.features if values.get(name) is None and (name not in by_name or by_name[name].has_default)]


def _not_ready(service: Service, row: OnlineRow) -> tuple[str, ...]:
    """Return why a current row may not be used, or nothing when it may."""
    values = row.values
    reasons = []
    if not values.get("is_quality_ready"):
        reasons += ["not_quality_ready", f"alert_level_{values.get('quality_alert_level')}", *(values.get("quality_alerts") or [])]
    if values.get("feature_schema_version") != load_catalogue().schema_version:
        reasons.append("other_feature_schema_version")
    reasons += [f"missing_feature:{name}" for name in _missing(service, values)]
    return tuple(reasons)


def judge_row(service: Service, published: Mapping[str, Any], row: OnlineRow | None, quality_fields: Sequence[str]) -> Answer:
    """Return the answer for a player on the slate.

    Stale: what is online is not the published row (event times are compared to the second, as online stores keep them), or
    the views were not written together.
    """
    player, game = published["player_lookup"], published["game_id"]
    if row is None:
        return Answer(player, game, NOT_FOUND, ("not_materialized",))
    quality = {name: row.values.get(name) for name in quality_fields}
    newest = dt.datetime.fromtimestamp(max(row.event_seconds), UTC)
    if row.event_seconds != {int(published["event_timestamp"].timestamp())}:
        reason = "views_not_written_together" if len(row.event_seconds) > 1 else "not_the_published_row"
        return Answer(player, game, STALE, (reason,), quality=quality, event_timestamp=newest)
    reasons = _not_ready(service, row)
    if reasons:
        return Answer(player, game, NOT_READY, reasons, quality=quality, event_timestamp=newest)
    vector = tuple(row.values[name] for name in service.features)
    return Answer(player, game, READY, (), vector, quality, published["event_timestamp"])


def _absent(slate: Slate, player: str) -> Answer:
    return Answer(player, None, NOT_FOUND, slate.reasons or ("not_on_slate",))


def lookup(store: FeatureStore, warehouse: Warehouse, service: str, game_date: dt.date, players: Sequence[str] | None = None) -> Lookup:
    """Return a verdict for each player of the slate, or for the players named.

    Raises:
        UnknownNameError: no such service or player; a known player without a row on the date is `not_found`.
    """
    contract = load_catalogue().service(service)
    slate = read_slate(warehouse, game_date)
    named = list(dict.fromkeys(players)) if players is not None else list(slate.rows)
    refuse_unknown_players(warehouse, slate, named)
    quality_refs = service_refs(store, QUALITY_SERVICE)
    quality_fields = [ref.split(":", 1)[1] for ref in quality_refs]
    asked = [slate.rows[player] for player in named if player in slate.rows]
    refs = [*service_refs(store, service), *quality_refs]
    found = read_online(store, refs, [(row["player_lookup"], row["game_id"]) for row in asked])
    answers = {row["player_lookup"]: judge_row(contract, row, online, quality_fields) for row, online in zip(asked, found, strict=True)}
    return Lookup(service, contract.features, game_date, tuple(answers.get(player) or _absent(slate, player) for player in named))
