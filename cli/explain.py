"""`nba-features explain`."""

from __future__ import annotations

import datetime as dt

import click

from cli.options import DATE, json_option


@click.command()
@click.option("--date", "game_date", type=DATE, default=None, help="Game date, US Eastern.")
@click.option("--player", default=None, help="Player key such as lebronjames: his row on the date.")
@click.option("--feature", default=None, help="Feature such as fatigue_score: its values on the date.")
@click.option("--season", default=None, help="Season label such as 2023-24, instead of a date.")
@click.option("--full", is_flag=True, help="Also what is normal, every job and every open event.")
@json_option
def explain(game_date: dt.date | None, player: str | None, feature: str | None, season: str | None, full: bool, as_json: bool) -> None:
    """Say what is wrong with a date, a player's row, a feature or a season, why, and what to run.

    From the symptom to the cause: category, features, reason, table, job and run. What is normal for the date, such as a
    missing line or a rookie, is told apart from what broke. The commands come last. Changes nothing.
    """
    from backfill.explain_reach import explained
    from cli.explain_views import say_explanation
    from cli.output import say_json
    from orchestration.slates import require_games
    from schemas.clock import utc_now
    from schemas.errors import UsageError
    from schemas.settings import load_settings
    from warehouse import open_warehouse

    if season is not None and (game_date or player or feature):
        raise UsageError("give either a season or a date", [season])
    if season is None and game_date is None:
        raise UsageError("say what to explain", [], "give --date or --season")
    if player and feature:
        raise UsageError("give either a player or a feature", [player, feature])
    warehouse = open_warehouse(load_settings())
    if game_date is not None:
        require_games(warehouse, game_date)
    found, reach = explained(warehouse, utc_now(), game_date, player, feature, season)
    if as_json:
        say_json({**found.as_dict(), "reach": list(reach)})
    else:
        say_explanation(found, reach, full)
