"""`nba-features events`."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import click

from cli.options import DATE, json_option
from cli.output import say_json, table

if TYPE_CHECKING:
    from schemas.settings import Settings
    from warehouse.protocol import Warehouse

FIRST, LAST = dt.date(1900, 1, 1), dt.date(9999, 12, 31)
SEVERITIES = ("P0", "P1", "P2", "P3", "info")


@click.group()
def events() -> None:
    """List, acknowledge and resolve what the gates and canaries saw; see to it that somebody is told."""


def _open() -> tuple[Settings, Warehouse]:
    from schemas.settings import load_settings
    from warehouse import open_warehouse

    settings = load_settings()
    return settings, open_warehouse(settings)


def _rows(found: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    return [
        (
            row["event_id"][:12],
            row["severity"],
            row["resolution_status"],
            row["game_date"],
            row["reason_code"],
            row["table_name"].split(".")[1],
            "" if row["metric_value"] is None else f"{row['metric_value']:.4g}",
            "" if row["threshold"] is None else f"{row['threshold']:.4g}",
            f"{row['event_timestamp']:%Y-%m-%d %H:%M}",
        )
        for row in found
    ]


@events.command("list")
@click.option("--date", "game_date", type=DATE, default=None, help="Only events about this game date.")
@click.option("--start", type=DATE, default=None, help="First game date. Default: any.")
@click.option("--end", type=DATE, default=None, help="Last game date. Default: any.")
@click.option("--severity", type=click.Choice(SEVERITIES), default="info", show_default=True, help="This severity and worse.")
@click.option("--all", "every", is_flag=True, help="Also what is resolved, healed or for information.")
@click.option("--limit", type=click.IntRange(1), default=40, show_default=True, help="Rows of the table; --json prints all.")
@json_option
def list_(
    game_date: dt.date | None, start: dt.date | None, end: dt.date | None, severity: str, every: bool, limit: int, as_json: bool
) -> None:
    """List events that call for somebody, worst and oldest first."""
    from orchestration.event_log import list_events

    first, last = game_date or start or FIRST, game_date or end or LAST
    found = list_events(_open()[1], first, last, every)
    found = [row for row in found if SEVERITIES.index(row["severity"]) <= SEVERITIES.index(severity)]
    if game_date or start or end:
        found = [row for row in found if row["game_date"] is not None]
    if as_json:
        say_json({"events": found})
        return
    if not found:
        click.echo("no events" if every else "nothing calls for anybody")
        return
    table(("event", "severity", "state", "date", "reason", "table", "seen", "allowed", "since, UTC"), _rows(found), limit)


def _move(ids: tuple[str, ...], to: str, note: str | None, as_json: bool) -> None:
    from orchestration.event_log import move_all
    from schemas.clock import utc_now

    warehouse = _open()[1]
    moved = move_all(warehouse, [item.lower() for item in ids], to, utc_now(), note)
    if as_json:
        say_json({"events": moved})
    for row in () if as_json else moved:
        click.echo(f"{row['event_id'][:12]} {row['severity']} {row['reason_code']}: {to}")


@events.command()
@click.argument("ids", nargs=-1, required=True)
@click.option("--note", default=None, help="Why, for whoever reads it next.")
@json_option
def ack(ids: tuple[str, ...], note: str | None, as_json: bool) -> None:
    """Acknowledge events by the first digits of their ids: somebody is at it, nobody is told again, nothing escalates."""
    _move(ids, "acknowledged", note, as_json)


@events.command()
@click.argument("ids", nargs=-1, required=True)
@click.option("--note", default=None, help="What mended it.")
@json_option
def resolve(ids: tuple[str, ...], note: str | None, as_json: bool) -> None:
    """Resolve events by the first digits of their ids; the same fault seen again is a new event."""
    _move(ids, "resolved", note, as_json)


@events.command("test-alert")
@click.option(
    "--severity", type=click.Choice(SEVERITIES[:4]), default="P0", show_default=True, help="Addresses told of this severity are tried."
)
@json_option
def test_alert(severity: str, as_json: bool) -> None:
    """Send a test notification to every address and say whether each took it; exit status 1 when one did not."""
    from orchestration.outbox import NOTIFICATION, deliver, delivery, enqueue
    from orchestration.receivers import NOTIFY, addresses, senders
    from schemas.clock import utc_now
    from schemas.errors import DeliveryError, UsageError

    settings, warehouse = _open()
    at = utc_now()
    to = [address for address in addresses() if address.wants(severity)]
    if not to:
        raise UsageError(
            f"no address is told of {severity}", [], f"set {NOTIFY}, for example {NOTIFY}='P1=slack://... P3=json://host/path'"
        )
    body = "A test of the way alerts take. Nothing is wrong."
    rows = [
        delivery(
            NOTIFICATION, item.target, f"test at {at.isoformat()}", f"{severity}: test alert", body, at, "test-alert", severity=severity
        )
        for item in to
    ]
    ids = enqueue(warehouse, rows)
    done = deliver(warehouse, senders(settings), utc_now, ids=ids)
    failed = dict(done.failed)
    result = [(row["target"], row["delivery_id"] in done.sent, failed.get(row["delivery_id"], "")) for row in rows]
    if as_json:
        say_json({"addresses": [{"target": target, "delivered": taken, "why": why} for target, taken, why in result]})
    else:
        table(("address", "delivered", "why not"), [(target, "yes" if taken else "no", why) for target, taken, why in result])
    lost = [target for target, taken, _ in result if not taken]
    if lost:
        raise DeliveryError(
            "the test alert did not arrive everywhere", lost, "it is kept and tried again; see: nba-features events deliver"
        )


@events.command()
@click.option("--now", "at_once", is_flag=True, help="Also what is not due yet.")
@click.option("--drop-unknown", is_flag=True, help="Close what is for addresses and topics that are not configured any more, on record.")
@click.option("--dry-run", is_flag=True, help="List what waits and send nothing.")
@json_option
def deliver(at_once: bool, drop_unknown: bool, dry_run: bool, as_json: bool) -> None:
    """Send what waits to be delivered, notifications and messages; exit status 5 while something is left."""
    from orchestration.outbox import WAITING, Delivered
    from orchestration.outbox import deliver as send
    from orchestration.receivers import senders
    from schemas.clock import utc_now
    from schemas.errors import ExitStatus

    settings, warehouse = _open()

    def waiting() -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = warehouse.query(WAITING).to_pylist()
        return sorted(rows, key=lambda row: (row["created_at"], row["delivery_id"]))

    done = Delivered()
    if not dry_run:
        ids = [row["delivery_id"] for row in waiting()] if at_once else None
        done = send(warehouse, senders(settings), utc_now, seconds=60.0, ids=ids, drop_unknown=drop_unknown)
    left = waiting()
    if as_json:
        say_json(
            {
                "sent": done.sent,
                "closed": done.closed,
                "waiting": [{name: value for name, value in row.items() if name != "body"} for row in left],
            }
        )
    else:
        click.echo(f"{len(done.sent)} sent, {len(left)} waiting" + (f", {len(done.closed)} closed as undeliverable" if done.closed else ""))
        rows = [(r["delivery_id"][:12], r["target"], r["title"], r["attempts"], r["next_attempt_at"], r["last_error"] or "") for r in left]
        if rows:
            table(("delivery", "to", "what", "attempts", "next, UTC", "last error"), rows, 40)
    if left and not dry_run:
        raise SystemExit(int(ExitStatus.PARTLY))
