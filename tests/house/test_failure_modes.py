"""The page of failure modes says what the tests really plant."""

from __future__ import annotations

from pathlib import Path

import pytest

from schemas.errors import DefinitionError
from tests.house.failure_mode_index import PAGE, FailureMode, collect, load_modes, render
from tests.house.tree import ROOT

MODES = (FailureMode("FM01", "Leakage", "it leaked", "it is held"), FailureMode("FM02", "Values", "it was wrong", "it is checked"))


def test_the_page_is_up_to_date() -> None:
    assert PAGE.read_text(encoding="utf-8") == render(load_modes(), collect(ROOT / "tests")), "run: make docs"


def test_every_known_failure_mode_is_listed() -> None:
    assert [mode.id for mode in load_modes()] == [f"FM{number:02d}" for number in range(1, 64)]


def _module(folder: Path, name: str, text: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(text, encoding="utf-8")


def test_ids_are_collected_from_functions_methods_and_subfolders(tmp_path: Path) -> None:
    tests = tmp_path / "tests"
    _module(tests, "test_a.py", "def test_FM01_FM02_both(): ...\nasync def test_FM01_too(): ...\ndef test_plain(): ...\n")
    _module(tests / "deep", "test_b.py", "class TestGate:\n    def test_FM02_method(self): ...\n    def helper_FM01(self): ...\n")
    _module(tests, "helper.py", "def test_FM01_not_a_test_module(): ...\n")
    _module(tests, "test_c.py", "# FM01 in a comment\nNAME = 'test_FM01_text'\ndef test_FM011_no_id(): ...\n")
    assert collect(tests) == {
        "FM01": ["tests/test_a.py::test_FM01_FM02_both", "tests/test_a.py::test_FM01_too"],
        "FM02": ["tests/deep/test_b.py::TestGate::test_FM02_method", "tests/test_a.py::test_FM01_FM02_both"],
    }


def test_an_id_without_a_test_is_listed_plainly() -> None:
    page = render(MODES, {"FM01": ["tests/test_a.py::test_FM01_x"]})
    assert "Planted: 1 of 2.\nNot yet planted: FM02.\n" in page
    assert "| FM01 | it leaked | it is held | `tests/test_a.py::test_FM01_x` |" in page
    assert "| FM02 | it was wrong | it is checked | not yet planted |" in page


def test_FM05_a_test_that_names_an_unknown_failure_mode_is_refused() -> None:
    with pytest.raises(DefinitionError, match=r"FM77 in tests/test_a\.py::test_FM77_x"):
        render(MODES, {"FM77": ["tests/test_a.py::test_FM77_x"]})


def test_FM05_a_gap_in_the_numbering_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "modes.yaml"
    file.write_text("groups: {a: {title: A, modes: {FM01: {happened: x, guard: y}, FM03: {happened: x, guard: y}}}}\n", encoding="utf-8")
    with pytest.raises(DefinitionError, match="FM02, FM03"):
        load_modes(file)
