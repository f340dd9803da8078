"""`nba-features doctor`."""

from __future__ import annotations

import click

from cli.options import json_option
from cli.output import say_json


@click.command()
@click.option("--repair", is_flag=True, help="Walk the repair plan that is printed without it.")
@json_option
def doctor(repair: bool, as_json: bool) -> None:
    """Compare ledger, tables, lineage, registry and online store, and print a repair plan.

    Exit status 5 while something is wrong; with --repair, when something is still wrong after it.
    """
    from backfill.doctor import examine
    from backfill.repairs import Clinic, merged
    from orchestration.runs import recorded_run
    from schemas.clock import utc_now
    from schemas.errors import ExitStatus
    from schemas.settings import load_settings
    from warehouse import open_warehouse

    settings = load_settings()
    warehouse = open_warehouse(settings)
    now = utc_now()
    findings = examine(warehouse, settings, now)
    steps = merged([item.repair for item in findings if item.repair is not None])
    if repair and findings:
        with recorded_run(warehouse, "doctor", {"steps": [step.line() for step in steps]}, now, settings.cutoff_minutes) as run:
            for step in steps:
                if not as_json:
                    click.echo(f"repair: {step.line()}")
                step.apply(Clinic(warehouse, settings, run, now))
        findings = examine(warehouse, settings, utc_now())
    if as_json:
        say_json({"findings": [item.line() for item in findings], "repairs": [step.line() for step in steps], "repaired": repair})
    else:
        for item in findings:
            click.echo(item.line())
        if not findings:
            click.echo("everything agrees")
        elif steps and not repair:
            click.echo(f"\n{len(steps)} repairs; run: nba-features doctor --repair")
    if findings:
        raise SystemExit(int(ExitStatus.PARTLY))
