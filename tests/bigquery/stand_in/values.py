"""Values and types as they travel: fields of DuckDB's results, rows as JSON, parameters as Python values."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

import pyarrow as pa

EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
FIELD_TYPES = {
    "VARCHAR": "STRING",
    "BIGINT": "INTEGER",
    "INTEGER": "INTEGER",
    "UBIGINT": "INTEGER",
    "HUGEINT": "INTEGER",
    "DOUBLE": "FLOAT",
    "BOOLEAN": "BOOLEAN",
    "DATE": "DATE",
    "TIMESTAMP WITH TIME ZONE": "TIMESTAMP",
}
DUCKDB_TYPES = {
    "STRING": "VARCHAR",
    "INTEGER": "BIGINT",
    "INT64": "BIGINT",
    "FLOAT": "DOUBLE",
    "FLOAT64": "DOUBLE",
    "BOOLEAN": "BOOLEAN",
    "BOOL": "BOOLEAN",
    "DATE": "DATE",
    "TIMESTAMP": "TIMESTAMPTZ",
}
ARROW_TYPES = {
    "STRING": pa.string(),
    "INT64": pa.int64(),
    "FLOAT64": pa.float64(),
    "BOOL": pa.bool_(),
    "DATE": pa.date32(),
    "TIMESTAMP": pa.timestamp("us", tz="UTC"),
}


def field(name: str, kind: Any, mode: str = "NULLABLE") -> dict[str, Any]:
    """Return the protocol's field for a column of a DuckDB result."""
    if kind.id == "list":
        return {**field(name, kind.child), "mode": "REPEATED"}
    if kind.id == "struct":
        return {"name": name, "type": "RECORD", "mode": mode, "fields": [field(part, child) for part, child in kind.children]}
    if kind.id == "decimal":
        return {"name": name, "type": "NUMERIC", "mode": mode}
    return {"name": name, "type": FIELD_TYPES.get(str(kind), "STRING"), "mode": mode}


def column_type(item: Mapping[str, Any]) -> str:
    """Return DuckDB's type for a field of the protocol."""
    if item["type"] in ("RECORD", "STRUCT"):
        base = "STRUCT(" + ", ".join(f'"{part["name"]}" {column_type(part)}' for part in item["fields"]) + ")"
    else:
        base = DUCKDB_TYPES[item["type"]]
    return base + "[]" if item.get("mode") == "REPEATED" else base


def encoded(value: Any, item: Mapping[str, Any]) -> Any:
    """Return a value as the protocol writes it."""
    if item.get("mode") == "REPEATED":
        return [{"v": encoded(part, {**item, "mode": ""})} for part in value or []]
    if value is None:
        return None
    kind = item["type"]
    if kind == "RECORD":
        return {"f": [{"v": encoded(value[part["name"]], part)} for part in item["fields"]]}
    if kind == "TIMESTAMP":
        return str((value - EPOCH) // dt.timedelta(microseconds=1))
    if kind == "BOOLEAN":
        return "true" if value else "false"
    return repr(value) if isinstance(value, float) else str(value)


def _scalar(kind: str, text: str | None) -> Any:
    if text is None:
        return None
    if kind == "TIMESTAMP":
        return dt.datetime.fromisoformat(str(text).replace("Z", "+00:00"))
    readers: dict[str, Any] = {
        "INT64": int,
        "FLOAT64": float,
        "BOOL": lambda word: str(word).lower() == "true",
        "DATE": dt.date.fromisoformat,
    }
    return readers.get(kind, str)(text)


def parameter(kind: Mapping[str, Any], value: Mapping[str, Any]) -> Any:
    """Return a bound parameter as a Python value."""
    if kind["type"] == "ARRAY":
        return [parameter(kind["arrayType"], item) for item in value.get("arrayValues", [])]
    if kind["type"] == "STRUCT":
        return {part["name"]: parameter(part["type"], value["structValues"][part["name"]]) for part in kind["structTypes"]}
    return _scalar(kind["type"], value.get("value"))


def arrow_type(kind: Mapping[str, Any]) -> pa.DataType:
    """Return the Arrow type of a parameter."""
    if kind["type"] == "ARRAY":
        return pa.list_(arrow_type(kind["arrayType"]))
    if kind["type"] == "STRUCT":
        return pa.struct([pa.field(part["name"], arrow_type(part["type"])) for part in kind["structTypes"]])
    return ARROW_TYPES[kind["type"]]
