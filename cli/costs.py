"""`nba-features costs`."""

from __future__ import annotations

import click

from cli.options import json_option
from cli.output import say_json, table


@click.command()
@click.option("--days", default=30, show_default=True, type=click.IntRange(1, 3650), help="Days back from now.")
@json_option
def costs(days: int, as_json: bool) -> None:
    """Show what the last days cost: bytes and slot time by label in BigQuery, rows and seconds on the embedded warehouse."""
    from orchestration.costs import read_costs
    from schemas.clock import utc_now
    from schemas.settings import load_settings
    from warehouse import open_warehouse

    found = read_costs(open_warehouse(load_settings()), utc_now(), days)
    if as_json:
        say_json(found.as_dict())
    elif not found.items:
        click.echo(f"nothing has run since {found.since:%Y-%m-%d %H:%M} UTC")
    elif found.profile == "gcp":
        table(
            ("table", "what", "jobs", "GB billed", "slot s", "s"),
            [(c.what, c.kind, c.times, f"{(c.bytes_billed or 0) / 1e9:.3f}", c.slot_seconds, c.seconds) for c in found.items],
        )
        click.echo(f"\n{sum(c.bytes_billed or 0 for c in found.items) / 1e9:.3f} GB billed since {found.since:%Y-%m-%d}")
    else:
        table(
            ("what", "kind", "times", "rows", "s"),
            [(c.what, c.kind, c.times, "" if c.rows is None else c.rows, c.seconds) for c in found.items],
        )
