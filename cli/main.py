"""`nba-features`: the command line of the feature store."""

from __future__ import annotations

import click

from cli.backfill import backfill
from cli.cloud import cloud
from cli.commands import Commands
from cli.completeness import completeness
from cli.costs import costs
from cli.coverage import coverage
from cli.demo import demo
from cli.docs import docs
from cli.doctor import doctor
from cli.events import events
from cli.explain import explain
from cli.ingest import ingest
from cli.lookup import lookup
from cli.materialize import materialize
from cli.models import models
from cli.monitor import monitor
from cli.quality import quality
from cli.ready import ready
from cli.report import report
from cli.review import review
from cli.run import run
from cli.schemas import schemas
from cli.serve import serve
from cli.skew import skew
from cli.status import status
from cli.training_set import training_set
from cli.validate import validate

EPILOG = "Exit status: 0 done, 1 error, 2 usage, 3 blocked by quality, 4 waiting for upstream, 5 partly done."


@click.group(cls=Commands, epilog=EPILOG, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(package_name="nba-features")
def main() -> None:
    """Build, gate, serve and explain the features of NBA player-prop models."""


for command in (
    ingest,
    run,
    ready,
    monitor,
    events,
    materialize,
    backfill,
    validate,
    quality,
    explain,
    status,
    review,
    costs,
    report,
    lookup,
    training_set,
    models,
    serve,
    skew,
    demo,
    docs,
    coverage,
    completeness,
    doctor,
    cloud,
    schemas,
):
    main.add_command(command)

if __name__ == "__main__":
    main()
