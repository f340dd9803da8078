"""All that is on record of some dates, read once: rows and labels, completions, ledger, runs, events, raw rows."""

from __future__ import annotations

import datetime as dt
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from orchestration.dependencies import Dependency
from orchestration.outcome import COMPLETIONS, LEDGER
from orchestration.quality_events import EVENTS
from orchestration.runs import RUNS
from quality.normal import Comparison, compared_with
from schemas.catalogue import load_catalogue
from schemas.contracts import load_contracts
from schemas.rules import STORE_TABLE, load_rules
from warehouse.protocol import Partition, Warehouse

Row = Mapping[str, Any]
Label = tuple[int, str, str]
"""Feature index, canonical source, reason (empty where the value is the primary one)."""
BLOCKED_TABLE = f"{STORE_TABLE}_blocked"
METRICS = f"{STORE_TABLE}_quality_metrics"
LOOK_BACK = dt.timedelta(days=14)
LOOKING = ("monitor", "validate", "skew")
"""Commands with a record of their own that make no rows."""
COUNTED = "season_type IN ('regular', 'play_in', 'playoffs', 'cup_final') AND status != 'postponed'"
BOXED = {
    "nba_raw.player_boxscores": "SELECT game_date, COUNT(DISTINCT game_id) AS games FROM nba_raw.player_boxscores",
    "nba_raw.team_boxscores": "SELECT game_date, COUNT(DISTINCT game_id) AS games FROM nba_raw.team_boxscores",
}


@dataclass(frozen=True)
class Day:
    """The rows of a date with one fate: how they stand, in sums and means."""

    date: dt.date
    is_blocked: bool
    rows: int
    levels: Mapping[str, int]
    ready: int
    score: float
    categories: Mapping[str, float]
    failures: int
    fallbacks: int
    lines: int
    stale: int


@dataclass(frozen=True)
class Facts:
    """What the warehouse says of the dates, and of those they are compared with."""

    dates: tuple[dt.date, ...]
    days: Mapping[dt.date, Day]
    blocked_days: Mapping[dt.date, Day]
    labels: Mapping[tuple[dt.date, bool], Counter[Label]]
    comparisons: Mapping[dt.date, Comparison]
    metrics: Mapping[dt.date, Row]
    events: Sequence[Row]
    completions: Mapping[tuple[str, dt.date], Row]
    ledger: Mapping[tuple[str, dt.date], Row]
    runs: Mapping[str, Row]
    games: Mapping[dt.date, int]
    teams: Mapping[dt.date, tuple[str, ...]]
    raw: Mapping[str, Mapping[dt.date, Partition]]
    boxed: Mapping[str, Mapping[dt.date, int]]
    readable: Mapping[str, Mapping[dt.date, Partition]]
    now: dt.datetime
    damaged: Mapping[str, tuple[dt.date, ...]] = field(default_factory=dict)
    alive: Mapping[str, bool] = field(default_factory=dict)
    refused: dict[tuple[str, dt.date], str] = field(default_factory=dict)
    gate: dict[tuple[str, dt.date], Dependency] = field(default_factory=dict)

    @cached_property
    def events_by_date(self) -> Mapping[dt.date, tuple[Row, ...]]:
        """Events of each date, newest first."""
        found: dict[dt.date, list[Row]] = {}
        for event in sorted(self.events, key=lambda row: row["event_timestamp"], reverse=True):
            found.setdefault(event["game_date"], []).append(event)
        return {date: tuple(rows) for date, rows in found.items()}

    def day(self, date: dt.date) -> Day | None:
        """Return the rows a person asks about: those the last build was refused with, else the published ones."""
        return self.blocked_days.get(date) or self.days.get(date)

    def label_counts(self, date: dt.date) -> Counter[Label]:
        """Return how many rows of the date carry each label."""
        return self.labels.get((date, date in self.blocked_days), Counter())

    def runs_about(self, date: dt.date) -> tuple[Row, ...]:
        """Return the runs that worked for the date, newest first; those that only looked at it did not."""
        about = [
            run
            for run in self.runs.values()
            if run["start_date"] is not None
            and run["start_date"] <= date <= run["end_date"]
            and request_of(run).get("command") not in LOOKING
        ]
        return tuple(sorted(about, key=lambda run: run["started_at"], reverse=True))


def request_of(run: Row) -> Mapping[str, Any]:
    """Return what a run was asked, from its record; empty when that cannot be read."""
    try:
        found = json.loads(run["command"])
    except (TypeError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _days_sql(table: str) -> str:
    rules, catalogue = load_rules(), load_catalogue()
    means = [f"SUM(CAST(ROUND(10 * {c.name}_quality_pct) AS INT64)) AS {c.name}_sum" for c in catalogue.categories]
    levels = [f"COUNTIF(quality_alert_level = '{level}') AS {level}_rows" for level in rules.alert_levels]
    columns = [
        "game_date",
        "COUNT(*) AS row_count",
        *levels,
        "COUNTIF(is_quality_ready) AS ready_rows",
        "SUM(CAST(ROUND(100 * feature_quality_score) AS INT64)) AS score_sum",
        *means,
        "SUM(failure_default_count) AS failures",
        "SUM(phase3_fallback_count) AS fallbacks",
        "COUNTIF(has_vegas_line = 1) AS line_rows",
        "COUNTIF('stale_upstream' IN UNNEST(quality_alerts)) AS stale_rows",
    ]
    return f"SELECT {', '.join(columns)} FROM {table} WHERE game_date IN UNNEST(@dates) GROUP BY game_date"


def read_days(warehouse: Warehouse, dates: Sequence[dt.date], is_blocked: bool) -> dict[dt.date, Day]:
    """Return the sums of each date, published or blocked."""
    rules, catalogue = load_rules(), load_catalogue()
    found = warehouse.query(_days_sql(BLOCKED_TABLE if is_blocked else STORE_TABLE), {"dates": sorted(dates)}).to_pylist()
    return {
        row["game_date"]: Day(
            row["game_date"],
            is_blocked,
            row["row_count"],
            {level: row[f"{level}_rows"] for level in rules.alert_levels},
            row["ready_rows"],
            round(row["score_sum"] / row["row_count"] / 100, 2),
            {c.name: round(row[f"{c.name}_sum"] / row["row_count"] / 10, 2) for c in catalogue.categories},
            row["failures"],
            row["fallbacks"],
            row["line_rows"],
            row["stale_rows"],
        )
        for row in sorted(found, key=lambda row: row["game_date"])
    }


def read_labels(warehouse: Warehouse, dates: Sequence[dt.date], is_blocked: bool) -> dict[tuple[dt.date, bool], Counter[Label]]:
    """Return by date how many rows have which source and reason in each feature."""
    indices = [feature.index for feature in load_catalogue().features]
    pattern = "CONCAT(" + ", ',', ".join(f"feature_{index}_source" for index in indices) + ")"
    sql = (
        f"SELECT game_date, {pattern} AS sources, feature_fallback_reasons_json AS reasons, COUNT(*) AS row_count"
        f" FROM {BLOCKED_TABLE if is_blocked else STORE_TABLE} WHERE game_date IN UNNEST(@dates) GROUP BY game_date, sources, reasons"
    )
    split: dict[tuple[str, str], list[Label]] = {}
    counts: dict[tuple[dt.date, bool], Counter[Label]] = {}
    for row in warehouse.query(sql, {"dates": sorted(dates)}).to_pylist():
        key = (row["sources"], row["reasons"])
        if key not in split:
            reasons = json.loads(row["reasons"])
            split[key] = [(index, source, reasons.get(str(index), "")) for index, source in zip(indices, key[0].split(","), strict=True)]
        counter = counts.setdefault((row["game_date"], is_blocked), Counter())
        for label in split[key]:
            counter[label] += row["row_count"]
    return counts


def _calendar(warehouse: Warehouse) -> tuple[dict[dt.date, int], dict[dt.date, tuple[str, ...]], dict[dt.date, str]]:
    sql = f"SELECT game_date, season, home_team, away_team FROM nba_raw.schedule WHERE {COUNTED}"
    games: Counter[dt.date] = Counter()
    teams: dict[dt.date, set[str]] = {}
    season: dict[dt.date, str] = {}
    for row in warehouse.query(sql).to_pylist():
        games[row["game_date"]] += 1
        teams.setdefault(row["game_date"], set()).update((row["home_team"], row["away_team"]))
        season[row["game_date"]] = row["season"]
    return dict(sorted(games.items())), {date: tuple(sorted(names)) for date, names in teams.items()}, season


def _by_season(dates: Iterable[dt.date], season: Mapping[dt.date, str]) -> dict[str, list[dt.date]]:
    found: dict[str, list[dt.date]] = {}
    for date in sorted(dates):
        if date in season:
            found.setdefault(season[date], []).append(date)
    return found


def read_facts(warehouse: Warehouse, dates: Sequence[dt.date], now: dt.datetime, compare: bool = True) -> Facts:
    """Read what is on record of the dates and of the fortnight before each, and what they are compared with."""
    wanted = tuple(sorted(set(dates)))
    games, teams, season = _calendar(warehouse)
    stored = warehouse.partitions(STORE_TABLE)
    calendar = _by_season(stored, season)
    comparisons = {date: compared_with(date, calendar) if compare else Comparison() for date in wanted}
    compared = sorted({*wanted, *(other for item in comparisons.values() for other in item.dates)})
    span = {"start_date": min(wanted) - LOOK_BACK, "end_date": max(wanted)}
    within = "WHERE game_date BETWEEN @start_date AND @end_date"
    completions: dict[tuple[str, dt.date], Row] = {}
    for row in warehouse.query(f"SELECT * FROM {COMPLETIONS} {within} ORDER BY completed_at, run_id", span).to_pylist():
        completions[row["job"], row["game_date"]] = row
    ledger = warehouse.query(f"SELECT * FROM {LEDGER} {within}", span).to_pylist()
    runs = warehouse.query(f"SELECT * FROM {RUNS}").to_pylist()
    contracts = load_contracts().values()
    raw = [spec.name for spec in contracts if spec.built_by == "ingest" and spec.partition is not None]
    built = [spec.name for spec in contracts if spec.built_by == "sql"]
    damaged = {name: dates for name in built if (dates := warehouse.damaged(name))}
    # One damaged file makes the whole store unreadable: what can be said then is in the records.
    legible = [] if STORE_TABLE in damaged else compared
    blocked = read_days(warehouse, wanted, True) if any(warehouse.partitions(BLOCKED_TABLE, wanted[0], wanted[-1])) else {}
    labels = read_labels(warehouse, legible, False) if legible else {}
    if blocked:
        labels |= read_labels(warehouse, sorted(blocked), True)
    return Facts(
        dates=wanted,
        days=read_days(warehouse, legible, False) if legible else {},
        blocked_days=blocked,
        labels=labels,
        comparisons=comparisons,
        metrics={row["game_date"]: row for row in warehouse.query(f"SELECT * FROM {METRICS} {within}", span).to_pylist()},
        events=warehouse.query(f"SELECT * FROM {EVENTS} {within}", span).to_pylist(),
        completions=completions,
        ledger={(row["table_name"], row["game_date"]): row for row in ledger},
        runs={row["run_id"]: row for row in runs},
        games=games,
        teams=teams,
        raw={name: warehouse.partitions(name, span["start_date"] - 2 * LOOK_BACK, span["end_date"]) for name in raw},
        boxed={
            name: {row["game_date"]: row["games"] for row in warehouse.query(f"{sql} {within} GROUP BY game_date", span).to_pylist()}
            for name, sql in BOXED.items()
        },
        readable={name: warehouse.partitions(name, span["start_date"], span["end_date"]) for name in built},
        now=now,
        damaged=damaged,
        alive={row["holder"]: warehouse.is_alive(row["holder"]) for row in runs if row["state"] == "running"},
    )
