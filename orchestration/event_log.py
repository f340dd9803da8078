"""The record of quality events: one live event per subject, however often it is seen; closed, acknowledged, escalated here."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from quality.events import EVENTS, LIVE, SEVERITIES, subject, worst
from schemas.errors import UnknownNameError, UsageError
from warehouse.protocol import RecordWrite, Warehouse

Event = dict[str, Any]
FOUND = f"SELECT * FROM {EVENTS} WHERE event_type IN UNNEST(@types) AND resolution_status IN ('open', 'acknowledged')"
OPEN = f"SELECT * FROM {EVENTS} WHERE resolution_status IN ('open', 'acknowledged') AND severity != 'info'"
LISTED = f"SELECT * FROM {EVENTS} WHERE game_date IS NULL OR game_date BETWEEN @start_date AND @end_date"
ONE = f"SELECT * FROM {EVENTS} WHERE STARTS_WITH(event_id, @prefix)"
# How long an event may stay unacknowledged before it is told one severity higher. P3 is for the weekly review and wakes nobody.
RESPONSE = {"P1": dt.timedelta(hours=2), "P2": dt.timedelta(hours=4)}
# An event about a date so much older than itself comes from a backfill, where nobody waits for that date.
OF_TONIGHT = dt.timedelta(days=4)
SHORTEST_PREFIX = 6


def details(event: Mapping[str, Any]) -> dict[str, Any]:
    """Return the further facts of an event."""
    found = json.loads(event.get("details_json") or "{}")
    return found if isinstance(found, dict) else {}


def with_details(event: Mapping[str, Any], **more: Any) -> Event:
    """Return the event with further facts."""
    return {**event, "details_json": json.dumps({**details(event), **more}, sort_keys=True, default=str)}


def open_events(warehouse: Warehouse) -> list[Event]:
    """Return all open and acknowledged events that call for somebody."""
    rows: list[Event] = warehouse.query(OPEN).to_pylist()
    return rows


def live_events(warehouse: Warehouse, types: Iterable[str]) -> dict[tuple[Any, ...], Event]:
    """Return the open and acknowledged events of these types by what they are about; of several the oldest."""
    rows = warehouse.query(FOUND, {"types": sorted(types)}).to_pylist()
    rows.sort(key=lambda row: (row["event_timestamp"], row["event_id"]), reverse=True)
    return {subject(row): row for row in rows}


def merged(known: Mapping[tuple[Any, ...], Event], seen: Sequence[Event]) -> list[Event]:
    """Return what to record of the events just seen: one that is live already keeps its id, age and state, with the new figures and run.

    A severity never falls while the event lives.
    """
    result = []
    for event in seen:
        old = known.get(subject(event))
        if old is None:
            result.append(event)
            continue
        kept = {name: old[name] for name in ("event_id", "event_timestamp", "resolution_status", "related_event_id")}
        facts = {
            **details(old),
            **details(event),
            "seen": details(old).get("seen", 1) + 1,
            "first_run_id": details(old).get("first_run_id", old["run_id"]),
        }
        facts["last_seen_at"] = event["event_timestamp"].isoformat()
        result.append(with_details({**event, **kept, "severity": worst(old["severity"], event["severity"])}, **facts))
    return result


def record_events(warehouse: Warehouse, seen: Sequence[Event]) -> list[Event]:
    """Record events, each subject once; return them as they are on record."""
    if not seen:
        return []
    rows = merged(live_events(warehouse, {event["event_type"] for event in seen}), seen)
    warehouse.record([RecordWrite(EVENTS, rows)])
    return rows


def healed(event: Event, at: dt.datetime, why: str) -> Event:
    """Return a live event closed because a later run found nothing wrong."""
    return with_details({**event, "resolution_status": "self_healed", "resolved_at": at}, healed_by=why)


def escalated(event: Event, at: dt.datetime) -> Event | None:
    """Return an open event one severity higher when it has outlived its response time unacknowledged, once; None when it has not."""
    severity, seen, date = event["severity"], event["event_timestamp"], event["game_date"]
    if event["resolution_status"] != "open" or severity not in RESPONSE or "escalated_from" in details(event):
        return None
    if at - seen <= RESPONSE[severity] or (date is not None and seen.date() - date > OF_TONIGHT):
        return None
    higher = SEVERITIES[SEVERITIES.index(severity) - 1]
    return with_details({**event, "severity": higher}, escalated_from=severity, escalated_at=at.isoformat())


def find_event(warehouse: Warehouse, prefix: str) -> Event:
    """Return the event whose id begins so; raise `UnknownNameError` for none, `UsageError` for several."""
    if len(prefix) < SHORTEST_PREFIX or not all(letter in "0123456789abcdef" for letter in prefix):
        raise UsageError("not an event id", [prefix], f"give its first {SHORTEST_PREFIX} hexadecimal digits or more")
    rows: list[Event] = warehouse.query(ONE, {"prefix": prefix}).to_pylist()
    if not rows:
        raise UnknownNameError("no such event", [prefix], "run: nba-features events list --all")
    if len(rows) > 1:
        raise UsageError("several events begin so", [row["event_id"] for row in rows], "give more digits")
    return rows[0]


def move_all(warehouse: Warehouse, prefixes: Sequence[str], to: str, at: dt.datetime, note: str | None = None) -> list[Event]:
    """Acknowledge or resolve events, all of them or none.

    Raises:
        UnknownNameError: some of them do not exist.
        UsageError: some are named by too few digits, or are closed.
    """
    found = {event["event_id"]: event for event in (find_event(warehouse, prefix) for prefix in prefixes)}
    closed = [
        f"{event['event_id'][:12]} {event['resolution_status']}" for event in found.values() if event["resolution_status"] not in LIVE
    ]
    if closed:
        raise UsageError("the event is closed", closed, "a fault seen again is a new event")
    entry = {"at": at.isoformat(), "state": to, "note": note or ""}
    moved = [
        with_details(
            {**event, "resolution_status": to, "resolved_at": at if to == "resolved" else None},
            history=[*details(event).get("history", []), entry],
        )
        for event in found.values()
    ]
    warehouse.record([RecordWrite(EVENTS, moved)])
    return moved


def move(warehouse: Warehouse, prefix: str, to: str, at: dt.datetime, note: str | None = None) -> Event:
    """Acknowledge or resolve an event; raise `UsageError` for one that is closed."""
    return move_all(warehouse, [prefix], to, at, note)[0]


def list_events(warehouse: Warehouse, start: dt.date, end: dt.date, every: bool = False) -> list[Event]:
    """Return the events about these dates, worst and oldest first; only live ones that call for somebody unless `every`."""
    rows: list[Event] = warehouse.query(LISTED, {"start_date": start, "end_date": end}).to_pylist()
    wanted = [row for row in rows if every or (row["resolution_status"] in LIVE and row["severity"] != "info")]
    return sorted(wanted, key=lambda row: (SEVERITIES.index(row["severity"]), row["event_timestamp"], row["event_id"]))
