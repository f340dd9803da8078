"""Run a case on both engines and compare: names, types, rows."""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb
import yaml

from tests.googlesql import analyser
from warehouse.googlesql import prepare_connection, to_duckdb

CASES = Path(__file__).parent / "cases.yaml"
RELATIVE = 1e-12


@dataclass(frozen=True)
class Rows:
    """A result: column names, types as DuckDB writes them, rows."""

    names: list[str]
    types: list[str]
    rows: list[list[Any]]


@dataclass(frozen=True)
class Case:
    """One entry of the case file."""

    name: str
    sql: str
    ordered: bool = False
    error: bool = False
    differs: str | None = None
    parameters: Mapping[str, tuple[str, str, Any]] = field(default_factory=dict)


@functools.cache
def load_cases() -> list[Case]:
    """Read the case file and put the shared relations in front of the statements."""
    content = yaml.safe_load(CASES.read_text(encoding="utf-8"))
    cases = []
    for row in content["cases"]:
        sql = row.pop("sql")
        shared = [f"{name} AS (SELECT * FROM {content['data'][name].strip()})" for name in row.pop("with", [])]
        parameters = {name: tuple(value) for name, value in row.pop("parameters", {}).items()}
        cases.append(Case(sql=(f"WITH {', '.join(shared)}\n" if shared else "") + sql, parameters=parameters, **row))
    return cases


@functools.cache
def connection() -> duckdb.DuckDBPyConnection:
    """Return one prepared connection for all cases."""
    prepared = duckdb.connect()
    prepare_connection(prepared)
    return prepared


def run_duckdb(sql: str, parameters: Mapping[str, tuple[str, str, Any]] | None = None) -> Rows:
    """Run a GoogleSQL query through the adapter."""
    values = {name: value for name, (_, _, value) in (parameters or {}).items()}
    result = connection().cursor().execute(to_duckdb(sql), values)
    description = result.description or []
    return Rows(
        [column[0] for column in description],
        [str(column[1]).replace('"', "") for column in description],
        [list(r) for r in result.fetchall()],
    )


def run_google(sql: str, parameters: Mapping[str, tuple[str, str, Any]] | None = None) -> Rows:
    """Run a GoogleSQL query through Google's reference evaluator."""
    literals = {name: (kind, literal) for name, (kind, literal, _) in (parameters or {}).items()}
    return Rows(*analyser.evaluate(sql, literals))


def same_value(expected: Any, found: Any) -> bool:
    """Compare two values, floats to 12 digits; TRUE is not 1 and 1 is not 1.0."""
    if isinstance(expected, float) and isinstance(found, float):
        if math.isnan(expected) or math.isnan(found):
            return math.isnan(expected) and math.isnan(found)
        return math.isclose(expected, found, rel_tol=RELATIVE, abs_tol=1e-300)
    if isinstance(expected, list) and isinstance(found, list):
        return len(expected) == len(found) and all(map(same_value, expected, found))
    if isinstance(expected, dict) and isinstance(found, dict):
        return list(expected) == list(found) and all(map(same_value, expected.values(), found.values()))
    return type(expected) is type(found) and bool(expected == found)


def _key(row: Sequence[Any]) -> str:
    return repr([f"{value:.9e}" if isinstance(value, float) else value for value in row])


def differences(expected: Rows, found: Rows, ordered: bool = False) -> list[str]:
    """Return what differs between two results, empty when nothing does."""
    problems = []
    if len(expected.names) != len(found.names):
        return [f"{len(expected.names)} columns expected, {len(found.names)} found"]
    for index, (name, other) in enumerate(zip(expected.names, found.names, strict=True)):
        if name and not name.startswith("$") and name.lower() != other.lower():
            problems.append(f"column {index}: name {name} expected, {other} found")
        if expected.types[index] != found.types[index]:
            problems.append(f"column {name or index}: type {expected.types[index]} expected, {found.types[index]} found")
    left, right = (rows if ordered else sorted(rows, key=_key) for rows in (expected.rows, found.rows))
    if len(left) != len(right):
        problems.append(f"{len(left)} rows expected, {len(right)} found")
    for number, (one, two) in enumerate(zip(left, right, strict=False)):
        problems += [
            f"row {number}, {expected.names[i] or i}: {a!r} expected, {b!r} found"
            for i, (a, b) in enumerate(zip(one, two, strict=True))
            if not same_value(a, b)
        ]
    return problems
