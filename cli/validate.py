"""`nba-features validate`."""

from __future__ import annotations

import datetime as dt

import click

from cli.options import DATE, json_option
from cli.output import progress_lines, say_json, table


@click.command()
@click.option("--start", type=DATE, default=None, help="First game date.")
@click.option("--end", type=DATE, default=None, help="Last game date.")
@click.option("--season", default=None, help="Season label such as 2023-24, instead of dates.")
@json_option
def validate(start: dt.date | None, end: dt.date | None, season: str | None, as_json: bool) -> None:
    """Audit again what is published, every table against its suite; exit status 3 when something would be blocked today."""
    from orchestration.revalidation import revalidate
    from orchestration.runs import recorded_run
    from orchestration.slates import range_asked
    from schemas.clock import eastern_date, utc_now
    from schemas.errors import BlockedError, NoGamesError
    from schemas.rules import STORE_TABLE
    from schemas.settings import load_settings
    from warehouse import open_warehouse

    settings = load_settings()
    warehouse = open_warehouse(settings)
    first, last = range_asked(warehouse, start, end, season, eastern_date(utc_now()))
    request = {"start": first, "end": last, "season": season}
    with recorded_run(warehouse, "validate", request, utc_now(), settings.cutoff_minutes, first, last) as run:
        with progress_lines(as_json) as progress:
            found = revalidate(warehouse, first, last, run, progress)
        failed = [(item.table, date, reasons) for item in found for date, reasons in sorted(item.failed.items())]
        warned = sum(len(item.warned) for item in found)
        if as_json:
            listed = [{"table": i.table, "dates": i.dates, "rows": i.rows, "checks": i.checks, "failed": len(i.failed)} for i in found]
            say_json({"run_id": run.run_id, "start": first, "end": last, "tables": listed, "failed": failed, "warned_dates": warned})
        else:
            table(
                ("table", "dates", "rows", "checks", "failed", "warned", "seconds"),
                [(i.table, i.dates, i.rows, i.checks, len(i.failed), len(i.warned), f"{i.seconds:.2f}") for i in found],
            )
            for name, date, reasons in failed[:20]:
                click.echo(f"{name} {date}: {', '.join(reasons[:5])}")
        if failed:
            dates = {date for _, date, _ in failed}
            hint = "the rows stay published; mend the source and run: nba-features backfill"
            raise BlockedError(
                f"{len(dates)} published dates would be blocked today", sorted({r for _, _, reasons in failed for r in reasons}), hint
            )
        if not any(item.dates for item in found if item.table == STORE_TABLE):
            raise NoGamesError(
                "nothing of the store is published between these dates", [f"{first} to {last}"], "run: nba-features backfill"
            )
