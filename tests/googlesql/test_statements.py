"""Names, parameters, replacements, DDL and speed: what surrounds the meaning of expressions."""

from __future__ import annotations

import time
from pathlib import Path

import duckdb
import pytest

from tests.googlesql import compare
from tests.googlesql.long_statement import long_statement
from warehouse.googlesql import parameter_names, prepare_connection, table_names, to_duckdb
from warehouse.googlesql.registry import AGGREGATES, FUNCTIONS, REFUSED
from warehouse.googlesql.translate import translation

SECONDS_FOR_A_LONG_STATEMENT = 1.0


@pytest.fixture
def connection() -> duckdb.DuckDBPyConnection:
    prepared = duckdb.connect()
    prepare_connection(prepared)
    prepared.execute(
        "CREATE SCHEMA ds; CREATE TABLE ds.t AS SELECT 1::BIGINT AS a, 'x' AS b; CREATE TABLE other AS SELECT 2::BIGINT AS a, 'y' AS b"
    )
    return prepared


def test_table_names_leave_out_ctes_and_projects() -> None:
    sql = """
      WITH c AS (SELECT * FROM `my-project.ds.t`), d AS (SELECT a FROM my-project.ds.u JOIN c USING (a))
      SELECT * FROM d WHERE a IN (SELECT a FROM ds.v) AND EXISTS (SELECT 1 FROM UNNEST([1]) AS x, `ds.w`)
    """
    assert table_names(sql) == {"ds.t", "ds.u", "ds.v", "ds.w"}


def test_table_names_of_a_create_are_what_it_reads() -> None:
    assert table_names("CREATE OR REPLACE VIEW ds.v AS SELECT a FROM ds.t") == {"ds.t"}
    assert table_names("CREATE TABLE ds.t (a INT64)") == frozenset()


def test_parameter_names() -> None:
    assert parameter_names("SELECT @start_date, DATE_ADD(@start_date, INTERVAL @days DAY)") == {"start_date", "days"}
    assert "@" not in to_duckdb("SELECT @start_date")


def test_projects_are_dropped(connection: duckdb.DuckDBPyConnection) -> None:
    for name in ("ds.t", "`ds.t`", "`my-project.ds.t`", "my-project.ds.t", "`my-project`.ds.t", "`my-project`.`ds`.`t`"):
        assert connection.execute(to_duckdb(f"SELECT t.a, b FROM {name}")).fetchall() == [(1, "x")]


def test_replacements_keep_the_names_columns_are_addressed_by(connection: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    path = tmp_path / "rows.parquet"
    connection.execute(f"COPY (SELECT 3::BIGINT AS a, 'z' AS b) TO '{path}' (FORMAT parquet)")
    for replacement, row in (("other", (2, "y")), ("main.other", (2, "y")), (f"read_parquet('{path}')", (3, "z"))):
        for sql in ("SELECT t.a, b FROM ds.t", "SELECT s.a, s.b FROM `p.ds.t` AS s", "SELECT a, b FROM (SELECT * FROM ds.t)"):
            assert connection.execute(to_duckdb(sql, {"ds.t": replacement})).fetchall() == [row]
            assert connection.execute(to_duckdb(sql, (("ds.t", replacement),))).fetchall() == [row]
    assert connection.execute(to_duckdb("WITH t AS (SELECT 9 AS a) SELECT a FROM t", {"ds.t": "other"})).fetchall() == [(9,)]


def test_create_table_keeps_types_and_not_null(connection: duckdb.DuckDBPyConnection) -> None:
    sql = """
      CREATE TABLE IF NOT EXISTS `my-project.ds.made` (
        id INT64 NOT NULL OPTIONS (description = 'a key'),
        day DATE NOT NULL,
        at TIMESTAMP,
        x FLOAT64,
        ok BOOL,
        names ARRAY<STRING> OPTIONS (description = 'names'),
        parts ARRAY<STRUCT<code STRING OPTIONS (description = 'c'), weight FLOAT64 NOT NULL>>,
        PRIMARY KEY (id) NOT ENFORCED
      )
      PARTITION BY day
      CLUSTER BY id, ok
      OPTIONS (description = 'a table', require_partition_filter = TRUE)
    """
    connection.execute(to_duckdb(sql))
    described = connection.execute("DESCRIBE ds.made").fetchall()
    assert [(name, kind.replace('"', ""), null) for name, kind, null, *_ in described] == [
        ("id", "BIGINT", "NO"),
        ("day", "DATE", "NO"),
        ("at", "TIMESTAMP WITH TIME ZONE", "YES"),
        ("x", "DOUBLE", "YES"),
        ("ok", "BOOLEAN", "YES"),
        ("names", "VARCHAR[]", "YES"),
        ("parts", "STRUCT(code VARCHAR, weight DOUBLE)[]", "YES"),
    ]


def test_create_view_and_table_as_select(connection: duckdb.DuckDBPyConnection) -> None:
    connection.execute(
        to_duckdb(
            "CREATE OR REPLACE VIEW ds.v (n OPTIONS (description = 'n')) OPTIONS (description = 'v') AS SELECT COUNTIF(a > 0) FROM ds.t"
        )
    )
    connection.execute(to_duckdb("CREATE OR REPLACE TABLE ds.w AS SELECT SUM(a) AS s FROM ds.t"))
    assert connection.execute("SELECT n FROM ds.v").fetchall() == [(1,)]
    assert connection.execute("SELECT s, typeof(s) FROM ds.w").fetchall() == [(1, "BIGINT")]


def test_cursors_of_a_database_in_memory_need_no_preparation() -> None:
    prepared = duckdb.connect()
    prepare_connection(prepared)
    sql = to_duckdb("SELECT DATE(TIMESTAMP '2024-01-01 23:30:00'), ROUND(2.675, 2)")
    assert prepared.cursor().execute(sql).fetchone() == prepared.execute(sql).fetchone()
    assert prepared.cursor().execute("SELECT current_setting('TimeZone')").fetchone() == ("UTC",)


def test_a_database_file_is_left_without_macros(tmp_path: Path) -> None:
    path = str(tmp_path / "tables.duckdb")
    with duckdb.connect(path) as writer:
        prepare_connection(writer)
        assert writer.execute(to_duckdb("SELECT ROUND(2.675, 2)")).fetchone() == (2.67,)
    with duckdb.connect(path, read_only=True) as reader:
        with pytest.raises(duckdb.Error):
            reader.execute(to_duckdb("SELECT ROUND(2.675, 2)"))
        prepare_connection(reader)
        assert reader.execute(to_duckdb("SELECT ROUND(2.675, 2)")).fetchone() == (2.67,)


def test_every_function_has_a_case() -> None:
    """A function that is translated and compared nowhere is a guess."""
    text = " ".join(case.sql.upper() for case in compare.load_cases())
    missing = {name for name in {*FUNCTIONS, *AGGREGATES} if f"{name}(" not in text}
    assert not missing


def test_no_function_is_both_translated_and_refused() -> None:
    assert not {*FUNCTIONS, *AGGREGATES} & set(REFUSED)
    assert not set(FUNCTIONS) & set(AGGREGATES)


def test_a_long_statement_is_translated_within_a_second() -> None:
    sql = long_statement(200)
    assert len(sql.splitlines()) > 1000
    translation.cache_clear()
    started = time.process_time()
    first = to_duckdb(sql)
    assert time.process_time() - started < SECONDS_FOR_A_LONG_STATEMENT
    started = time.process_time()
    assert to_duckdb(sql) is first
    assert time.process_time() - started < 0.01
