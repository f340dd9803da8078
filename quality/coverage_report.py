"""How much of the store is real: shares by source and reason, tiers and alert levels by season, and the dates that are red.

Every figure counts rows of the store, and of blocked dates that were never published. Patterns of labels are counted by the
warehouse and spread over the features here.
"""

from __future__ import annotations

import datetime as dt
import json
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from schemas.catalogue import load_catalogue
from schemas.errors import DefinitionError, NoGamesError
from schemas.rules import STORE_TABLE, load_rules
from schemas.yaml_files import read_yaml
from warehouse.protocol import Warehouse

FLAGGED_ABOVE = 0.05
BLOCKED_TABLE = f"{STORE_TABLE}_blocked"

EVENTS = """
SELECT game_date, reason_code, run_id
FROM nba_orchestration.data_quality_events
WHERE table_name = @table AND (reason_code = 'cold_start' OR fate = 'blocked')
ORDER BY game_date, event_timestamp
"""


def _rows(columns: str) -> str:
    """Return a query of each date's rows: the published ones, else the blocked ones, so that no date counts twice."""
    bounds = "WHERE game_date BETWEEN @start_date AND @end_date"
    good = f"SELECT {columns} FROM {STORE_TABLE} {bounds}"
    never_good = f"game_date NOT IN (SELECT game_date FROM {STORE_TABLE} {bounds})"
    return f"{good} UNION ALL SELECT {columns} FROM {BLOCKED_TABLE} {bounds} AND {never_good}"


def _patterns() -> str:
    sources = [f"feature_{feature.index}_source" for feature in load_catalogue().features]
    columns = ", ".join(["season", *sources, "feature_fallback_reasons_json"])
    labels = "CONCAT(" + ", ',', ".join(sources) + ")"
    return f"""
SELECT season, {labels} AS sources, feature_fallback_reasons_json AS reasons, COUNT(*) AS row_count
FROM ({_rows(columns)}) AS every
GROUP BY season, sources, reasons
"""


def _levels() -> str:
    return f"""
SELECT
  season,
  quality_tier,
  quality_alert_level,
  COUNT(*) AS row_count,
  COUNTIF(is_quality_ready) AS ready,
  COUNTIF(is_training_ready) AS training
FROM ({_rows("season, quality_tier, quality_alert_level, is_quality_ready, is_training_ready")}) AS every
GROUP BY season, quality_tier, quality_alert_level
"""


def _dates() -> str:
    return f"""
SELECT season, game_date, COUNT(*) AS row_count, COUNTIF(quality_alert_level = 'red') AS red
FROM ({_rows("season, game_date, quality_alert_level")}) AS every
GROUP BY season, game_date
ORDER BY game_date
"""


@dataclass(frozen=True)
class FeatureSeason:
    """One feature in one season: rows by source, and by reason where the source is default."""

    season: str
    feature: str
    rows: int
    sources: Mapping[str, int]
    reasons: Mapping[str, int]

    @property
    def failures(self) -> int:
        """Rows whose default is of class failure."""
        failing = load_rules().failure_reasons
        return sum(count for reason, count in self.reasons.items() if reason in failing)

    @property
    def failure_share(self) -> float:
        """Share of the rows whose default is of class failure."""
        return self.failures / self.rows

    @property
    def is_flagged(self) -> bool:
        """TRUE when more rows than the threshold carry a default of class failure."""
        return self.failure_share > FLAGGED_ABOVE

    @property
    def main_reason(self) -> str | None:
        """Most frequent reason of a default; the first by name of equally frequent ones."""
        return min(self.reasons, key=lambda reason: (-self.reasons[reason], reason)) if self.reasons else None

    @property
    def main_failure(self) -> str | None:
        """Most frequent reason of class failure."""
        failing = [reason for reason in self.reasons if reason in load_rules().failure_reasons]
        return min(failing, key=lambda reason: (-self.reasons[reason], reason)) if failing else None


@dataclass(frozen=True)
class SeasonLevels:
    """Rows of a season by tier and by alert level, and how many are ready."""

    season: str
    rows: int
    dates: int
    tiers: Mapping[str, int]
    levels: Mapping[str, int]
    ready: int
    training: int


@dataclass(frozen=True)
class RedDate:
    """A date that is blocked, or whose red rows are more than the gate lets through on a warm date.

    A blocked date keeps its last good rows; `rows` and `red` then count those, else the blocked ones.
    """

    season: str
    date: dt.date
    rows: int
    red: int
    is_blocked: bool
    is_cold_start: bool
    reasons: tuple[str, ...]


@dataclass(frozen=True)
class Coverage:
    """What the page says, as data."""

    first: dt.date
    last: dt.date
    features: tuple[FeatureSeason, ...]
    seasons: tuple[SeasonLevels, ...]
    red_dates: tuple[RedDate, ...]

    @property
    def flagged(self) -> tuple[FeatureSeason, ...]:
        """Features with too many defaults of class failure."""
        return tuple(item for item in self.features if item.is_flagged)


@dataclass(frozen=True)
class Explanation:
    """Why the data lacks something, written by hand."""

    seasons: tuple[str, ...]
    features: tuple[str, ...]
    reason: str
    why: str

    def is_about(self, item: FeatureSeason) -> bool:
        """TRUE when season, feature and the main reason of its failures are those it speaks of."""
        return item.season in self.seasons and item.feature in self.features and self.reason == item.main_failure


def load_explanations(path: Path) -> tuple[Explanation, ...]:
    """Load explanations; raise `DefinitionError` for one about an unknown feature or a reason that is no failure."""
    rows = read_yaml(path)["explanations"]
    found = tuple(Explanation(tuple(row["seasons"]), tuple(row["features"]), row["reason"], row["why"]) for row in rows)
    names, failing = set(load_catalogue().names), set(load_rules().failure_reasons)
    wrong = [name for one in found for name in one.features if name not in names] + [
        one.reason for one in found if one.reason not in failing
    ]
    if wrong:
        raise DefinitionError("an explanation speaks of an unknown feature or of a reason that is no failure", wrong)
    return found


def _features(patterns: list[dict[str, Any]]) -> tuple[FeatureSeason, ...]:
    catalogue = load_catalogue()
    rows: Counter[str] = Counter()
    sources: Counter[tuple[str, int, str]] = Counter()
    reasons: Counter[tuple[str, int, str]] = Counter()
    for pattern in patterns:
        season, count, labels, why = pattern["season"], pattern["row_count"], pattern["sources"].split(","), json.loads(pattern["reasons"])
        rows[season] += count
        for index, label in enumerate(labels):
            sources[season, index, label] += count
            if label == "default":
                reasons[season, index, why.get(str(index), "unexplained")] += count

    def by(counter: Counter[tuple[str, int, str]], season: str, index: int) -> dict[str, int]:
        return {name: count for (s, i, name), count in sorted(counter.items()) if (s, i) == (season, index)}

    return tuple(
        FeatureSeason(season, feature.name, rows[season], by(sources, season, feature.index), by(reasons, season, feature.index))
        for season in sorted(rows)
        for feature in catalogue.features
    )


def _seasons(levels: list[dict[str, Any]], dates: list[dict[str, Any]]) -> tuple[SeasonLevels, ...]:
    rules = load_rules()
    found = []
    for season in sorted({row["season"] for row in levels}):
        mine = [row for row in levels if row["season"] == season]

        def rows_of(column: str, word: str, mine: list[dict[str, Any]] = mine) -> int:
            return sum(row["row_count"] for row in mine if row[column] == word)

        tiers = {tier: rows_of("quality_tier", tier) for tier in rules.tier_names}
        words = {level: rows_of("quality_alert_level", level) for level in rules.alert_levels}
        ready, training = (sum(row[name] for row in mine) for name in ("ready", "training"))
        found.append(
            SeasonLevels(
                season, sum(r["row_count"] for r in mine), sum(d["season"] == season for d in dates), tiers, words, ready, training
            )
        )
    return tuple(found)


def _red_dates(dates: list[dict[str, Any]], events: list[dict[str, Any]], blocked: Collection[dt.date]) -> tuple[RedDate, ...]:
    latest = {event["game_date"]: event["run_id"] for event in events}
    said: dict[dt.date, list[str]] = {}
    for event in events:
        if latest[event["game_date"]] == event["run_id"]:
            said.setdefault(event["game_date"], []).append(event["reason_code"])
    limit = load_rules().gate.red_share_max
    found = []
    for row in dates:
        codes = dict.fromkeys(said.get(row["game_date"], ()))
        is_blocked = row["game_date"] in blocked
        if is_blocked or row["red"] > limit * row["row_count"]:
            reasons = tuple(code for code in codes if code != "cold_start")
            cold = "cold_start" in codes
            found.append(RedDate(row["season"], row["game_date"], row["row_count"], row["red"], is_blocked, cold, reasons))
    return tuple(found)


def measure_coverage(warehouse: Warehouse, start: dt.date, end: dt.date) -> Coverage:
    """Count the store's rows between two dates, both included.

    Raises:
        NoGamesError: the store holds no row of the range.
    """
    params = {"start_date": start, "end_date": end}
    dates = warehouse.query(_dates(), params).to_pylist()
    if not dates:
        is_all = (start, end) == (dt.date.min, dt.date.max)
        raise NoGamesError(
            "the store holds no rows of the range", ["any date" if is_all else f"{start} to {end}"], "run: nba-features backfill"
        )
    events = warehouse.query(EVENTS, {"table": STORE_TABLE}).to_pylist()
    blocked = warehouse.partitions(BLOCKED_TABLE, start, end)
    levels = warehouse.query(_levels(), params).to_pylist()
    features = _features(warehouse.query(_patterns(), params).to_pylist())
    return Coverage(dates[0]["game_date"], dates[-1]["game_date"], features, _seasons(levels, dates), _red_dates(dates, events, blocked))
