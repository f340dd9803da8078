"""The adapter on DuckDB means what Google's reference evaluator says, construct by construct."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from schemas.errors import DefinitionError
from tests.googlesql import analyser, compare
from tests.googlesql.analyser import InvalidGoogleSQLError

pytestmark = pytest.mark.skipif(analyser.available() is not None, reason=analyser.available() or "")

CASES = compare.load_cases()


@pytest.mark.parametrize("case", [case for case in CASES if not case.error and not case.differs], ids=lambda case: case.name)
def test_both_engines_give_the_same(case: compare.Case) -> None:
    expected = compare.run_google(case.sql, case.parameters)
    found = compare.run_duckdb(case.sql, case.parameters)
    assert compare.differences(expected, found, case.ordered) == []


@pytest.mark.parametrize("case", [case for case in CASES if case.error], ids=lambda case: case.name)
def test_both_engines_fail(case: compare.Case) -> None:
    with pytest.raises(InvalidGoogleSQLError) as refused:
        compare.run_google(case.sql, case.parameters)
    assert refused.value.while_running, refused.value
    with pytest.raises(duckdb.Error):
        compare.run_duckdb(case.sql, case.parameters)


@pytest.mark.parametrize("case", [case for case in CASES if case.differs], ids=lambda case: case.name)
def test_documented_differences_still_differ(case: compare.Case) -> None:
    """A difference that has gone is news for the documentation."""
    try:
        expected = compare.run_google(case.sql, case.parameters)
    except InvalidGoogleSQLError as refused:
        assert refused.while_running, refused
        compare.run_duckdb(case.sql, case.parameters)
        return
    try:
        found = compare.run_duckdb(case.sql, case.parameters)
    except (duckdb.Error, DefinitionError):
        return
    assert compare.differences(expected, found, case.ordered) != []


def test_documented_differences_are_in_the_document() -> None:
    document = (Path(__file__).parents[2] / "docs" / "googlesql.md").read_text(encoding="utf-8")
    assert [case.name for case in CASES if case.differs and f"| {case.name} |" not in document] == []


def test_names_of_cases_are_unique() -> None:
    names = [case.name for case in CASES]
    assert len(names) == len(set(names))
