"""GoogleSQL of the engine itself: fingerprints, replacement of partitions, record rows. Values are bound, names come from contracts."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from schemas.contracts import Column, TableContract
from schemas.errors import WarehouseError
from warehouse.bigquery.names import quoted
from warehouse.bigquery.parameters import rows_parameter, typed_list
from warehouse.protocol import UNPARTITIONED, RecordWrite

# The largest prime below 2^32: the sum of a billion such remainders still fits an INT64.
MODULUS = 4294967291


@dataclass
class Script:
    """Statements of one job and the parameters they share."""

    statements: list[str] = field(default_factory=list)
    parameters: list[Any] = field(default_factory=list)

    def name(self) -> str:
        """Return a parameter name that is not taken."""
        return f"p{len(self.parameters)}"

    def transaction(self) -> str:
        """Return all statements as one transaction; BigQuery rolls it back when one of them fails."""
        return ";\n".join(["BEGIN TRANSACTION", *self.statements, "COMMIT TRANSACTION"]) + ";"


def column_list(columns: Sequence[str]) -> str:
    """Return names as a list of identifiers."""
    return ", ".join(f"`{name}`" for name in columns)


def key_expression(spec: TableContract) -> str:
    """Return the partition key of a row."""
    return f"`{spec.partition}`" if spec.partition else f"DATE '{UNPARTITIONED}'"


def fingerprint_query(spec: TableContract, path: str, where: str = "TRUE") -> str:
    """Return a query of key, rows, order-free fingerprint over the content columns, and whether a row key repeats."""
    content = column_list([column.name for column in spec.content_columns])
    identity = column_list(list(dict.fromkeys([*filter(None, [spec.partition]), *spec.keys])))
    return f"""SELECT
  key,
  COUNT(*) AS n,
  FORMAT('b1:%d:%d', SUM(MOD(h, {MODULUS})), BIT_XOR(h)) AS fingerprint,
  COUNT(*) > COUNT(DISTINCT identity) AS is_repeated
FROM (
  SELECT
    {key_expression(spec)} AS key,
    FARM_FINGERPRINT(TO_JSON_STRING(STRUCT({content}))) AS h,
    TO_JSON_STRING(STRUCT({identity})) AS identity
  FROM {quoted(path)}
  WHERE {where}
) AS hashed
GROUP BY key"""


def range_filter(spec: TableContract, script: Script, keys: Sequence[dt.date]) -> str:
    """Return a condition on the partition column that BigQuery can prune by: the range, then the very dates."""
    if spec.partition is None:
        return "TRUE"
    from google.cloud import bigquery

    name = script.name()
    script.parameters.append(bigquery.ArrayQueryParameter(name, "DATE", sorted(keys)))
    low, high = min(keys), max(keys)
    return f"`{spec.partition}` BETWEEN DATE '{low}' AND DATE '{high}' AND `{spec.partition}` IN UNNEST(@{name})"


def replace_partitions(script: Script, spec: TableContract, target: str, source: str | None, keys: Sequence[dt.date]) -> None:
    """Add the statements that empty partitions and fill them from a staging table."""
    if not keys:
        return
    where = range_filter(spec, script, keys)
    script.statements.append(f"DELETE FROM {quoted(target)} WHERE {where}")
    if source:
        columns = column_list(spec.column_names)
        script.statements.append(f"INSERT INTO {quoted(target)} ({columns})\nSELECT {columns} FROM {quoted(source)} WHERE {where}")


def checked_rows(spec: TableContract, request: RecordWrite) -> list[dict[str, Any]]:
    """Return the rows, the last of equal keys; raise `WarehouseError` for what the contract forbids."""
    unknown = {name for row in request.rows for name in row if name not in spec.by_name} | (set(request.clear or ()) - set(spec.by_name))
    if unknown:
        raise WarehouseError(f"{request.table} has no such column", unknown)
    missing = {column.name for column in spec.columns if column.required for row in request.rows if row.get(column.name) is None}
    if missing:
        raise WarehouseError(f"a row of {request.table} breaks its contract", [f"{name} is missing" for name in missing])
    rows = {tuple(row.get(key) for key in spec.keys): dict(row) for row in request.rows}
    if len(rows) < len(request.rows) and not request.replace:
        raise WarehouseError(f"a row of {request.table} breaks its contract", ["a key occurs twice"])
    return list(rows.values())


def _same_key(column: Column) -> str:
    equal = f"present_rows.`{column.name}` = new_rows.`{column.name}`"
    return equal if column.required else f"({equal} OR (present_rows.`{column.name}` IS NULL AND new_rows.`{column.name}` IS NULL))"


def write_records(
    script: Script, spec: TableContract, path: str, request: RecordWrite, rows: Sequence[Mapping[str, Any]], loaded: str | None = None
) -> None:
    """Add the statements of a record write: what to clear, then the checked rows by MERGE, which nothing may match unless they replace.

    The rows are bound to the statement, unless they have been `loaded` into a staging table.
    """
    if request.clear:
        conditions = []
        for column_name, values in request.clear.items():
            name = script.name()
            script.parameters.append(typed_list(name, spec.by_name[column_name], values))
            conditions.append(f"`{column_name}` IN UNNEST(@{name})")
        script.statements.append(f"DELETE FROM {quoted(path)} WHERE {' AND '.join(conditions)}")
    if not rows:
        return
    columns = column_list(spec.column_names)
    # The aliases are no column's name: in SET, a column named as the table it is in means the whole row.
    if loaded:
        relation = quoted(loaded)
    else:
        name = script.name()
        script.parameters.append(rows_parameter(name, spec.columns, rows))
        relation = f"UNNEST(@{name})"
    source = f"(SELECT {columns} FROM {relation}) AS new_rows"
    on = " AND ".join(_same_key(spec.by_name[key]) for key in spec.keys)
    if not request.replace:
        check = f"EXISTS (SELECT 1 FROM {quoted(path)} AS present_rows JOIN {source} ON {on})"
        script.statements.append(f"SELECT IF({check}, ERROR('a key of {spec.name} is there already'), 'new') AS verdict")
    updates = ", ".join(f"`{column}` = new_rows.`{column}`" for column in spec.column_names if column not in spec.keys)
    values = ", ".join(f"new_rows.`{column}`" for column in spec.column_names)
    matched = f"WHEN MATCHED THEN UPDATE SET {updates}\n" if updates else ""
    script.statements.append(
        f"MERGE INTO {quoted(path)} AS present_rows\nUSING {source}\nON {on}\n{matched}"
        f"WHEN NOT MATCHED THEN INSERT ({columns}) VALUES ({values})"
    )


REGISTER_COLUMNS = (
    Column("table_name", "STRING", "Table", required=True),
    Column("key", "DATE", "Partition", required=True),
    Column("row_count", "INT64", "Rows", required=True),
    Column("fingerprint", "STRING", "Order-free hash over the content columns", required=True),
)


def register(script: Script, path: str, gone: Mapping[str, Sequence[dt.date]], here: Sequence[Mapping[str, Any]]) -> None:
    """Add the statements that keep the register of partitions in step with the tables."""
    for table, keys in sorted(gone.items()):
        from google.cloud import bigquery

        if not keys:
            continue
        names = script.name()
        script.parameters.append(bigquery.ArrayQueryParameter(names, "DATE", sorted(keys)))
        table_name = script.name()
        script.parameters.append(bigquery.ScalarQueryParameter(table_name, "STRING", table))
        script.statements.append(f"DELETE FROM {quoted(path)} WHERE table_name = @{table_name} AND key IN UNNEST(@{names})")
    if here:
        name = script.name()
        script.parameters.append(rows_parameter(name, REGISTER_COLUMNS, here))
        columns = column_list([column.name for column in REGISTER_COLUMNS])
        script.statements.append(f"INSERT INTO {quoted(path)} ({columns})\nSELECT {columns} FROM UNNEST(@{name})")
