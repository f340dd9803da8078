"""What may pass of a staged table: its own suite, the suites of the raw tables it read, and no stale upstream."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from orchestration.expected import miscounted
from orchestration.ledger import entries
from orchestration.runs import Run
from quality.checks import CRITICAL
from quality.events import gate_events
from quality.store_audit import audit_store
from quality.table_audit import Audited, audit_tables
from quality.verdicts import Finding, GateReport
from schemas.contracts import TableContract, contract
from schemas.rules import STORE_TABLE
from warehouse.protocol import Staged, Warehouse


@dataclass(frozen=True)
class Audit:
    """The verdicts of a build, with the events they leave."""

    report: GateReport
    blocked: Mapping[dt.date, tuple[str, ...]]
    events: tuple[Mapping[str, Any], ...] = ()


def _without_source(warehouse: Warehouse, spec: TableContract, dates: Sequence[dt.date]) -> frozenset[dt.date]:
    """Return the dates for which the rows this table is made from never arrived: nothing to make is no failure here.

    The store sees such a gap as stale data, and the date is made again as soon as the rows arrive.
    """
    if spec.rows_from is None:
        return frozenset()
    arrived = warehouse.partitions(spec.rows_from, min(dates), max(dates))
    return frozenset(date for date in dates if date not in arrived)


def _raw(spec: TableContract) -> list[str]:
    """Return the raw tables the table reads that have partitions."""
    return [name for name in sorted(spec.reads) if contract(name).built_by == "ingest" and contract(name).partition is not None]


def _audited_with_raw(warehouse: Warehouse, own: Audited, dates: Sequence[dt.date], run: Run) -> GateReport:
    """Judge the rows, and in the same validation the raw tables this run has not looked at over these dates."""
    names = _raw(own.spec)
    spans = {name: (name, min(dates), max(dates)) for name in names}
    # A raw table may be silent on a date: what must be there, the table made from it says.
    new = [Audited(name, may_be_empty=frozenset(dates), prefix=f"{name}:") for name in names if spans[name] not in run.audited_raw]
    report = audit_tables(warehouse, [own, *new], dates)
    for item in new:
        run.audited_raw[spans[item.table]] = {
            date: [f for f in verdict.findings if f.reason_code.startswith(item.prefix) and f.severity == CRITICAL]
            for date, verdict in report.verdicts.items()
        }
    seen_before = [run.audited_raw[spans[name]] for name in names if name not in {item.table for item in new}]
    for findings in seen_before:
        report = report.with_findings({date: found for date, found in findings.items() if found})
    return report


def _stale_upstream(warehouse: Warehouse, spec: TableContract, dates: Sequence[dt.date]) -> dict[dt.date, list[Finding]]:
    """Return a finding per upstream partition of the same date whose last build was blocked: what is readable there is older."""
    found: dict[dt.date, list[Finding]] = {}
    for name, window in spec.reads.items():
        if window != "same_day" or contract(name).built_by != "sql":
            continue
        readable = warehouse.partitions(name, min(dates), max(dates))
        for date, row in entries(warehouse, name, min(dates), max(dates)).items():
            if row["state"] == "blocked" and date in readable:
                finding = Finding(f"upstream_blocked:{name}", CRITICAL, name, "upstream_rows", float(readable[date].rows), None, 0)
                found.setdefault(date, []).append(finding)
    return found


def _miscounted(staged: Staged, expected: Mapping[dt.date, int]) -> dict[dt.date, list[Finding]]:
    key = contract(staged.table).keys[0]
    return {
        date: [
            Finding(reason, CRITICAL, key, "rows", float(staged.partitions[date].rows), float(expected[date]), staged.partitions[date].rows)
        ]
        for date, reason in miscounted(staged, expected).items()
    }


def _companion_findings(warehouse: Warehouse, parts: Sequence[Staged], dates: Sequence[dt.date]) -> dict[dt.date, list[Finding]]:
    """Return what the suites of the companions say: they are published with the rows they belong to, or not at all."""
    items = [Audited(part.table, part, frozenset(dates), f"{part.table}:") for part in parts]
    if not items:
        return {}
    return {date: list(verdict.findings) for date, verdict in audit_tables(warehouse, items, dates).verdicts.items() if verdict.findings}


def audited(
    warehouse: Warehouse, spec: TableContract, parts: Sequence[Staged], dates: Sequence[dt.date], expected: Mapping[dt.date, int], run: Run
) -> Audit:
    """Return the verdict on every date; a date with a critical finding of any kind is blocked.

    The table's own rows come first in `parts`, then its companions.
    """
    staged = parts[0]
    if spec.name == STORE_TABLE:
        # Its gate counts the rows against the roster itself.
        report = audit_store(warehouse, staged, dates).with_findings(_companion_findings(warehouse, parts[1:], dates))
    else:
        own = Audited(spec.name, staged, _without_source(warehouse, spec, dates))
        report = _audited_with_raw(warehouse, own, dates, run)
        report = report.with_findings(_miscounted(staged, expected))
    report = report.with_findings(_stale_upstream(warehouse, spec, dates))
    events = tuple(gate_events(report, run.run_id, run.now(), spec.name))
    return Audit(report, {date: report.verdicts[date].reasons for date in report.blocked}, events)
