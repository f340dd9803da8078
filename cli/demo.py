"""`nba-features demo`."""

from __future__ import annotations

import datetime as dt

import click

DEMO_THROUGH = dt.date(2025, 1, 19)


@click.command()
@click.option("--seed", default=7, show_default=True, help="Seed of the simulated league.")
@click.option("--teams", default=30, show_default=True, help="Teams of the simulated league.")
def demo(seed: int, teams: int) -> None:
    """Simulate a league, build and gate its season, materialize it and look up tonight's slate."""
    from dataclasses import replace

    from cli.demo_steps import run_demo
    from schemas.settings import load_settings

    settings = load_settings()
    run_demo(replace(settings, home=settings.home / "demo"), seed, teams, DEMO_THROUGH)
