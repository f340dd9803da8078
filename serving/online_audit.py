"""Hold the rows of a packed online store against the published rows they are made of."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from schemas.errors import UsageError
from serving.packed.keys import encoded, text_keys
from serving.packed.layout import FINGERPRINT_BYTES, instant_of, microseconds
from serving.packed.store import DAY, PackedStore
from serving.relations import quoted, source_table
from warehouse.protocol import Warehouse

if TYPE_CHECKING:
    import pyarrow as pa
    from feast import FeatureStore, FeatureView

HISTORY = "nba_orchestration.materialization_history"
INTERVALS = f"SELECT feature_view, start_time, end_time FROM {HISTORY} WHERE state = 'succeeded'"
KINDS = ("missing", "older", "different", "newer", "extra")
REPLAYED = ("missing", "older", "different")
"""What writing the published rows again mends; a newer row is not replaced by an older one."""

Interval = tuple[int, int]


@dataclass
class ViewAudit:
    """What is wrong with one view: keys of the store by kind, and the event times of what must be written again.

    Missing: published inside a materialized interval and not online. Older, newer: by event time, then by created time.
    Different: of the same times and other bytes, or of another schema. Extra: no published row has the key.
    """

    view: str
    rows: int = 0
    keys: dict[str, list[bytes]] = field(default_factory=lambda: {kind: [] for kind in KINDS})
    events: list[int] = field(default_factory=list)

    def counts(self) -> dict[str, int]:
        """Return the number of rows by kind, without the kinds there are none of."""
        return {kind: len(keys) for kind, keys in self.keys.items() if keys}

    @property
    def oldest(self) -> dt.datetime | None:
        """Event time of the oldest row that must be written again."""
        return instant_of(min(self.events)) if self.events else None


def packed_store(store: FeatureStore) -> PackedStore | None:
    """Return the packed online store, None where the values are kept in one of Feast's own."""
    found = store._get_provider().online_store
    return found if isinstance(found, PackedStore) else None


def materialized_intervals(warehouse: Warehouse) -> dict[str, list[Interval]]:
    """Return what each view was materialized for, both ends included, in microseconds."""
    found: dict[str, list[Interval]] = {}
    for row in warehouse.query(INTERVALS).to_pylist():
        found.setdefault(row["feature_view"], []).append((microseconds(row["start_time"]), microseconds(row["end_time"])))
    return found


def _expected(intervals: Sequence[Interval], events: np.ndarray[Any, Any], keep_from: int) -> np.ndarray[Any, Any]:
    """TRUE for rows that lie in an interval and are not past the retention."""
    inside = np.zeros(len(events), bool)
    for start, end in intervals:
        inside |= (events >= start) & (events <= end)
    return inside & (events >= keep_from)


def _kind(stored: bytes | None, packed: bytes) -> str | None:
    """Return what is wrong with a stored row beside the published one, None when they are the same."""
    if stored is None:
        return "missing"
    if stored == packed:
        return None
    if stored[:FINGERPRINT_BYTES] != packed[:FINGERPRINT_BYTES] or len(stored) < FINGERPRINT_BYTES + 16:
        return "different"
    had, wanted = (np.frombuffer(row, "<i8", 2, FINGERPRINT_BYTES).tolist() for row in (stored, packed))
    return "older" if had < wanted else "newer" if had > wanted else "different"


def _pulled(store: FeatureStore, views: Sequence[FeatureView]) -> pa.Table:
    """Return all gated rows of the views' source, in the names of the features."""
    source = views[0].batch_source
    back = {feature: column for column, feature in source.field_mapping.items()}
    names = dict.fromkeys(field.name for view in views for field in view.features)
    rows = (
        store._get_provider()
        .offline_store.pull_latest_from_table_or_query(
            config=store.config,
            data_source=source,
            join_key_columns=[back.get(name, name) for name in views[0].join_keys],
            feature_name_columns=[back.get(name, name) for name in names],
            timestamp_field=source.timestamp_field,
            created_timestamp_column=source.created_timestamp_column,
            start_date=None,
            end_date=None,
        )
        .to_arrow()
    )
    return rows.rename_columns([source.field_mapping.get(name, name) for name in rows.column_names])


def _known_keys(warehouse: Warehouse, view: FeatureView) -> set[bytes]:
    """Return the keys of every row a reader of the source finds, blocked dates included."""
    back = {feature: column for column, feature in view.batch_source.field_mapping.items()}
    columns = ", ".join(f"{quoted(back.get(name, name))}" for name in view.join_keys).replace('"', "`")
    rows = warehouse.query(f"SELECT DISTINCT {columns} FROM {source_table(view.batch_source)}")
    texts = [encoded(rows.column(at).to_pylist()) for at in range(rows.num_columns)]
    return set(text_keys(dict(zip(view.join_keys, texts, strict=True))))


def _audit(
    online: PackedStore, store: FeatureStore, view: FeatureView, rows: pa.Table, known: set[bytes], spans: Sequence[Interval]
) -> ViewAudit:
    found = ViewAudit(view.name)
    write = online.packed(view, rows)
    events = np.array(write.events, np.int64)
    days = getattr(store.config.online_store, "retention_days", None)
    newest = online.newest_event(store.config, view) if days else None
    keep_from = microseconds(newest) - days * DAY if days and newest else int(events.min(initial=0))
    expected = _expected(spans, events, keep_from)
    stored = dict(online.stored(store.config, view))
    found.rows = len(stored)
    for at, key in enumerate(write.keys):
        # A row made again for a later instant than was materialized leaves its former version online: that is known by its key.
        if not (expected[at] or (key in stored and events[at] >= keep_from)):
            continue
        kind = _kind(stored.get(key), write.rows[at])
        if kind is not None:
            found.keys[kind].append(key)
            if kind in REPLAYED:
                found.events.append(write.events[at])
    found.keys["extra"] = [key for key in stored if key not in known]
    return found


def audit_online(store: FeatureStore, warehouse: Warehouse) -> Iterator[ViewAudit]:
    """Yield, for each view that was ever materialized, what is wrong with its rows; nothing for a store that is not packed."""
    online = packed_store(store)
    spans = materialized_intervals(warehouse)
    views = [view for view in store.list_feature_views() if view.name in spans and view.batch_source is not None]
    if online is None or not views:
        return
    groups: dict[tuple[str, tuple[str, ...]], list[FeatureView]] = {}
    for view in views:
        groups.setdefault((view.batch_source.name, tuple(sorted(view.join_keys))), []).append(view)
    for group in groups.values():
        try:
            rows, known = _pulled(store, group), _known_keys(warehouse, group[0])
        except UsageError:
            # A source that is no table of the warehouse is not ours to judge.
            continue
        for view in group:
            yield _audit(online, store, view, rows, known, spans[view.name])


def remove_extra(store: FeatureStore, warehouse: Warehouse) -> int:
    """Remove the rows that no published row has the key of; return how many."""
    online = packed_store(store)
    if online is None:
        return 0
    views = {view.name: view for view in store.list_feature_views()}
    extra = [(views[audit.view], audit.keys["extra"]) for audit in audit_online(store, warehouse)]
    return sum(online.remove(store.config, view, keys) for view, keys in extra if keys)
