"""`nba-features review`."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import click

from cli.options import DATE, json_option
from cli.output import say_json, table

if TYPE_CHECKING:
    from orchestration.review import Review


def _say(found: Review) -> None:
    click.echo(f"{found.start} to {found.end}, against as many days before\n")
    rows = [
        (name, getattr(found.now, name), getattr(found.before, name))
        for name in ("dates", "rows", "score", "ready_share", "fallback_share", "blocked", "not_ready")
    ]
    rows += [(f"{name} points", *pair) for name, pair in found.components.items()]
    table(("", "now", "before"), [(name.replace("_", " "), *("-" if v is None else v for v in pair)) for name, *pair in rows])
    click.echo()
    table(
        ("date", "fate", "rows", "ready", "score", "severity", "because"),
        [
            (d["game_date"], d["fate"], d["row_count"], d["ready_rows"], d["quality_score"], d["severity"], d["severity_reason"])
            for d in found.dates
        ],
    )
    failing = [item for item in found.upstreams if item.failed]
    click.echo()
    if failing:
        table(
            ("upstream that failed", "times", "runs", "how"),
            [(u.job, u.failed, u.runs, ", ".join(f"{k} {v}" for k, v in {**u.failures, **u.gate}.items())) for u in failing],
        )
    else:
        click.echo("no upstream failed")
    if found.durations:
        click.echo()
        table(
            ("command", "runs", "median s", "longest s"),
            [(d["command"], d["runs"], d["median_seconds"], d["longest_seconds"]) for d in found.durations],
        )
    click.echo()
    for why, dates, count in found.readiness_lost:
        click.echo(f"readiness lost: {dates} dates, {count} rows: {why}")
    events = ", ".join(f"{count} {severity}" for severity, count in sorted(found.events.items())) or "none"
    click.echo(f"events: {events}")
    if found.predictions:
        click.echo()
        names = ("model_id", "quality_tier", "predictions", "not_green", "played", "mean_error")
        table(tuple(name.replace("_", " ") for name in names), [tuple(row[name] for name in names) for row in found.predictions])


@click.command()
@click.option("--days", default=7, show_default=True, type=click.IntRange(1), help="Days to review.")
@click.option("--end", type=DATE, default=None, help="Last day. Default: today, US Eastern.")
@json_option
def review(days: int, end: dt.date | None, as_json: bool) -> None:
    """Review the last days against those before: trend, which upstream fails most, durations, what readiness lost and why.

    Where predictions are kept, also how many of them stand on rows of which tier, and their mean error once played.
    """
    from orchestration.review import read_review
    from schemas.clock import eastern_date, utc_now
    from schemas.errors import NoGamesError
    from schemas.settings import load_settings
    from warehouse import open_warehouse

    last = end or eastern_date(utc_now())
    found = read_review(open_warehouse(load_settings()), last, days)
    if not found.dates:
        raise NoGamesError("no date of the store was built for these days", [f"{found.start} to {found.end}"], "give --end and --days")
    say_json(found.as_dict()) if as_json else _say(found)
