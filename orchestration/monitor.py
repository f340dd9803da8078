"""The night watch: read every canary of a date, raise what is wrong, close what has healed."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from orchestration.event_log import Event, healed, live_events, merged
from orchestration.runs import Run
from orchestration.watch_sources import (
    delivery_readings,
    feed_readings,
    game_readings,
    published_readings,
    score_readings,
    served_readings,
)
from quality.canaries import Reading, Watch, load_watch, still_broken
from quality.canary_figures import row_readings
from quality.events import CANARY, EVENTS, event_id
from schemas.rules import STORE_TABLE, load_rules
from warehouse.protocol import RecordWrite, Warehouse

ERROR = "canary_error"
Source = Callable[[], Iterable[Reading]]


@dataclass(frozen=True)
class Watched:
    """What a watch over a date saw: all readings, what is wrong now, and what has healed."""

    game_date: dt.date
    readings: tuple[Reading, ...]
    raised: tuple[Event, ...]
    healed: tuple[Event, ...]

    @property
    def faults(self) -> tuple[Reading, ...]:
        """Readings beyond a bound."""
        return tuple(reading for reading in self.readings if reading.is_fault)


def _sources(warehouse: Warehouse, watch: Watch, game_date: dt.date, at: dt.datetime, cutoff: dt.timedelta) -> dict[str, Source]:
    return {
        "rows": lambda: row_readings(warehouse, watch, game_date),
        "feeds": lambda: feed_readings(warehouse, watch, game_date),
        "games": lambda: game_readings(warehouse, watch, game_date),
        "published": lambda: published_readings(warehouse, watch, game_date),
        "served": lambda: served_readings(warehouse, watch, game_date, at, cutoff),
        "score": lambda: score_readings(warehouse, watch, game_date),
        "deliveries": lambda: delivery_readings(warehouse, watch),
    }


def _event(reason: str, table: str, severity: str, game_date: dt.date | None, run: Run, at: dt.datetime, **more: Any) -> Event:
    return {
        "event_id": event_id(table, game_date, reason, run.run_id),
        "event_timestamp": at,
        "event_type": CANARY,
        "severity": severity,
        "table_name": table,
        "game_date": game_date,
        "metric_name": None,
        "metric_value": None,
        "threshold": None,
        "reason_code": reason,
        "columns": None,
        "fate": "warned",
        "resolution_status": "open",
        "resolved_at": None,
        "details_json": "{}",
        "related_event_id": None,
        "run_id": run.run_id,
        **more,
    }


def _date_of(reading: Reading, game_date: dt.date) -> dt.date | None:
    return None if reading.canary.over == "deliveries" else game_date


def _fault(reading: Reading, game_date: dt.date, run: Run, at: dt.datetime) -> Event:
    facts = {"median": reading.median, "dates": reading.dates, "low": reading.low, "high": reading.high, "meaning": reading.canary.meaning}
    return _event(
        reading.reason_code,
        reading.table,
        reading.severity,
        _date_of(reading, game_date),
        run,
        at,
        metric_name=reading.canary.name,
        metric_value=reading.value,
        threshold=reading.bound,
        columns=reading.about if reading.canary.over == "features" else None,
        details_json=json.dumps(facts, sort_keys=True),
    )


def _related(event: Event, live: Sequence[Event]) -> Event:
    """Return the event with the oldest live one of an earlier date that has the same reason."""
    if event["game_date"] is None:
        return event
    same = [
        row
        for row in live
        if (row["table_name"], row["reason_code"]) == (event["table_name"], event["reason_code"])
        and row["game_date"] is not None
        and row["game_date"] < event["game_date"]
    ]
    first = min(same, key=lambda row: row["game_date"], default=None)
    return event if first is None else {**event, "related_event_id": first["event_id"]}


def _has_healed(event: Event, game_date: dt.date, watch: Watch, readings: dict[tuple[str, str], Reading], failed: set[str]) -> bool:
    """TRUE when this watch read what the event is about, on its date or where that counts on a later one, and found it well."""
    name, _, about = event["reason_code"].partition(":")
    date = event["game_date"]
    if name == ERROR:
        return about not in failed and (date is None or date <= game_date)
    canary = next((item for item in watch.canaries if item.name == name), None)
    if canary is None or canary.over in failed:
        return False
    reading = readings.get((event["table_name"], event["reason_code"]))
    if canary.over == "deliveries":
        return reading is None
    if reading is None or reading.is_fault:
        return False
    if date == game_date:
        return not still_broken(canary, reading.value, event)
    return date is not None and date < game_date and canary.heals_by == "later" and not still_broken(canary, reading.value, event)


def watch_date(warehouse: Warehouse, game_date: dt.date, at: dt.datetime, run: Run, watch: Watch | None = None) -> Watched:
    """Read all canaries of a date, record what is wrong, and close the events of which the same reading is well again.

    A source that cannot be read is itself an event of the highest severity, and heals nothing.
    """
    watch = watch or load_watch()
    readings: list[Reading] = []
    errors: dict[str, str] = {}
    for name, source in _sources(warehouse, watch, game_date, at, dt.timedelta(minutes=run.cutoff_minutes)).items():
        try:
            readings += source()
        except Exception as error:  # noqa: BLE001 - a watch that cannot look must say so
            errors[name] = " ".join(f"{type(error).__name__}: {error}".split())[:500]
    live = live_events(warehouse, [CANARY])
    severity = load_rules().gate.error_event_severity
    seen = [_fault(reading, game_date, run, at) for reading in readings if reading.is_fault]
    seen += [
        _event(f"{ERROR}:{name}", STORE_TABLE, severity, game_date, run, at, details_json=json.dumps({"error": text}))
        for name, text in errors.items()
    ]
    raised = merged(live, [_related(event, list(live.values())) for event in seen])
    # The rows and the features are read together.
    failed = set(errors) | ({"features"} if "rows" in errors else set())
    by_subject = {(reading.table, reading.reason_code): reading for reading in readings}
    touched = {event["event_id"] for event in raised}
    closed = [
        healed(event, at, f"{run.run_id} on {game_date}")
        for event in live.values()
        if event["event_id"] not in touched and _has_healed(event, game_date, watch, by_subject, failed)
    ]
    if raised or closed:
        warehouse.record([RecordWrite(EVENTS, [*raised, *closed])])
    return Watched(game_date, tuple(readings), tuple(raised), tuple(closed))
