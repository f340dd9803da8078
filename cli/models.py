"""`nba-features models`: the contracts of the models and which version serves."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cli.options import DATE, json_option
from cli.output import say_json, table

if TYPE_CHECKING:
    from serving.model_registry import ModelVersion
    from warehouse.protocol import Warehouse


@click.group()
def models() -> None:
    """Register models, say which version serves, and whether the store still supplies what it was trained on."""


def _warehouse(*, seeded: bool) -> Warehouse:
    """Return the warehouse; with `seeded` the contracts of the catalogue are registered first."""
    from schemas.clock import utc_now
    from schemas.settings import load_settings
    from serving.model_registry import seed
    from transformations.render import definition_version
    from warehouse import open_warehouse

    warehouse = open_warehouse(load_settings())
    if seeded:
        seed(warehouse, definition_version(), utc_now())
    return warehouse


def _known(model_id: str | None = None) -> list[ModelVersion]:
    """Return the registered versions, and the catalogue's own contracts where none is registered yet."""
    from schemas.clock import utc_now
    from serving.model_registry import read_models, seeds
    from transformations.render import definition_version

    found = read_models(_warehouse(seeded=False), model_id)
    names = {(version.model_id, version.model_version) for version in found}
    new = [version for version in seeds(definition_version(), utc_now()) if (version.model_id, version.model_version) not in names]
    return [*found, *(version for version in new if model_id in (None, version.model_id))]


def _told(version: ModelVersion) -> dict[str, Any]:
    from serving.model_registry import differences

    row = version.as_row()
    plain = {name: value.isoformat() if isinstance(value, dt.date) else value for name, value in row.items() if name != "features_json"}
    return {**plain, "features": [list(pair) for pair in version.features], "differences": list(differences(version))}


@models.command("list")
@json_option
def list_models(as_json: bool) -> None:
    """List the versions of all models."""
    rows = [_told(version) for version in _known()]
    if as_json:
        say_json({"models": rows})
        return
    cells = [
        (
            r["model_id"],
            r["model_version"],
            r["service"],
            r["feature_count"],
            r["status"],
            "yes" if r["is_production"] else "",
            len(r["differences"]) or "",
        )
        for r in rows
    ]
    table(("model", "version", "service", "features", "status", "serves", "differences"), cells)


@models.command()
@click.argument("model_id")
@click.option("--version", "model_version", default=None, help="Version. Default: all of the model.")
@json_option
def show(model_id: str, model_version: str | None, as_json: bool) -> None:
    """Show a model's contract and how it differs from what the store supplies; exit 3 when it does."""
    from schemas.errors import BlockedError, UnknownNameError

    rows = [_told(version) for version in _known(model_id) if model_version in (None, version.model_version)]
    if not rows:
        raise UnknownNameError("no such model version", [f"{model_id} {model_version or ''}".strip()], "run: nba-features models list")
    if as_json:
        say_json({"models": rows})
    for row in () if as_json else rows:
        click.echo(f"{row['model_id']} {row['model_version']}: {row['status']}, service {row['service']}, {row['feature_count']} features")
        table(("place", "feature", "definition"), [(at, name, version) for at, (name, version) in enumerate(row["features"])])
        for text in row["differences"]:
            click.echo(f"differs: {text}")
    wrong = [f"{row['model_version']} {text}" for row in rows for text in row["differences"]]
    if wrong:
        raise BlockedError("the contract differs from what the store supplies", wrong, "train the model again")


@models.command()
@click.argument("model_id")
@click.argument("model_version")
@click.option("--service", required=True, help="Feature service it reads.")
@click.option("--artifact", default=None, help="Where the model file is.")
@click.option("--trained-from", type=DATE, default=None, help="First training date.")
@click.option("--trained-to", type=DATE, default=None, help="Last training date.")
@click.option("--metrics", type=click.Path(path_type=Path, exists=True, dir_okay=False), default=None, help="JSON file of the evaluation.")
def register(
    model_id: str,
    model_version: str,
    service: str,
    artifact: str | None,
    trained_from: dt.date | None,
    trained_to: dt.date | None,
    metrics: Path | None,
) -> None:
    """Register a version as a candidate, with the features of its service as they are defined now."""
    from schemas.catalogue import load_catalogue
    from schemas.clock import utc_now
    from schemas.code_version import code_version
    from schemas.errors import UsageError
    from serving.model_registry import ModelVersion, current_features
    from serving.model_registry import register as add
    from transformations.render import definition_version

    if trained_from is not None and trained_to is not None and trained_from > trained_to:
        raise UsageError("the training range ends before it starts", [f"{trained_from} to {trained_to}"])
    text = None
    if metrics is not None:
        try:
            text = metrics.read_text(encoding="utf-8")
            json.loads(text)
        except (OSError, ValueError) as error:
            raise UsageError("the file of metrics is no JSON", [error]) from None
    features = current_features(service)
    warehouse = _warehouse(seeded=True)
    version = ModelVersion(
        model_id,
        model_version,
        service,
        features,
        load_catalogue().schema_version,
        definition_version(),
        artifact_uri=artifact,
        training_start_date=trained_from,
        training_end_date=trained_to,
        metrics_json=text,
        git_commit=code_version(),
        created_at=utc_now(),
    )
    add(warehouse, version)
    click.echo(f"{model_id} {model_version}: registered with {len(features)} features; it serves after nba-features models promote")


@models.command()
@click.argument("model_id")
@click.argument("model_version")
def promote(model_id: str, model_version: str) -> None:
    """Let a version serve in the place of the present one."""
    from schemas.clock import utc_now
    from serving.model_registry import promote as raise_up

    raise_up(_warehouse(seeded=True), model_id, model_version, utc_now())
    click.echo(f"{model_id} {model_version}: serves")


@models.command()
@click.argument("model_id")
def rollback(model_id: str) -> None:
    """Let the version serve again that served before the present one; done twice, the one before that."""
    from schemas.clock import utc_now
    from serving.model_registry import rollback as back

    version = back(_warehouse(seeded=True), model_id, utc_now())
    click.echo(f"{model_id} {version.model_version}: serves again")


@models.command()
@click.argument("model_id")
@click.argument("model_version")
def deprecate(model_id: str, model_version: str) -> None:
    """Mark a version that may not serve again."""
    from serving.model_registry import deprecate as retire

    retire(_warehouse(seeded=True), model_id, model_version)
    click.echo(f"{model_id} {model_version}: deprecated")
