"""Run the cases: the expected rows come out, and with each of a case's faults put in they do not."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from schemas.contracts import contract
from tests.transformations.cases import Bench, Case, all_cases, expected_rows, made_rows, mutants
from tests.transformations.workbench import DATED, SUMMARIES
from warehouse.googlesql import to_duckdb

FEWEST_CASES = 2
GROUPED: set[str] = set()


def _faults(*modes: str) -> list[tuple[Case, int]]:
    """Return the faults of the cases about these failure modes that no earlier test has; without modes those about none."""
    mine = [c for c in all_cases() if not GROUPED & set(c.plants) and (set(modes) & set(c.plants) if modes else not c.plants)]
    assert set(modes) <= {mode for case in mine for mode in case.plants}, "the name of a test promises more than the cases plant"
    GROUPED.update(modes)
    return [(case, number) for case in mine for number in range(len(case.breaks_if))]


def _name(value: object) -> str:
    return f"{value.table.split('.')[1]}/{value.name}" if isinstance(value, Case) else str(value)


@pytest.fixture
def bench(case: Case) -> Iterator[Bench]:
    made = Bench(case)
    yield made
    made.close()


@pytest.mark.parametrize("case", all_cases(), ids=_name)
def test_the_expected_rows_come_out(case: Case, bench: Bench) -> None:
    assert set(contract(case.table).keys) <= {*case.columns, "game_date"}
    assert made_rows(case, bench) == expected_rows(case), case.what


def _breaks(case: Case, number: int, bench: Bench) -> None:
    sql = mutants(case)[number]
    assert to_duckdb(sql)
    assert made_rows(case, bench, sql) != expected_rows(case), case.breaks_if[number]


@pytest.mark.parametrize(("case", "number"), _faults("FM15", "FM16", "FM23"), ids=_name)
def test_FM05_FM15_FM16_FM23_a_fault_with_absence_zero_or_null_breaks_the_case(case: Case, number: int, bench: Bench) -> None:
    _breaks(case, number, bench)


@pytest.mark.parametrize(("case", "number"), _faults("FM25", "FM26", "FM31"), ids=_name)
def test_FM05_FM25_FM26_FM31_a_fault_in_a_window_a_trend_or_rest_breaks_the_case(case: Case, number: int, bench: Bench) -> None:
    _breaks(case, number, bench)


@pytest.mark.parametrize(("case", "number"), _faults("FM27", "FM28", "FM29", "FM35"), ids=_name)
def test_FM05_FM27_FM28_FM29_FM35_a_fault_in_a_rate_or_its_unit_breaks_the_case(case: Case, number: int, bench: Bench) -> None:
    _breaks(case, number, bench)


@pytest.mark.parametrize(("case", "number"), _faults("FM03", "FM04", "FM06", "FM38"), ids=_name)
def test_FM03_FM04_FM05_FM06_FM38_a_fault_with_lines_or_reports_breaks_the_case(case: Case, number: int, bench: Bench) -> None:
    _breaks(case, number, bench)


@pytest.mark.parametrize(("case", "number"), _faults("FM32", "FM33"), ids=_name)
def test_FM05_FM32_FM33_a_fault_with_sides_or_phases_breaks_the_case(case: Case, number: int, bench: Bench) -> None:
    _breaks(case, number, bench)


@pytest.mark.parametrize(("case", "number"), _faults(), ids=_name)
def test_FM05_any_other_fault_breaks_the_case(case: Case, number: int, bench: Bench) -> None:
    _breaks(case, number, bench)


def test_every_case_about_a_failure_mode_plants_it_in_a_test_that_names_it() -> None:
    assert {mode for case in all_cases() for mode in case.plants} <= GROUPED
    assert all(case.breaks_if for case in all_cases() if case.plants)


@pytest.mark.parametrize("table", [*SUMMARIES, *DATED])
def test_every_table_has_cases(table: str) -> None:
    assert sum(case.table == table for case in all_cases()) >= FEWEST_CASES


@pytest.mark.parametrize("table", [table for table in (*SUMMARIES, *DATED) if contract(table).quality])
def test_FM20_every_quality_column_takes_both_outcomes(table: str) -> None:
    """Each issue code is raised and not raised, and rows are ready and not ready, in what the cases expect."""
    rows = [row for case in all_cases() if case.table == table for row in case.expected]
    quality = contract(table).quality
    assert quality is not None
    raised = [set(row["quality_issues"].split()) for row in rows if "quality_issues" in row]
    for issue in quality.issues:
        assert any(issue.code in codes for codes in raised), f"no case raises {issue.code}"
        assert any(issue.code not in codes for codes in raised), f"every case raises {issue.code}"
    assert set().union(*raised) <= {issue.code for issue in quality.issues}
    assert {row["is_production_ready"] for row in rows if "is_production_ready" in row} == {"TRUE", "FALSE"}
