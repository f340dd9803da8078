"""A warehouse that stops at its N-th call, and one that has rehearsed its statements so that a run costs little."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import os
import shutil
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from schemas.contracts import TableContract
from warehouse.protocol import Staged, Warehouse

WRITES = ("stage_query", "stage_rows", "publish", "discard", "record", "lease", "remove_orphans")
READS = ("query", "partitions", "readable", "damaged")
"""What of a warehouse reaches outside the process."""
Memory = dict[tuple[str, tuple[dt.date, ...]], pa.Table]
KILLED = 9


class Stop(Exception):  # noqa: N818 - a stop, not an error
    """The planted fault."""


class Rehearsed:
    """Stages remembered rows in place of running a statement a second time; everything else is the warehouse itself."""

    def __init__(self, warehouse: Warehouse, memory: Memory) -> None:
        self._warehouse, self._memory = warehouse, memory

    def __getattr__(self, name: str) -> Any:
        return getattr(self._warehouse, name)

    def stage_query(self, spec: TableContract, sql: str, params: Any, run_id: str, staged: Sequence[Staged] = ()) -> Staged:
        key = (spec.name, tuple(params["dates"]))
        if key not in self._memory:
            made = self._warehouse.stage_query(spec, sql, params, run_id, staged)
            self._memory[key] = self._warehouse.query(f"SELECT * FROM {spec.name}", staged=[made])
            return made
        return self._warehouse.stage_rows(spec, self._memory[key], run_id)


class Watched:
    """Calls `before` with the number of each call and its name, before it happens."""

    def __init__(self, warehouse: Any, before: Callable[[int, str], None]) -> None:
        self._warehouse, self._before, self.calls = warehouse, before, []

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._warehouse, name)
        if name not in (*WRITES, *READS):
            return found

        def call(*args: Any, **options: Any) -> Any:
            self.calls.append(name)
            self._before(len(self.calls), name)
            return found(*args, **options)

        return call

    calls: list[str]


def nothing(_number: int, _name: str) -> None:
    """Let the call happen."""


def stop_at(at: int) -> Callable[[int, str], None]:
    """Raise in place of the N-th call."""

    def before(number: int, _name: str) -> None:
        if number == at:
            raise Stop(f"at call {at}")

    return before


def die_at(at: int) -> Callable[[int, str], None]:
    """End the process in place of the N-th call."""

    def before(number: int, _name: str) -> None:
        if number == at:
            os._exit(KILLED)

    return before


def _digest(folder: Path) -> str:
    digest = hashlib.blake2b()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        digest.update(str(path.relative_to(folder)).encode())
        # A data file is written once under a name of its own; the catalogue is one file that changes.
        digest.update(str(path.stat().st_size).encode() if path.suffix == ".parquet" else path.read_bytes())
    return digest.hexdigest()


def keep_states(home: Path, kept: Path) -> Callable[[int, str], None]:
    """Before each call keep what is on disk, which is all that is left when the process ends there; equal states once.

    The states are folders named by the first call at which they were seen.
    """
    seen: set[str] = set()

    def before(number: int, _name: str) -> None:
        digest = _digest(home)
        if digest not in seen:
            seen.add(digest)
            shutil.copytree(home, kept / f"{number:04d}")

    return before


def in_child(work: Callable[[], Any], answer: Path) -> int:
    """Run the work in a forked process, write what it returns as JSON, and return the exit status of the process."""
    child = os.fork()
    if child == 0:
        try:
            answer.write_text(json.dumps(work(), default=str), encoding="utf-8")
            os._exit(0)
        except BaseException:  # noqa: BLE001 - whatever stops the child is reported
            answer.write_text(traceback.format_exc(), encoding="utf-8")
            os._exit(1)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
