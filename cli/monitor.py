"""`nba-features monitor`."""

from __future__ import annotations

import datetime as dt
import json

import click

from cli.night_options import NIGHT, games_wanted, if_games_option
from cli.options import as_of_option, json_option
from cli.output import say_json, table
from cli.run import tell_of


@click.command()
@click.option("--date", "game_date", type=NIGHT, required=True, help="Game date, US Eastern: YYYY-MM-DD, today or yesterday.")
@as_of_option
@click.option("--feast/--no-feast", default=True, show_default=True, help="Also compute Feast's own monitoring figures of the date.")
@click.option("--every-reading", is_flag=True, help="Show the readings that are well, too.")
@if_games_option
@json_option
def monitor(game_date: dt.date, as_of: dt.datetime | None, feast: bool, every_reading: bool, if_games: bool, as_json: bool) -> None:
    """Watch over a date: read every canary, raise events, close those that have healed, escalate by age, notify.

    Exit status 0 when nothing of severity P0 or P1 was raised, else 3.
    """
    from orchestration.alerts import escalate
    from orchestration.monitor import watch_date
    from orchestration.runs import recorded_run
    from orchestration.slates import require_games
    from schemas.clock import utc_now
    from schemas.errors import ExitStatus
    from schemas.settings import load_settings
    from warehouse import open_warehouse

    settings = load_settings()
    warehouse = open_warehouse(settings)
    with games_wanted(if_games):
        require_games(warehouse, game_date)
    at = as_of or utc_now()
    with recorded_run(warehouse, "monitor", {"date": game_date}, at, settings.cutoff_minutes, game_date, game_date) as run:
        seen = watch_date(warehouse, game_date, at, run)
        older = escalate(warehouse, at)
        urgent = [event for event in seen.raised if event["severity"] in ("P0", "P1")]
        run.detail = f"{len(seen.readings)} readings, {len(seen.raised)} raised, {len(seen.healed)} healed, {len(older)} escalated"
        run.exit_status = ExitStatus.BLOCKED if urgent else ExitStatus.DONE
    figures = None
    if feast:
        from serving.feast_figures import compute_figures

        figures = compute_figures(settings, warehouse, game_date)
    tell_of(warehouse, settings, game_date, run.run_id, is_build=False, also=older)
    shown = [reading for reading in seen.readings if every_reading or reading.is_fault]
    if as_json:
        readings = [
            {
                "reason_code": r.reason_code,
                "table": r.table,
                "value": r.value,
                "low": r.low,
                "high": r.high,
                "fault": r.is_fault,
                "dates": r.dates,
            }
            for r in shown
        ]
        told = {"run_id": run.run_id, "game_date": game_date, "readings": readings, "read": len(seen.readings), "raised": seen.raised}
        say_json({**told, "healed": seen.healed, "escalated": older, "feast": figures})
    else:
        severities = {(event["table_name"], event["reason_code"]): event["severity"] for event in seen.raised}
        read = {(r.table, r.reason_code) for r in seen.readings}
        # What could not be read at all has no reading, and is the worst of it.
        unread = [
            (event["severity"], f"{event['reason_code']}: {json.loads(event['details_json']).get('error', 'no reason recorded')}")
            for event in seen.raised
            if (event["table_name"], event["reason_code"]) not in read
        ]
        faults = [*unread, *((severities.get((r.table, r.reason_code), ""), r.line()) for r in shown)]
        if faults:
            table(("", "reading"), faults)
            click.echo()
        click.echo(f"{game_date}: {run.detail}" + (f"; Feast: {figures['status']}" if figures else ""))
    raise SystemExit(int(run.exit_status))
