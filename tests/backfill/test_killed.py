"""A backfill of several chunks, stopped at its calls to the outside by an error or by the end of its process, and gone on with."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import orchestration.build as build
import orchestration.plan as plan
from backfill.request import Request
from backfill.runner import run_backfill
from orchestration.audits import Audit
from quality.verdicts import GateReport
from schemas.rules import STORE_TABLE
from tests.backfill.conftest import NOW, settings_at
from tests.backfill.faults import KILLED, READS, Memory, Rehearsed, Stop, Watched, die_at, in_child, keep_states, nothing, stop_at
from tests.backfill.site import CODE
from transformations.render import companions
from warehouse import open_warehouse
from warehouse.protocol import Warehouse

PAIR = ("nba_analytics.player_game_summary", "nba_analytics.upcoming_team_game_context")
CHAIN = ("nba_analytics.upcoming_team_game_context", "nba_analytics.upcoming_player_game_context", STORE_TABLE)
"""Slates, rosters and the store with what is published beside it: two seasons of them are six stages."""
EVERY_SO_MANY_READS = 8

Before = Callable[[int, str], None]


def everything(warehouse: Warehouse, tables: tuple[str, ...]) -> dict[str, Any]:
    """Return what is to be the same whether a run was stopped or not: rows, ledger, and that nothing lies about."""
    names = [name for table in tables for name in (table, *companions(table))]
    with sqlite3.connect(warehouse.settings.warehouse_dir / "catalog.sqlite") as catalog:  # type: ignore[attr-defined]
        leases = catalog.execute("SELECT count(*) FROM leases").fetchone()[0]
    ledger = warehouse.query(
        "SELECT table_name, game_date, state, row_count, fingerprint, upstream_fingerprint"
        " FROM nba_orchestration.partition_ledger ORDER BY 1, 2"
    )
    running = warehouse.query("SELECT COUNT(*) AS n FROM nba_orchestration.pipeline_runs WHERE state = 'running'").to_pylist()[0]["n"]
    return {
        "tables": {name: [[str(part.key), part.rows, part.fingerprint] for part in warehouse.readable(name).values()] for name in names},
        "ledger": [[str(value) for value in row.values()] for row in ledger.to_pylist()],
        "staged": [str(path) for path in warehouse.orphans(0)],
        "leases": leases,
        "running": running,
    }


@dataclass(frozen=True)
class Rehearsal:
    """The rows each statement yields, the calls of an uninterrupted backfill and what it leaves."""

    tables: tuple[str, ...]
    memory: Memory
    calls: tuple[str, ...]
    left: dict[str, Any]

    def backfill(self, home: Path, before: Before = nothing) -> dict[str, Any]:
        """Run the backfill on a home and return what is there after it."""
        return _backfill(home, self.tables, self.memory, before)[0]

    def resumed(self, home: Path) -> list[str]:
        """Go on with the backfill; return what is not as after an uninterrupted one."""
        left = self.backfill(home)
        return [name for name in left if left[name] != self.left[name]]


def _backfill(home: Path, tables: tuple[str, ...], memory: Memory, before: Before) -> tuple[dict[str, Any], list[str]]:
    warehouse = open_warehouse(settings_at(home))
    watched = Watched(Rehearsed(warehouse, memory), before)
    try:
        outcome = run_backfill(watched, Request(), NOW, 60, skip_preflight=True, code=CODE)  # type: ignore[arg-type]
        assert outcome.unverified == ()
        calls = list(watched.calls)
        return everything(warehouse, tables), calls
    finally:
        warehouse.close()


@pytest.fixture
def rehearse(raw_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[tuple[str, ...]], Rehearsal]:
    """Return a function that runs a backfill of just these tables once.

    Everything passes the gate: where a run may be stopped is asked here, not what passes.
    """

    def once(tables: tuple[str, ...]) -> Rehearsal:
        passed = Audit(GateReport({}, 0, 0, 0, 0.0), {})
        monkeypatch.setattr(plan, "built_tables", lambda: tables)
        monkeypatch.setattr(build, "audited", lambda *_: passed)
        monkeypatch.setattr(build, "batch_records", lambda *_: [])
        home, memory = tmp_path / "rehearsal", Memory()
        shutil.copytree(raw_home, home)
        left, calls = _backfill(home, tables, memory, nothing)
        assert (left["staged"], left["leases"], left["running"]) == ([], 0, 0)
        assert all(len(rows) > 50 for rows in left["tables"].values())
        return Rehearsal(tables, memory, tuple(calls), left)

    return once


@pytest.mark.slow
@pytest.mark.parametrize("every", [EVERY_SO_MANY_READS, pytest.param(1, marks=pytest.mark.long)])
def test_FM43_FM44_stopped_by_an_error(
    raw_home: Path, tmp_path: Path, rehearse: Callable[[tuple[str, ...]], Rehearsal], every: int
) -> None:
    """At every call that writes, and at a part of those that read: between two writes nothing outside changes."""
    rehearsal = rehearse(PAIR)
    numbered = list(enumerate(rehearsal.calls, 1))
    reads = [at for at, name in numbered if name in READS]
    wrong = {}
    for at in sorted({at for at, name in numbered if name not in READS} | set(reads[::every])):
        home = tmp_path / f"stopped{at}"
        shutil.copytree(raw_home, home)
        with pytest.raises(Stop, match=f"at call {at}$"):
            rehearsal.backfill(home, stop_at(at))
        found = rehearsal.resumed(home)
        # The last call closes the record of the run: where that fails, it stays open until this process has ended.
        if found != (["running"] if at == len(numbered) else []):
            wrong[at, rehearsal.calls[at - 1]] = found
        shutil.rmtree(home)
    assert not wrong


@pytest.mark.long
@pytest.mark.slow
def test_FM40_FM43_FM44_killed_at_every_call(raw_home: Path, tmp_path: Path, rehearse: Callable[[tuple[str, ...]], Rehearsal]) -> None:
    """A child walks through the whole backfill; what is on disk before each of its calls is what a kill there leaves."""
    rehearsal = rehearse(CHAIN)
    home, kept, answer = tmp_path / "child", tmp_path / "kept", tmp_path / "answer.json"
    shutil.copytree(raw_home, home)
    kept.mkdir()
    status = in_child(lambda: rehearsal.backfill(home, keep_states(home, kept)), answer)
    assert (status, json.loads(answer.read_text(encoding="utf-8"))) == (0, rehearsal.left)
    states = sorted(kept.iterdir())
    assert len(states) > 40
    wrong = {state.name: found for state in states if (found := rehearsal.resumed(state))}
    assert not wrong


@pytest.mark.parametrize("share", [0.35, 0.6, 0.85])
def test_FM40_FM43_FM44_the_process_ends(
    raw_home: Path, tmp_path: Path, rehearse: Callable[[tuple[str, ...]], Rehearsal], share: float
) -> None:
    rehearsal = rehearse(PAIR)
    home, answer = tmp_path / "child", tmp_path / "answer.json"
    shutil.copytree(raw_home, home)
    publications = [at for at, name in enumerate(rehearsal.calls, 1) if name in ("publish", "record", "stage_query")]
    at = publications[int(share * len(publications))]
    assert in_child(lambda: rehearsal.backfill(home, die_at(at)), answer) == KILLED
    assert rehearsal.resumed(home) == []


@pytest.mark.long
@pytest.mark.slow
def test_FM40_FM43_FM44_the_process_ends_at_every_call(
    raw_home: Path, tmp_path: Path, rehearse: Callable[[tuple[str, ...]], Rehearsal]
) -> None:
    rehearsal = rehearse(PAIR)
    wrong = {}
    for at, name in enumerate(rehearsal.calls, 1):
        home = tmp_path / f"killed{at}"
        shutil.copytree(raw_home, home)
        ended = in_child(lambda home=home, at=at: rehearsal.backfill(home, die_at(at)), tmp_path / "answer.json")  # type: ignore[misc]
        found = rehearsal.resumed(home)
        if (ended, found) != (KILLED, []):
            wrong[at, name] = ended, found
        shutil.rmtree(home)
    assert not wrong
