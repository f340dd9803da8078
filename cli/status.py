"""`nba-features status`."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import click

from cli.options import DATE, json_option
from cli.output import say_json, table

if TYPE_CHECKING:
    from orchestration.status import Status


def _say(found: Status) -> None:
    if found.nights:
        table(
            ("date", "games", "store", "rows", "score", "severity", "predictions"),
            [
                (
                    n.date,
                    n.games,
                    n.state.replace("_", " "),
                    n.rows,
                    "" if n.score is None else f"{n.score:g}",
                    n.severity or "",
                    "ready" if n.is_prediction_ready else "no",
                )
                for n in found.nights
            ],
        )
        click.echo()
    events = ", ".join(f"{count} {severity}" for severity, count in found.events.items()) or "none"
    oldest = f"; oldest P0 or P1 of {found.oldest_open:%Y-%m-%d %H:%M} UTC" if found.oldest_open else ""
    click.echo(f"open events   {events}{oldest}")
    reached = f"reached {found.online_reached:%Y-%m-%d %H:%M} UTC" if found.online_reached else "never written"
    click.echo(f"online store  {reached}")
    if found.last_runs:
        run = found.last_runs[0]
        click.echo(f"last run      {run['run_id']}: {run['state']}" + (f", {run['detail'][:100]}" if run["detail"] else ""))
    click.echo()
    if not found.attention:
        click.echo("nothing needs a person")
    for what, command in found.attention:
        click.echo(f"{click.style('look', bold=True)}: {what}\n  {command}")


@click.command()
@click.option("--date", "today", type=DATE, default=None, help="Day to look from. Default: today, US Eastern.")
@json_option
def status(today: dt.date | None, as_json: bool) -> None:
    """Show the last dates and the next, open events, the online store and the last run, and what needs a person.

    Exit status 5 when something does; each line of it names the command to go on with.
    """
    from orchestration.status import read_status
    from schemas.clock import utc_now
    from schemas.errors import ExitStatus
    from schemas.settings import load_settings
    from warehouse import open_warehouse

    found = read_status(open_warehouse(load_settings()), utc_now(), today)
    say_json(found.as_dict()) if as_json else _say(found)
    if found.attention:
        raise SystemExit(int(ExitStatus.PARTLY))
