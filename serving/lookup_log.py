"""A share of the answers, kept as Parquet files, so that what was served can be replayed against the warehouse."""

from __future__ import annotations

import datetime as dt
import os
import re
import shutil
import threading
import uuid
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from schemas.clock import utc_now
from schemas.errors import StorageUnavailableError
from schemas.settings import Settings
from serving.lookup import Lookup
from serving.storage import writable_folder
from serving.verdicts import READY

ROWS_OF_A_LOOKUP = 50
"""Answers kept of one lookup, evenly spread over the slate."""
ROWS_OF_A_FILE = 500
ROWS_OF_A_DATE = 20_000
"""Answers one process keeps of a game date; what comes later is not kept."""
DATES = 14
"""Game dates kept on disk, the newest ones."""
FOLDER = re.compile(r"\d{4}-\d{2}-\d{2}")


def log_folder(settings: Settings) -> Path:
    """Return the folder of the log."""
    return settings.home / "lookup_log"


def _rows(found: Lookup, at: dt.datetime) -> pa.Table | None:
    """Return ready answers of a lookup, None where there is none."""
    ready = [place for place, verdict in enumerate(found.verdicts) if verdict == READY]
    kept = ready[:: max(1, -(-len(ready) // ROWS_OF_A_LOOKUP))]
    if not kept:
        return None
    rows, width = len(kept), len(found.features)
    values = pa.array(found.matrix[kept].ravel(), pa.float64(), mask=found.nulls[kept].ravel())
    return pa.table(
        {
            "logged_at": pa.array([at] * rows, pa.timestamp("us", tz="UTC")),
            "service": pa.array([found.service] * rows, pa.string()),
            "feature_schema_version": pa.array([found.schema_version] * rows, pa.string()),
            "player_lookup": pa.array([found.players[place] for place in kept], pa.string()),
            "game_id": pa.array([found.games[place] for place in kept], pa.string()),
            "event_timestamp": pa.array(found.events[kept]).cast(pa.timestamp("us", tz="UTC")),
            "features": pa.array([list(found.features)] * rows, pa.list_(pa.string())),
            "vector": pa.ListArray.from_arrays(pa.array(np.arange(rows + 1) * width, pa.int32()), values),
        }
    )


@dataclass
class LookupLog:
    """Keeps every n-th lookup, `share` of them; answers with masked defaults are no values of the store and are left out."""

    folder: Path
    share: float
    _waiting: dict[dt.date, list[pa.Table]] = field(default_factory=dict)
    _kept: dict[dt.date, int] = field(default_factory=dict)
    _seen: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, found: Lookup) -> None:
        """Keep the answers of a lookup when it is one of the share; a log that cannot be written stops no lookup."""
        if found.hidden is not None:
            return
        with self._lock:
            before, self._seen = self._seen, self._seen + 1
            # Rounded, so that a share such as 0.3 keeps three of ten.
            if int(round(self._seen * self.share, 6)) == int(round(before * self.share, 6)):
                return
            date = found.game_date
            rows = _rows(found, utc_now()) if self._kept.get(date, 0) < ROWS_OF_A_DATE else None
            if rows is None:
                return
            self._kept[date] = self._kept.get(date, 0) + rows.num_rows
            waiting = self._waiting.setdefault(date, [])
            waiting.append(rows)
            if sum(part.num_rows for part in waiting) >= ROWS_OF_A_FILE:
                with suppress(StorageUnavailableError):
                    self._write(date)

    def flush(self) -> None:
        """Write what waits; raise `StorageUnavailableError` when it cannot be written."""
        with self._lock:
            for date in list(self._waiting):
                self._write(date)

    def _write(self, date: dt.date) -> None:
        import pyarrow.parquet as pq

        rows = pa.concat_tables(self._waiting.pop(date))
        folder = writable_folder(self.folder / date.isoformat())
        name = f"{os.getpid()}-{uuid.uuid4().hex[:12]}.parquet"
        partial = folder / f".{name}.partial"
        try:
            pq.write_table(rows, partial, compression="zstd")
            partial.replace(folder / name)
        except OSError as error:
            with suppress(OSError):
                partial.unlink(missing_ok=True)
            raise StorageUnavailableError("the log of lookups cannot be written", [error]) from None
        self._forget()

    def _forget(self) -> None:
        """Remove the folders of old game dates."""
        dates = sorted(path for path in self.folder.iterdir() if FOLDER.fullmatch(path.name))
        for path in dates[:-DATES]:
            shutil.rmtree(path, ignore_errors=True)


def read_log(settings: Settings, date: dt.date) -> pa.Table | None:
    """Return the logged answers of a game date, None where there are none."""
    import pyarrow.parquet as pq

    files = sorted((log_folder(settings) / date.isoformat()).glob("*.parquet"))
    parts: list[Any] = [pq.read_table(file) for file in files]
    return pa.concat_tables(parts) if parts else None
