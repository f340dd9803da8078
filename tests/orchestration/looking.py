"""What the tests look at: record tables as dictionaries, and everything the catalogue says."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

from schemas.rules import STORE_TABLE
from warehouse.protocol import Warehouse

RUNS = "nba_orchestration.pipeline_runs"
COMPLETIONS = "nba_orchestration.phase_completions"
LEDGER = "nba_orchestration.partition_ledger"
BLOCKED = f"{STORE_TABLE}_blocked"


def rows(warehouse: Warehouse, table: str, **equal: Any) -> list[dict[str, Any]]:
    """Return the rows of a table whose columns have these values."""
    where = " AND ".join(f"{name} = @{name}" for name in equal) or "TRUE"
    return warehouse.query(f"SELECT * FROM {table} WHERE {where}", equal).to_pylist()


def ledger(warehouse: Warehouse, table: str, date: dt.date) -> dict[str, Any]:
    """Return the ledger's line of one partition."""
    (found,) = rows(warehouse, LEDGER, table_name=table, game_date=date)
    return found


def everything(home: Path) -> tuple[list[str], list[Path]]:
    """Return all the catalogue holds and all files there are; equal before and after when nothing was changed."""
    import sqlite3

    connection = sqlite3.connect(home / "warehouse" / "catalog.sqlite")
    dump = list(connection.iterdump())
    connection.close()
    return dump, sorted((home / "warehouse" / "tables").rglob("*"))
