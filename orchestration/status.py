"""The daily look: the last dates and the next, the runs, the events, the online store; from records alone, in a moment."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from orchestration.outcome import LEDGER
from orchestration.quality_events import EVENTS
from orchestration.runs import RUNS
from orchestration.slates import BOUNDS, game_dates
from schemas.clock import eastern_date
from schemas.rules import STORE_TABLE, load_rules
from warehouse.protocol import Warehouse

METRICS = f"{STORE_TABLE}_quality_metrics"
BACK, FORWARD = dt.timedelta(days=21), dt.timedelta(days=21)
SHOWN_NIGHTS = 5
OPEN = f"""
SELECT severity, resolution_status, COUNT(*) AS n, MIN(event_timestamp) AS oldest
FROM {EVENTS}
WHERE resolution_status IN ('open', 'acknowledged') AND severity != 'info'
GROUP BY severity, resolution_status
"""
LEDGER_STATES = f"SELECT game_date, state, row_count, reasons FROM {LEDGER} WHERE table_name = @table AND game_date BETWEEN @low AND @high"
SCORES = f"SELECT * FROM {METRICS} WHERE game_date BETWEEN @low AND @high"
LATEST_RUNS = f"SELECT * FROM {RUNS} ORDER BY started_at DESC, run_id DESC LIMIT 50"
ONLINE = """
SELECT MAX(end_time) AS reached FROM nba_orchestration.materialization_history WHERE state = 'succeeded'
"""
URGENT = ("P0", "P1")
STATES_OF_RUNS = ("failed", "died", "blocked", "waiting")


@dataclass(frozen=True)
class Night:
    """A date with games: what became of its store, and how good it is."""

    date: dt.date
    games: int
    state: str
    rows: int
    score: float | None = None
    severity: str | None = None
    is_prediction_ready: bool = False
    reasons: str = ""


@dataclass(frozen=True)
class Status:
    """What the daily look shows; `attention` says in words what a person should look at, each with its command."""

    today: dt.date
    nights: tuple[Night, ...]
    events: Mapping[str, int]
    oldest_open: dt.datetime | None
    last_runs: tuple[Mapping[str, Any], ...]
    online_reached: dt.datetime | None
    attention: tuple[tuple[str, str], ...]

    def as_dict(self) -> dict[str, Any]:
        """Return the status for `--json`."""
        return asdict(self)


def _nights(warehouse: Warehouse, today: dt.date) -> tuple[Night, ...]:
    games = game_dates(warehouse, today - BACK, today + FORWARD)
    due = [date for date in games if date <= today][-SHOWN_NIGHTS:] + [date for date in games if date > today][:1]
    if not due:
        return ()
    span = {"table": STORE_TABLE, "low": due[0], "high": due[-1]}
    ledger = {row["game_date"]: row for row in warehouse.query(LEDGER_STATES, span).to_pylist()}
    scores = {row["game_date"]: row for row in warehouse.query(SCORES, span).to_pylist()}
    nights = []
    for date in due:
        entry, metrics = ledger.get(date), scores.get(date)
        state = entry["state"] if entry else "to_come" if date > today else "not_built"
        metrics = metrics or {}
        nights.append(
            Night(
                date,
                games[date],
                state,
                entry["row_count"] if entry else 0,
                metrics.get("quality_score"),
                metrics.get("severity"),
                bool(metrics.get("is_prediction_ready")),
                (entry or {}).get("reasons") or "",
            )
        )
    return tuple(nights)


def _attention(warehouse: Warehouse, today: dt.date, nights: Sequence[Night], runs: Sequence[Mapping[str, Any]]) -> list[tuple[str, str]]:
    found = []
    for night in nights:
        explain = f"nba-features explain --date {night.date}"
        if night.state == "blocked":
            found.append((f"{night.date} is blocked: {night.reasons}", explain))
        elif night.state in ("not_built", "missing", "staged") and night.date < today:
            found.append((f"{night.date} is not built", explain))
        elif night.state == "not_built":
            waiting = next((run for run in runs if run["start_date"] == night.date and run["state"] in STATES_OF_RUNS), None)
            said = f": its last run ended as {waiting['state']}" if waiting else ""
            found.append((f"tonight, {night.date}, is not built yet{said}", explain))
        elif night.state == "published" and not night.is_prediction_ready:
            score = "unknown" if night.score is None else f"{night.score:g}"
            found.append(
                (f"{night.date} is not ready for predictions: score {score}, {load_rules().batch.prediction_min:g} needed", explain)
            )
    dead = [run["run_id"] for run in runs if run["state"] == "running" and not warehouse.is_alive(run["holder"])]
    if dead:
        found.append((f"{len(dead)} runs ended without a word: {', '.join(dead)}", "nba-features doctor --repair"))
    if runs and runs[0]["state"] in ("failed", "died"):
        found.append((f"the last run ({runs[0]['run_id']}) ended as {runs[0]['state']}: {runs[0]['detail']}", "nba-features doctor"))
    return found


def _no_nights(warehouse: Warehouse, today: dt.date) -> tuple[str, str]:
    """Return that there is nothing to show around the day, what the schedule holds instead, and what to run."""
    bounds = warehouse.query(BOUNDS).to_pylist()[0]
    if bounds["last_date"] is None:
        return "the schedule is empty; NBA_FEATURES_HOME says where the data is", "nba-features ingest"
    holds = f"it reaches from {bounds['first_date']} to {bounds['last_date']}, and --date looks from another day"
    return f"the schedule has no game within {BACK.days} days of {today}; {holds}", "nba-features ingest --dry-run"


def read_status(warehouse: Warehouse, now: dt.datetime, today: dt.date | None = None) -> Status:
    """Return the state of things on a day, by default today; no row of the store is read."""
    day = today or eastern_date(now)
    nights = _nights(warehouse, day)
    runs = warehouse.query(LATEST_RUNS).to_pylist()
    events: Counter[str] = Counter()
    oldest: list[dt.datetime] = []
    waiting: Counter[str] = Counter()
    for row in warehouse.query(OPEN).to_pylist():
        events[row["severity"]] += row["n"]
        if row["severity"] in URGENT:
            oldest.append(row["oldest"])
            # What somebody has acknowledged is in hands already.
            waiting[row["severity"]] += row["n"] if row["resolution_status"] == "open" else 0
    attention = _attention(warehouse, day, nights, runs)
    if waiting.total():
        counts = " and ".join(f"{waiting[severity]} {severity}" for severity in URGENT if waiting[severity])
        attention.append((f"{counts} events are open and nobody has acknowledged them", "nba-features events list"))
    if not nights:
        attention.append(_no_nights(warehouse, day))
    online = warehouse.query(ONLINE).to_pylist()[0]
    return Status(
        day,
        nights,
        dict(sorted(events.items())),
        min(oldest, default=None),
        tuple(runs[:SHOWN_NIGHTS]),
        online["reached"],
        tuple(attention),
    )
