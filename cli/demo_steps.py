"""The steps of the demo, each announced, timed and done by the same calls the commands make."""

from __future__ import annotations

import datetime as dt
import shlex
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cli.output import table
from schemas.clock import EASTERN, UTC
from schemas.settings import Settings

if TYPE_CHECKING:
    from warehouse.protocol import Warehouse


@contextmanager
def _step(text: str) -> Iterator[None]:
    click.echo(click.style(f"* {text}", bold=True))
    began = time.perf_counter()
    yield
    click.echo(f"  {time.perf_counter() - began:.1f} s\n")


def _ingest(warehouse: Warehouse, seed: int, teams: int, through: dt.date, settings: Settings, as_of: dt.datetime) -> dt.date:
    from orchestration.runs import recorded_run
    from transformations.ingest.load import load
    from transformations.ingest.simulated_league import SimulatedLeague

    league = SimulatedLeague(seed=seed, teams=teams, played_through=through)
    delivery = league.deliver()
    with recorded_run(warehouse, "ingest", {"source": league.name, "seed": seed}, as_of, settings.cutoff_minutes) as run:
        report = load(warehouse, delivery, run.run_id, run.started_at)
    table(("table", "rows"), [(item.table, item.rows) for item in report.tables])
    click.echo(f"  {report.rows_in} rows in, {len(report.rejections)} quarantined")
    return league.upcoming_date()


def run_demo(settings: Settings, seed: int, teams: int, through: dt.date) -> None:
    """Run the main job on a simulated season, ending with tonight's slate."""
    from orchestration.nightly import run_night
    from orchestration.ranges import build_range, plan_range
    from orchestration.report.write import write_report
    from orchestration.runs import recorded_run
    from warehouse import open_warehouse

    warehouse = open_warehouse(settings)
    as_of = dt.datetime.combine(through + dt.timedelta(days=1), dt.time(17), EASTERN).astimezone(UTC)
    with _step("simulate a league and load it into nba_raw"):
        tonight = _ingest(warehouse, seed, teams, through, settings, as_of)
    with _step("build, gate and publish the season so far"):
        stages = plan_range(warehouse, dt.date(through.year - 1, 9, 1), through, as_of)
        with recorded_run(warehouse, "backfill", {"end": through}, as_of, settings.cutoff_minutes) as run:
            built = build_range(warehouse, stages, run)
        table(("table", "rows", "dates", "blocked"), [(b.table, b.rows, len(b.published), len(b.blocked)) for b in built])
        for date, reasons in sorted({d: r for b in built for d, r in b.blocked.items()}.items()):
            click.echo(f"  blocked {date}: {', '.join(reasons)}")
    with _step(f"tonight, {tonight}, from raw rows to the published store"):
        with recorded_run(warehouse, "run", {"date": tonight}, as_of, settings.cutoff_minutes, tonight, tonight) as run:
            night = run_night(warehouse, tonight, run)
        for item in night.dependencies:
            click.echo(f"  {item.line()}")
    _serve(warehouse, settings, tonight, as_of)
    with _step("write the report"):
        path = write_report(warehouse, settings, dt.date(through.year - 1, 9, 1), tonight, as_of)
        click.echo(f"  {path.stat().st_size / 1e6:.1f} MB, one file that needs no network")
    click.echo(f"Everything is in {settings.home}; to go on with it:")
    click.echo(f"  export PATH={shlex.quote(str(Path(sys.executable).parent))}:$PATH NBA_FEATURES_HOME={shlex.quote(str(settings.home))}")
    click.echo(f"  nba-features lookup --date {tonight}")
    click.echo(f"The report: {path}")


def _serve(warehouse: Warehouse, settings: Settings, tonight: dt.date, as_of: dt.datetime) -> None:
    from serving.feature_store import apply_definitions, open_feature_store
    from serving.lookup import lookup

    with _step("feast apply, feast materialize"):
        store = open_feature_store(settings, warehouse)
        apply_definitions(store)
        store.materialize(start_date=as_of - dt.timedelta(days=3), end_date=as_of)
    with _step("look up tonight's slate"):
        found = lookup(store, warehouse, "points_v3_37features", tonight)
        ready = [answer for answer in found.answers if answer.vector]
        table(
            ("player", "verdict", "tier", *found.features[:3]),
            [
                (a.player_lookup, a.verdict, a.quality["quality_tier"], *(f"{v:.1f}" for v in (a.vector or ())[:3] if v is not None))
                for a in ready[:8]
            ],
        )
        click.echo("  " + ", ".join(f"{count} {verdict}" for verdict, count in found.counts().items() if count))
