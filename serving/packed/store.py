"""The online store of packed rows: everything but the place where the bytes are kept."""

from __future__ import annotations

import datetime as dt
from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from feast.infra.online_stores.online_store import OnlineStore

from schemas.errors import UsageError
from serving.packed.arrow_rows import pack_arrow, text_columns
from serving.packed.keys import encoded, proto_keys, text_keys
from serving.packed.layout import NEVER, instant_of, layout_of, microseconds, pack_values
from serving.packed.plan import Plan, Plans
from serving.packed.response import PackedResponse
from serving.packed.rows import block_of

if TYPE_CHECKING:
    import pyarrow as pa
    from feast import Entity, FeatureView, RepoConfig
    from feast.online_response import OnlineResponse
    from feast.protos.feast.types.EntityKey_pb2 import EntityKey
    from feast.protos.feast.types.Value_pb2 import Value

DAY = 86_400_000_000


@dataclass(frozen=True)
class Write:
    """Rows of one view to be kept: key, event and created time in microseconds, packed row; `ordered` by key or not."""

    view: str
    keys: Sequence[bytes]
    events: Sequence[int]
    created: Sequence[int]
    rows: Sequence[bytes]
    ordered: bool = False


class PackedStore(OnlineStore):
    """One packed row per entity and view.

    The newest event time wins; of equal ones the row created later, and of those the one written last, so that a
    correction lands and an older window written afterwards changes nothing.
    """

    def __init__(self) -> None:
        self._plans = Plans()

    # -- where the bytes are kept ------------------------------------------------------------------------------------

    @abstractmethod
    def _fetch(self, config: RepoConfig, asked: Sequence[tuple[str, Sequence[bytes]]]) -> list[list[bytes | None]]:
        """Return the packed rows of each (view, keys), all as of one instant."""

    @abstractmethod
    def _keep(self, config: RepoConfig, writes: Sequence[Write]) -> None:
        """Keep the rows that are newer than what is there.

        Writes of the same keys to several views become visible together: a reader finds a key's rows in all of them, or in
        none.
        """

    @abstractmethod
    def stored(self, config: RepoConfig, view: FeatureView) -> Iterator[tuple[bytes, bytes]]:
        """Yield key and packed row of everything a view holds, in no particular order."""

    @abstractmethod
    def remove(self, config: RepoConfig, view: FeatureView, keys: Sequence[bytes]) -> int:
        """Remove the rows of these keys; return how many there were."""

    @abstractmethod
    def prune(self, config: RepoConfig, view: FeatureView, before: dt.datetime) -> int:
        """Remove the rows of a view with an event time before the instant; return how many."""

    @abstractmethod
    def count(self, config: RepoConfig, view: FeatureView) -> int:
        """Return the number of rows of a view."""

    @abstractmethod
    def newest_event(self, config: RepoConfig, view: FeatureView) -> dt.datetime | None:
        """Return the newest event time of a view."""

    # -- writing -----------------------------------------------------------------------------------------------------

    def online_write_batch(
        self,
        config: RepoConfig,
        table: FeatureView,
        data: list[tuple[EntityKey, dict[str, Value], dt.datetime, dt.datetime | None]],
        progress: Callable[[int], Any] | None,
    ) -> None:
        """Write rows as Feast hands them over; the batch is visible whole or not at all on SQLite."""
        if not data:
            return
        layout = layout_of(table.features)
        rows = pack_values(layout, [(values, event, created) for _, values, event, created in data])
        events = [microseconds(event) for _, _, event, _ in data]
        created = [microseconds(stamp) for _, _, _, stamp in data]
        self._keep(config, [Write(table.name, proto_keys(key for key, *_ in data), events, created, rows)])
        if progress:
            progress(len(data))

    def packed(self, view: FeatureView, rows: pa.Table) -> Write:
        """Return the rows of a view's source as the store keeps them.

        Raises:
            UsageError: a column of the view, its keys or its event time is missing, or a key is no text.
        """
        return packed_writes([view], rows)[0]

    def write_arrow(self, config: RepoConfig, view: FeatureView, rows: pa.Table) -> int:
        """Write the rows of a view's source; return how many."""
        return self.write_views(config, [view], rows)

    def write_views(self, config: RepoConfig, views: Sequence[FeatureView], rows: pa.Table) -> int:
        """Write the rows of a source that several views share, each row to all of them at once; return how many rows.

        Old games leave by the retention set. Raises `UsageError` as `packed` does; nothing is written then.
        """
        if not rows.num_rows:
            return 0
        writes = packed_writes(views, rows)
        self._keep(config, writes)
        for view, write in zip(views, writes, strict=True):
            self._retain(config, view, min(write.events))
        return rows.num_rows

    def _retain(self, config: RepoConfig, view: FeatureView, oldest_written: int) -> None:
        """Remove games past the retention, counted from the newest; what was just written stays until the next write."""
        days = getattr(config.online_store, "retention_days", None)
        newest = self.newest_event(config, view) if days else None
        if days and newest:
            limit = instant_of(min(microseconds(newest) - days * DAY, oldest_written))
            if limit is not None:
                self.prune(config, view, limit)

    # -- reading -----------------------------------------------------------------------------------------------------

    def online_read(
        self,
        config: RepoConfig,
        table: FeatureView,
        entity_keys: list[EntityKey],
        requested_features: list[str] | None = None,
    ) -> list[tuple[dt.datetime | None, dict[str, Value] | None]]:
        """Return event time and values of each key, (None, None) where there is no row of this schema."""
        layout = layout_of(table.features)
        (stored,) = self._fetch(config, [(table.name, proto_keys(entity_keys))])
        block = block_of(layout, stored)
        names = [name for name in (requested_features or layout.names) if name in layout.type_of]
        columns = [block.protos(name) for name in names]
        found: list[tuple[dt.datetime | None, dict[str, Value] | None]] = []
        for at, event in enumerate(block.records["event"].tolist()):
            values = {name: column[at] for name, column in zip(names, columns, strict=True)}
            found.append((None, None) if event == NEVER else (instant_of(event), values))
        return found

    def event_times(self, config: RepoConfig, view: FeatureView, keys: Mapping[str, Sequence[str]]) -> list[dt.datetime | None]:
        """Return the event time of each key by join key, None where there is no row of this schema."""
        layout = layout_of(view.features)
        (stored,) = self._fetch(config, [(view.name, text_keys({name: encoded(values) for name, values in keys.items()}))])
        return [instant_of(event) for event in block_of(layout, stored).records["event"].tolist()]

    def get_online_features(
        self,
        config: RepoConfig,
        features: Any,
        entity_rows: Any,
        registry: Any,
        project: str,
        full_feature_names: bool = False,
        include_feature_view_version_metadata: bool = False,
    ) -> OnlineResponse:
        """Answer from packed rows where that is possible, by Feast's general path where it is not."""
        plan = self._plans.plan(registry, project, features, full=full_feature_names)
        rows = None if plan is None else _text_rows(plan, entity_rows)
        if plan is None or rows is None:
            return super().get_online_features(
                config, features, entity_rows, registry, project, full_feature_names, include_feature_view_version_metadata
            )
        keys = plan.keys(rows)
        stored = self._fetch(config, [(read.view.name, view_keys) for read, view_keys in zip(plan.reads, keys, strict=True)])
        blocks = [block_of(read.layout, found) for read, found in zip(plan.reads, stored, strict=True)]
        versions = None
        if include_feature_view_version_metadata:
            versions = {read.view.projection.name_alias or read.view.projection.name: read.version for read in plan.reads}
        return PackedResponse(rows, plan.shape, blocks, versions)

    # -- what Feast asks of every store ------------------------------------------------------------------------------

    def _is_versioned_read_supported(self) -> bool:
        return False

    @abstractmethod
    def update(
        self,
        config: RepoConfig,
        tables_to_delete: Sequence[FeatureView],
        tables_to_keep: Sequence[FeatureView],
        entities_to_delete: Sequence[Entity],
        entities_to_keep: Sequence[Entity],
        partial: bool,
    ) -> None:
        """Make room for new views and drop the rows of deleted ones."""

    @abstractmethod
    def teardown(self, config: RepoConfig, tables: Sequence[FeatureView], entities: Sequence[Entity]) -> None:
        """Drop everything of the project."""


def _keys(names: tuple[str, ...], rows: pa.Table) -> list[bytes]:
    """Return the key of each row; raise `UsageError` when a column is missing or no text."""
    absent = [name for name in names if name not in rows.column_names]
    columns = None if absent else text_columns(rows, list(names))
    if columns is None:
        raise UsageError("the rows lack join keys of the feature view, or a key is no text", absent or names)
    return text_keys({name: encoded(column) for name, column in zip(names, columns, strict=True)})


def packed_writes(views: Sequence[FeatureView], rows: pa.Table) -> list[Write]:
    """Return the rows of a shared source view by view, in the order of their keys; rows of one key keep their order."""
    ordered: dict[tuple[str, ...], tuple[list[bytes], pa.Table]] = {}
    found = []
    for view in views:
        source, names = view.batch_source, tuple(sorted(view.join_keys))
        if names not in ordered:
            keys = _keys(names, rows)
            order = sorted(range(len(keys)), key=keys.__getitem__)
            ordered[names] = ([keys[at] for at in order], rows.take(order))
        keys, sorted_rows = ordered[names]
        packed, events, created = pack_arrow(
            layout_of(view.features), sorted_rows, source.timestamp_field, source.created_timestamp_column or None
        )
        found.append(Write(view.name, keys, events, created, packed, ordered=True))
    return found


def _text_rows(plan: Plan, entity_rows: Any) -> Mapping[str, Sequence[str]] | None:
    """Return the entity rows as lists of text by name, None where they are anything else."""
    if isinstance(entity_rows, list):
        if not entity_rows or any(row.keys() != plan.inputs for row in entity_rows):
            return None
        entity_rows = {name: [row[name] for row in entity_rows] for name in entity_rows[0]}
    if not isinstance(entity_rows, Mapping) or entity_rows.keys() != plan.inputs:
        return None
    lengths = set()
    for values in entity_rows.values():
        if not isinstance(values, (list, tuple)) or set(map(type, values)) != {str}:
            return None
        lengths.add(len(values))
    return entity_rows if len(lengths) == 1 else None
