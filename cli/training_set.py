"""`nba-features training-set`."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import click

from cli.options import DATE, json_option
from cli.output import say_json, table


@click.command("training-set")
@click.option("--service", default="points_v3_37features", show_default=True, help="Model contract whose features are wanted.")
@click.option("--start", type=DATE, required=True, help="First game date.")
@click.option("--end", type=DATE, required=True, help="Last game date.")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), required=True, help="Parquet file to write.")
@json_option
def training_set(service: str, start: dt.date, end: dt.date, out: Path, as_json: bool) -> None:
    """Write a training set: clean rows only, point-in-time features in the model's order, points as label."""
    from schemas.catalogue import load_catalogue

    load_catalogue().service(service)
    from schemas.settings import load_settings
    from serving.feature_store import open_feature_store
    from serving.training_set import manifest, write_training_set
    from serving.training_set import training_set as make
    from warehouse import open_warehouse

    settings = load_settings()
    warehouse = open_warehouse(settings)
    rows = make(warehouse, open_feature_store(settings, warehouse), service, start, end)
    write_training_set(rows, out)
    summary = {**manifest(rows), "out": str(out)}
    if as_json:
        say_json(summary)
        return
    refused = summary["refused"]
    table(
        ("rows", "count"),
        [("considered", summary["rows_considered"]), *((f"refused: {k}", v) for k, v in refused.items()), ("written", summary["rows"])],
    )
    click.echo(f"\n{out}: {rows.num_columns} columns, service {service}")
