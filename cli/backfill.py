"""`nba-features backfill`."""

from __future__ import annotations

import datetime as dt
from typing import Any

import click

from cli.options import DATE, DATES, as_of_option, dry_run_option, json_option, override_option
from cli.output import progress_lines


@click.command()
@click.option("--start-date", "start", type=DATE, default=None, help="First date.")
@click.option("--end-date", "end", type=DATE, default=None, help="Last date. Default: the day of the as-of instant.")
@click.option("--season", default=None, help="Season label such as 2023-24, instead of dates.")
@click.option("--dates", type=DATES, default=None, help="Just these dates, comma-separated; a blocked one is tried again.")
@click.option("--gaps", is_flag=True, help="Only what is missing, altered or blocked; leave what is merely stale.")
@click.option("--date-by-date", is_flag=True, help="One date per statement instead of a season.")
@click.option("--rows-per-stage", type=click.IntRange(1), default=None, help="Most rows of one statement. Default: 60000.")
@click.option("--plan", "plan_only", is_flag=True, help="Print the plan and change nothing; the same as --dry-run.")
@dry_run_option
@click.option("--status", is_flag=True, help="Say how far the latest backfill has come; works while it runs.")
@click.option(
    "--no-resume", is_flag=True, help="Do not go on with an interrupted backfill of the same request: its instant and version are let go."
)
@click.option("--skip-preflight", is_flag=True, help="Build although box scores of played games are absent.")
@click.option(
    "--cascade-from", type=DATES, default=None, help="Dates whose raw data arrived or was corrected: make again just what holds them."
)
@click.option("--cascade-auto", is_flag=True, help="The same, for the dates whose raw data has changed since it was built.")
@click.option(
    "--only-columns", default=None, help="Fill just these columns of the store, comma-separated; every other column stays as it is."
)
@as_of_option
@override_option
@json_option
def backfill(**options: Any) -> None:
    """Bring ranges of dates up to date and prove it: what is missing, altered, stale or blocked is computed from the data.

    Bad dates are blocked, their neighbours publish. Exit status 0 only when everything asked for is verified, else 5.
    """
    from backfill.request import ROWS_PER_STAGE, Request
    from cli.backfill_views import say_cascade, say_filled, say_outcome, say_plan, say_status
    from schemas.clock import utc_now
    from schemas.errors import UsageError
    from schemas.settings import load_settings
    from warehouse import open_warehouse

    chosen = [name for name in ("dates", "season", "cascade_from", "cascade_auto", "status") if options[name]]
    chosen += ["start-date or end-date"] if options["start"] or options["end"] else []
    if len(chosen) > 1:
        raise UsageError("these say different things about which dates are meant", [name.replace("_", "-") for name in chosen])
    settings = load_settings()
    warehouse = open_warehouse(settings)
    now: dt.datetime = utc_now()
    dry, as_json = options["dry_run"] or options["plan_only"], options["as_json"]
    if options["status"]:
        from backfill.progress import latest_status

        say_status(latest_status(warehouse, now), as_json)
        return
    if options["cascade_from"] or options["cascade_auto"]:
        from backfill.cascade_run import cascade

        with progress_lines(as_json) as report:
            done = cascade(
                warehouse,
                settings,
                options["cascade_from"] or (),
                now,
                options["as_of"] or now,
                dry,
                options["override_newer_build"],
                report,
            )
        say_cascade(done, as_json)
        return
    request = Request(
        start=options["start"],
        end=options["end"],
        season=options["season"],
        dates=tuple(options["dates"] or ()),
        gaps=options["gaps"],
        date_by_date=options["date_by_date"],
        rows_per_stage=options["rows_per_stage"] or ROWS_PER_STAGE,
    )
    if options["only_columns"]:
        from backfill.only_columns import fill_columns

        columns = [name.strip() for name in options["only_columns"].split(",") if name.strip()]
        if not columns:
            raise UsageError("no column is named", [options["only_columns"]], "write their names, comma-separated")
        filled = fill_columns(warehouse, request, columns, now, options["as_of"] or now, settings.cutoff_minutes, dry)
        say_filled(filled, as_json)
        raise SystemExit(int(filled.exit_status))
    if dry:
        from backfill.plan import make_plan
        from backfill.preflight import absent_inputs
        from backfill.runner import opened

        frozen, calendar = opened(warehouse, request, now, options["as_of"], settings.cutoff_minutes, not options["no_resume"])
        say_plan(make_plan(warehouse, calendar, request, frozen.as_of, now), frozen, absent_inputs(warehouse, calendar), as_json)
        return
    from backfill.runner import run_backfill

    with progress_lines(as_json) as report:
        outcome = run_backfill(
            warehouse, request, now, settings.cutoff_minutes, options["as_of"], not options["no_resume"], options["skip_preflight"],
            options["override_newer_build"], report,
        )  # fmt: skip
    say_outcome(outcome, as_json)
    raise SystemExit(int(outcome.exit_status))
