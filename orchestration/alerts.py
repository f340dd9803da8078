"""Who is told what: events that call for somebody, each told once to each address until it gets worse or its quiet time is over."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from orchestration.event_log import Event, escalated, open_events
from orchestration.outbox import DELIVERIES, NOTIFICATION, Delivered, deliver, delivery, enqueue
from orchestration.receivers import Address, configured, refuse_wrong_addresses, senders
from quality.events import EVENTS, SEVERITIES, subject, worst
from schemas.settings import Settings
from warehouse.protocol import RecordWrite, Warehouse

QUIET = {"P0": dt.timedelta(hours=1), "P1": dt.timedelta(hours=4), "P2": dt.timedelta(hours=12), "P3": dt.timedelta(hours=24)}
"""How long an event that goes on is not told again at the same severity."""

TOLD = f"SELECT target, subjects, created_at FROM {DELIVERIES} WHERE kind = 'notification' AND created_at > @since"
MOST_LINES = 15


def _key(event: Event) -> str:
    return "|".join([*(str(part) for part in subject(event)), event["severity"]])


def _line(event: Event) -> str:
    about = f" on {event['game_date']}" if event["game_date"] else ""
    figures = ""
    if event["metric_value"] is not None:
        against = "" if event["threshold"] is None else f" against {event['threshold']:.4g}"
        figures = f": {event['metric_name'] or 'figure'} {event['metric_value']:.4g}{against}"
    return f"{event['severity']} {event['reason_code']}{about} ({event['table_name']}){figures} [{event['event_id'][:12]}]"


def _body(events: Sequence[Event]) -> str:
    lines = [_line(event) for event in events[:MOST_LINES]]
    if len(events) > MOST_LINES:
        lines.append(f"+{len(events) - MOST_LINES} more")
    dates = sorted({event["game_date"] for event in events if event["game_date"] is not None})
    commands = [f"nba-features {words} --date {date}" for date in dates[:2] for words in ("explain", "events list")]
    commands = commands or ["nba-features events list"]
    commands.append(f"nba-features events ack {events[0]['event_id'][:12]}")
    return "\n".join([*lines, "", *commands])


def _told(warehouse: Warehouse, at: dt.datetime) -> dict[tuple[str, str], dt.datetime]:
    """Return when each address was last told of each subject at each severity."""
    rows = warehouse.query(TOLD, {"since": at - max(QUIET.values())}).to_pylist()
    found: dict[tuple[str, str], dt.datetime] = {}
    for row in sorted(rows, key=lambda row: row["created_at"]):
        for key in json.loads(row["subjects"] or "[]"):
            found[row["target"], key] = row["created_at"]
    return found


def notifications(
    events: Iterable[Event], to: Sequence[Address], told: Mapping[tuple[str, str], dt.datetime], at: dt.datetime, run_id: str
) -> list[dict[str, Any]]:
    """Return one notification per address with all it has not been told; each subject at its worst severity, acknowledged ones left out."""
    worst_first = sorted(events, key=lambda event: (SEVERITIES.index(event["severity"]), event["event_timestamp"], event["event_id"]))
    by_subject: dict[tuple[Any, ...], Event] = {}
    for event in worst_first:
        if event["resolution_status"] == "open" and event["severity"] in QUIET:
            by_subject.setdefault(subject(event), event)
    rows = []
    for address in to:
        new = []
        for event in by_subject.values():
            last = told.get((address.target, _key(event)))
            if address.wants(event["severity"]) and (last is None or at - last >= QUIET[event["severity"]]):
                new.append(event)
        if not new:
            continue
        keys = sorted(_key(event) for event in new)
        severity = worst(*(event["severity"] for event in new))
        dates = sorted({event["game_date"] for event in new if event["game_date"] is not None})
        title = f"{severity}: {new[0]['reason_code']}" + (f" and {len(new) - 1} more" if len(new) > 1 else "")
        title += f", {dates[-1]}" if dates else ""
        mark = f"{'; '.join(keys)} at {at.isoformat()}"
        more = {"severity": severity, "game_date": dates[-1] if dates else None, "subjects": json.dumps(keys)}
        rows.append(delivery(NOTIFICATION, address.target, mark, title, _body(new), at, run_id, **more))
    return rows


def escalate(warehouse: Warehouse, at: dt.datetime) -> list[Event]:
    """Raise the severity of open events nobody has acknowledged in time, and return them."""
    raised = [event for row in open_events(warehouse) if (event := escalated(row, at)) is not None]
    if raised:
        warehouse.record([RecordWrite(EVENTS, raised)])
    return raised


def tell(
    warehouse: Warehouse,
    settings: Settings,
    dates: Sequence[dt.date],
    now: Callable[[], dt.datetime],
    run_id: str,
    also: Sequence[Event] = (),
    environ: Mapping[str, str] | None = None,
) -> Delivered:
    """Write what must be told of these dates (and of events `also` given), then try to deliver all that is due.

    What was built and recorded is safe before this begins; a receiver that is down costs a few seconds and loses nothing.

    Raises:
        UsageError: some addresses are none; all the others have been told.
    """
    (to, wrong), at = configured(environ), now()
    if to:
        about = [event for event in open_events(warehouse) if event["game_date"] is None or event["game_date"] in dates]
        known = {event["event_id"] for event in about}
        about += [event for event in also if event["event_id"] not in known]
        enqueue(warehouse, notifications(about, to, _told(warehouse, at), at, run_id))
    done = deliver(warehouse, senders(settings, environ), now)
    refuse_wrong_addresses(wrong)
    return done
