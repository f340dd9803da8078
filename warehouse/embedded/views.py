"""DuckDB relations over the data files of a table."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from schemas.contracts import Column, TableContract
from warehouse.embedded.entries import FileEntry

COPY_OPTIONS = "FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE 20000"
DUCKDB_TYPES = {"STRING": "VARCHAR", "INT64": "BIGINT", "FLOAT64": "DOUBLE", "BOOL": "BOOLEAN", "DATE": "DATE", "TIMESTAMP": "TIMESTAMPTZ"}


def duckdb_type(column: Column) -> str:
    """Return the DuckDB type of a contract column."""
    element = column.element_type
    if element == "STRUCT":
        inner = "STRUCT(" + ", ".join(f'"{f.name}" {duckdb_type(f)}' for f in column.fields) + ")"
    else:
        inner = DUCKDB_TYPES[element]
    return inner + "[]" if column.is_array else inner


def quoted(text: str) -> str:
    """Return the text as a SQL literal."""
    return "'" + text.replace("'", "''") + "'"


def typed_columns(spec: TableContract) -> str:
    """List the contract's columns in its own types: what a statement yields may be wider (a sum is 128 bits here).

    An array that is NULL is stored empty, as BigQuery stores it.
    """

    def typed(column: Column) -> str:
        cast = f'CAST("{column.name}" AS {duckdb_type(column)})'
        return f'coalesce({cast}, []) AS "{column.name}"' if column.is_array else f'{cast} AS "{column.name}"'

    return ", ".join(typed(column) for column in spec.columns)


def _absent(column: Column) -> str:
    """Return the value of a column in rows that were written before it was added."""
    return f'CAST({"[]" if column.is_array else "NULL"} AS {duckdb_type(column)}) AS "{column.name}"'


def _columns(spec: TableContract, present: Sequence[str]) -> str:
    """List the contract's columns; one that the file lacks (added later) reads as NULL."""
    have = set(present)
    return ", ".join(f'"{c.name}"' if c.name in have else _absent(c) for c in spec.columns)


def _scan(paths: Sequence[str]) -> str:
    return "read_parquet([" + ", ".join(quoted(path) for path in paths) + "])"


def _days(spec: TableContract, keys: Sequence[str]) -> str:
    return f'"{spec.partition}" IN (' + ", ".join(f"DATE {quoted(key)}" for key in keys) + ")"


def relation(spec: TableContract, files: Sequence[FileEntry]) -> str:
    """Return a SELECT over the live partitions of a table: whole files together, shadowed ones by their live dates."""
    whole: dict[tuple[str, ...], list[str]] = {}
    parts: list[str] = []
    for entry in files:
        if len(entry.live) == entry.held:
            whole.setdefault(entry.columns, []).append(str(entry.path))
        else:
            parts.append(f"SELECT {_columns(spec, entry.columns)} FROM {_scan([str(entry.path)])} WHERE {_days(spec, entry.live)}")
    parts += [f"SELECT {_columns(spec, columns)} FROM {_scan(paths)}" for columns, paths in whole.items()]
    if not parts:
        return "SELECT " + ", ".join(_absent(column) for column in spec.columns) + " WHERE FALSE"
    return " UNION ALL ".join(parts)


def copy_statement(spec: TableContract, source: str, path: Path) -> str:
    """Return the statement that writes the rows of a SELECT to a data file, in the order of partition and keys."""
    order = ", ".join(f'"{name}"' for name in dict.fromkeys([*filter(None, [spec.partition]), *spec.keys]))
    return f"COPY (SELECT * FROM ({source}) AS rows ORDER BY {order}) TO {quoted(str(path))} ({COPY_OPTIONS})"


def fingerprint_query(spec: TableContract, relation_sql: str, where: str = "TRUE") -> str:
    """Return a query of partition key, row count and order-free fingerprint over the content columns."""
    columns = ", ".join(f'"{column.name}"' for column in spec.content_columns)
    key = f'"{spec.partition}"' if spec.partition else "DATE '1970-01-01'"
    hashed = f"SELECT {key} AS key, hash({columns}) AS h FROM {relation_sql} WHERE {where}"
    total = "printf('%016x', CAST(sum(h) % 18446744073709551616 AS UBIGINT))"
    fingerprint = f"'d1:' || {total} || printf('%016x', bit_xor(h))"
    return f"SELECT key, count(*) AS n, {fingerprint} AS fingerprint FROM ({hashed}) GROUP BY key ORDER BY key"


def repeated_keys_query(spec: TableContract, relation_sql: str) -> str:
    """Return a query of the partition keys in which a row key occurs more than once."""
    keys = ", ".join(f'"{name}"' for name in dict.fromkeys([*filter(None, [spec.partition]), *spec.keys]))
    key = f'"{spec.partition}"' if spec.partition else "DATE '1970-01-01'"
    return f"SELECT DISTINCT {key} AS key FROM (SELECT {keys} FROM {relation_sql} GROUP BY {keys} HAVING count(*) > 1) ORDER BY key"
