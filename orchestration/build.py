"""Build a table over a range of dates: stage, audit, publish what passed, record what happened to every date."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from orchestration.audits import Audit, audited
from orchestration.batch import batch_records
from orchestration.expected import expected_rows
from orchestration.lineage import upstream_fingerprints
from orchestration.outcome import COMPLETIONS, LEDGER, completion_rows, failed_completions, ledger_rows
from orchestration.quality_events import EVENTS, healed_events
from orchestration.runs import Run
from orchestration.stale_code import refuse_stale_code
from schemas.contracts import TableContract, contract, load_contracts
from schemas.errors import WarehouseError
from schemas.rules import STORE_TABLE
from transformations.render import companions, dates_statement, statement
from warehouse.protocol import Publication, Receipt, RecordWrite, Staged, Warehouse

BLOCKED, MISSING_COLUMN = "_blocked", "missing_column:"
BLOCKED_TABLE = f"{STORE_TABLE}{BLOCKED}"


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


def _companions(warehouse: Warehouse, staged: Staged, params: Mapping[str, Any], run: Run) -> list[Staged]:
    """Stage what is made from the staged rows; each row's share of the measured time travels with it."""
    share = {"computation_duration_ms": 1000 * staged.seconds / max(staged.rows, 1)}
    return [
        warehouse.stage_query(contract(name), statement(name), {**params, **share}, run.run_id, [staged])
        for name in companions(staged.table)
    ]


def _publish(
    warehouse: Warehouse, spec: TableContract, staged: Sequence[Staged], dates: Sequence[dt.date], audit: Audit, run: Run
) -> list[Receipt]:
    """Make the good dates visible and set the bad ones aside where there is a place for them, in one step with ledger and events.

    The table's own rows come first in `staged`, its companions share their fate. Receipts of the table itself are returned.
    """
    good = tuple(date for date in dates if date not in audit.blocked)
    bad = tuple(date for date in dates if date in audit.blocked)
    aside = {part.table: f"{part.table}{BLOCKED}" for part in staged if f"{part.table}{BLOCKED}" in load_contracts()}
    # Rows without a column of theirs fit nowhere; the event keeps what is known of them.
    whole = not any(reason.startswith(MISSING_COLUMN) for reasons in audit.blocked.values() for reason in reasons)
    publications = [Publication(part, good, drop_from=(aside[part.table],) if part.table in aside else ()) for part in staged if good]
    publications += [Publication(part, bad, into=aside[part.table]) for part in staged if bad and whole and part.table in aside]
    upstream = upstream_fingerprints(warehouse, spec, dates)
    ledger = RecordWrite(LEDGER, ledger_rows(spec, staged[0].partitions, dates, audit.blocked, upstream, run))
    events = RecordWrite(EVENTS, [*healed_events(warehouse, spec.name, good, run), *audit.events])
    own = (spec.name, aside.get(spec.name))
    return [receipt for receipt in warehouse.publish(publications, [ledger, events]) if receipt.table in own]


@contextmanager
def _failure_recorded(warehouse: Warehouse, spec: TableContract, dates: Sequence[dt.date], run: Run) -> Iterator[None]:
    """Record of every date that the job failed: an earlier success must not speak for it."""
    try:
        yield
    except Exception as error:
        text = " ".join(str(error).split())[:500]
        with suppress(WarehouseError):
            warehouse.record([RecordWrite(COMPLETIONS, failed_completions(spec, dates, text, run, run.now()))])
        raise


def build_table(warehouse: Warehouse, table: str, dates: Sequence[dt.date], run: Run) -> Built:
    """Make the partitions of the dates in one statement; bad dates are blocked, their neighbours publish.

    Only these dates are made, whatever lies between them. Completions are recorded after the read-back, with the rows
    read.

    Raises:
        LeaseHeldError: another run writes this range.
        StaleDefinitionError: newer code has built some of the dates since this run began.
        WarehouseError: the statement failed; nothing was changed.
    """
    began, began_at = time.perf_counter(), run.now()
    spec = contract(table)
    start, end = min(dates), max(dates)
    with warehouse.lease(table, start, end, f"run {run.run_id}"):
        refuse_stale_code(warehouse, table, dates, run)
        with _failure_recorded(warehouse, spec, dates, run):
            expected = expected_rows(warehouse, table, dates)
            params = {**run.params(start, end), "dates": sorted(dates)}
            parts = [warehouse.stage_query(spec, dates_statement(table), params, run.run_id)]
            try:
                parts += _companions(warehouse, parts[0], params, run)
                audit = audited(warehouse, spec, parts, dates, expected, run)
                scores = batch_records(warehouse, parts[0], dates, audit.report, run, began_at) if table == STORE_TABLE else []
                receipts = _publish(warehouse, spec, parts, dates, audit, run)
                warehouse.record(scores)
            finally:
                for part in parts:
                    warehouse.discard(part)
        counts = dict.fromkeys(dates, 0)
        for receipt in receipts:
            counts.update({date: part.rows for date, part in receipt.published.items()})
        warehouse.record([RecordWrite(COMPLETIONS, completion_rows(spec, counts, expected, audit.blocked, run, run.now()))])
    published = tuple(date for date in dates if date not in audit.blocked)
    rows = sum(counts[date] for date in published)
    run.rows_written += rows
    return Built(table, start, end, rows, published, audit.blocked, time.perf_counter() - began, audit.events)
