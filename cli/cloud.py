"""`nba-features cloud`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from cli.options import json_option
from cli.output import say_json, table

if TYPE_CHECKING:
    from schemas.settings import Settings

DUTIES = ("predictions", "precompute", "analytics", "ingest", "reader")


@click.group()
def cloud() -> None:
    """Look at the Google Cloud project of the gcp profile."""


def _settings() -> Settings:
    from schemas.errors import UsageError
    from schemas.settings import load_settings

    settings = load_settings()
    if settings.gcp is None:
        raise UsageError("this is about the gcp profile", [settings.profile], "set NBA_FEATURES_PROFILE=gcp and NBA_FEATURES_GCP_PROJECT")
    return settings


@cloud.command()
@click.option("--duty", type=click.Choice(DUTIES), default="predictions", show_default=True, help="What the account is for.")
@json_option
def check(duty: str, as_json: bool) -> None:
    """Test the rights of the account this runs under, one by one, and say what is missing."""
    from schemas.errors import StorageUnavailableError
    from warehouse.bigquery import BigQueryWarehouse
    from warehouse.bigquery.rights import check as check_rights

    warehouse = BigQueryWarehouse(_settings())
    try:
        rights = check_rights(warehouse, duty)
    finally:
        warehouse.close()
    missing = [f"{right.permission} on {right.on} ({right.detail or right.role})" for right in rights if right.is_missing]
    excess = [f"{right.permission} on {right.on}" for right in rights if right.is_excess]
    if as_json:
        found = [{**vars(right), "role": right.role, "missing": right.is_missing, "excess": right.is_excess} for right in rights]
        say_json({"duty": duty, "rights": found, "missing": missing, "excess": excess})
    else:
        words = [(right.on, right.permission, "yes" if right.granted else "no", "yes" if right.needed else "no") for right in rights]
        table(("on", "permission", "granted", "needed"), words)
        for text in excess:
            click.echo(f"more than the duty needs: {text}")
    if missing:
        raise StorageUnavailableError(
            f"the account lacks rights for the duty {duty}",
            missing,
            "grant the roles named or apply deploy/gcp; tables that are missing are made by `schemas apply`",
        )


@cloud.command()
@click.option("--online-store", type=click.Choice(("redis", "bigtable", "datastore")), help="Instead of NBA_FEATURES_ONLINE_STORE.")
def config(online_store: str | None) -> None:
    """Print the feature_store.yaml of the gcp profile for Feast's own commands: cd feature_repo && feast -f FILE apply.

    The password of Redis is not in it: NBA_FEATURES_REDIS stays a variable, which Feast reads from the environment.
    """
    import yaml

    from serving.gcp_profile import to_write

    click.echo(yaml.safe_dump(to_write(_settings(), online_store), sort_keys=False).rstrip())
