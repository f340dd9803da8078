"""`nba-features report`."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import click

from cli.options import DATE


@click.command()
@click.option("--start", type=DATE, default=None, help="First game date.")
@click.option("--end", type=DATE, default=None, help="Last game date.")
@click.option("--season", default=None, help="Season label such as 2023-24, instead of dates.")
@click.option("--date", "game_date", type=DATE, default=None, help="One game date, with its rows player by player.")
@click.option(
    "--out", type=click.Path(path_type=Path, dir_okay=False), default=None, help="File to write. Default: reports/ in NBA_FEATURES_HOME."
)
def report(start: dt.date | None, end: dt.date | None, season: str | None, game_date: dt.date | None, out: Path | None) -> None:
    """Write one HTML file that needs no network: calendar, categories, sources, lines, scores, events, runs.

    Each mark leads to the explanation of its date, and every chart has its table.
    """
    from orchestration.report.write import write_report
    from orchestration.slates import range_asked, require_games
    from schemas.clock import eastern_date, utc_now
    from schemas.errors import UsageError
    from schemas.settings import load_settings
    from warehouse import open_warehouse

    if game_date and (start or end or season):
        raise UsageError("give either a date, a range or a season", [game_date])
    settings, now = load_settings(), utc_now()
    warehouse = open_warehouse(settings)
    if game_date:
        require_games(warehouse, game_date)
    first, last = (game_date, game_date) if game_date else range_asked(warehouse, start, end, season, eastern_date(now))
    path = write_report(warehouse, settings, first, last, now, out)
    click.echo(f"{path} ({path.stat().st_size / 1e6:.1f} MB)")
