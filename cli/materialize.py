"""`nba-features materialize`."""

from __future__ import annotations

import contextlib
import datetime as dt
import sys

import click

from cli.night_options import NIGHT, games_wanted, if_games_option
from cli.options import json_option
from cli.output import say_json


@click.command()
@click.option("--date", "game_date", type=NIGHT, required=True, help="Game date, US Eastern: YYYY-MM-DD, today or yesterday.")
@click.option("--days", type=click.IntRange(1, 366), default=1, show_default=True, help="Dates to write, up to and including the date.")
@if_games_option
@json_option
def materialize(game_date: dt.date, days: int, if_games: bool, as_json: bool) -> None:
    """Write a date into the online store: what `feast materialize` does, over the interval of the date.

    The gate runs on exactly these rows; exit status 3 when it refuses.
    """
    from orchestration.slates import require_games
    from schemas.clock import utc_now
    from schemas.settings import load_settings
    from serving.materialize_date import materialize_date
    from warehouse import open_warehouse

    settings = load_settings()
    warehouse = open_warehouse(settings)
    with games_wanted(if_games):
        require_games(warehouse, game_date)
    # Feast tells its progress on standard output, which belongs to the answer.
    with contextlib.redirect_stdout(sys.stderr):
        done = materialize_date(settings, warehouse, game_date, days, utc_now())
    if as_json:
        say_json(done)
    else:
        click.echo(f"{done['rows']} rows of {game_date} are online, {done['views']} feature views, up to {done['end']}")
