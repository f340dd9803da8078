"""Run steps in fresh processes, each on a home of its own made from the state it starts from."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.meter import Reading

ROOT = Path(__file__).resolve().parent.parent
MADE_BY = {"loaded": ("empty", "ingest"), "built": ("loaded", "build_gated")}


@dataclass(frozen=True)
class Result:
    """All readings of one benchmark and those of its limit."""

    name: str
    readings: tuple[Reading, ...]
    limits: tuple[Reading, ...] = ()

    def median(self, figure: str) -> float:
        """Return the median of a figure over the runs."""
        return median(getattr(reading, figure) for reading in self.readings)

    @property
    def ratio(self) -> float | None:
        """CPU time over that of the limit; None without one."""
        return self.median("cpu") / median(reading.cpu for reading in self.limits) if self.limits else None


@dataclass
class Bench:
    """A scratch folder with homes in the states the benchmarks start from."""

    folder: Path
    left: dict[str, Path] = field(default_factory=dict)
    made: int = 0

    def step(self, name: str, home: Path) -> Reading:
        """Run one step in a fresh process on the home; raise `RuntimeError` with what it said when it fails."""
        environ = {**os.environ, "NBA_FEATURES_HOME": str(home), "PYTHONPATH": str(ROOT)}
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.child", name], cwd=ROOT, env=environ, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise RuntimeError(f"step {name} ended with status {done.returncode}: {done.stderr.strip() or 'without a word'}")
        found: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
        return Reading(**found)

    def home(self, state: str) -> Path:
        """Return a fresh home in that state, a copy of one that an earlier step has left."""
        if state != "empty" and state not in self.left:
            before, step = MADE_BY[state]
            made = self.home(before)
            self.step(step, made)
            self.left[state] = made
        self.made += 1
        copy = self.folder / f"home-{self.made}"
        if state == "empty":
            copy.mkdir(parents=True)
        else:
            shutil.copytree(self.left[state], copy)
        return copy

    def run(self, name: str, step: str, state: str, runs: int, limit: str | None) -> Result:
        """Run a step several times, each time followed, on the home it left, by the limit it is held against."""
        readings, limits = [], []
        leaves = next((after for after, (_, maker) in MADE_BY.items() if maker == step), None)
        for _ in range(runs):
            home = self.home(state)
            readings.append(self.step(step, home))
            if limit:
                limits.append(self.step(limit, home))
            if leaves and leaves not in self.left:
                self.left[leaves] = home
            else:
                shutil.rmtree(home)
        return Result(name, tuple(readings), tuple(limits))
