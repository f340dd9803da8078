"""GoogleSQL of the engine as the BigQuery emulator can run it; values, rows and conditions stay what they are."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any

import sqlglot

STANDARD = {"INTEGER": "INT64", "FLOAT": "FLOAT64", "BOOLEAN": "BOOL"}
ESCAPES = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t"}
# SQLite passes 127 arguments to a function; the emulator passes two for a field of a struct.
FIELDS_OF_A_STRUCT = 40
STORAGE = re.compile(r"^(?:PARTITION BY|CLUSTER BY) .*\n", re.MULTILINE)
STRUCT_AS_TEXT = re.compile(r"TO_JSON_STRING\(STRUCT\((`\w+`(?:, `\w+`)*)\)\)")
# Its remainders are fractions, and its BIT_XOR is the last value: the largest hash is as free of order.
FINGERPRINT = re.compile(r"FORMAT\('b1:%d:%d', (SUM\(MOD\(h, \d+\)\)), BIT_XOR\(h\)\)")
MERGE = re.compile(
    r"MERGE INTO (?P<path>`[^`]+`) AS present_rows\nUSING (?P<source>.*) AS new_rows\nON (?P<on>.*)\n"
    r"(?:WHEN MATCHED .*\n)?WHEN NOT MATCHED THEN INSERT \((?P<columns>.*)\) VALUES \(.*\)(?=;)"
)


def scalar(kind: str, value: Any) -> str:
    """Return a typed literal; `kind` is a GoogleSQL type."""
    if value is None:
        return f"CAST(NULL AS {kind})"
    if kind == "STRING":
        return '"' + "".join(ESCAPES.get(letter, letter) for letter in str(value)) + '"'
    if kind == "FLOAT64":
        return f"CAST('{value}' AS FLOAT64)"
    return str(value).upper() if kind in ("INT64", "BOOL") else f"{kind} '{value}'"


def type_name(kind: Mapping[str, Any]) -> str:
    """Return the GoogleSQL type of a query parameter."""
    if kind["type"] == "ARRAY":
        return f"ARRAY<{type_name(kind['arrayType'])}>"
    if kind["type"] == "STRUCT":
        return "STRUCT<" + ", ".join(f"{part['name']} {type_name(part['type'])}" for part in kind["structTypes"]) + ">"
    return str(kind["type"])


def parameter(kind: Mapping[str, Any], value: Mapping[str, Any]) -> str:
    """Return a query parameter as a typed literal."""
    if kind["type"] == "ARRAY":
        inner = kind["arrayType"]
        return f"{type_name(kind)}[{', '.join(parameter(inner, item) for item in value.get('arrayValues', []))}]"
    if kind["type"] == "STRUCT":
        parts = (parameter(part["type"], value["structValues"][part["name"]]) for part in kind["structTypes"])
        return f"{type_name(kind)}({', '.join(parts)})"
    return scalar(kind["type"], value.get("value"))


def bound(sql: str, parameters: Sequence[Mapping[str, Any]]) -> str:
    """Return the statement with its named parameters as typed literals: the emulator takes every parameter for an INT64."""
    values = {item["name"]: parameter(item["parameterType"], item["parameterValue"]) for item in parameters}
    if not values:
        return sql
    tokens = sqlglot.tokenize(sql, read="bigquery")
    parts, done = [], 0
    for sign, name in pairwise(tokens):
        word = sql[name.start : name.end + 1]
        if sql[sign.start : sign.end + 1] == "@" and word in values:
            parts += [sql[done : sign.start], f"({values[word]})"]
            done = name.end + 1
    return "".join([*parts, sql[done:]])


def column_type(field: Mapping[str, Any]) -> str:
    """Return the GoogleSQL type of a field of a table resource."""
    if field["type"] in ("RECORD", "STRUCT"):
        base = "STRUCT<" + ", ".join(f"{part['name']} {column_type(part)}" for part in field["fields"]) + ">"
    else:
        base = STANDARD.get(field["type"], field["type"])
    return f"ARRAY<{base}>" if field.get("mode") == "REPEATED" else base


def cell(field: Mapping[str, Any], value: Any) -> str:
    """Return a Python value as a typed literal of a field."""
    if field.get("mode") == "REPEATED":
        one = {**field, "mode": "NULLABLE"}
        return f"{column_type(field)}[{', '.join(cell(one, item) for item in value or [])}]"
    if field["type"] in ("RECORD", "STRUCT") and value is not None:
        return f"{column_type(field)}({', '.join(cell(part, value[part['name']]) for part in field['fields'])})"
    if isinstance(value, dt.datetime):
        value = value.astimezone(dt.UTC).replace(tzinfo=None).isoformat(sep=" ", timespec="microseconds") + "+00"
    return scalar(column_type(field), repr(value) if isinstance(value, float) else value)


def inserted(path: str, fields: Sequence[Mapping[str, Any]], rows: Iterable[Mapping[str, Any]]) -> str:
    """Return the INSERT of rows."""
    columns = ", ".join(f"`{field['name']}`" for field in fields)
    values = ",\n".join("(" + ", ".join(cell(field, row[field["name"]]) for field in fields) + ")" for row in rows)
    return f"INSERT INTO `{path}` ({columns}) VALUES {values}"


def _pieces(found: re.Match[str]) -> str:
    names = found[1].split(", ")
    parts = [names[at : at + FIELDS_OF_A_STRUCT] for at in range(0, len(names), FIELDS_OF_A_STRUCT)]
    texts = [f"TO_JSON_STRING(STRUCT({', '.join(part)}))" for part in parts]
    return texts[0] if len(texts) == 1 else f"CONCAT({', '.join(texts)})"


def _merged(found: re.Match[str]) -> str:
    path, source, columns = found["path"], found["source"], found["columns"]
    gone = f"DELETE FROM {path} AS present_rows WHERE EXISTS (SELECT 1 FROM {source} AS new_rows WHERE {found['on']})"
    return f"{gone};\nINSERT INTO {path} ({columns})\nSELECT {columns} FROM {source} AS source"


def translated(sql: str) -> str:
    """Return a statement or script as the emulator can run it."""
    if sql.startswith("CREATE TABLE"):
        return STORAGE.sub("", sql)
    sql = STRUCT_AS_TEXT.sub(_pieces, sql)
    sql = FINGERPRINT.sub(r"CONCAT('b1:', CAST(CAST(\1 AS INT64) AS STRING), ':', CAST(MAX(h) AS STRING))", sql)
    return MERGE.sub(_merged, sql)
