"""`nba-features ready`."""

from __future__ import annotations

import datetime as dt
from typing import Any

import click

from cli.night_options import NIGHT
from cli.options import json_option
from cli.output import say_json


class _Score(click.FloatRange):
    """A score from 0 to 100; what is no number lies in no range, and would shut out nothing."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        found = super().convert(value, param, ctx)
        if found != found:
            self.fail("a score is a number", param, ctx)
        return found


@click.command()
@click.option("--date", "game_date", type=NIGHT, required=True, help="Game date, US Eastern: YYYY-MM-DD, today or yesterday.")
@click.option("--min-score", type=_Score(0, 100), default=None, help="Least batch score. Default: what the rules ask for, 75.")
@json_option
def ready(game_date: dt.date, min_score: float | None, as_json: bool) -> None:
    """Say whether predictions may run for a date: rows against the slate, batch score, state of the gate, freshness.

    Exit status 0 ready, 3 when what is there is not good enough, 4 when it is not there yet or no longer up to date.
    """
    from orchestration.ready import readiness
    from schemas.settings import load_settings
    from warehouse import open_warehouse

    found = readiness(open_warehouse(load_settings()), game_date, min_score)
    if as_json:
        say_json(found.as_dict())
    else:
        score = "no score" if found.quality_score is None else f"score {found.quality_score:g} of at least {found.min_score:g}"
        click.echo(f"{game_date}: {found.state}. {found.rows} of {found.expected_rows} rows, {found.games} games, {score}")
        gate = found.gate.state if found.gate.state == "ready" else f"{found.gate.state} ({'; '.join(found.gate.reasons)})"
        age = "unknown" if found.data_age_game_days is None else f"{found.data_age_game_days} game days"
        built = f"{found.built_at:%Y-%m-%d %H:%M} UTC" if found.built_at else "never"
        click.echo(f"gate of the jobs: {gate}; age of the newest box scores: {age}; built {built}")
        for reason in found.reasons:
            click.echo(f"not ready: {reason}")
        for note in found.notes:
            click.echo(f"note: {note}")
    raise SystemExit(int(found.exit_status))
