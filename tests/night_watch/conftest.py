"""Four jobs that have written their rows, a slate, and what is said about them."""

from __future__ import annotations

import datetime as dt
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from orchestration.expected import PLAYERS, TEAMS
from schemas.contracts import contract
from schemas.rules import load_rules
from schemas.settings import Settings
from tests.orchestration.conftest import built_home, ingested_home, league, raw, season
from tests.warehouse.made_up_rows import publish, rows_of
from warehouse.embedded import EmbeddedWarehouse

__all__ = ["built_home", "ingested_home", "league", "raw", "season"]

TODAY = dt.date(2025, 1, 15)
NOON = dt.datetime(2025, 1, 15, 12, tzinfo=dt.UTC)
MINUTE = dt.timedelta(minutes=1)
JOBS = tuple(sorted(load_rules().phase4_jobs, key=lambda name: (len(set(contract(name).reads) & set(load_rules().phase4_jobs)), name)))
"""The four jobs in an order in which each comes after its inputs."""

Say = Callable[..., dict[str, Any]]


def said(job: str, status: str = "success", rows: int = 3, run: str = "r1", at: dt.datetime | None = None, **more: Any) -> dict[str, Any]:
    """Return the message of a job; by default it completed as many minutes after noon as its place among the four."""
    moment = at or NOON + (JOBS.index(job) + 1) * MINUTE
    name = job.split(".")[1]
    facts = {"processor": name, "analysis_date": str(TODAY), "status": status, "row_count": rows, "run_id": f"{name}-{run}"}
    return {**facts, "completed_at": moment.isoformat(), **more}


def opened(home: Path) -> EmbeddedWarehouse:
    return EmbeddedWarehouse(Settings("embedded", home, None, threads=1))


@pytest.fixture(scope="session")
def written_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home in which the rows of all four jobs lie, and nobody has said so."""
    home = tmp_path_factory.mktemp("written") / "home"
    warehouse = opened(home)
    for table in (TEAMS, PLAYERS, *JOBS):
        publish(warehouse, table, rows_of(table, [TODAY]))
    warehouse.close()
    return home


@pytest.fixture
def fresh(written_home: Path, tmp_path: Path) -> Iterator[Callable[[], EmbeddedWarehouse]]:
    """Return a way to open warehouses over one copy of that home, as processes of their own would."""
    subprocess.run(["cp", "-r", str(written_home), str(tmp_path / "home")], check=True)
    made: list[EmbeddedWarehouse] = []

    def another() -> EmbeddedWarehouse:
        made.append(opened(tmp_path / "home"))
        return made[-1]

    yield another
    for warehouse in made:
        warehouse.close()


@pytest.fixture
def warehouse(fresh: Callable[[], EmbeddedWarehouse]) -> EmbeddedWarehouse:
    return fresh()
