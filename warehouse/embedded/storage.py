"""What a full disk, missing rights, a busy catalogue or a damaged file mean, in the project's own errors."""

from __future__ import annotations

import os
import re
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from schemas.errors import StorageUnavailableError, WarehouseError

if TYPE_CHECKING:
    import duckdb

WRITE_HINT = "nothing was changed; free space, grant write rights or set NBA_FEATURES_HOME to another folder"
DAMAGE_HINT = "restore it from a copy, or set NBA_FEATURES_HOME to a new folder and ingest again"
BUILT_HINT = "run: nba-features backfill --skip-preflight"
RAW_HINT = "run: nba-features ingest, with the words it was given before; or restore the file from a copy"
FILE_OF = re.compile(r"[/\\]tables[/\\](\w+)\.(\w+)[/\\]")
MEMORY_HINT = "raise NBA_FEATURES_MEMORY_LIMIT or ask for a shorter range"
UNWRITABLE = ("SQLITE_FULL", "SQLITE_READONLY", "SQLITE_IOERR", "SQLITE_CANTOPEN", "SQLITE_PERM", "SQLITE_AUTH")
NO_ROOM_OR_RIGHTS = ("permission denied", "read-only", "no space", "too large", "could not write", "quota")
UNREADABLE_FILE = ("no files found that match", "magic bytes", "parquet", "too small to be")


def first_line(error: BaseException) -> str:
    """Return the error's text as one short line."""
    text = str(error).strip()
    return " ".join(text.splitlines()[0].split()) if text else type(error).__name__


def _of_sqlite(action: str, error: sqlite3.DatabaseError) -> WarehouseError:
    name = getattr(error, "sqlite_errorname", "") or ""
    if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
        return WarehouseError(
            f"the warehouse cannot {action}", ["another process is writing its catalogue"], "nothing was changed; try again"
        )
    if name.startswith(UNWRITABLE):
        return StorageUnavailableError(f"the warehouse cannot {action}", [first_line(error)], WRITE_HINT)
    return WarehouseError("the catalogue of the warehouse is damaged", [first_line(error)], DAMAGE_HINT)


@contextmanager
def storage_errors(action: str) -> Iterator[None]:
    """Turn what the file system and SQLite raise into a `WarehouseError`; a disk one cannot write to is `StorageUnavailableError`."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        raise _of_sqlite(action, error) from None
    except OSError as error:
        raise StorageUnavailableError(f"the warehouse cannot {action}", [first_line(error)], WRITE_HINT) from None


def _hint_for(line: str) -> str:
    """Return what brings the rows of a damaged file back: what was built is made again, what was loaded is loaded again."""
    found = FILE_OF.search(line)
    # An ingest reads the schedule to tell whether it is of this league, so it cannot mend that one.
    if found is None or found[2] == "schedule":
        return DAMAGE_HINT
    return RAW_HINT if found[1] == "nba_raw" else BUILT_HINT


def of_duckdb(error: duckdb.Error) -> WarehouseError:
    """Return what an error of DuckDB means here."""
    import duckdb

    line = first_line(error)
    if isinstance(error, duckdb.OutOfMemoryException):
        return WarehouseError("the statement needs more memory than allowed", [line], MEMORY_HINT)
    text = line.lower()
    is_file = isinstance(error, duckdb.IOException | duckdb.InvalidInputException | duckdb.SerializationException)
    if is_file and not any(sign in text for sign in NO_ROOM_OR_RIGHTS) and any(sign in text for sign in UNREADABLE_FILE):
        return WarehouseError("a data file of the warehouse is missing or damaged", [line], _hint_for(line))
    if isinstance(error, duckdb.IOException):
        return StorageUnavailableError("the warehouse cannot read or write its files", [line], WRITE_HINT)
    return WarehouseError("a statement failed", [line])


def sync(path: Path) -> None:
    """Make a file and its name durable before the catalogue speaks of it."""
    for target in (path, path.parent):
        descriptor = os.open(target, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


PARQUET_MARK = b"PAR1"


def is_whole(path: Path) -> bool:
    """Tell whether a data file is there with both its marks: one that is gone or cut off is not."""
    try:
        with path.open("rb") as file:
            head = file.read(len(PARQUET_MARK))
            file.seek(-len(PARQUET_MARK), os.SEEK_END)
            return head == file.read() == PARQUET_MARK
    except OSError:
        return False
