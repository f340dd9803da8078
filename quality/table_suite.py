"""The suite of a table, built from its contract: the checks, their severity, and a hash over all of them.

Every table that is loaded or built has one. The store's own suite is the gate's; its hash covers both.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache

from quality.checks import CRITICAL, WARNING
from quality.contract_audit import contract_checks
from quality.date_checks import date_checks
from quality.expectations import Declared, declare
from quality.row_checks import row_checks
from schemas.contracts import Column, TableContract, contract, load_contracts
from schemas.rules import STORE_TABLE, load_rules

CHECKED_BUILDERS = ("ingest", "sql")
ROW, DATE, WINDOW = "row", "date", "window"


@dataclass(frozen=True)
class SuiteCheck:
    """One check of a table, in GoogleSQL.

    A `row` check counts the rows of a date for which `sql` is TRUE; a `date` check is an aggregate over the rows of a date; a
    `window` check counts the different values of a column over months.
    """

    code: str
    column: str
    kind: str
    sql: str
    metric: str
    low: float | None = None
    high: float | None = None
    severity: str = CRITICAL

    @property
    def threshold(self) -> float | None:
        """Figure allowed, as a reader is told."""
        return self.low if self.low is not None else self.high

    def holds(self, value: float | None) -> bool:
        """TRUE when there is a figure and it is within the bounds."""
        return value is not None and not (self.low is not None and value < self.low) and not (self.high is not None and value > self.high)


def suite_tables() -> tuple[str, ...]:
    """Return the tables that have a suite, the store among them."""
    return tuple(name for name, spec in load_contracts().items() if spec.built_by in CHECKED_BUILDERS)


def _keys(spec: TableContract) -> str:
    return "CONCAT(" + ", '|', ".join(f"IFNULL(CAST({key} AS STRING), '')" for key in spec.keys) + ")"


def _varies(column: Column) -> bool:
    """TRUE for a column that must not stay the same for months: a flag, or one that may be empty."""
    scalar = not column.is_array and not column.fields and column.role == "content"
    return scalar and not column.may_be_constant and (column.type == "BOOL" or not column.required)


def _checks(spec: TableContract) -> Iterator[SuiteCheck]:
    yield SuiteCheck("no_rows", spec.keys[0], DATE, "COUNT(*)", "rows", low=1)
    yield SuiteCheck("duplicate_key", ",".join(spec.keys), DATE, f"COUNT(*) - COUNT(DISTINCT {_keys(spec)})", "repeated_keys", high=0)
    for check in contract_checks(spec):
        yield SuiteCheck(check.code, check.column, ROW, check.violated, "rows_violating", high=0)
    for rule in spec.checks:
        code = f"{rule.code}:{rule.column.split(',')[0]}"
        if rule.violated is not None:
            yield SuiteCheck(code, rule.column, ROW, rule.violated, rule.metric, high=0, severity=rule.severity)
        else:
            yield SuiteCheck(code, rule.column, DATE, str(rule.value), rule.metric, rule.min, rule.max, rule.severity)
    if spec.partition is None or spec.made_with is not None:
        return
    for column in spec.columns:
        if _varies(column):
            least = 2 if column.type == "BOOL" else 1
            code = f"constant:{column.name}" if least == 2 else f"never_filled:{column.name}"
            yield SuiteCheck(code, column.name, WINDOW, f"COUNT(DISTINCT {column.name})", "different_values", low=least)


@lru_cache(maxsize=64)
def table_suite(table: str) -> tuple[SuiteCheck, ...]:
    """Return the checks of a table from its contract."""
    return tuple(_checks(contract(table)))


def declared(checks: Sequence[SuiteCheck], prefix: str = "") -> tuple[Declared, ...]:
    """Return the suite as the library takes it: one expectation per check, on the figure of the check."""
    return tuple(
        Declared(prefix + column_name(check), _severity(check), f"{check.code}: {check.metric} of {check.column}", check.low, check.high)
        for check in checks
    )


def _severity(check: SuiteCheck) -> str:
    return check.severity if check.severity in (CRITICAL, WARNING) else CRITICAL


def column_name(check: SuiteCheck) -> str:
    """Return the column of the figures that holds the check."""
    return check.code.replace(":", "__").replace(",", "_")


def suite_as_data(table: str) -> dict[str, object]:
    """Return the whole suite of a table as plain data: what is checked, with which bounds, and what a failure does."""
    rules = load_rules()
    if table == STORE_TABLE:
        rows, dates = row_checks(), date_checks(trailing=True)
        listed = [*map(asdict, rows), *map(asdict, dates), *map(asdict, declare(rows, dates))]
    else:
        listed = [asdict(check) for check in table_suite(table)]
    return {"table": table, "fates": dict(rules.gate.fates), "checks": listed}


@lru_cache(maxsize=64)
def suite_hash(table: str) -> str:
    """Return the hash of a table's suite: rows judged by another suite are not the same partition."""
    text = json.dumps(suite_as_data(table), sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
