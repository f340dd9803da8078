"""Plain `feast` commands inside a checkout: the home is found, the gate stands in the way, refusals are one line."""

from __future__ import annotations

import datetime as dt
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from schemas.settings import HOME_NAME, load_settings
from serving.materialization_gate import midnight, pasted
from tests.feast.conftest import WEEK
from tests.feast.store_rows import block, publish, store_table
from tests.house.tree import ROOT
from warehouse import open_warehouse

START, END = pasted(midnight(WEEK[0])), pasted(midnight(WEEK[-1] + dt.timedelta(days=1)))
Feast = Callable[..., subprocess.CompletedProcess[str]]

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkout with a published week, one date of it blocked, and nothing applied."""
    root = tmp_path_factory.mktemp("checkout")
    shutil.copytree(ROOT / "feature_repo", root / "feature_repo", ignore=shutil.ignore_patterns("__pycache__"))
    warehouse = open_warehouse(load_settings({"NBA_FEATURES_HOME": str(root / HOME_NAME)}))
    publish(warehouse, store_table(WEEK))
    block(warehouse, WEEK[2])
    warehouse.close()
    return root


@pytest.fixture(scope="module")
def feast(checkout: Path) -> Iterator[Feast]:
    """Run `feast` inside the repository folder, with no setting in the environment; `apply` has been run."""

    def run(*arguments: str, cwd: Path = checkout / "feature_repo") -> subprocess.CompletedProcess[str]:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("NBA_")}
        command = [sys.executable, "-m", "feast.cli.cli", *arguments] if not FEAST.exists() else [str(FEAST), *arguments]
        return subprocess.run(
            command, cwd=cwd, env={**environment, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, timeout=240, check=False
        )

    applied = run("apply")
    assert applied.returncode == 0, applied.stderr
    assert "row_quality" in applied.stdout
    yield run


FEAST = Path(sys.executable).with_name("feast")


def rows_of(path: Path, table: str) -> int:
    with sqlite3.connect(path) as connection:
        (count,) = connection.execute(f"SELECT count(*) FROM {table}").fetchone()
    return int(count)


def test_apply_keeps_everything_below_the_home_of_the_checkout(checkout: Path, feast: Feast) -> None:
    home = checkout / HOME_NAME
    assert rows_of(home / "feast" / "registry.db", "feature_views") == 7
    assert rows_of(home / "feast" / "registry.db", "feature_services") == 5
    assert rows_of(home / "feast" / "registry.db", "entities") == 3  # Feast adds its own dummy
    assert rows_of(home / "feast" / "registry.db", "data_sources") == 1
    assert {path.name for path in checkout.iterdir()} == {"feature_repo", HOME_NAME}
    assert {path.suffix for path in (checkout / "feature_repo").iterdir() if path.is_file()} == {".py", ".yaml"}


def test_FM53_refusals_are_one_line_and_nothing_is_written(checkout: Path, feast: Feast) -> None:
    online = checkout / HOME_NAME / "feast" / "packed.db"
    beyond = feast("materialize", START, "2099-01-01T00:00:00")
    inverted = feast("materialize-incremental", END)
    for run in (beyond, inverted):
        assert run.returncode == 1
        assert "Traceback" not in run.stderr + run.stdout
        (line,) = [text for text in run.stderr.splitlines() if text.startswith("Error: ")]
        assert f"feast materialize {START} {END}" in line
    assert rows_of(online, "nba_features_row_quality") == 0
    warehouse = open_warehouse(load_settings({"NBA_FEATURES_HOME": str(checkout / HOME_NAME)}))
    states = warehouse.query("SELECT state FROM nba_orchestration.materialization_history").column("state").to_pylist()
    warehouse.close()
    assert states == ["refused", "refused"]


def test_the_command_the_refusal_names_works(checkout: Path, feast: Feast) -> None:
    run = feast("materialize", START, END)
    assert run.returncode == 0, run.stderr
    assert f"Left out: {WEEK[2]} is blocked (matchup_quality_critical)" in run.stderr
    # Four players on four dates.
    assert rows_of(checkout / HOME_NAME / "feast" / "packed.db", "nba_features_row_quality") == 16


def test_another_folder_is_told_to_change_into_the_repository(checkout: Path, feast: Feast, tmp_path: Path) -> None:
    run = feast("-c", str(checkout / "feature_repo"), "materialize", START, END, cwd=tmp_path)
    assert run.returncode == 1
    assert "Traceback" not in run.stderr
    assert "different homes" in run.stderr
