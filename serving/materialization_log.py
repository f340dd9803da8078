"""The history of materializations, and the proof that what was to be written can be read."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from schemas.clock import utc_now
from schemas.errors import ReadBackError
from serving.gate_facts import GatedTable
from serving.materialization_gate import Verdict
from warehouse.protocol import RecordWrite, Warehouse

if TYPE_CHECKING:
    import pyarrow as pa
    from feast.feature_view import FeatureView
    from feast.infra.provider import Provider

HISTORY = "nba_orchestration.materialization_history"
READ_BACK_ROWS = 2_000
"""Keys read back after a write; of a larger slice these many, evenly spread."""


@dataclass
class MaterializationLog:
    """One row of the history: opened as running with the process in its detail, closed once."""

    warehouse: Warehouse
    feature_view: str
    start: dt.datetime
    end: dt.datetime
    materialization_id: str = field(default_factory=lambda: uuid.uuid4().hex)

    def write(self, state: str, verdict: Verdict | None = None, *, rows_written: int = 0, detail: str | None = None) -> None:
        """Record the state; the row of this materialization is replaced."""
        left_out = ",".join(str(date) for date in sorted(verdict.left_out)) if verdict else ""
        row = {
            "materialization_id": self.materialization_id,
            "feature_view": self.feature_view,
            "start_time": self.start,
            "end_time": self.end,
            "rows_expected": verdict.rows if verdict else 0,
            "rows_written": rows_written,
            "state": state,
            "detail": self.warehouse.this_process() if state == "running" else detail,
            "blocked_dates": left_out or None,
            "definition_version": verdict.definition_version if verdict else "unknown",
            "recorded_at": utc_now(),
        }
        self.warehouse.record([RecordWrite(HISTORY, [row])])


def gated_slice(warehouse: Warehouse, table: GatedTable, verdict: Verdict) -> pa.Table:
    """Return keys and event times of the rows that were gated, as they are now."""
    columns = ", ".join([*table.keys, table.timestamp_field])
    where = f"{table.timestamp_field} BETWEEN @start_time AND @end_time AND {table.partition} IN UNNEST(@dates)"
    sql = f"SELECT {columns} FROM {table.name} WHERE {where} ORDER BY {columns}"
    return warehouse.query(sql, {"start_time": verdict.start, "end_time": verdict.end, "dates": sorted(verdict.partitions)})


def _online_instants(provider: Provider, config: Any, view: FeatureView, rows: Sequence[dict[str, Any]]) -> list[dt.datetime | None]:
    names = list(view.join_keys)
    store = getattr(provider, "online_store", None)
    if rows and store is not None and hasattr(store, "event_times"):
        found: list[dt.datetime | None] = store.event_times(config, view, {name: [row[name] for row in rows] for name in names})
        return found
    from feast.protos.feast.types.EntityKey_pb2 import EntityKey
    from feast.protos.feast.types.Value_pb2 import Value

    keys = [EntityKey(join_keys=names, entity_values=[Value(string_val=row[name]) for name in names]) for row in rows]
    return [found for found, _ in provider.online_read(config, view, keys, requested_features=[view.features[0].name])]


def read_back(provider: Provider, config: Any, view: FeatureView, rows: pa.Table, table: GatedTable, verdict: Verdict) -> tuple[int, str]:
    """Return rows proved readable online and how; raise `ReadBackError` when one is missing or older than its source.

    `rows` is the gated slice. Online stores keep event times to the second.
    """
    step = -(-rows.num_rows // READ_BACK_ROWS)
    sample = rows.take(list(range(0, rows.num_rows, max(step, 1)))).to_pylist()
    found = _online_instants(provider, config, view, sample)
    wrong = [
        " ".join(str(row[key]) for key in table.keys)
        for row, instant in zip(sample, found, strict=True)
        if instant is None or int(instant.timestamp()) < int(row[table.timestamp_field].timestamp())
    ]
    if wrong or rows.num_rows != verdict.rows:
        missing = wrong or [f"{verdict.rows} rows were gated, {rows.num_rows} are in the slice now"]
        raise ReadBackError(f"{view.name} does not read back from the online store as gated", missing, "run the same command again")
    if len(sample) == rows.num_rows:
        return rows.num_rows, "every row read back"
    return rows.num_rows, f"{len(sample)} of {rows.num_rows} rows read back, evenly spread"
