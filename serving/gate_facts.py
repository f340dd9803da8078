"""The gate's facts, read from the warehouse."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from schemas.clock import eastern_date
from schemas.contracts import load_contracts
from serving.definitions import partition_definition
from serving.materialization_gate import PUBLISHED, DateRead, GateFacts, LedgerEntry
from serving.relations import LEDGER
from warehouse.protocol import Warehouse


@dataclass(frozen=True)
class GatedTable:
    """A table that leaves for the online store, and the columns by which it is read."""

    name: str
    partition: str
    timestamp_field: str
    keys: tuple[str, ...]


def read_ledger(warehouse: Warehouse, table: str) -> dict[dt.date, LedgerEntry]:
    """Return what the ledger says of every partition of the table."""
    sql = f"SELECT game_date, state, row_count, fingerprint, reasons, definition_version FROM {LEDGER} WHERE table_name = @table"
    rows = warehouse.query(sql, {"table": table}).to_pylist()
    return {
        row["game_date"]: LedgerEntry(
            row["state"], row["row_count"], row["fingerprint"], row["reasons"] or "", row["definition_version"] or "unknown"
        )
        for row in rows
    }


def _read(warehouse: Warehouse, table: GatedTable, start: dt.datetime, end: dt.datetime, first: dt.date) -> dict[dt.date, DateRead]:
    inside = f"{table.timestamp_field} BETWEEN @start_time AND @end_time"
    key = ", '|', ".join(table.keys)
    sql = (
        f"SELECT {table.partition} AS game_date, COUNT(*) AS row_count, COUNT(IF({inside}, 1, NULL)) AS slice_rows,"
        f" COUNT(DISTINCT IF({inside}, CONCAT({key}), NULL)) AS slice_keys, MAX({table.timestamp_field}) AS last_event"
        f" FROM {table.name} WHERE {table.partition} >= @first_date GROUP BY {table.partition}"
    )
    rows = warehouse.query(sql, {"start_time": start, "end_time": end, "first_date": first}).to_pylist()
    return {row["game_date"]: DateRead(row["row_count"], row["slice_rows"], row["slice_keys"], row["last_event"]) for row in rows}


def read_facts(warehouse: Warehouse, table: GatedTable, start: dt.datetime, end: dt.datetime) -> GateFacts:
    """Return ledger, partitions and counts; read again when a publication came in between.

    An event time lies before its game's tip-off, so no row of the interval is of an earlier game date than its start.
    """
    for _ in range(3):
        before = warehouse.partitions(table.name)
        ledger = read_ledger(warehouse, table.name)
        newest = max((date for date, entry in ledger.items() if entry.state == PUBLISHED), default=eastern_date(start))
        read = _read(warehouse, table, start, end, min(eastern_date(start), newest))
        if warehouse.partitions(table.name) == before:
            break
    spec = load_contracts().get(table.name)
    definition = partition_definition(table.name) if spec is not None and spec.built_by == "sql" else None
    return GateFacts(table.name, ledger, before, read, definition)
