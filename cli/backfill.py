"""`nba-features backfill`."""

from __future__ import annotations

import datetime as dt

import click

from cli.options import DATE, as_of_option, dry_run_option, json_option
from cli.output import progress_lines, say_json, table


@click.command()
@click.option("--start-date", "start", type=DATE, default=None, help="First date.")
@click.option("--end-date", "end", type=DATE, default=None, help="Last date.")
@click.option("--season", default=None, help="Season label such as 2023-24, instead of dates.")
@as_of_option
@dry_run_option
@json_option
def backfill(
    start: dt.date | None, end: dt.date | None, season: str | None, as_of: dt.datetime | None, dry_run: bool, as_json: bool
) -> None:
    """Build ranges of dates set-wise; bad dates are blocked, their neighbours publish."""
    from orchestration.ranges import build_range, plan_range
    from orchestration.runs import recorded_run
    from orchestration.slates import range_asked
    from schemas.clock import utc_now
    from schemas.errors import ExitStatus
    from schemas.settings import load_settings
    from warehouse import open_warehouse

    settings = load_settings()
    instant = as_of or utc_now()
    warehouse = open_warehouse(settings)
    first, last = range_asked(warehouse, start, end, season)
    stages = plan_range(warehouse, first, last, instant)
    if dry_run:
        lines = [stage.line() for stage in stages]
        say_json({"start": first, "end": last, "stages": lines}) if as_json else click.echo("\n".join(lines))
        return
    request = {"start": first, "end": last, "season": season}
    with (
        progress_lines(as_json) as progress,
        recorded_run(warehouse, "backfill", request, instant, settings.cutoff_minutes, first, last) as record,
    ):
        built = build_range(warehouse, stages, record, progress)
        blocked = {date: reasons for item in built for date, reasons in item.blocked.items()}
        if blocked:
            record.exit_status = ExitStatus.PARTLY
            record.detail = f"{len(blocked)} dates blocked"
    rows = [(b.table, b.start, b.end, b.rows, len(b.published), len(b.blocked), f"{b.seconds:.2f}") for b in built]
    if as_json:
        say_json({"run_id": record.run_id, "built": rows, "blocked": {str(date): list(reasons) for date, reasons in blocked.items()}})
    else:
        table(("table", "start", "end", "rows", "dates", "blocked", "seconds"), rows)
        for date, reasons in sorted(blocked.items()):
            click.echo(f"blocked {date}: {', '.join(reasons)}")
    if blocked:
        raise SystemExit(int(ExitStatus.PARTLY))
