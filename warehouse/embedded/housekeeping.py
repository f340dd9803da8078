"""Files that nobody needs any more: retired ones after a grace, and what dead processes left behind."""

from __future__ import annotations

import shutil
import sqlite3
import time
from collections.abc import Collection, Iterator
from pathlib import Path, PurePosixPath

from warehouse.embedded import entries
from warehouse.embedded.catalog import Catalog
from warehouse.embedded.leases import is_alive
from warehouse.embedded.session import SPILL_PREFIX
from warehouse.embedded.storage import storage_errors

GRACE_SECONDS = 3600.0
"""Longer than any statement lasts, and than rows stay staged before they are published."""

FOLDER = "tables"


def stored_path(table: str, token: str) -> str:
    """Return the path of a data file as the catalogue keeps it, relative to its own folder."""
    return str(PurePosixPath(FOLDER, table, f"{token}.parquet"))


def is_known(connection: sqlite3.Connection, path: str) -> bool:
    """Tell whether the catalogue names the file."""
    return connection.execute("SELECT 1 FROM files WHERE path = ?", (path,)).fetchone() is not None


def remove(path: Path) -> None:
    """Delete a file or a folder if it is there and can be deleted; what cannot is found again as an orphan."""
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
        return
    try:
        path.unlink(missing_ok=True)
    except OSError:
        return


def collect_garbage(catalog: Catalog, grace_seconds: float) -> list[Path]:
    """Forget and delete the files retired longer ago than the grace; return their paths."""
    with storage_errors("remove old files"), catalog.write() as connection:
        paths = [catalog.resolve(path) for path in entries.forget_retired(connection, grace_seconds)]
    for path in paths:
        remove(path)
    return paths


def _is_of_dead_process(spill: Path) -> bool:
    """TRUE when the process that a spill folder names runs no more."""
    return not is_alive(spill.name.removeprefix(SPILL_PREFIX).rpartition("=")[0].replace("=", ":"))


def _unnamed(catalog: Catalog, older_than: float, runs: Collection[str]) -> Iterator[Path]:
    with catalog.snapshot() as snapshot:
        known = {catalog.resolve(path) for (path,) in snapshot.execute("SELECT path FROM files")}
    for path in sorted((catalog.root / FOLDER).glob("*/*")):
        of_ended_run = path.stem.rpartition("-")[0] in runs
        if path not in known and (of_ended_run or path.stat().st_mtime <= older_than):
            yield path


def orphans(catalog: Catalog, home: Path, grace_seconds: float, runs: Collection[str] = ()) -> list[Path]:
    """Return data files no catalogue entry names, older than the grace or staged by one of the runs, and spill folders of the dead."""
    with storage_errors("be read"):
        found = list(_unnamed(catalog, time.time() - grace_seconds, runs))
        return found + [path for path in sorted(home.glob(f"{SPILL_PREFIX}*")) if _is_of_dead_process(path)]


def remove_orphans(catalog: Catalog, home: Path, grace_seconds: float, runs: Collection[str] = ()) -> list[Path]:
    """Delete the orphans and return them."""
    found = orphans(catalog, home, grace_seconds, runs)
    for path in found:
        remove(path)
    return found
