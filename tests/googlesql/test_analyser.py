"""Google's analyser, set up as the tests of the SQL need it."""

from __future__ import annotations

import pytest

from schemas.contracts import load_contracts
from tests.googlesql import analyser
from tests.googlesql.analyser import InvalidGoogleSQLError, analyse
from tests.googlesql.long_statement import long_statement

pytestmark = pytest.mark.skipif(analyser.available() is not None, reason=analyser.available() or "")


def test_every_contract_is_in_the_catalogue() -> None:
    for contract in load_contracts().values():
        columns = ", ".join(f"`{name}`" for name in contract.column_names)
        analyse(f"SELECT {columns} FROM {contract.name}")


def test_unknown_names_are_refused() -> None:
    for sql in (
        "SELECT nothing_of_the_kind FROM nba_raw.schedule",
        "SELECT 1 FROM nba_raw.nothing_of_the_kind",
        "SELECT NOTHING_OF_THE_KIND(1)",
    ):
        with pytest.raises(InvalidGoogleSQLError) as refused:
            analyse(sql)
        assert "nothing_of_the_kind" in refused.value.line().lower()


def test_what_bigquery_rejects_and_duckdb_accepts_is_refused() -> None:
    for sql in (
        "SELECT SUM(x) OVER (ORDER BY d RANGE BETWEEN 7 PRECEDING AND CURRENT ROW) FROM UNNEST([STRUCT(1 AS x, DATE '2024-01-01' AS d)])",
        "SELECT 1 = 'a'",
        "SELECT x FROM UNNEST([1]) AS x GROUP BY ALL QUALIFY TRUE HAVING TRUE",
        "SELECT FORMAT('%d', 1.5)",
        "SELECT CAST(DATE '2024-01-01' AS INT64)",
    ):
        with pytest.raises(InvalidGoogleSQLError):
            analyse(sql)


def test_projects_parameters_and_ddl() -> None:
    analyse("SELECT game_id FROM `my-project.nba_raw.schedule` WHERE game_date BETWEEN @start_date AND @end_date")
    analyse("SELECT DATE_ADD(@start_date, INTERVAL 1 DAY)", {"start_date": "DATE"})
    analyse("SELECT x FROM UNNEST(@names) AS x", {"names": "ARRAY<STRING>"})
    analyse("CREATE OR REPLACE VIEW nba_raw.v AS SELECT game_id FROM nba_raw.schedule")
    analyse("CREATE TABLE nba_raw.t (a INT64 NOT NULL OPTIONS (description = 'x'), d DATE) PARTITION BY d CLUSTER BY a")
    with pytest.raises(InvalidGoogleSQLError):
        analyse("SELECT DATE_ADD(@start_date, INTERVAL 1 DAY)", {"end_date": "DATE"})
    with pytest.raises(InvalidGoogleSQLError):
        analyse("SELECT DATE_ADD(@start_date, INTERVAL 1 DAY)", {"start_date": "FLOAT64"})


def test_the_long_statement_is_valid_googlesql() -> None:
    analyse(long_statement(200))
