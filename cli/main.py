"""`nba-features`: the command line of the feature store."""

from __future__ import annotations

import click

from cli.backfill import backfill
from cli.demo import demo
from cli.docs import docs
from cli.ingest import ingest
from cli.lookup import lookup
from cli.output import Commands
from cli.run import run
from cli.training_set import training_set

EPILOG = "Exit status: 0 done, 1 error, 2 usage, 3 blocked by quality, 4 waiting for upstream, 5 partly done."


@click.group(cls=Commands, epilog=EPILOG, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(package_name="nba-features")
def main() -> None:
    """Build, gate, serve and explain the features of NBA player-prop models."""


for command in (ingest, run, backfill, lookup, training_set, demo, docs):
    main.add_command(command)

if __name__ == "__main__":
    main()
