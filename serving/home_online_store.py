"""Feast's SQLite online store with its file below the home of the data."""

from __future__ import annotations

from typing import Literal

from feast.infra.online_stores.sqlite import SqliteOnlineStore, SqliteOnlineStoreConfig
from feast.repo_config import RepoConfig

from serving.clean_errors import clean_errors
from serving.home import settings_of
from serving.storage import writable_folder


class HomeSqliteOnlineStoreConfig(SqliteOnlineStoreConfig):
    """Configuration: `path` is relative to the home of the data."""

    type: Literal["serving.home_online_store.HomeSqliteOnlineStore"] = "serving.home_online_store.HomeSqliteOnlineStore"
    path: str = "feast/online.db"


class HomeSqliteOnlineStore(SqliteOnlineStore):
    """The stock store in another place; nothing else differs."""

    @staticmethod
    def _get_db_path(config: RepoConfig) -> str:
        with clean_errors():
            path = settings_of(config).home / config.online_store.path
            writable_folder(path.parent)
        return str(path)
