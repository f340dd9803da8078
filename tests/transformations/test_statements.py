"""Every rendered statement is what BigQuery accepts and what its contract says, column by column and type by type."""

from __future__ import annotations

import re

import pytest

from schemas.contracts import Column, contract, load_contracts
from tests.googlesql import analyser
from tests.googlesql.analyser import InvalidGoogleSQLError, analyse, output_columns
from tests.transformations.workbench import SLATE, SQL_TABLES, STORE
from transformations.render import body, built_tables, definition_version, statement, table_definition
from warehouse.googlesql import parameter_names, table_names, to_duckdb

PARAMETERS = {
    "start_date": "DATE",
    "end_date": "DATE",
    "as_of_date": "DATE",
    "as_of": "TIMESTAMP",
    "processed_at": "TIMESTAMP",
    "cutoff_minutes": "INT64",
    "run_id": "STRING",
    "code_version": "STRING",
    "definition_version": "STRING",
    "computation_duration_ms": "FLOAT64",
}
needs_analyser = pytest.mark.skipif(analyser.available() is not None, reason=analyser.available() or "")


def _contracted(column: Column) -> tuple[str, str]:
    return column.name, column.sql_type


@needs_analyser
@pytest.mark.parametrize("table", SQL_TABLES)
def test_every_statement_is_valid_googlesql_with_the_columns_and_types_of_its_contract(table: str) -> None:
    assert output_columns(statement(table), PARAMETERS) == [_contracted(column) for column in contract(table).columns]


@needs_analyser
@pytest.mark.parametrize(
    ("sound", "wrong"),
    [
        ("a.days_rest = 0 AS back_to_back", "a.days_resting = 0 AS back_to_back"),
        ("nba_raw.odds_game_lines", "nba_raw.odds_of_games"),
        ("@cutoff_minutes", "@cutoff_hours"),
        ("LEAST(@as_of, ", "LEAST(@as_of_date, "),
        ("UNIX_DATE(game_date) RANGE", "game_date RANGE"),
    ],
)
def test_FM05_a_planted_invalid_statement_is_refused(sound: str, wrong: str) -> None:
    sql = statement(SLATE)
    assert sound in sql
    with pytest.raises(InvalidGoogleSQLError):
        analyse(sql.replace(sound, wrong), PARAMETERS)


@needs_analyser
def test_FM05_a_column_of_another_type_or_name_is_seen() -> None:
    sql = statement(SLATE)
    wanted = [_contracted(column) for column in contract(SLATE).columns]
    assert output_columns(sql.replace("* 1.0 AS quality_score", "AS quality_score"), PARAMETERS) != wanted
    assert output_columns(f"SELECT * EXCEPT (spread) FROM ({sql})", PARAMETERS) != wanted


@pytest.mark.parametrize("table", SQL_TABLES)
def test_every_statement_translates_and_names_only_known_parameters_and_tables(table: str) -> None:
    sql = statement(table)
    assert parameter_names(sql) <= set(PARAMETERS)
    assert set(table_names(sql)) == set(contract(table).reads)
    assert set(re.findall(r"\$(\w+)", to_duckdb(sql))) == parameter_names(sql)


def test_tables_are_built_after_what_they_read() -> None:
    order = list(built_tables())
    assert STORE in order
    for table in order:
        assert all(order.index(read) < order.index(table) for read in contract(table).reads if read in order)
    assert sorted(SQL_TABLES) == sorted(name for name, spec in load_contracts().items() if spec.built_by == "sql")


def test_each_table_has_a_definition_of_its_own_and_no_template_is_left() -> None:
    assert len({table_definition(table) for table in built_tables()}) == len(built_tables())
    assert len({definition_version(), *map(table_definition, built_tables())}) == len(built_tables()) + 1
    assert all("{{" not in body(table) and "{%" not in body(table) for table in SQL_TABLES)
