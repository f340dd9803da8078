"""What the four jobs together allow the store to do: ready, waiting, degraded or blocked."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from orchestration.dependencies import UNREADABLE, Dependency, check
from orchestration.expected import PLAYERS, TEAMS
from schemas.errors import BlockedError, ExitStatus, FeatureStoreError, WaitingError
from warehouse.protocol import Warehouse

READY, WAITING, DEGRADED, BLOCKED = "ready", "waiting", "degraded", "blocked"
EXITS = {READY: ExitStatus.DONE, DEGRADED: ExitStatus.DONE, WAITING: ExitStatus.WAITING, BLOCKED: ExitStatus.BLOCKED}


@dataclass(frozen=True)
class Gate:
    """State of the gate for a date, the four jobs behind it, and why it is not simply ready."""

    game_date: dt.date
    state: str
    jobs: tuple[Dependency, ...]
    reasons: tuple[str, ...] = ()

    @property
    def is_open(self) -> bool:
        """TRUE when the store may be built."""
        return self.state in (READY, DEGRADED)

    @property
    def absent(self) -> tuple[Dependency, ...]:
        """Jobs whose rows may not be used."""
        return tuple(job for job in self.jobs if not job.is_ready)

    def error(self) -> FeatureStoreError:
        """Return the error of a closed gate: waiting (exit 4) or blocked (exit 3), with a line per job and what to run."""
        again = f"run: nba-features run --date {self.game_date}, or build without with --allow-fallback"
        if self.state == WAITING:
            fact = f"the store waits for {len(self.absent)} of {len(self.jobs)} jobs on {self.game_date}"
            return WaitingError(fact, self.reasons, again)
        return BlockedError(f"the store may not be built on {self.game_date}", self.reasons, f"waiting does not mend this; {again}")

    def as_dict(self) -> dict[str, Any]:
        """Return the gate for `--json`."""
        jobs = [{**vars(job), "is_ready": job.is_ready} for job in self.jobs]
        return {"state": self.state, "reasons": list(self.reasons), "jobs": jobs}


def judge(jobs: Sequence[Dependency], allow_fallback: bool, can_fall_back: bool) -> str:
    """Return the state: the first condition that holds decides, and what cannot be judged keeps the gate shut.

    Blocked is what waiting does not mend: a record that cannot be read, rows that a job's own gate refused, or fallbacks asked
    for where Phase 3 has nothing to fall back on.
    """
    absent = [job for job in jobs if not job.is_ready]
    if not jobs or any(job.state == UNREADABLE for job in absent):
        return BLOCKED
    if not absent:
        return READY
    if allow_fallback:
        return DEGRADED if can_fall_back else BLOCKED
    return BLOCKED if any(job.status == "blocked" for job in absent) else WAITING


def gate(warehouse: Warehouse, game_date: dt.date, allow_fallback: bool = False, told: Mapping[str, int] | None = None) -> Gate:
    """Return the gate of a date; raise `WarehouseError` when its records cannot be read, for then it is shut.

    `told` are row counts by job that the caller was given; other counts keep the gate shut.
    """
    jobs = check(warehouse, game_date, told)
    missing = [name for name in (TEAMS, PLAYERS) if game_date not in warehouse.partitions(name, game_date, game_date)]
    state = judge(jobs, allow_fallback, not missing)
    reasons = [job.line() for job in jobs if not job.is_ready]
    if state == BLOCKED and allow_fallback:
        reasons += [f"{name.split('.')[1]}: no rows to fall back on" for name in missing]
    return Gate(game_date, state, jobs, tuple(reasons))
