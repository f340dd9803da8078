"""`nba-features completeness`."""

from __future__ import annotations

import datetime as dt

import click

from cli.options import DATE, json_option
from cli.output import say_json, table

SHOWN = 40


@click.command()
@click.option("--start", type=DATE, required=True, help="First game date.")
@click.option("--end", type=DATE, required=True, help="Last game date.")
@click.option("--by-date", is_flag=True, help="Show every date, not only those with gaps.")
@json_option
def completeness(start: dt.date, end: dt.date, by_date: bool, as_json: bool) -> None:
    """Say how complete the history behind the published rows is: complete, bootstrap and gap counts, and the players concerned.

    Complete: every game that exists entered. Bootstrap: fewer than ten games exist. Gap: neither. Exit status 5 when there are gaps.
    """
    from dataclasses import asdict

    from backfill.completeness import completeness as measure
    from schemas.errors import ExitStatus, NoGamesError, UsageError
    from schemas.settings import load_settings
    from warehouse import open_warehouse

    if start > end:
        raise UsageError("the range ends before it starts", [f"{start} to {end}"])
    found = measure(open_warehouse(load_settings()), start, end)
    if not found.days:
        raise NoGamesError("no rows are published in the range", [f"{start} to {end}"], "run: nba-features backfill")
    totals = found.totals()
    if as_json:
        say_json(
            {
                "totals": totals,
                "players": found.players,
                "days": [asdict(day) for day in found.days],
                "gaps": [asdict(gap) for gap in found.gaps],
            }
        )
    else:
        shown = [day for day in found.days if by_date or day.gaps]
        if shown:
            names = ("game_date", "rows", "complete", "bootstrap", "gaps", "production_ready")
            table(names, [[getattr(day, name) for name in names] for day in shown], limit=None if by_date else SHOWN)
            click.echo()
        for gap in found.gaps[:SHOWN]:
            click.echo(f"  gap: {gap.player_lookup} on {gap.game_date}, {gap.games_found} of {gap.games_expected} games found")
        if len(found.gaps) > SHOWN:
            click.echo(f"  +{len(found.gaps) - SHOWN} more; --json shows all")
        click.echo(
            ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in totals.items()) + f", {len(found.players)} players with gaps"
        )
    if found.gaps:
        raise SystemExit(int(ExitStatus.PARTLY))
