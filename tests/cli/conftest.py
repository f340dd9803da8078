"""A small league taken through the whole chain by commands alone; the tests look at what each of them said and left."""

from __future__ import annotations

import datetime as dt
import pickle
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from schemas.clock import EASTERN, UTC
from tests.cli.calling import Answer, call, copy_home, environment
from tests.house.tree import ROOT
from tests.once import built_once
from transformations.ingest.simulated_league import SimulatedLeague

TEAMS, GAMES, PLAYED = 6, 20, 24
FEAST = Path(sys.executable).with_name("feast")


@dataclass
class Chain:
    """A home, the league in it, and the answer of every command of the chain by its name."""

    home: Path
    league: SimulatedLeague
    answers: dict[str, Answer] = field(default_factory=dict)

    @property
    def tonight(self) -> dt.date:
        return self.league.upcoming_date()

    @property
    def as_of(self) -> str:
        return dt.datetime.combine(self.tonight, dt.time(17), EASTERN).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

    @property
    def dates(self) -> tuple[dt.date, ...]:
        return self.league.played_dates()

    def call(self, *words: str, **others: str) -> Answer:
        return call(self.home, *words, **others)

    def ingest(self) -> tuple[str, ...]:
        """Return the words that load this league."""
        through = str(self.dates[-1])
        return ("ingest", "--source", "simulated", "--teams", str(TEAMS), "--games-per-team", str(GAMES), "--played-through", through)


def feast(chain: Chain, repository: Path, *words: str) -> Answer:
    """Run a plain `feast` command."""
    command = [str(FEAST), *words] if FEAST.exists() else [sys.executable, "-m", "feast.cli.cli", *words]
    surroundings = {**environment(chain.home), "PYTHONPATH": str(ROOT)}
    run = subprocess.run(command, cwd=repository, env=surroundings, capture_output=True, text=True, timeout=240, check=False)
    return Answer(run.returncode, run.stdout, run.stderr)


@pytest.fixture(scope="session")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Chain:
    whole = SimulatedLeague(teams=TEAMS, games_per_team=GAMES)
    through = whole.played_dates()[PLAYED - 1]
    league = SimulatedLeague(teams=TEAMS, games_per_team=GAMES, played_through=through)

    def build(root: Path) -> None:
        root.mkdir()
        chain = Chain(root / "home", league)
        walk(chain, root, through)
        (root / "answers").write_bytes(pickle.dumps(chain.answers))

    built = built_once(tmp_path_factory.getbasetemp(), "chain", build)
    # Some tests go on with it, each process with its own.
    home = tmp_path_factory.mktemp("chain") / "home"
    copy_home(built / "home", home)
    return Chain(home, league, pickle.loads((built / "answers").read_bytes()))


def walk(chain: Chain, root: Path, through: dt.date) -> None:
    """Take the league through the whole chain and keep the answers."""
    repository = root / "feature_repo"
    shutil.copytree(ROOT / "feature_repo", repository, ignore=shutil.ignore_patterns("__pycache__"))
    asked = ("--as-of", chain.as_of)
    answers = chain.answers
    answers["ingest"] = chain.call(*chain.ingest())
    answers["backfill"] = chain.call("backfill", "--end-date", str(through), *asked)
    answers["run"] = chain.call("run", "--date", str(chain.tonight), *asked)
    answers["apply"] = feast(chain, repository, "apply")
    start = dt.datetime.combine(chain.dates[-5], dt.time(0))
    answers["materialize"] = feast(chain, repository, "materialize", f"{start:%Y-%m-%dT%H:%M:%S}", chain.as_of.removesuffix("Z"))
    answers["lookup"] = chain.call("lookup", "--date", str(chain.tonight))
    out = root / "training.parquet"
    answers["training-set"] = chain.call("training-set", "--start", str(chain.dates[0]), "--end", str(through), "--out", str(out))
