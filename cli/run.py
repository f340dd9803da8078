"""`nba-features run`."""

from __future__ import annotations

import datetime as dt

import click

from cli.options import DATE, as_of_option, dry_run_option, json_option, override_option
from cli.output import progress_lines, say_json, table


@click.command()
@click.option("--date", "game_date", type=DATE, required=True, help="Game date, US Eastern.")
@as_of_option
@click.option("--skip", multiple=True, help="Leave this job out, as a scheduler that forgot it would; may be repeated.")
@click.option("--allow-fallback", is_flag=True, help="Build the store although a Phase 4 job is missing; the rows say so.")
@override_option
@dry_run_option
@json_option
def run(
    game_date: dt.date,
    as_of: dt.datetime | None,
    skip: tuple[str, ...],
    allow_fallback: bool,
    override_newer_build: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Build one date from raw rows to the gated, published feature store."""
    from orchestration.nightly import walk
    from orchestration.plan import plan_night
    from orchestration.runs import recorded_run
    from schemas.clock import eastern_date, utc_now
    from schemas.settings import load_settings
    from warehouse import open_warehouse

    settings = load_settings()
    instant = as_of or utc_now()
    warehouse = open_warehouse(settings)
    stages = plan_night(warehouse, game_date, eastern_date(instant), skip, allow_fallback)
    if dry_run:
        lines = [stage.line() for stage in stages]
        say_json({"game_date": game_date, "as_of": instant, "stages": lines}) if as_json else click.echo("\n".join(lines))
        return
    request = {"date": game_date, "skip": skip, "allow_fallback": allow_fallback, "override_newer_build": override_newer_build}
    with (
        progress_lines(as_json) as progress,
        recorded_run(warehouse, "run", request, instant, settings.cutoff_minutes, game_date, game_date, override_newer_build) as record,
    ):
        night = walk(warehouse, stages, game_date, record, progress)
    if as_json:
        built = [{"table": b.table, "rows": b.rows, "dates": len(b.published), "seconds": round(b.seconds, 3)} for b in night.built]
        say_json({"run_id": record.run_id, "game_date": game_date, "built": built, "dependencies": [d.line() for d in night.dependencies]})
        return
    table(("table", "rows", "dates", "seconds"), [(b.table, b.rows, len(b.published), f"{b.seconds:.2f}") for b in night.built])
    store = night.store
    if store is not None:
        click.echo(f"\n{store.rows} rows of {game_date} are published (run {record.run_id})")
