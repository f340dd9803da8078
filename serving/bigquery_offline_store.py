"""Feast's BigQuery store, as the gate needs it: what leaves for the online store holds no blocked date and prunes partitions."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any, Literal

from feast import BigQuerySource
from feast.infra.offline_stores.bigquery import BigQueryOfflineStore, BigQueryOfflineStoreConfig

from schemas.clock import eastern_date
from schemas.contracts import load_contracts
from schemas.settings import GcpSettings, load_settings
from serving.relations import LEDGER, source_table

if TYPE_CHECKING:
    from feast.data_source import DataSource
    from feast.infra.offline_stores.offline_store import RetrievalJob
    from feast.repo_config import RepoConfig


class GatedBigQueryOfflineStoreConfig(BigQueryOfflineStoreConfig):
    """Configuration: as of Feast's own store."""

    type: Literal["serving.bigquery_offline_store.GatedBigQueryOfflineStore"] = "serving.bigquery_offline_store.GatedBigQueryOfflineStore"


def gated_source(source: DataSource, start: dt.datetime | None) -> DataSource:
    """Return the source without the partitions that the ledger holds as blocked and those that lie before the interval.

    An event time lies before its game's tip-off, so no row of the interval is of an earlier game date than its start. There is
    no such bound above: a row may be built days before its game.
    """
    spec = load_contracts().get(source_table(source)) if not getattr(source, "query", "") else None
    if spec is None or not spec.partition:
        return source
    aware = start.replace(tzinfo=dt.UTC) if start and not start.tzinfo else start
    first = f"{spec.partition} >= DATE '{eastern_date(aware)}'" if aware else "TRUE"
    blocked = f"SELECT game_date FROM `{LEDGER}` WHERE table_name = '{spec.name}' AND state = 'blocked'"
    return BigQuerySource(
        name=source.name,
        query=f"SELECT * FROM {source.get_table_query_string()} WHERE {first} AND {spec.partition} NOT IN ({blocked})",
        timestamp_field=source.timestamp_field,
        created_timestamp_column=source.created_timestamp_column,
        field_mapping=source.field_mapping,
    )


def within_budget(job: RetrievalJob) -> RetrievalJob:
    """Return the job with the bytes budget of the settings on every statement that it will send."""
    from google.cloud import bigquery

    budget = (load_settings().gcp or GcpSettings).max_bytes_billed
    job.client.default_query_job_config = bigquery.QueryJobConfig(maximum_bytes_billed=budget)
    return job


class GatedBigQueryOfflineStore(BigQueryOfflineStore):
    """Feast's own store but for what it pulls for the online store, and for the bytes budget of what it reads."""

    leaves_out_blocked = True
    """What it pulls for the online store holds no partition that the ledger calls blocked."""

    @staticmethod
    def get_historical_features(*args: Any, **options: Any) -> RetrievalJob:
        """Return the features as of each entity row."""
        return within_budget(BigQueryOfflineStore.get_historical_features(*args, **options))

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
        job = BigQueryOfflineStore.pull_latest_from_table_or_query(
            config,
            gated_source(data_source, start_date),
            join_key_columns,
            feature_name_columns,
            timestamp_field,
            created_timestamp_column,
            start_date,
            end_date,
        )
        return within_budget(job)

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
        job = BigQueryOfflineStore.pull_all_from_table_or_query(
            config,
            gated_source(data_source, start_date),
            join_key_columns,
            feature_name_columns,
            timestamp_field,
            created_timestamp_column,
            start_date,
            end_date,
        )
        return within_budget(job)
