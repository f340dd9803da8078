"""What the report shows, read once: every date of a range with its rows, scores, sources, events, runs and explanation."""

from __future__ import annotations

import datetime as dt
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from orchestration.explain.dates import explain_date
from orchestration.explain.facts import BLOCKED_TABLE, Facts, read_facts, request_of
from orchestration.explain.findings import DateExplanation
from orchestration.slates import game_dates
from quality.reason_words import in_words
from schemas.catalogue import load_catalogue
from schemas.clock import eastern_date
from schemas.errors import NoGamesError
from schemas.rules import STORE_TABLE, load_rules
from warehouse.protocol import Warehouse

LEVELS = ("blocked", "red", "yellow", "green", "cold start", "not built", "to come")
"""Levels of a date, worst first; the last three are no verdict on its rows."""
PLAYERS = (
    "player_lookup, team_abbr, opponent_team_abbr, feature_quality_score, quality_tier, quality_alert_level, is_quality_ready,"
    " matchup_quality_pct, feature_fallback_reasons_json"
)


@dataclass(frozen=True)
class ReportData:
    """Everything on the page; `days`, `sources`, `events` and `runs` are rows of plain values."""

    title: str
    start: dt.date
    end: dt.date
    generated_at: dt.datetime
    days: tuple[Mapping[str, Any], ...]
    sources: tuple[Mapping[str, Any], ...]
    events: tuple[Mapping[str, Any], ...]
    runs: tuple[Mapping[str, Any], ...]
    explanations: Mapping[dt.date, DateExplanation]
    players: tuple[Mapping[str, Any], ...] = ()


def _level(facts: Facts, found: DateExplanation) -> str:
    day = facts.day(found.date)
    if found.state == "blocked":
        return "blocked"
    if day is None:
        return "to come" if found.state == "to_come" else "not built"
    if any(event["reason_code"] == "cold_start" for event in facts.events_by_date.get(found.date, ())):
        return "cold start"
    if found.severity in ("P0", "P1") or day.levels["red"] > load_rules().gate.red_share_max * day.rows:
        return "red"
    return "yellow" if found.severity is not None else "green"


def _usual_lines(facts: Facts, date: dt.date) -> float | None:
    days = [facts.days[other] for other in facts.comparisons[date].dates if other in facts.days]
    return round(median(day.lines / day.rows for day in days), 4) if days else None


def _day(facts: Facts, found: DateExplanation) -> dict[str, Any]:
    rules, catalogue = load_rules(), load_catalogue()
    date, day, metrics = found.date, facts.day(found.date), facts.metrics.get(found.date)
    row: dict[str, Any] = {
        "date": date,
        "level": _level(facts, found),
        "state": found.state.replace("_", " "),
        "severity": found.severity or "",
        "games": facts.games.get(date, 0),
        "rows": day.rows if day else 0,
        "expected": metrics["expected_row_count"] if metrics else None,
        "ready": day.ready if day else 0,
        "score": day.score if day else None,
        "lines": day.lines if day else 0,
        "line_share": round(day.lines / day.rows, 4) if day else None,
        "usual_line_share": _usual_lines(facts, date) if day else None,
        "batch_score": metrics["quality_score"] if metrics else None,
        "band": metrics["band"] if metrics else "",
        "headline": found.headline,
    }
    row |= {f"{level}_rows": day.levels[level] if day else 0 for level in rules.alert_levels}
    row |= {category.name: day.categories[category.name] if day else None for category in catalogue.categories}
    row |= {name: metrics[f"{name}_score"] if metrics else None for name in rules.batch.components}
    return row


def _sources(facts: Facts, date: dt.date) -> list[dict[str, Any]]:
    canonical = load_rules().canonical_sources
    counts: dict[int, Counter[str]] = {}
    for (index, source, _), count in facts.label_counts(date).items():
        counts.setdefault(index, Counter())[source] += count
    found = []
    for feature in load_catalogue().features:
        mine = counts.get(feature.index)
        if mine:
            rows = sum(mine.values())
            found.append(
                {"date": date, "feature": feature.name, "rows": rows, **{source: round(mine[source] / rows, 4) for source in canonical}}
            )
    return found


def _events(facts: Facts, dates: Sequence[dt.date]) -> tuple[dict[str, Any], ...]:
    wanted = set(dates)
    found = [
        {
            "date": event["game_date"],
            "severity": event["severity"],
            "table": event["table_name"].split(".")[-1],
            "what": in_words(event["reason_code"]),
            "figure": event["metric_value"],
            "allowed": event["threshold"],
            "state": event["resolution_status"].replace("_", " "),
            "seen": event["event_timestamp"],
        }
        for event in facts.events
        if event["game_date"] in wanted and event["severity"] != "info"
    ]
    return tuple(sorted(found, key=lambda row: (row["date"], row["severity"], row["what"])))


def _runs(facts: Facts, start: dt.date, end: dt.date) -> tuple[dict[str, Any], ...]:
    found = []
    for run in facts.runs.values():
        about = run["start_date"] is not None and run["start_date"] <= end and run["end_date"] >= start
        if about and run["ended_at"] is not None:
            found.append(
                {
                    "run": run["run_id"],
                    "command": str(request_of(run).get("command") or "unknown"),
                    "state": run["state"],
                    "started": run["started_at"],
                    "first": run["start_date"],
                    "last": run["end_date"],
                    "seconds": round((run["ended_at"] - run["started_at"]).total_seconds(), 2),
                    "rows": run["rows_written"] or 0,
                }
            )
    return tuple(sorted(found, key=lambda row: row["started"]))


def _players(warehouse: Warehouse, facts: Facts, date: dt.date) -> tuple[dict[str, Any], ...]:
    table = BLOCKED_TABLE if date in facts.blocked_days else STORE_TABLE
    order = "ORDER BY feature_quality_score, player_lookup"
    found = warehouse.query(f"SELECT {PLAYERS} FROM {table} WHERE game_date = @date {order}", {"date": date}).to_pylist()
    failing = set(load_rules().failure_reasons)
    rows = []
    for row in found:
        reasons = json.loads(row["feature_fallback_reasons_json"]).values()
        rows.append(
            {
                "player": row["player_lookup"],
                "team": row["team_abbr"],
                "opponent": row["opponent_team_abbr"],
                "score": row["feature_quality_score"],
                "tier": row["quality_tier"],
                "level": row["quality_alert_level"],
                "ready": "yes" if row["is_quality_ready"] and table == STORE_TABLE else "no",
                "matchup": row["matchup_quality_pct"],
                "broken": ", ".join(sorted({reason for reason in reasons if reason in failing})),
                "normal": ", ".join(sorted({reason for reason in reasons if reason not in failing})),
            }
        )
    return tuple(rows)


def read_report(warehouse: Warehouse, start: dt.date, end: dt.date, now: dt.datetime) -> ReportData:
    """Return what the report of a range shows; one date alone comes with its rows player by player.

    Raises:
        NoGamesError: no game has come, or is next, between the two dates.
    """
    today = eastern_date(now)
    games = game_dates(warehouse, start, end)
    built = warehouse.partitions(STORE_TABLE, start, end)
    dates = tuple(date for date in games if date <= today or date in built)
    if not dates:
        raise NoGamesError("no game dates have come between these dates", [f"{start} to {end}"])
    facts = read_facts(warehouse, dates, now)
    single = start == end
    found = {date: explain_date(warehouse, facts, date, deep=single) for date in dates}
    return ReportData(
        f"{start}" if single else f"{start} to {end}",
        start,
        end,
        now,
        tuple(_day(facts, item) for item in found.values()),
        tuple(row for date in dates for row in _sources(facts, date)),
        _events(facts, dates),
        _runs(facts, start, end),
        found,
        _players(warehouse, facts, dates[0]) if single else (),
    )
