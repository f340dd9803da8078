"""What the project's datasets lack against the contracts, and making it so: only ever more, never less."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from schemas.contracts import DATASETS, Column, TableContract, load_contracts
from schemas.ddl import render_add_columns, render_dataset, render_ddl
from schemas.errors import DefinitionError
from warehouse.bigquery.failures import NotAllowedError, cloud_errors
from warehouse.bigquery.jobs import Request
from warehouse.bigquery.leases import LEASE_COLUMNS
from warehouse.bigquery.names import LEASES_TABLE, PARTITIONS_TABLE, STAGING_DATASET, found_tables
from warehouse.bigquery.statements import REGISTER_COLUMNS

if TYPE_CHECKING:
    from warehouse.bigquery.engine import BigQueryWarehouse

STAGING_DAYS = 1
DESCRIPTIONS = {
    "nba_raw": "Phase 2: what arrived, as it arrived",
    "nba_analytics": "Phase 3: games and slates",
    "nba_precompute": "Phase 4: player and team form",
    "nba_predictions": "The feature store and its provenance",
    "nba_orchestration": "Runs, completions, events and the ledger",
    STAGING_DATASET: "Rows not yet published; every table expires after a day",
}


@dataclass(frozen=True)
class Change:
    """One statement that is due: what it does, to what, and its SQL."""

    action: str
    target: str
    sql: str


def _engine_table(
    name: str, columns: tuple[Column, ...], keys: tuple[str, ...], cluster: tuple[str, ...], description: str
) -> TableContract:
    return TableContract(name, description, "one row per key", "record", None, cluster, keys, "exempt", None, columns)


ENGINE_TABLES = (
    _engine_table(PARTITIONS_TABLE, REGISTER_COLUMNS, ("table_name", "key"), ("table_name",), "Published partitions of every table"),
    _engine_table(LEASES_TABLE, LEASE_COLUMNS, ("lease_id",), (), "Who is writing what"),
)


def stored_tables() -> tuple[TableContract, ...]:
    """Return the tables that hold rows: those of the contracts without the views, and the engine's own."""
    return (*(spec for spec in load_contracts().values() if spec.built_by != "view"), *ENGINE_TABLES)


def _missing(warehouse: BigQueryWarehouse, spec: TableContract) -> Change | None:
    path = warehouse.names.path(spec.name)
    present = warehouse.column_types(spec.name)
    if not present:
        return Change("create table", path, render_ddl(spec, path))
    differing = [f"{c.name}: {present[c.name]}, not {c.sql_type}" for c in spec.columns if present.get(c.name, c.sql_type) != c.sql_type]
    if differing:
        raise DefinitionError(
            f"{path} has columns of other types", differing, "a type is never changed in place: add a column under a new name"
        )
    added = tuple(column for column in spec.columns if column.name not in present)
    return Change("add columns", path, render_add_columns(path, added)) if added else None


def plan(warehouse: BigQueryWarehouse, views: Mapping[str, str]) -> tuple[Change, ...]:
    """Return every statement that is due, in order; `views` are queries by name. Nothing is changed.

    Raises:
        DefinitionError: a table has a column of another type than its contract.
    """
    names, settings = warehouse.names, warehouse.gcp
    with cloud_errors("listing the datasets"):
        there = {
            item.dataset_id for item in warehouse.client.list_datasets(retry=warehouse.jobs.retry, timeout=warehouse.jobs.pace.request)
        }
    changes = [
        Change(
            "create dataset",
            path,
            render_dataset(path, settings.location, DESCRIPTIONS[name], STAGING_DAYS if name == STAGING_DATASET else None),
        )
        for name in (*DATASETS, STAGING_DATASET)
        if (path := names.dataset(name)).split(".")[1] not in there
    ]
    changes += [change for spec in stored_tables() if spec.name not in names.mapped and (change := _missing(warehouse, spec))]
    changes += [Change("create view", names.path(name), sql) for name, sql in _views_due(warehouse, views)]
    return tuple(changes)


def apply(warehouse: BigQueryWarehouse, changes: Iterable[Change]) -> int:
    """Run the statements one after another; return how many. Each may be run again."""
    done = 0
    for change in changes:
        request = Request("schema", change.target.split(".", 1)[1], uuid.uuid4().hex, (change.sql,))
        warehouse.jobs.query(request, change.sql, [])
        done += 1
    return done


def _in_order(views: Mapping[str, str]) -> Sequence[str]:
    ordered: dict[str, None] = {}

    def visit(name: str) -> None:
        for read in found_tables(views[name]):
            if read in views and read not in ordered and read != name:
                visit(read)
        ordered[name] = None

    for name in sorted(views):
        if name not in ordered:
            visit(name)
    return list(ordered)


def _definition(warehouse: BigQueryWarehouse, path: str) -> str | None:
    from google.api_core.exceptions import NotFound

    with cloud_errors(f"reading the view {path}"):
        try:
            table = warehouse.jobs.call(warehouse.client.get_table, path)
        except NotFound:
            return None
        query: str | None = table.view_query
        return query


def _views_due(warehouse: BigQueryWarehouse, views: Mapping[str, str]) -> list[tuple[str, str]]:
    due = []
    for name in _in_order(views):
        path, query = warehouse.names.path(name), warehouse.names.placed(views[name])
        if (_definition(warehouse, path) or "").strip() != query.strip():
            due.append((name, f"CREATE OR REPLACE VIEW `{path}` AS\n{query}"))
    return due


def define_views(warehouse: BigQueryWarehouse, views: Mapping[str, str]) -> None:
    """Create the views that are missing or differ; those that the account may not even look at are left to `schemas apply`."""
    try:
        due = _views_due(warehouse, views)
    except NotAllowedError:
        return
    apply(warehouse, [Change("create view", warehouse.names.path(name), sql) for name, sql in due])
