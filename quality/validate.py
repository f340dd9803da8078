"""Audit again what is published: every suite over a range, from the raw tables to the store and what was written with it."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from quality.checks import CRITICAL
from quality.events import gate_events
from quality.gate import StoreGate, failed_report
from quality.store_audit import expected_slates
from quality.table_audit import Audited, audit_tables
from quality.table_suite import suite_tables
from quality.trailing import warehouse_trailing
from quality.verdicts import Finding, GateReport
from schemas.contracts import contract, load_contracts
from schemas.rules import STORE_TABLE
from warehouse.protocol import Warehouse

DATES_AT_ONCE = 250


@dataclass(frozen=True)
class Validated:
    """What the audit of one published table found."""

    table: str
    dates: int
    rows: int
    checks: int
    seconds: float
    reports: tuple[GateReport, ...]

    @property
    def failed(self) -> dict[dt.date, tuple[str, ...]]:
        """Reason codes by date, where something that blocks was found."""
        return {date: report.verdicts[date].reasons for report in self.reports for date in report.blocked}

    @property
    def warned(self) -> dict[dt.date, tuple[str, ...]]:
        """Reason codes by date, where there are warnings alone."""
        verdicts = [verdict for report in self.reports for verdict in report.verdicts.values()]
        return {verdict.date: verdict.reasons for verdict in verdicts if verdict.passed and verdict.findings}

    def events(self, run_id: str, at: dt.datetime) -> Iterator[dict[str, Any]]:
        """Yield an open event per finding; nothing was written, so it has no fate."""
        for report in self.reports:
            for event in gate_events(report, run_id, at, self.table):
                if event["severity"] != "info":
                    yield {**event, "event_type": "revalidation", "fate": None}


def _published(warehouse: Warehouse, table: str, start: dt.date, end: dt.date) -> list[dt.date]:
    if contract(table).partition is None:
        return [end] if warehouse.partitions(table) else []
    return sorted(warehouse.partitions(table, start, end))


def _store_report(warehouse: Warehouse, dates: Sequence[dt.date]) -> GateReport:
    import duckdb

    gate = StoreGate.default()
    try:
        span = {"start_date": min(dates), "end_date": max(dates)}
        rows = warehouse.query(f"SELECT * FROM {STORE_TABLE} WHERE game_date BETWEEN @start_date AND @end_date", span)
        with duckdb.connect() as connection:
            connection.execute("SET TimeZone = 'UTC'")
            connection.register("published", rows)
            report = gate.audit(connection, "published", expected_slates(warehouse, dates), warehouse_trailing(warehouse, None, dates))
    except Exception as error:  # noqa: BLE001 - fail closed: a gate that errs blocks
        return failed_report(dates, len(gate.rows), error, 0.0, gate.rules)
    return report.with_findings(_detail_findings(warehouse, dates))


def _detail_findings(warehouse: Warehouse, dates: Sequence[dt.date]) -> Mapping[dt.date, list[Finding]]:
    """Return a finding for each date on which a companion has other rows than the store."""
    stored = warehouse.partitions(STORE_TABLE, min(dates), max(dates))
    found: dict[dt.date, list[Finding]] = {}
    for name, spec in load_contracts().items():
        if spec.made_with != STORE_TABLE:
            continue
        beside = warehouse.partitions(name, min(dates), max(dates))
        for date in dates:
            rows = beside[date].rows if date in beside else 0
            if date in stored and rows != stored[date].rows:
                finding = Finding(f"companion_rows_differ:{spec.table}", CRITICAL, "player_lookup", "rows", rows, stored[date].rows, rows)
                found.setdefault(date, []).append(finding)
    return found


def _chunks(dates: Sequence[dt.date]) -> Iterator[Sequence[dt.date]]:
    for first in range(0, len(dates), DATES_AT_ONCE):
        yield dates[first : first + DATES_AT_ONCE]


def validate_published(warehouse: Warehouse, start: dt.date, end: dt.date) -> Iterator[Validated]:
    """Yield what the suite of each table says of its published partitions in the range, in the order of the flow."""
    for table in sorted(suite_tables(), key=lambda name: (contract(name).phase or 0, name)):
        began = time.perf_counter()
        dates = _published(warehouse, table, start, end)
        if not dates:
            yield Validated(table, 0, 0, 0, time.perf_counter() - began, ())
            continue
        reports = tuple(
            _store_report(warehouse, some) if table == STORE_TABLE else audit_tables(warehouse, [Audited(table)], some)
            for some in _chunks(dates)
        )
        rows, checks = sum(report.rows for report in reports), max(report.expectations_evaluated for report in reports)
        yield Validated(table, len(dates), rows, checks, time.perf_counter() - began, reports)
