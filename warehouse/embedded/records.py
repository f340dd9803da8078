"""Record tables (runs, completions, events, ledger): rows in the catalogue's own database.

They change row by row and in the same transaction as the partitions they speak of.
"""

from __future__ import annotations

import datetime as dt
import json
import sqlite3
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from schemas.contracts import Column, TableContract, contract
from schemas.errors import WarehouseError
from warehouse.protocol import RecordWrite

if TYPE_CHECKING:
    import pyarrow as pa

EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
AFFINITY = {"STRING": "TEXT", "INT64": "INTEGER", "FLOAT64": "REAL", "BOOL": "INTEGER", "DATE": "TEXT", "TIMESTAMP": "INTEGER"}


def sqlite_name(table: str) -> str:
    """Return the name of a record table inside the catalogue."""
    return '"' + table.replace(".", "__") + '"'


def create(connection: sqlite3.Connection, spec: TableContract) -> None:
    """Create the record table, or add the columns it lacks."""
    name = sqlite_name(spec.name)
    columns = ", ".join(f'"{c.name}" {AFFINITY.get(c.type, "TEXT")}{" NOT NULL" if c.required else ""}' for c in spec.columns)
    keys = ", ".join(f'"{key}"' for key in spec.keys)
    connection.execute(f"CREATE TABLE IF NOT EXISTS {name} ({columns}, PRIMARY KEY ({keys}))")
    present = {row[1] for row in connection.execute(f"PRAGMA table_info({name})")}
    for column in spec.columns:
        if column.name not in present:
            connection.execute(f'ALTER TABLE {name} ADD COLUMN "{column.name}" {AFFINITY.get(column.type, "TEXT")}')


def _stored(value: Any, column: Column) -> Any:
    if value is None:
        return None
    if column.is_array or column.fields:
        return json.dumps(value, default=str)
    if column.type == "TIMESTAMP":
        return round((value - EPOCH) / dt.timedelta(microseconds=1))
    if column.type == "DATE":
        return value.isoformat()
    return int(value) if column.type == "BOOL" else value


def write(connection: sqlite3.Connection, request: RecordWrite) -> None:
    """Insert the rows; raise `WarehouseError` for an unknown column or a repeated key without `replace`."""
    spec = contract(request.table)
    unknown = {name for row in request.rows for name in row if name not in spec.by_name} | (set(request.clear or ()) - set(spec.by_name))
    if unknown:
        raise WarehouseError(f"{request.table} has no such column", unknown)
    create(connection, spec)
    if request.clear:
        wanted = {spec.by_name[name]: [_stored(v, spec.by_name[name]) for v in values] for name, values in request.clear.items()}
        where = " AND ".join(f'"{column.name}" IN ({", ".join("?" * len(values))})' for column, values in wanted.items())
        connection.execute(f"DELETE FROM {sqlite_name(spec.name)} WHERE {where}", [v for values in wanted.values() for v in values])
    verb = "INSERT OR REPLACE" if request.replace else "INSERT"
    names = ", ".join(f'"{name}"' for name in spec.column_names)
    marks = ", ".join("?" * len(spec.columns))
    values = [tuple(_stored(row.get(c.name), c) for c in spec.columns) for row in request.rows]
    try:
        connection.executemany(f"{verb} INTO {sqlite_name(spec.name)} ({names}) VALUES ({marks})", values)
    except sqlite3.IntegrityError as error:
        raise WarehouseError(f"a row of {request.table} breaks its contract", [error]) from None


def _column(values: Sequence[Any], column: Column, kind: pa.DataType) -> pa.Array:
    import pyarrow as pa

    if column.is_array or column.fields:
        return pa.array([None if value is None else json.loads(value) for value in values], kind)
    if column.type == "DATE":
        return pa.array(values, pa.string()).cast(kind)
    return pa.array(values, pa.int64()).cast(kind) if column.type in ("TIMESTAMP", "BOOL") else pa.array(values, kind)


def read(connection: sqlite3.Connection, spec: TableContract, schema: pa.Schema) -> pa.Table:
    """Return the whole record table as Arrow; one never written is empty, a column never written NULL."""
    import pyarrow as pa

    present = {row[1] for row in connection.execute(f"PRAGMA table_info({sqlite_name(spec.name)})")}
    if not present:
        return schema.empty_table()
    names = ", ".join(f'"{name}"' if name in present else "NULL" for name in spec.column_names)
    rows = connection.execute(f"SELECT {names} FROM {sqlite_name(spec.name)}").fetchall()
    columns = list(zip(*rows, strict=True)) or [()] * len(spec.columns)
    arrays = [_column(values, column, schema.field(column.name).type) for values, column in zip(columns, spec.columns, strict=True)]
    return pa.table(arrays, schema=schema)
