"""CREATE TABLE statements of BigQuery, rendered from the contracts."""

from __future__ import annotations

from schemas.contracts import Column, TableContract

UNFILTERED = frozenset({"nba_raw.schedule", "nba_predictions.ml_feature_store_v2"})
"""Partitioned tables that are read without dates on purpose.

The schedule's first and last date are asked for, over a few thousand rows. Feast's BigQuery store bounds the store table by
the instant of knowledge, not by the US Eastern date it is partitioned by.
"""
NEVER_REQUIRED = ("copy",)
"""Blocked rows are kept as they are, a missing value included."""


def literal(text: str) -> str:
    """Return a text as a GoogleSQL string literal."""
    escaped = text.replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n")
    return f"'{escaped}'"


def _column(column: Column, with_null: bool) -> str:
    # An array is never NULL in BigQuery, and cannot be declared so.
    required = " NOT NULL" if column.required and not with_null and not column.is_array else ""
    return f"`{column.name}` {column.sql_type}{required} OPTIONS (description = {literal(column.description)})"


def _labels(table: str) -> str:
    return f"[('app', 'nba-features'), ('dataset', {literal(table.split('.')[0])})]"


def requires_filter(spec: TableContract) -> bool:
    """TRUE when BigQuery is to refuse a query that names no dates of this table."""
    return spec.is_partitioned and spec.name not in UNFILTERED


def render_ddl(spec: TableContract, path: str | None = None) -> str:
    """Return the statement that creates a table: its columns, partitions and clustering, and no expiry whatever the dataset says.

    `path` is the full name, by default the contract's own.
    """
    columns = ",\n  ".join(_column(column, spec.built_by in NEVER_REQUIRED) for column in spec.columns)
    parts = [f"CREATE TABLE IF NOT EXISTS `{path or spec.name}` (\n  {columns}\n)"]
    options = [f"description = {literal(spec.description)}", f"labels = {_labels(spec.name)}"]
    if spec.partition:
        parts.append(f"PARTITION BY `{spec.partition}`")
        options += [f"require_partition_filter = {str(requires_filter(spec)).upper()}", "partition_expiration_days = NULL"]
    if spec.cluster:
        parts.append("CLUSTER BY " + ", ".join(f"`{name}`" for name in spec.cluster))
    options.append("expiration_timestamp = NULL")
    parts.append("OPTIONS (\n  " + ",\n  ".join(options) + "\n)")
    return "\n".join(parts)


def render_add_columns(path: str, columns: tuple[Column, ...]) -> str:
    """Return the statement that adds columns to a table that holds rows: they read NULL there, so none is required."""
    added = ",\n".join(f"ADD COLUMN IF NOT EXISTS {_column(column, with_null=True)}" for column in columns)
    return f"ALTER TABLE `{path}`\n{added}"


def render_dataset(path: str, location: str, description: str, expiry_days: int | None = None) -> str:
    """Return the statement that creates a dataset; tables of it expire only when `expiry_days` says so."""
    expiry = "NULL" if expiry_days is None else str(expiry_days)
    return (
        f"CREATE SCHEMA IF NOT EXISTS `{path}`\nOPTIONS (\n  location = {literal(location)},\n  description = {literal(description)},\n"
        f"  default_table_expiration_days = {expiry},\n  labels = [('app', 'nba-features')]\n)"
    )
