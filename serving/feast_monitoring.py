"""What `feast monitor` keeps: Feast's own Parquet files, below the home of the data."""

from __future__ import annotations

import datetime as dt
from types import SimpleNamespace
from typing import Any

from feast.infra.offline_stores.duckdb import DuckDBOfflineStore, DuckDBOfflineStoreConfig
from feast.repo_config import RepoConfig

from serving.home import settings_of


def _where(config: RepoConfig) -> Any:
    """Return what Feast's DuckDB store reads of a configuration to find its files."""
    return SimpleNamespace(repo_path=settings_of(config).home / "feast", offline_store=DuckDBOfflineStoreConfig())


class MonitoringFiles:
    """The four storage methods of `feast monitor`; the figures themselves Feast computes from `pull_all`."""

    @staticmethod
    def ensure_monitoring_tables(config: RepoConfig) -> None:
        """Make the files."""
        DuckDBOfflineStore.ensure_monitoring_tables(_where(config))

    @staticmethod
    def save_monitoring_metrics(config: RepoConfig, metric_type: str, metrics: list[dict[str, Any]]) -> None:
        """Write or replace rows of one kind of metric."""
        DuckDBOfflineStore.save_monitoring_metrics(_where(config), metric_type, metrics)

    @staticmethod
    def query_monitoring_metrics(
        config: RepoConfig,
        project: str,
        metric_type: str,
        filters: dict[str, Any] | None = None,
        start_date: dt.date | None = None,
        end_date: dt.date | None = None,
    ) -> list[dict[str, Any]]:
        """Return rows of one kind of metric by date."""
        found: list[dict[str, Any]] = DuckDBOfflineStore.query_monitoring_metrics(
            _where(config), project, metric_type, filters, start_date, end_date
        )
        return found

    @staticmethod
    def clear_monitoring_baseline(
        config: RepoConfig,
        project: str,
        feature_view_name: str | None = None,
        feature_name: str | None = None,
        data_source_type: str | None = None,
    ) -> None:
        """Take the mark of the baseline off."""
        DuckDBOfflineStore.clear_monitoring_baseline(_where(config), project, feature_view_name, feature_name, data_source_type)
