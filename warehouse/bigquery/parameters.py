"""Bound parameters: types from the values, or from the contract where rows are written. Values never become SQL text."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from schemas.contracts import Column
from schemas.errors import UsageError

if TYPE_CHECKING:
    from google.cloud import bigquery

Parameter = Any
"""`ScalarQueryParameter`, `ArrayQueryParameter` or `StructQueryParameter`."""
# A bool is an int and a datetime a date: the narrower type comes first.
SCALAR_TYPES: tuple[tuple[type, str], ...] = (
    (bool, "BOOL"),
    (int, "INT64"),
    (float, "FLOAT64"),
    (str, "STRING"),
    (dt.datetime, "TIMESTAMP"),
    (dt.date, "DATE"),
)


def scalar_type(name: str, value: Any) -> str:
    """Return the GoogleSQL type of a value; NULL is a STRING, which BigQuery coerces; raise `UsageError` for any other type."""
    if value is None:
        return "STRING"
    for kind, sql_type in SCALAR_TYPES:
        if isinstance(value, kind):
            if isinstance(value, dt.datetime) and value.tzinfo is None:
                raise UsageError(f"@{name} is an instant without a zone", [value])
            return sql_type
    raise UsageError(f"@{name} has a type that cannot be bound", [type(value).__name__])


@lru_cache(maxsize=256)
def named_parameters(sql: str) -> frozenset[str]:
    """Return the parameters that a statement names outside its strings and comments."""
    import sqlglot

    tokens = sqlglot.tokenize(sql, read="bigquery")
    return frozenset(sql[after.start : after.end + 1] for at, after in pairwise(tokens) if sql[at.start : at.end + 1] == "@")


def bound(sql: str, values: Mapping[str, Any] | None) -> list[Parameter]:
    """Return the parameters of a statement; one that it does not name is left out."""
    named = named_parameters(sql)
    return [from_value(name, value) for name, value in sorted((values or {}).items()) if name in named]


def from_value(name: str, value: Any) -> Parameter:
    """Return the parameter for a value; an empty list is one of texts, as a NULL is, and the service refuses it beside another type."""
    from google.cloud import bigquery

    if isinstance(value, (list, tuple)):
        return bigquery.ArrayQueryParameter(name, scalar_type(name, value[0] if value else None), list(value))
    return bigquery.ScalarQueryParameter(name, scalar_type(name, value), value)


def _field(column: Column, value: Any) -> Parameter:
    from google.cloud import bigquery

    if column.is_array:
        return bigquery.ArrayQueryParameter(column.name, column.element_type, list(value or []))
    return bigquery.ScalarQueryParameter(column.name, column.type, value)


def _field_type(column: Column) -> Any:
    from google.cloud import bigquery

    if column.is_array:
        return bigquery.ArrayQueryParameterType(bigquery.ScalarQueryParameterType(column.element_type), name=column.name)
    return bigquery.ScalarQueryParameterType(column.type, name=column.name)


def rows_parameter(name: str, columns: Sequence[Column], rows: Sequence[Mapping[str, Any]]) -> bigquery.ArrayQueryParameter:
    """Return rows as an ARRAY<STRUCT<...>> of the columns' types; a column a row lacks is NULL."""
    from google.cloud import bigquery

    shape = bigquery.StructQueryParameterType(*(_field_type(column) for column in columns))
    values = [bigquery.StructQueryParameter(None, *(_field(column, row.get(column.name)) for column in columns)) for row in rows]
    return bigquery.ArrayQueryParameter(name, shape, values)


def typed_list(name: str, column: Column, values: Sequence[Any]) -> bigquery.ArrayQueryParameter:
    """Return a list of values of a column's type."""
    from google.cloud import bigquery

    return bigquery.ArrayQueryParameter(name, column.type, list(values))
