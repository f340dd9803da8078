"""The row checks a contract implies: required values, vocabularies and ranges."""

from __future__ import annotations

from dataclasses import dataclass

from schemas.contracts import Column, TableContract


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
