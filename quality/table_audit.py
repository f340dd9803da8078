"""Audit any table against its suite: one count over the range, one validation, a verdict per date.

The figures are counted outside the library, the library judges them, and both must agree. A gate that cannot run has
failed: whatever goes wrong, every date asked for is blocked.
"""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from quality.checks import CRITICAL
from quality.expectations import GateError, evaluate
from quality.gate import MissingColumnsError, failed_report
from quality.table_suite import DATE, ROW, WINDOW, SuiteCheck, column_name, declared, table_suite
from quality.verdicts import DateVerdict, Finding, GateReport, fate_of
from schemas.contracts import TableContract, contract
from schemas.errors import UsageError
from schemas.rules import Rules, load_rules
from warehouse.protocol import Staged, Warehouse


@dataclass(frozen=True)
class Audited:
    """One table to audit: staged rows, or what is published when there are none.

    `may_be_empty` are dates on which no rows is no fault. `prefix` goes before the reason codes of an upstream table.
    """

    table: str
    staged: Staged | None = None
    may_be_empty: frozenset[dt.date] = frozenset()
    prefix: str = ""
    suite: tuple[SuiteCheck, ...] | None = None

    @property
    def spec(self) -> TableContract:
        """Contract of the table."""
        return contract(self.table)

    @property
    def checks(self) -> tuple[SuiteCheck, ...]:
        """The suite of the table, unless another is given."""
        return table_suite(self.table) if self.suite is None else self.suite


@dataclass(frozen=True)
class _Figures:
    """What was counted: by date and check, with the rows of each date."""

    item: Audited
    rows: Mapping[dt.date, int]
    values: Mapping[dt.date, Mapping[str, Any]]
    window: Mapping[str, Any] = field(default_factory=dict)

    def value(self, date: dt.date, check: SuiteCheck) -> Any:
        """Return the figure of a check on a date."""
        return self.window.get(column_name(check)) if check.kind == WINDOW else self.values.get(date, {}).get(column_name(check))

    def is_due(self, date: dt.date, check: SuiteCheck) -> bool:
        """TRUE when the check must have a figure on the date."""
        if check.kind == WINDOW:
            return bool(self.window)
        if check.code == "no_rows":
            return date not in self.item.may_be_empty
        # Keys are counted on every date, so that something is evaluated also where nothing had to be there.
        return check.code == "duplicate_key" or self.rows.get(date, 0) > 0


def _require_columns(warehouse: Warehouse, item: Audited) -> None:
    staged = [item.staged] if item.staged else []
    # BigQuery reads a partitioned table only by its dates, even when no row is asked for.
    dates = f" WHERE {item.spec.partition} = DATE '1970-01-01'" if item.spec.partition else ""
    present = set(warehouse.query(f"SELECT * FROM {item.table}{dates} LIMIT 0", staged=staged).column_names)
    missing = [name for name in item.spec.column_names if name not in present]
    if missing:
        raise MissingColumnsError(f"columns of {item.table} are missing", missing)


def _counted(warehouse: Warehouse, item: Audited, dates: Sequence[dt.date]) -> _Figures:
    spec, staged = item.spec, [item.staged] if item.staged else []
    _require_columns(warehouse, item)
    checks = [check for check in item.checks if check.kind in (ROW, DATE)]
    figures = [f"{'COUNTIF(' + c.sql + ')' if c.kind == ROW else c.sql} AS {column_name(c)}" for c in checks]
    key = spec.partition
    columns = ",\n  ".join([f"{key or 'CAST(NULL AS DATE)'} AS partition_key", "COUNT(*) AS counted_rows", *figures])
    # Staged rows are judged whole, so that a date nobody asked for is seen.
    where = "TRUE" if item.staged or key is None else f"{key} BETWEEN @start_date AND @end_date"
    # Without a partition there is one group of all rows, also when there are none.
    grouped = f"GROUP BY {key}" if key else ""
    params = {"start_date": min(dates), "end_date": max(dates)}
    found = warehouse.query(f"SELECT\n  {columns}\nFROM {spec.name}\nWHERE {where}\n{grouped}", params, staged).to_pylist()
    if key is None:
        found = [{**found[0], "partition_key": date} for date in dates]
    rows = {row["partition_key"]: row["counted_rows"] for row in found}
    empty = {column_name(check): 0 for check in checks if check.code in ("no_rows", "duplicate_key")}
    values = dict.fromkeys(dates, empty) | {row["partition_key"]: row for row in found}
    return _Figures(item, rows, values, _over_months(warehouse, item, dates))


def _over_months(warehouse: Warehouse, item: Audited, dates: Sequence[dt.date]) -> dict[str, Any]:
    """Return the figures of the window checks over the rows and the published ones before them; empty when too few dates."""
    spec, gate = item.spec, load_rules().gate
    checks = [check for check in item.checks if check.kind == WINDOW]
    if not checks or spec.partition is None:
        return {}
    first = min(dates)
    before = first - dt.timedelta(days=gate.constant_window_days)
    earlier = warehouse.partitions(spec.name, before, first - dt.timedelta(days=1))
    present = item.staged.partitions if item.staged else warehouse.partitions(spec.name, first, max(dates))
    if len({*earlier, *present}) < gate.constant_min_dates:
        return {}
    names = [check.column for check in checks]
    extremes = ", ".join(f"CAST(MIN({name}) AS STRING) AS low_{name}, CAST(MAX({name}) AS STRING) AS high_{name}" for name in names)
    sql = f"SELECT {extremes} FROM {spec.name} WHERE {spec.partition} BETWEEN @start_date AND @end_date"
    parts = []
    if present:
        bounds = {"start_date": min(present), "end_date": max(present)}
        parts += warehouse.query(sql, bounds, [item.staged] if item.staged else []).to_pylist()
    if earlier:
        parts += warehouse.query(sql, {"start_date": before, "end_date": first - dt.timedelta(days=1)}).to_pylist()
    seen = {name: {row[f"{end}_{name}"] for row in parts for end in ("low", "high")} - {None} for name in names}
    return {column_name(check): len(seen[check.column]) for check in checks}


def _relation(figures: Sequence[_Figures], dates: Sequence[dt.date]) -> tuple[dict[str, list[Any]], list[Any]]:
    """Return the figures as columns, one value per date, and the expectations on those that are due anywhere."""
    columns: dict[str, list[Any]] = {}
    suite = []
    for number, one in enumerate(figures):
        if not one.item.checks:
            raise GateError(f"the suite of {one.item.table} is empty", hint="a gate without expectations has checked nothing")
        for expectation, check in zip(declared(one.item.checks, f"t{number}__"), one.item.checks, strict=True):
            values = [one.value(date, check) if one.is_due(date, check) else None for date in dates]
            if any(value is not None for value in values):
                columns[expectation.column] = values
                suite.append(expectation)
    return columns, suite


def _findings(one: _Figures, date: dt.date, asked: frozenset[dt.date]) -> Iterator[Finding]:
    rows = one.rows.get(date, 0)
    if date not in asked:
        yield Finding(f"{one.item.prefix}unexpected_date", CRITICAL, one.item.spec.partition or "", "rows", rows, 0, rows)
    for check in one.item.checks:
        if not one.is_due(date, check):
            continue
        value = one.value(date, check)
        if value is None and check.kind == DATE and check.code != "no_rows":
            # An aggregate over no values (a spread on a date without lines) has nothing to judge.
            continue
        if not check.holds(value):
            concerned = int(value or 0) if check.kind == ROW else rows
            yield Finding(f"{one.item.prefix}{check.code}", check.severity, check.column, check.metric, value, check.threshold, concerned)


def _agree(outcome: Mapping[str, bool], figures: Sequence[_Figures], columns: Mapping[str, list[Any]]) -> None:
    """Refuse an outcome that the figures themselves contradict."""
    for number, one in enumerate(figures):
        for expectation, check in zip(declared(one.item.checks, f"t{number}__"), one.item.checks, strict=True):
            values = [value for value in columns.get(expectation.column, ()) if value is not None]
            if expectation.column in outcome and outcome[expectation.column] != all(check.holds(value) for value in values):
                raise GateError("the library and the figures disagree", [f"{one.item.table} {check.code}"])


def _arrow(columns: Mapping[str, list[Any]]) -> Any:
    import pyarrow as pa

    return pa.table({name: pa.array([None if v is None else float(v) for v in values], pa.float64()) for name, values in columns.items()})


def audit_tables(warehouse: Warehouse, items: Sequence[Audited], dates: Sequence[dt.date], rules: Rules | None = None) -> GateReport:
    """Return the verdict on each date over all the tables; a fault in one blocks the date, its reasons carry the table's prefix.

    Raises:
        UsageError: no date or no table was given.
    """
    if not dates or not items:
        raise UsageError("the gate was asked about no date or no table")
    rules, began = rules or load_rules(), time.perf_counter()
    try:
        return _audit(warehouse, items, sorted(set(dates)), rules, began)
    except Exception as error:  # noqa: BLE001 - fail closed: a gate that errs blocks
        return failed_report(sorted(set(dates)), sum(len(item.checks) for item in items), error, time.perf_counter() - began, rules)


def _audit(warehouse: Warehouse, items: Sequence[Audited], asked: Sequence[dt.date], rules: Rules, began: float) -> GateReport:
    figures = [_counted(warehouse, item, asked) for item in items]
    found = {date for one in figures for date in one.rows if one.item.staged} | set(asked)
    dates = sorted(found - {None})
    columns, suite = _relation(figures, dates)
    outcome = evaluate(_arrow(columns), suite)
    _agree(outcome, figures, columns)
    verdicts = {}
    for date in dates:
        findings = tuple(finding for one in figures for finding in _findings(one, date, frozenset(asked)))
        findings = tuple(sorted(findings, key=lambda finding: (finding.severity != CRITICAL, finding.reason_code)))
        verdicts[date] = DateVerdict(date, fate_of(findings, rules), sum(one.rows.get(date, 0) for one in figures[:1]), False, findings)
    rows = sum(sum(one.rows.values()) for one in figures[:1])
    return GateReport(verdicts, len(suite), len(outcome), rows, time.perf_counter() - began)
