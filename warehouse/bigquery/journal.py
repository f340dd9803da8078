"""What has been submitted and not yet been read: one small file per job, written before the job is sent.

BigQuery keeps the jobs themselves for half a year; the journal says which of them nobody has waited for.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from schemas.errors import StorageUnavailableError


@dataclass(frozen=True)
class Submitted:
    """A job that was sent: its id and location, the table and run it is for, its staging table, who sent it and when."""

    job_id: str
    location: str
    table: str
    run_id: str
    staging: str
    process: str
    at: str


class Journal:
    """The submitted jobs of all processes that share a home."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def _path(self, job_id: str) -> Path:
        return self.folder / f"{job_id}.json"

    def note(self, entry: Submitted) -> None:
        """Write the entry so that it outlives a crash; raise `StorageUnavailableError` when that is not possible."""
        path = self._path(entry.job_id)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            beside = path.with_suffix(f".{os.getpid()}")
            with beside.open("w", encoding="utf-8") as file:
                json.dump(asdict(entry), file)
                file.flush()
                os.fsync(file.fileno())
            beside.replace(path)
        except OSError as error:
            raise StorageUnavailableError(
                "the job cannot be noted before it is sent", [error], "free space or set NBA_FEATURES_HOME"
            ) from None

    def forget(self, job_id: str) -> None:
        """Remove the entry; harmless when there is none."""
        with contextlib.suppress(OSError):
            self._path(job_id).unlink(missing_ok=True)

    def __iter__(self) -> Iterator[Submitted]:
        for path in sorted(self.folder.glob("*.json")):
            with contextlib.suppress(OSError, ValueError, TypeError):
                yield Submitted(**json.loads(path.read_text(encoding="utf-8")))
