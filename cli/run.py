"""`nba-features run`."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from cli.night_options import DURATION, NIGHT, ROWS, games_wanted, if_games_option
from cli.options import as_of_option, dry_run_option, json_option, override_option
from cli.output import progress_lines, say_json, table

if TYPE_CHECKING:
    from orchestration.nightly import Night
    from orchestration.plan import Stage
    from orchestration.runs import Run
    from schemas.settings import Settings
    from warehouse.protocol import Warehouse


def tell_of(
    warehouse: Warehouse,
    settings: Settings,
    game_date: dt.date,
    run_id: str,
    announce_jobs: bool = False,
    is_build: bool = True,
    also: Sequence[dict[str, Any]] = (),
) -> None:
    """Announce and notify what is on record of a date; what keeps that from happening is a line on standard error, never the end.

    Whoever did not build the date announces it only while predictions may still want it.
    """
    from orchestration.alerts import tell
    from orchestration.announce import announce
    from orchestration.receivers import topics
    from schemas.clock import eastern_date, utc_now
    from schemas.errors import FeatureStoreError

    try:
        if is_build or game_date >= eastern_date(utc_now()):
            announce(warehouse, game_date, utc_now(), topics(), announce_jobs)
        done = tell(warehouse, settings, [game_date], utc_now, run_id, also)
    except FeatureStoreError as error:
        click.echo(f"[alerts] {error.line()}", err=True)
        return
    except Exception as error:  # noqa: BLE001 - what is built is built, whatever telling of it runs into
        click.echo(f"[alerts] {type(error).__name__}; see: nba-features events deliver --dry-run", err=True)
        return
    for _, why in done.failed:
        click.echo(f"[alerts] kept and tried again later: {why}", err=True)


def _say(night: Night, record: Run, as_json: bool) -> None:
    if as_json:
        built = [{"table": b.table, "rows": b.rows, "dates": len(b.published), "seconds": round(b.seconds, 3)} for b in night.built]
        jobs = [item.line() for item in night.dependencies]
        told = {
            "run_id": record.run_id,
            "game_date": night.game_date,
            "built": built,
            "dependencies": jobs,
            "detail": record.detail or None,
        }
        say_json(told)
        return
    table(("table", "rows", "dates", "seconds"), [(b.table, b.rows, len(b.published), f"{b.seconds:.2f}") for b in night.built])
    if record.detail:
        click.echo(f"\n{record.detail}")
    if night.store is not None:
        click.echo(f"\n{night.store.rows} rows of {night.game_date} are published (run {record.run_id})")


@click.command()
@click.option("--date", "game_date", type=NIGHT, required=True, help="Game date, US Eastern: YYYY-MM-DD, today or yesterday.")
@as_of_option
@click.option("--only", multiple=True, help="Run just this job, or all of phase3, phase4 or store; may be repeated.")
@click.option("--skip", multiple=True, help="Leave this job out, as a scheduler that forgot it would; may be repeated.")
@click.option("--allow-fallback", is_flag=True, help="Build the store although a Phase 4 job is missing; the rows say so.")
@click.option("--told", type=ROWS, multiple=True, help="Rows a job was seen to deliver; the store is not built from others.")
@click.option("--wait", is_flag=True, help="When a job is late or a writer busy, try again instead of ending with exit status 4.")
@click.option("--retry", type=click.IntRange(1, 100), default=None, help="With --wait: how often to try again. Default: 3.")
@click.option("--every", type=DURATION, default=None, help="With --wait: pause before each try, such as 30s or 5m. Default: 5m.")
@click.option("--announce", is_flag=True, help="Publish the completion of each Phase 4 job, for the handler that starts the store.")
@if_games_option
@override_option
@dry_run_option
@json_option
def run(
    game_date: dt.date,
    as_of: dt.datetime | None,
    only: tuple[str, ...],
    skip: tuple[str, ...],
    allow_fallback: bool,
    told: tuple[tuple[str, int], ...],
    wait: bool,
    retry: int | None,
    every: dt.timedelta | None,
    announce: bool,
    if_games: bool,
    override_newer_build: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Build one date from raw rows to the gated, published feature store.

    Exit status 4 when a Phase 4 job has not delivered, 3 when a gate refuses. When the store is published, the message that
    predictions wait for is sent.
    """
    import time

    from orchestration.nightly import walk
    from orchestration.patience import Patience, patiently
    from orchestration.plan import plan_night
    from orchestration.runs import recorded_run
    from schemas.clock import eastern_date, utc_now
    from schemas.errors import UsageError
    from schemas.settings import load_settings
    from warehouse import open_warehouse

    if not wait and (retry is not None or every is not None):
        raise UsageError("--retry and --every belong to --wait", [], "add --wait")
    settings = load_settings()
    warehouse = open_warehouse(settings)

    def plan(instant: dt.datetime) -> tuple[Stage, ...]:
        with games_wanted(if_games):
            return plan_night(warehouse, game_date, eastern_date(instant), skip, allow_fallback, only, dict(told))

    if dry_run:
        from orchestration.estimate import estimates

        instant = as_of or utc_now()
        stages = plan(instant)
        read = estimates(warehouse, stages, instant, settings.cutoff_minutes)
        if as_json:
            billed = {"bytes": {item.table: item.bytes for item in read.values()}} if read else {}
            say_json({"game_date": game_date, "as_of": instant, "stages": [stage.line() for stage in stages], **billed})
        else:
            click.echo("\n".join(stage.line() + (f"; {read[stage].line()}" if stage in read else "") for stage in stages))
        return
    request = {
        "date": game_date,
        "only": only,
        "skip": skip,
        "allow_fallback": allow_fallback,
        "override_newer_build": override_newer_build,
    }

    def attempt() -> tuple[Night, Run]:
        instant, run_id = as_of or utc_now(), "run"
        stages = plan(instant)
        try:
            with (
                progress_lines(as_json) as progress,
                recorded_run(
                    warehouse, "run", request, instant, settings.cutoff_minutes, game_date, game_date, override_newer_build
                ) as record,
            ):
                run_id = record.run_id
                return walk(warehouse, stages, game_date, record, progress), record
        finally:
            tell_of(warehouse, settings, game_date, run_id, announce)

    patience = Patience((3 if retry is None else retry) if wait else 0, every or dt.timedelta(minutes=5))
    night, record = patiently(attempt, patience, time.sleep, lambda text: click.echo(text, err=True))
    _say(night, record, as_json)
