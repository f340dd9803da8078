"""Feast's offline store over the embedded warehouse: one as-of join serves all views of a source.

The stock join compares every entity row with every feature row of its key and then ranks; where views share source, join
keys and ttl, DuckDB's as-of join does it once for all of them. Results are equal, row for row.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Literal

import pyarrow as pa
import pyarrow.compute as pc
from feast.data_source import DataSource
from feast.feature_view import FeatureView
from feast.infra.offline_stores.offline_store import OfflineStore, RetrievalJob, RetrievalMetadata
from feast.infra.registry.base_registry import BaseRegistry
from feast.on_demand_feature_view import OnDemandFeatureView
from feast.repo_config import FeastConfigBaseModel, RepoConfig

from schemas.errors import UsageError
from serving import home_registry
from serving.clean_errors import clean_errors
from serving.entity_frames import entity_frame
from serving.feast_monitoring import MonitoringFiles
from serving.home import duckdb_warehouse
from serving.point_in_time import join_sql
from serving.relations import Relation, gated_relation, quoted, relation
from serving.retrieval import WarehouseRetrievalJob, fetch, point_in_time, requested, view_groups

if TYPE_CHECKING:
    import pandas as pd

# Feast imports this module while it reads feature_store.yaml, before it opens the registry named there.
home_registry.register()


class WarehouseOfflineStoreConfig(FeastConfigBaseModel):
    """Configuration: `home` is set by code that opens the store of another home than the environment's."""

    type: Literal["serving.warehouse_offline_store.WarehouseOfflineStore"] = "serving.warehouse_offline_store.WarehouseOfflineStore"
    home: str | None = None


def _interval(timestamp_field: str, start: dt.datetime | None, end: dt.datetime | None) -> tuple[str, dict[str, Any]]:
    """Return the condition of an interval, both ends included, and its parameters; a naive instant is UTC."""
    bounds = [("start", ">=", start), ("end", "<=", end)]
    given = [(name, sign, value if value.tzinfo else value.replace(tzinfo=dt.UTC)) for name, sign, value in bounds if value]
    sql = " AND ".join(f"{quoted(timestamp_field)} {sign} ${name}" for name, sign, _ in given) or "TRUE"
    return sql, {name: value for name, _, value in given}


def _pull(
    config: RepoConfig,
    source: Relation,
    columns: list[str],
    interval: tuple[str, dict[str, Any]],
    qualify: str = "",
) -> RetrievalJob:
    names = ", ".join(quoted(name) for name in dict.fromkeys(columns))
    sql = f"SELECT {names} FROM {source.sql} WHERE {interval[0]}{qualify}"
    return WarehouseRetrievalJob(lambda: fetch(duckdb_warehouse(config), source.tables, sql, interval[1]), sql)


class WarehouseOfflineStore(MonitoringFiles, OfflineStore):
    """Reads BigQuerySources from the embedded warehouse; writes nothing."""

    supports_filter_by_created_timestamp = True
    leaves_out_blocked = True
    """What it pulls for the online store holds no partition that the ledger calls blocked."""

    @staticmethod
    def get_historical_features(
        config: RepoConfig,
        feature_views: list[FeatureView],
        feature_refs: list[str],
        entity_df: pd.DataFrame | str | None,
        registry: BaseRegistry,
        project: str,
        full_feature_names: bool = False,
        filter_by_created_timestamp: bool = False,
        **unsupported: Any,
    ) -> RetrievalJob:
        """Return the features as of each entity row; the frame's order, columns and number of rows are kept."""
        with clean_errors():
            warehouse = duckdb_warehouse(config)
            frame = entity_frame(entity_df, warehouse)
            groups = view_groups(feature_views, feature_refs, full_feature_names=full_feature_names)
        names = [name for view in feature_views for name in requested(view, feature_refs, full_feature_names=full_feature_names).values()]
        order = [*frame.rows.column_names, *names]
        bounds = pc.min_max(frame.instants).as_py()
        return WarehouseRetrievalJob(
            lambda: point_in_time(warehouse, frame, groups, filter_by_created=filter_by_created_timestamp).select(order),
            ";\n".join(join_sql(group, filter_by_created=filter_by_created_timestamp) for group in groups),
            full_feature_names=full_feature_names,
            on_demand_feature_views=OnDemandFeatureView.get_requested_odfvs(feature_refs, project, registry),
            metadata=RetrievalMetadata(
                features=feature_refs,
                keys=[name for name in frame.rows.column_names if name != frame.timestamp_column],
                min_event_timestamp=bounds["min"],
                max_event_timestamp=bounds["max"],
            ),
        )

    @staticmethod
    def pull_latest_from_table_or_query(
        config: RepoConfig,
        data_source: DataSource,
        join_key_columns: list[str],
        feature_name_columns: list[str],
        timestamp_field: str,
        created_timestamp_column: str | None,
        start_date: dt.datetime,
        end_date: dt.datetime,
    ) -> RetrievalJob:
        """Return the newest gated row per key of the interval, both ends included."""
        stamps = [name for name in (timestamp_field, created_timestamp_column) if name]
        newest = ", ".join(f"{quoted(name)} DESC" for name in stamps)
        keys = ", ".join(quoted(name) for name in join_key_columns)
        window = f"{f'PARTITION BY {keys} ' if keys else ''}ORDER BY {newest}"
        columns = [*join_key_columns, *feature_name_columns, *stamps]
        qualify = f" QUALIFY row_number() OVER ({window}) = 1"
        with clean_errors():
            return _pull(config, gated_relation(data_source), columns, _interval(timestamp_field, start_date, end_date), qualify)

    @staticmethod
    def pull_all_from_table_or_query(
        config: RepoConfig,
        data_source: DataSource,
        join_key_columns: list[str],
        feature_name_columns: list[str],
        timestamp_field: str,
        created_timestamp_column: str | None = None,
        start_date: dt.datetime | None = None,
        end_date: dt.datetime | None = None,
    ) -> RetrievalJob:
        """Return every gated row of the interval, both ends included."""
        columns = [*join_key_columns, *feature_name_columns, timestamp_field]
        columns += [created_timestamp_column] if created_timestamp_column else []
        with clean_errors():
            return _pull(config, gated_relation(data_source), columns, _interval(timestamp_field, start_date, end_date))

    def validate_data_source(self, config: RepoConfig, data_source: DataSource) -> None:
        """Raise `UsageError` when the source cannot be read or lacks its timestamp columns."""
        names = [name for name, _ in self.get_table_column_names_and_types_from_data_source(config, data_source)]
        stamps = [name for name in (data_source.timestamp_field, data_source.created_timestamp_column) if name]
        missing = [name for name in stamps if name not in names]
        if missing:
            with clean_errors():
                raise UsageError(f"source {data_source.name} lacks its timestamp columns", missing)

    def get_table_column_names_and_types_from_data_source(self, config: RepoConfig, data_source: DataSource) -> Iterable[tuple[str, str]]:
        """Return column names and GoogleSQL types of the source."""
        with clean_errors():
            source = relation(data_source)
            empty = fetch(duckdb_warehouse(config), source.tables, f"SELECT * FROM {source.sql} LIMIT 0")
            return [(field.name, googlesql_type(field.type)) for field in empty.schema]


def googlesql_type(kind: pa.DataType) -> str:
    """Return the GoogleSQL type of an Arrow type; a type Feast has no value for reads as STRUCT."""
    if pa.types.is_list(kind):
        return f"ARRAY<{googlesql_type(kind.value_type)}>"
    names = (
        (pa.types.is_string, "STRING"),
        (pa.types.is_integer, "INT64"),
        (pa.types.is_floating, "FLOAT64"),
        (pa.types.is_boolean, "BOOL"),
        (pa.types.is_date, "DATE"),
        (pa.types.is_timestamp, "TIMESTAMP"),
    )
    return next((name for test, name in names if test(kind)), "STRUCT")
