"""Audit staged rows of any table against its contract: keys, required values, vocabularies and ranges, by date."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from schemas.contracts import Column, TableContract
from warehouse.protocol import Staged, Warehouse


@dataclass(frozen=True)
class ContractCheck:
    """One check: `violated` is a GoogleSQL predicate that is TRUE for a bad row."""

    code: str
    column: str
    violated: str


def _column_checks(column: Column) -> list[ContractCheck]:
    name = column.name
    checks = []
    if column.required:
        checks.append(ContractCheck(f"null:{name}", name, f"{name} IS NULL"))
    if column.values:
        words = ", ".join(f"'{value}'" for value in column.values)
        checks.append(ContractCheck(f"vocabulary:{name}", name, f"{name} NOT IN ({words})"))
    bounds = [
        text
        for bound, text in (
            (column.min, f"{name} < {column.min}"),
            (column.max, f"{name} > {column.max}"),
            (column.above, f"{name} <= {column.above}"),
        )
        if bound is not None
    ]
    if column.type == "FLOAT64":
        bounds += [f"IS_NAN({name})", f"IS_INF({name})"]
    if bounds:
        checks.append(ContractCheck(f"range:{name}", name, " OR ".join(bounds)))
    return checks


def contract_checks(spec: TableContract) -> list[ContractCheck]:
    """Return every row check the contract implies."""
    return [check for column in spec.columns for check in _column_checks(column)]


def audit_contract(warehouse: Warehouse, spec: TableContract, staged: Staged, expected: Sequence[dt.date]) -> Mapping[dt.date, list[str]]:
    """Return the reason codes of each bad date; a date expected and without rows is `no_rows`, one not asked for `unexpected_date`."""
    checks = contract_checks(spec)
    counts = ", ".join(f"COUNTIF({check.violated}) AS c{i}" for i, check in enumerate(checks))
    distinct = "CONCAT(" + ", '|', ".join(f"CAST({key} AS STRING)" for key in spec.keys) + ")"
    key = spec.partition or "1"
    sql = f"SELECT {key} AS partition_key, COUNT(*) - COUNT(DISTINCT {distinct}) AS repeated, {counts} FROM {spec.name} GROUP BY {key}"
    found: dict[dt.date, list[str]] = {}
    for row in warehouse.query(sql, staged=[staged]).to_pylist():
        reasons = [check.code for i, check in enumerate(checks) if row[f"c{i}"]]
        if row["repeated"]:
            reasons.insert(0, "duplicate_key")
        if row["partition_key"] not in set(expected):
            reasons.insert(0, "unexpected_date")
        if reasons:
            found[row["partition_key"]] = reasons
    for date in expected:
        if date not in staged.partitions:
            found[date] = ["no_rows"]
    return found
