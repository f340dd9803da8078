"""`nba-features schemas`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from cli.options import json_option
from cli.output import say_json, table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from warehouse.bigquery.schema import Change


@click.group()
def schemas() -> None:
    """Compare the tables of the warehouse with contracts and migrations and create what is missing.

    Nothing is removed but columns that a migration retired, and those only with --override-drop-columns.
    """


def _say(changes: Sequence[Change], migrations: Sequence[str], with_sql: bool, as_json: bool, verb: str) -> None:
    if as_json:
        say_json({verb: [vars(change) for change in changes], "migrations": list(migrations)})
        return
    for line in migrations:
        click.echo(line)
    if not changes:
        click.echo("tables and views are as the contracts say")
        return
    table(("action", "on"), [(change.action, change.target) for change in changes])
    if with_sql:
        for change in changes:
            click.echo(f"\n{change.sql};")
    click.echo(f"\n{len(changes)} statements {verb}")


def _run(apply_them: bool, with_sql: bool, as_json: bool, override_drop_columns: bool = False) -> None:
    from backfill.migrations import apply_migrations, plan_migrations
    from schemas.clock import utc_now
    from schemas.settings import load_settings
    from transformations.views import view_statements
    from warehouse import open_warehouse
    from warehouse.bigquery import BigQueryWarehouse
    from warehouse.bigquery import schema as bigquery_schema

    warehouse = open_warehouse(load_settings())
    changes: Sequence[Change] = ()
    try:
        if isinstance(warehouse, BigQueryWarehouse):
            changes = bigquery_schema.plan(warehouse, view_statements())
            if apply_them:
                bigquery_schema.apply(warehouse, changes)
        elif apply_them:
            # The embedded tables are files in the contract's columns; only the views are kept as definitions.
            warehouse.define_views(view_statements())
        # A cloud project without tables has no columns to compare yet: the first apply makes them.
        migrations = plan_migrations(warehouse) if apply_them or not changes else None
        if apply_them and migrations is not None:
            apply_migrations(warehouse, migrations, utc_now(), override_drop_columns)
    finally:
        warehouse.close()
    _say(changes, migrations.lines() if migrations else [], with_sql, as_json, "done" if apply_them else "due")


@schemas.command()
@click.option("--sql", "with_sql", is_flag=True, help="Print the statements too.")
@json_option
def plan(with_sql: bool, as_json: bool) -> None:
    """Print the datasets, tables, columns and views that are missing or differ; change nothing."""
    _run(False, with_sql, as_json)


@schemas.command()
@click.option(
    "--override-drop-columns",
    is_flag=True,
    help="Also take out of the stored rows the columns that a migration retired; their values are gone.",
)
@json_option
def apply(override_drop_columns: bool, as_json: bool) -> None:
    """Create what is missing and apply migrations: additive, repeatable, and safe on tables that hold rows."""
    _run(True, False, as_json, override_drop_columns)
