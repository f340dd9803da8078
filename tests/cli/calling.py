"""Calling the command line in this process and in one of its own, and what every call must keep to."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from click.testing import CliRunner

from cli.main import main
from schemas.settings import load_settings
from tests.house.tree import ROOT
from transformations.render import built_tables
from warehouse import open_warehouse


@dataclass(frozen=True)
class Answer:
    """What a call said and how it ended."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Return standard output as JSON; numbers that are none are refused."""

        def refuse(text: str) -> None:
            raise ValueError(f"{text} is no JSON")

        return json.loads(self.out, parse_constant=refuse)

    def errors(self) -> list[str]:
        """Return the lines of standard error that tell no progress."""
        return [line for line in self.err.splitlines() if not line.startswith("[")]

    def assert_done(self) -> Answer:
        assert self.status == 0, (self.status, self.out, self.err)
        assert not self.errors(), self.err
        return self

    def assert_one_line(self, status: int, code: str, *words: str) -> Answer:
        """One clear line: its code, what is wrong, and nothing else."""
        assert self.status == status, (self.status, self.out, self.err)
        (line,) = self.errors()
        assert line.startswith(f"{code}: "), line
        assert all(word in line for word in words), line
        assert "Traceback" not in self.out + self.err and len(line) < 1500
        return self


def environment(home: Path | None, **others: str) -> dict[str, str]:
    """Return the surroundings of a call: no setting of the machine leaks in."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("NBA_")}
    return {**clean, **({"NBA_FEATURES_HOME": str(home)} if home else {}), **others}


def call(home: Path | None, *words: str, **others: str) -> Answer:
    """Call a command in this process."""
    unset = {name: None for name in os.environ if name.startswith("NBA_")}
    given = {**unset, **({"NBA_FEATURES_HOME": str(home)} if home else {}), **others}
    result = CliRunner().invoke(main, list(words), env=given, prog_name="nba-features")
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return Answer(result.exit_code, result.stdout, result.stderr)


def spawn(home: Path | None, *words: str, **others: str) -> Answer:
    """Call a command in a process of its own."""
    run = subprocess.run(
        [sys.executable, "-m", "cli.main", *words],
        cwd=ROOT,
        env={**environment(home, **others), "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    return Answer(run.returncode, run.stdout, run.stderr)


def copy_home(home: Path, to: Path) -> None:
    """Copy a home in a process of its own: reading the catalogue's file here would let go of the locks this process has on it."""
    subprocess.run(["cp", "-r", str(home), str(to)], check=True)


RAW = ("nba_raw.schedule", "nba_raw.players", "nba_raw.player_boxscores", "nba_raw.team_boxscores", "nba_raw.shots")
WATCHED = (
    "nba_raw.quarantine",
    "nba_orchestration.phase_completions",
    "nba_orchestration.partition_ledger",
    "nba_orchestration.data_quality_events",
)


def contents(home: Path, records: Sequence[str] = WATCHED) -> dict[str, object]:
    """Return the partitions of all tables and the number of records: equal before and after when nothing was lost or changed."""
    warehouse = open_warehouse(load_settings({"NBA_FEATURES_HOME": str(home)}))
    try:
        found: dict[str, object] = {name: warehouse.partitions(name) for name in (*RAW, *built_tables())}
        for name in records:
            found[name] = warehouse.query(f"SELECT COUNT(*) AS n FROM {name}").to_pylist()
        return found
    finally:
        warehouse.close()
