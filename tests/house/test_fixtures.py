"""Tests that need real data skip with a reason where there is none, and never in silence."""

from __future__ import annotations

import pytest

from tests.house.tree import ROOT

pytest_plugins = ["pytester"]

USES_DATA = "def test_reads(data_dir):\n    assert data_dir.is_dir()\ndef test_needs_none():\n    assert 1 + 1 == 2\n"


@pytest.fixture
def project(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    monkeypatch.delenv("NBA_DATA_DIR", raising=False)
    pytester.makeconftest((ROOT / "tests" / "conftest.py").read_text(encoding="utf-8"))
    pytester.makeini("[pytest]\nmarkers = real_data: reads real data\n")
    pytester.makepyfile(USES_DATA)
    return pytester


def test_without_real_data_its_tests_skip_with_a_reason(project: pytest.Pytester) -> None:
    result = project.runpytest_inprocess("-rs", "--strict-markers")
    result.assert_outcomes(passed=1, skipped=1)
    result.stdout.fnmatch_lines(["*NBA_DATA_DIR is not set*"])


def test_a_folder_that_does_not_exist_is_an_error(project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NBA_DATA_DIR", str(project.path / "nowhere"))
    project.runpytest_inprocess().assert_outcomes(passed=1, errors=1)


def test_users_of_the_data_are_marked_by_themselves(project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NBA_DATA_DIR", str(project.path))
    project.runpytest_inprocess().assert_outcomes(passed=2)
    project.runpytest_inprocess("-m", "real_data").assert_outcomes(passed=1, deselected=1)
