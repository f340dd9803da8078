"""Suites that load Google's analyser run apart: a process that holds it cannot fork, and other suites fork."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LOADS = re.compile(r"^\s*(?:from|import)\s+(?:tests\.googlesql|zetasql)\b", re.MULTILINE)


def analysed(makefile: str) -> set[str]:
    """Return the files and folders that the Makefile runs apart."""
    found = re.search(r"^ANALYSED := (.*)$", makefile, re.MULTILINE)
    return set(found[1].split()) if found else set()


def loading(root: Path) -> set[str]:
    """Return the test modules that load the analyser, relative to the root."""
    files = (root / "tests").rglob("test_*.py")
    return {str(file.relative_to(root)) for file in files if LOADS.search(file.read_text(encoding="utf-8"))}


def uncovered(modules: set[str], apart: set[str]) -> set[str]:
    """Return the modules that neither stand on the list nor lie in a folder on it."""
    return {name for name in modules if name not in apart and not any(name.startswith(f"{folder}/") for folder in apart)}


def test_what_loads_the_analyser_runs_apart() -> None:
    modules, apart = loading(ROOT), analysed((ROOT / "Makefile").read_text(encoding="utf-8"))
    assert len(modules) >= 5
    assert uncovered(modules, apart) == set()
    assert all((ROOT / name).exists() for name in apart)


def test_FM05_a_planted_module_that_is_not_listed_is_found(tmp_path: Path) -> None:
    planted = tmp_path / "tests" / "cli" / "test_planted.py"
    planted.parent.mkdir(parents=True)
    planted.write_text("def test_it():\n    from tests.googlesql.analyser import analyse\n", encoding="utf-8")
    assert uncovered(loading(tmp_path), {"tests/googlesql"}) == {"tests/cli/test_planted.py"}
