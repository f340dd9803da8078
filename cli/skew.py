"""`nba-features skew`."""

from __future__ import annotations

import datetime as dt

import click

from cli.options import DATE, dry_run_option, json_option
from cli.output import say_json, table


@click.command()
@click.option("--date", "game_date", type=DATE, required=True, help="Game date, US Eastern.")
@click.option("--tolerance", default=1e-9, show_default=True, type=click.FloatRange(0), help="Largest difference that is no skew.")
@click.option("--all", "show_all", is_flag=True, help="List every feature, not only those that differ.")
@dry_run_option
@json_option
def skew(game_date: dt.date, tolerance: float, show_all: bool, dry_run: bool, as_json: bool) -> None:
    """Replay what is online, and what was served, through historical retrieval and compare every value.

    What is online is the slate of the date with every feature of every model; what was served are the answers that
    `nba-features serve --log-lookups` kept. A difference is an event in data_quality_events and exit status 3; with
    --dry-run nothing is recorded.
    """
    from orchestration.runs import recorded_run
    from schemas.clock import utc_now
    from schemas.errors import BlockedError
    from schemas.settings import load_settings
    from serving.feature_store import open_feature_store
    from serving.skew import online_skew, record_skew, served_skew
    from warehouse import open_warehouse

    settings = load_settings()
    warehouse = open_warehouse(settings)
    store = open_feature_store(settings, warehouse)
    served = served_skew(store, warehouse, settings, game_date, tolerance)
    reports = [online_skew(store, warehouse, game_date, tolerance), *([served] if served is not None else [])]
    wrong = [f"{feature.feature} ({report.what})" for report in reports for feature in report.wrong]
    if wrong and not dry_run:
        now = utc_now()
        with recorded_run(warehouse, "skew", {"date": game_date}, now, settings.cutoff_minutes, game_date, game_date) as run:
            record_skew(warehouse, reports, tolerance, run.run_id, now)
    if as_json:
        say_json({"reports": [report.as_dict() for report in reports], "tolerance": tolerance, "recorded": bool(wrong) and not dry_run})
    else:
        rows = [
            (report.what, item.feature, item.rows, item.mismatch, item.missing, item.extra, f"{item.largest:.3g}")
            for report in reports
            for item in (report.features if show_all else report.wrong)
        ]
        if rows:
            table(("what", "feature", "rows", "mismatch", "missing", "extra", "largest"), rows)
        for report in reports:
            click.echo(
                f"{report.what}: {report.rows} rows, {len(report.features)} features compared, {report.passed_over} rows passed over"
            )
        if served is None:
            click.echo("served: no lookups were logged for this date")
    if wrong:
        raise BlockedError("serving and training differ", wrong, "run: nba-features doctor")
