"""Which warehouse a Feast configuration speaks of; one open warehouse per process and home."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, cast

from schemas.errors import UsageError
from schemas.settings import Settings, load_settings
from warehouse import open_warehouse
from warehouse.protocol import Warehouse

if TYPE_CHECKING:
    from collections.abc import Sequence

    import duckdb

_open: dict[tuple[str, Path], Warehouse] = {}
_lock = threading.Lock()


class DuckdbWarehouse(Warehouse, Protocol):
    """A warehouse whose tables can be read in DuckDB's own SQL."""

    def duckdb_cursor(self, tables: Sequence[str]) -> duckdb.DuckDBPyConnection:
        """Return a cursor of its own on which the tables can be read as `dataset.table`."""


def settings_of(config: Any) -> Settings:
    """Return the settings a Feast configuration stands for: the environment's, unless `offline_store.home` names a home."""
    settings = load_settings()
    home = getattr(config.offline_store, "home", None)
    return replace(settings, home=Path(home)) if home else settings


def share_warehouse(warehouse: Warehouse, settings: Settings) -> None:
    """Let Feast's classes use a warehouse that is already open instead of opening a second one."""
    with _lock:
        _open[settings.profile, settings.home] = warehouse


def shared_warehouse(settings: Settings) -> Warehouse:
    """Return the process's warehouse of that home, opened on first use."""
    key = (settings.profile, settings.home)
    with _lock:
        if key not in _open:
            _open[key] = open_warehouse(settings)
        return _open[key]


def duckdb_warehouse(config: Any) -> DuckdbWarehouse:
    """Return the warehouse of a Feast configuration; raise `UsageError` when it does not run on DuckDB."""
    warehouse = shared_warehouse(settings_of(config))
    if not hasattr(warehouse, "duckdb_cursor"):
        raise UsageError(
            "this offline store reads the embedded warehouse", [warehouse.profile], "the gcp profile uses Feast's BigQuery store"
        )
    return cast(DuckdbWarehouse, warehouse)
