"""Build a table over a range of dates: stage, audit, publish what passed, record what happened to every date."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from orchestration.lineage import upstream_fingerprints
from orchestration.runs import Run
from quality.contract_audit import audit_contract
from quality.store_audit import audit_store
from schemas.code_version import code_version
from schemas.contracts import TableContract, contract
from schemas.rules import STORE_TABLE
from transformations.render import statement, table_definition
from warehouse.protocol import Publication, RecordWrite, Staged, Warehouse

BLOCKED_TABLE = f"{STORE_TABLE}_blocked"
LEDGER = "nba_orchestration.partition_ledger"
COMPLETIONS = "nba_orchestration.phase_completions"
EVENTS = "nba_orchestration.data_quality_events"


@dataclass(frozen=True)
class Built:
    """What a build did: rows published, dates blocked with their reasons, and the time it took."""

    table: str
    start: dt.date
    end: dt.date
    rows: int
    published: tuple[dt.date, ...]
    blocked: Mapping[dt.date, tuple[str, ...]]
    seconds: float
    events: tuple[Mapping[str, Any], ...] = field(default=(), repr=False)


@dataclass(frozen=True)
class _Audit:
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


def _audited(warehouse: Warehouse, spec: TableContract, staged: Staged, dates: Sequence[dt.date], run: Run) -> _Audit:
    if spec.name == STORE_TABLE:
        report = audit_store(warehouse, staged, dates)
        events = tuple(report.events(run.run_id, run.started_at, spec.name))
        return _Audit({date: report.verdicts[date].reasons for date in report.blocked}, events)
    found = audit_contract(warehouse, spec, staged, [date for date in dates if date not in _without_source(warehouse, spec, dates)])
    return _Audit({date: tuple(reasons) for date, reasons in found.items()})


def _ledger_rows(
    spec: TableContract,
    staged: Staged,
    dates: Sequence[dt.date],
    blocked: Mapping[dt.date, tuple[str, ...]],
    upstream: Mapping[dt.date, str],
    run: Run,
) -> list[dict[str, Any]]:
    return [
        {
            "table_name": spec.name,
            "game_date": date,
            "state": "blocked" if date in blocked else "published",
            "row_count": part.rows if (part := staged.partitions.get(date)) else 0,
            "fingerprint": part.fingerprint if part else None,
            "upstream_fingerprint": upstream[date],
            "definition_version": table_definition(spec.name),
            "code_version": code_version(),
            "as_of": run.as_of,
            "run_id": run.run_id,
            "reasons": ",".join(blocked.get(date, ())) or (None if date in staged.partitions else "no_source_rows"),
            "updated_at": run.started_at,
        }
        for date in dates
    ]


def completion_rows(
    spec: TableContract,
    counts: Mapping[dt.date, int],
    expected: Mapping[dt.date, int],
    blocked: Mapping[dt.date, tuple[str, ...]],
    run: Run,
    at: dt.datetime,
) -> list[dict[str, Any]]:
    """Return one completion per date; `counts` are rows read back, not rows meant to be written."""
    return [
        {
            "phase": f"phase{spec.phase}" if spec.phase in (3, 4) else "store",
            "game_date": date,
            "job": spec.name,
            "status": "blocked" if date in blocked else "success" if count else "skipped",
            "record_count": count,
            "expected_count": expected.get(date),
            "run_id": run.run_id,
            "completed_at": at,
            "detail": ",".join(blocked.get(date, ())) or None,
        }
        for date, count in counts.items()
    ]


def build_table(
    warehouse: Warehouse,
    table: str,
    dates: Sequence[dt.date],
    run: Run,
    at: dt.datetime | None = None,
    expected: Mapping[dt.date, int] | None = None,
) -> Built:
    """Make the partitions of the dates in one statement; bad dates are blocked, their neighbours publish.

    The dates must be all game dates of their range: the statement covers it whole. Completions are recorded after the
    read-back, with the rows read.

    Raises:
        LeaseHeldError: another run writes this range.
        WarehouseError: the statement failed; nothing was changed.
    """
    began = time.perf_counter()
    spec = contract(table)
    start, end = min(dates), max(dates)
    with warehouse.lease(table, start, end, f"run {run.run_id}"):
        staged = warehouse.stage_query(spec, statement(table), run.params(start, end), run.run_id)
        audit = _audited(warehouse, spec, staged, dates, run)
        good = tuple(date for date in dates if date not in audit.blocked)
        bad = tuple(date for date in dates if date in audit.blocked)
        is_store = table == STORE_TABLE
        publications = [Publication(staged, good, drop_from=(BLOCKED_TABLE,) if is_store else ())] if good else []
        if bad and is_store:
            publications.append(Publication(staged, bad, into=BLOCKED_TABLE))
        upstream = upstream_fingerprints(warehouse, spec, dates)
        ledger = RecordWrite(LEDGER, _ledger_rows(spec, staged, dates, audit.blocked, upstream, run))
        receipts = warehouse.publish(publications, [ledger, RecordWrite(EVENTS, list(audit.events))])
        counts = dict.fromkeys(dates, 0)
        for receipt in receipts:
            counts.update({date: part.rows for date, part in receipt.published.items()})
        completions = completion_rows(spec, counts, expected or {}, audit.blocked, run, at or run.now())
        warehouse.record([RecordWrite(COMPLETIONS, completions)])
        if not receipts:
            warehouse.discard(staged)
    rows = sum(counts[date] for date in good)
    run.rows_written += rows
    return Built(table, start, end, rows, good, audit.blocked, time.perf_counter() - began, audit.events)
