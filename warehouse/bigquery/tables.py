"""Tables as BigQuery's client describes them: fields of a contract, staging tables, types read back."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from schemas.contracts import Column, TableContract

if TYPE_CHECKING:
    from google.cloud import bigquery

STAGING_HOURS = 24
# The names of the older dialect, which the protocol still answers with.
STANDARD_TYPES = {"INTEGER": "INT64", "FLOAT": "FLOAT64", "BOOLEAN": "BOOL", "RECORD": "STRUCT"}


def field_of(column: Column, required: bool = False) -> bigquery.SchemaField:
    """Return the field of a column; staged rows are checked by the gate, so only the table itself requires values."""
    from google.cloud import bigquery

    mode = "REPEATED" if column.is_array else "REQUIRED" if required and column.required else "NULLABLE"
    return bigquery.SchemaField(
        column.name,
        column.element_type,
        mode=mode,
        description=column.description,
        fields=tuple(field_of(inner) for inner in column.fields),
    )


def staging_table(spec: TableContract, path: str, at: dt.datetime) -> bigquery.Table:
    """Return a staging table with the columns of the contract, which BigQuery itself removes after a day."""
    from google.cloud import bigquery

    table = bigquery.Table(path, schema=[field_of(column) for column in spec.columns])
    table.expires = at + dt.timedelta(hours=STAGING_HOURS)
    table.labels = {"app": "nba-features", "what": "staging"}
    if spec.partition:
        table.time_partitioning = bigquery.TimePartitioning(type_=bigquery.TimePartitioningType.DAY, field=spec.partition)
    return table


def type_of(field: Any) -> str:
    """Return the GoogleSQL type of a field as the contracts spell it."""
    name = STANDARD_TYPES.get(field.field_type, field.field_type)
    if name == "STRUCT":
        name = f"STRUCT<{', '.join(f'{inner.name} {type_of(inner)}' for inner in field.fields)}>"
    return f"ARRAY<{name}>" if field.mode == "REPEATED" else name


def types_of(fields: Sequence[Any]) -> dict[str, str]:
    """Return columns and types of a table."""
    return {field.name: type_of(field) for field in fields}
