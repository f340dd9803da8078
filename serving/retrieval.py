"""Retrievals from the warehouse: the job Feast runs, and the join it stands for."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc
from feast.feature_view import FeatureView
from feast.infra.offline_stores.offline_store import RetrievalJob, RetrievalMetadata
from feast.on_demand_feature_view import OnDemandFeatureView

from schemas.errors import UsageError, WarehouseError
from serving.clean_errors import clean_errors
from serving.entity_frames import EntityFrame
from serving.home import DuckdbWarehouse
from serving.point_in_time import ENTITIES, ROW, ViewGroup, duplicates_sql, join_sql, several_sql
from serving.relations import relation

if TYPE_CHECKING:
    import pandas as pd


class WarehouseRetrievalJob(RetrievalJob):
    """A retrieval that runs when its rows are asked for, on the snapshot of that moment."""

    def __init__(
        self,
        run: Callable[[], pa.Table],
        sql: str,
        *,
        full_feature_names: bool = False,
        on_demand_feature_views: list[OnDemandFeatureView] | None = None,
        metadata: RetrievalMetadata | None = None,
    ) -> None:
        super().__init__()
        self._run = run
        self._sql = sql
        self._full_feature_names = full_feature_names
        self._on_demand_feature_views = on_demand_feature_views or []
        self._metadata = metadata

    @property
    def full_feature_names(self) -> bool:
        """TRUE when output names carry their view's name."""
        return self._full_feature_names

    @property
    def on_demand_feature_views(self) -> list[OnDemandFeatureView]:
        """Views that Feast computes on the result."""
        return self._on_demand_feature_views

    @property
    def metadata(self) -> RetrievalMetadata | None:
        """Features, keys and bounds of the request."""
        return self._metadata

    def to_sql(self) -> str:
        """Return the statement in DuckDB's SQL."""
        return self._sql

    def _to_arrow_internal(self, timeout: int | None = None) -> pa.Table:
        with clean_errors():
            # Feast writes only the first chunk of a table that it does not split itself.
            return self._run().combine_chunks()

    def _to_df_internal(self, timeout: int | None = None) -> pd.DataFrame:
        return self._to_arrow_internal(timeout).to_pandas()


def fetch(warehouse: DuckdbWarehouse, tables: Iterable[str], sql: str, params: dict[str, Any] | None = None) -> pa.Table:
    """Return the rows of a statement in DuckDB's SQL; raise `WarehouseError` when it fails."""
    import duckdb

    try:
        return warehouse.duckdb_cursor(sorted(set(tables))).execute(sql, params or {}).to_arrow_table()
    except duckdb.Error as error:
        raise WarehouseError("the offline store's statement failed", [str(error).strip().splitlines()[0]]) from error


def requested(view: FeatureView, feature_refs: list[str], *, full_feature_names: bool) -> dict[str, str]:
    """Return the view's requested features and their output names, in the order of the request."""
    prefix = f"{view.projection.name_alias or view.name}__" if full_feature_names else ""
    names = [ref.split(":", 1)[1] for ref in feature_refs if ref.split(":", 1)[0] == view.projection.name_to_use()]
    return {name: prefix + name for name in names}


def view_groups(feature_views: list[FeatureView], feature_refs: list[str], *, full_feature_names: bool) -> list[ViewGroup]:
    """Group the requested views by source, join keys and ttl; raise `UsageError` for a view without a source."""
    groups: dict[ViewGroup, list[tuple[str, str]]] = {}
    for view in feature_views:
        source = view.batch_source
        if source is None:
            raise UsageError("the feature view has no source", [view.name])
        from_feature = {feature: column for column, feature in source.field_mapping.items()}
        join_keys = view.projection.join_key_map or {entity.name: entity.name for entity in view.entity_columns}
        wanted = requested(view, feature_refs, full_feature_names=full_feature_names)
        group = ViewGroup(
            relation(source),
            tuple((from_feature.get(key, key), entity) for key, entity in join_keys.items()),
            source.timestamp_field,
            source.created_timestamp_column or None,
            view.ttl or None,
            (),
        )
        groups.setdefault(group, []).extend((from_feature.get(name, name), output) for name, output in wanted.items())
    return [replace(group, columns=tuple(columns)) for group, columns in groups.items()]


def _one_row_per_key(cursor: Any, group: ViewGroup) -> bool:
    """Return whether no key asked for has more than one feature row; raise where several share an event time too."""
    if cursor.execute(several_sql(group)).fetchone() is None:
        return True
    found = cursor.execute(duplicates_sql(group)).fetchall()
    if found:
        keys = [" ".join(str(value) for value in row) for row in found]
        hint = "which row is meant cannot be known: build the dates again, then nba-features doctor"
        raise WarehouseError("several feature rows share a key and an event time", keys, hint)
    return False


def point_in_time(warehouse: DuckdbWarehouse, frame: EntityFrame, groups: list[ViewGroup], *, filter_by_created: bool) -> pa.Table:
    """Return the entity rows, in their order and number, with the features as of each row's instant.

    Raises:
        UsageError: the frame lacks a join key or already has a column of a requested name.
        WarehouseError: several feature rows share a key and an event time.
    """
    import duckdb

    outputs = [output for group in groups for _, output in group.columns]
    taken = sorted(set(outputs) & set(frame.rows.column_names))
    if taken:
        raise UsageError(
            "the entity frame already has columns of the requested features", taken, "rename them or ask for full feature names"
        )
    keyed = frame.keyed(list(dict.fromkeys(entity for group in groups for _, entity in group.keys)))
    cursor = warehouse.duckdb_cursor(sorted({table for group in groups for table in group.relation.tables}))
    result = frame.rows
    try:
        # A table, because DuckDB knows no row count of registered Arrow: it took 130,000 entity rows for a handful and
        # compared each with every feature row, 87 seconds where the sorted join takes half of one.
        cursor.register("_keyed", keyed)
        cursor.execute(f"CREATE TEMP TABLE {ENTITIES} AS SELECT * FROM _keyed")
        for group in groups:
            single = _one_row_per_key(cursor, group)
            joined = cursor.execute(join_sql(group, filter_by_created=filter_by_created, single=single)).to_arrow_table()
            # In one chunk: picked chunk by chunk the rows take twice the time.
            joined = joined.combine_chunks()
            joined = joined.take(pc.sort_indices(joined.column(ROW)))
            if joined.num_rows != frame.rows.num_rows:
                raise WarehouseError(
                    "the point-in-time join changed the number of rows", [f"{frame.rows.num_rows} became {joined.num_rows}"]
                )
            for _, output in group.columns:
                result = result.append_column(output, joined.column(output))
    except duckdb.Error as error:
        raise WarehouseError("the point-in-time join failed", [str(error).strip().splitlines()[0]]) from error
    finally:
        cursor.close()
    return result
