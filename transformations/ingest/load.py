"""Load a delivery into `nba_raw`: only partitions whose content differs are replaced, all in one step."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from schemas.contracts import contract
from schemas.errors import WarehouseError
from transformations.ingest.delivery import Delivery, Rejection, SourceCount
from transformations.ingest.moved_games import without_moved
from transformations.ingest.same_league import SCHEDULE, refuse_another_league
from warehouse.protocol import UNPARTITIONED, Publication, RecordWrite, Staged, Warehouse

if TYPE_CHECKING:
    import pyarrow as pa

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class LoadedTable:
    """What a delivery did to one raw table."""

    table: str
    rows: int
    partitions: int
    changed: tuple[dt.date, ...]


@dataclass(frozen=True)
class IngestReport:
    """What arrived, what was loaded and what was refused; the counts add up for every source."""

    run_id: str
    tables: tuple[LoadedTable, ...]
    counts: tuple[SourceCount, ...]
    rejections: tuple[Rejection, ...]

    @property
    def rows_in(self) -> int:
        """Source rows read."""
        return sum(count.rows_in for count in self.counts)

    @property
    def changed_dates(self) -> Mapping[str, tuple[dt.date, ...]]:
        """Partitions whose content changed, by table."""
        return {table.table: table.changed for table in self.tables if table.changed}


def _changed(warehouse: Warehouse, staged: Staged) -> tuple[dt.date, ...]:
    present, lost = warehouse.partitions(staged.table), set(warehouse.damaged(staged.table))
    return tuple(key for key, part in staged.partitions.items() if key in lost or present.get(key) != part)


def _reconcile(staged: Staged, rows: pa.Table) -> None:
    """Refuse to go on when not every row that arrived is staged."""
    if staged.rows != rows.num_rows:
        raise WarehouseError(f"rows for {staged.table} were lost on the way", [f"{staged.rows} of {rows.num_rows}"], "nothing was changed")


def _quarantine(delivery: Delivery, run_id: str, at: dt.datetime) -> RecordWrite:
    rows = [
        {
            "table_name": item.table_name,
            "source": item.source,
            "row_ref": item.row_ref,
            "reason_code": item.reason_code,
            "detail": item.detail,
            "raw_row": item.raw_row_json,
            "run_id": run_id,
            "ingested_at": at,
        }
        for item in delivery.rejections
    ]
    return RecordWrite("nba_raw.quarantine", rows, clear={"source": sorted({count.source for count in delivery.counts})})


def _completions(staged: Mapping[str, Staged], changed: Mapping[str, tuple[dt.date, ...]], run_id: str, at: dt.datetime) -> RecordWrite:
    rows = [
        {
            "phase": "phase2",
            "game_date": key,
            "job": table,
            "status": "success" if key in staged[table].partitions else "skipped",
            "record_count": staged[table].partitions[key].rows if key in staged[table].partitions else 0,
            "run_id": run_id,
            "completed_at": at,
        }
        for table, keys in changed.items()
        for key in keys
        if key != UNPARTITIONED
    ]
    return RecordWrite("nba_orchestration.phase_completions", rows)


def load(warehouse: Warehouse, delivery: Delivery, run_id: str, at: dt.datetime, progress: Progress | None = None) -> IngestReport:
    """Publish the delivery and its quarantine; running it again changes nothing.

    A delivered date replaces that date of its table; dates that were not delivered stay as they are, but for the games that
    were moved away from them.

    Raises:
        LeaseHeldError: another ingest is running.
        SourceError: the home holds another league.
        WarehouseError: nothing was changed.
    """
    delivery.check()
    low, high = dt.date(1900, 1, 1), dt.date(2999, 12, 31)
    with warehouse.lease("nba_raw", low, high, f"ingest {run_id}"):
        staged: dict[str, Staged] = {}
        emptied: dict[str, tuple[dt.date, ...]] = {}
        refuse_another_league(warehouse, delivery.tables.get(SCHEDULE))
        try:
            for done, (table, rows) in enumerate(delivery.tables.items()):
                if progress:
                    progress(f"staging {table}", done, len(delivery.tables))
                settled, emptied[table] = without_moved(warehouse, contract(table), rows)
                staged[table] = warehouse.stage_rows(contract(table), settled, run_id)
                _reconcile(staged[table], settled)
            changed = {table: (*_changed(warehouse, item), *emptied[table]) for table, item in staged.items()}
            publications = [Publication(staged[table], keys) for table, keys in changed.items() if keys]
            if progress:
                progress("publishing", len(delivery.tables), len(delivery.tables))
            warehouse.publish(publications, [_quarantine(delivery, run_id, at), _completions(staged, changed, run_id, at)])
        finally:
            for item in staged.values():
                warehouse.discard(item)
    tables = tuple(LoadedTable(t, item.rows, len(item.partitions), changed[t]) for t, item in staged.items())
    return IngestReport(run_id, tables, tuple(delivery.counts), tuple(delivery.rejections))
