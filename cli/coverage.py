"""`nba-features coverage`."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import click

from cli.options import DATE, json_option
from cli.output import say_json


@click.command()
@click.option("--start", type=DATE, default=None, help="First game date. Default: the first there is.")
@click.option("--end", type=DATE, default=None, help="Last game date. Default: the last there is.")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), default=None, help="File to write. Default: print the page.")
@click.option("--source", default="the loaded data", show_default=True, help="What the page calls the data it is about.")
@click.option(
    "--explanations",
    type=click.Path(path_type=Path, dir_okay=False),
    default=None,
    help="YAML file that says why this data lacks what it lacks, as docs/coverage_explanations.yaml does.",
)
@json_option
def coverage(start: dt.date | None, end: dt.date | None, out: Path | None, source: str, explanations: Path | None, as_json: bool) -> None:
    """Report how much of the store is real: sources and reasons by feature, tiers and alert levels by season, red dates."""
    from dataclasses import asdict

    from quality.coverage_page import coverage_page
    from quality.coverage_report import load_explanations, measure_coverage
    from schemas.settings import load_settings
    from warehouse import open_warehouse

    known = load_explanations(explanations) if explanations else ()
    warehouse = open_warehouse(load_settings())
    found = measure_coverage(warehouse, start or dt.date.min, end or dt.date.max)
    if as_json:
        say_json(asdict(found))
        return
    page = coverage_page(found, source, known)
    if out is None:
        click.echo(page, nl=False)
        return
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(page, encoding="utf-8")
    flagged = len(found.flagged)
    click.echo(f"{out}: {sum(s.rows for s in found.seasons)} rows of {len(found.seasons)} seasons, {flagged} features flagged")
