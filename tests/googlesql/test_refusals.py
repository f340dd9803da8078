"""What lies outside the portable subset is refused, with the construct and its line."""

from __future__ import annotations

import pytest

from schemas.errors import DefinitionError
from warehouse.googlesql import to_duckdb
from warehouse.googlesql.registry import REFUSED

REFUSALS = {
    # statements
    "DECLARE x INT64": "scripting",
    "SET x = 1": "scripting",
    "BEGIN SELECT 1; END": "cannot be parsed|scripting",
    "IF TRUE THEN SELECT 1; END IF": "cannot be parsed|scripting",
    "SELECT 1; SELECT 2": "more than one statement (line 1)",
    "EXECUTE IMMEDIATE 'SELECT 1'": "scripting|cannot be parsed",
    "CALL p()": "scripting",
    "INSERT INTO ds.t SELECT 1": "INSERT",
    "DELETE FROM ds.t WHERE TRUE": "DELETE",
    "UPDATE ds.t SET a = 1 WHERE TRUE": "UPDATE",
    "MERGE ds.t AS t USING ds.u AS u ON t.a = u.a WHEN NOT MATCHED THEN INSERT ROW": "MERGE|cannot be parsed",
    "ALTER TABLE ds.t ADD COLUMN a INT64": "ALTER",
    "DROP TABLE ds.t": "DROP",
    "TRUNCATE TABLE ds.t": "scripting",
    "CREATE TEMP TABLE t AS SELECT 1 AS a": "CREATE TABLE with",
    "CREATE MATERIALIZED VIEW ds.v AS SELECT 1 AS a": "CREATE VIEW with",
    "CREATE FUNCTION ds.f(x INT64) AS (x + 1)": "CREATE FUNCTION",
    "CREATE TABLE ds.t CLONE ds.u": "CLONE",
    "CREATE TABLE ds.t (a INT64 DEFAULT 1)": "column constraint",
    "": "an empty GoogleSQL statement",
    "SELECT FROM WHERE": "cannot be parsed",
    "SELECT 'unfinished": "cannot be parsed",
    # the clock, chance, and who asks
    "SELECT\n  CURRENT_DATE()": "CURRENT_DATE (line 2)",
    "SELECT\n  a,\n  CURRENT_TIMESTAMP AS now\nFROM ds.t": "CURRENT_TIMESTAMP (line 3)",
    "SELECT CURRENT_DATE('America/New_York')": "CURRENT_DATE",
    "SELECT CURRENT_DATETIME()": "CURRENT_DATETIME",
    "SELECT CURRENT_TIME()": "CURRENT_TIME",
    "SELECT RAND()": "RAND",
    "SELECT GENERATE_UUID()": "GENERATE_UUID",
    "SELECT SESSION_USER()": "SESSION_USER",
    "SELECT @@project_id": "system variable",
    # tables
    "SELECT * FROM ds.INFORMATION_SCHEMA.TABLES": "INFORMATION_SCHEMA (line 1)",
    "SELECT * FROM `p.ds.INFORMATION_SCHEMA.COLUMNS`": "INFORMATION_SCHEMA",
    "SELECT * FROM ds.t TABLESAMPLE SYSTEM (10 PERCENT)": "TABLESAMPLE",
    "SELECT * FROM ds.t FOR SYSTEM_TIME AS OF TIMESTAMP '2024-01-01'": "VERSION",
    "SELECT * FROM ds.t, UNNEST(items) AS x": "SELECT * over UNNEST of a column",
    "SELECT * FROM UNNEST(ARRAY(SELECT AS STRUCT a FROM ds.t))": "SELECT * over UNNEST of a column or subquery",
    "SELECT * FROM UNNEST([STRUCT(1 AS a)]) AS e WITH OFFSET AS o": "structs WITH OFFSET",
    "SELECT * FROM EXTERNAL_QUERY('c', 'SELECT 1')": "table function|function",
    "WITH RECURSIVE c AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM c) SELECT n FROM c": "WITH RECURSIVE",
    "SELECT * FROM (SELECT k, x FROM ds.t) PIVOT (SUM(x) AS s, COUNT(x) AS n FOR k IN ('a'))": "PIVOT with several aggregates",
    "SELECT * FROM (SELECT k, x FROM ds.t) PIVOT (ARRAY_AGG(x) FOR k IN ('a'))": "PIVOT with ARRAY_AGG",
    "SELECT * FROM ds.t UNPIVOT ((v, w) FOR n IN ((a, b)))": "UNPIVOT",
    # arrays and structs
    "SELECT STRUCT(1, 2)": "STRUCT with an unnamed field",
    "SELECT STRUCT(a + 1) FROM ds.t": "STRUCT with an unnamed field",
    "SELECT [(1, 2)]": "STRUCT with an unnamed field",
    "SELECT [STRUCT(1 AS a), (2, 3)]": "different lengths",
    "SELECT [STRUCT(1 AS a), x] FROM ds.t": "mixes structs",
    "SELECT xs[OFFSET(0)] FROM ds.t": "array[OFFSET(i)]",
    "SELECT xs[ORDINAL(1)] FROM ds.t": "array[ORDINAL(i)]",
    "SELECT\n\n xs[0] FROM ds.t": "array[i] (line 3)",
    "SELECT ARRAY(SELECT AS STRUCT * FROM ds.t)": "SELECT AS STRUCT *",
    "SELECT ARRAY(SELECT a, b FROM ds.t)": "more than one column",
    "SELECT ARRAY(SELECT DISTINCT a FROM ds.t ORDER BY b)": "DISTINCT",
    "SELECT AS VALUE STRUCT(1 AS a)": "SELECT AS VALUE",
    # functions
    "SELECT FARM_FINGERPRINT('a')": "FARM_FINGERPRINT",
    "SELECT MAX_BY(a, b) FROM ds.t": "MAX_BY",
    "SELECT MIN_BY(a, b) FROM ds.t": "MIN_BY",
    "SELECT APPROX_QUANTILES(a, 2) FROM ds.t": "APPROX_QUANTILES",
    "SELECT APPROX_COUNT_DISTINCT(a) FROM ds.t": "APPROX_COUNT_DISTINCT",
    "SELECT\n  a,\n  SOUNDEX(b)\nFROM ds.t": "function SOUNDEX (line 3)",
    "SELECT ds.my_function(1)": "MY_FUNCTION",
    "SELECT NET.HOST('x')": "NET",
    "SELECT ROUND(1, 2, 'ROUND_HALF_EVEN')": "ROUND with 3 arguments",
    "SELECT TRUNC(x, 2) FROM ds.t": "TRUNC with digits",
    "SELECT NORMALIZE('x', NFD)": "NORMALIZE",
    "SELECT FORMAT('%t', a) FROM ds.t": "FORMAT with %t",
    "SELECT FORMAT(f, a) FROM ds.t": "FORMAT with a pattern",
    "SELECT FORMAT('%d %d', a) FROM ds.t": "2 placeholders and 1 values",
    "SELECT FORMAT_DATE('%Q', a) FROM ds.t": "%Q",
    "SELECT PARSE_DATE('%F', a) FROM ds.t": "%F",
    "SELECT REGEXP_EXTRACT(a, r'(b)(c)') FROM ds.t": "more than one group",
    "SELECT REGEXP_EXTRACT(a, b) FROM ds.t": "pattern that is no literal",
    "SELECT JSON_QUERY(a, '$.b') FROM ds.t": "JSON_QUERY",
    "SELECT JSON_VALUE(a, b) FROM ds.t": "path that is no literal",
    "SELECT DATE_DIFF(a, b, HOUR) FROM ds.t": "DATE_DIFF in HOUR",
    "SELECT DATE_TRUNC(a, CENTURY) FROM ds.t": "DATE_TRUNC to CENTURY",
    "SELECT DATE_TRUNC(a, WEEK(FUNDAY)) FROM ds.t": "WEEK(FUNDAY)",
    "SELECT DATE_ADD(a, INTERVAL 1 HOUR) FROM ds.t": "DATE_ADD by HOUR",
    "SELECT DATE_ADD(a, 1) FROM ds.t": "DATE_ADD without INTERVAL",
    "SELECT TIMESTAMP_ADD(a, INTERVAL 1 MONTH) FROM ds.t": "TIMESTAMP_ADD by MONTH",
    "SELECT TIMESTAMP_DIFF(a, b, MONTH) FROM ds.t": "TIMESTAMP_DIFF in MONTH",
    "SELECT EXTRACT(TIME FROM a) FROM ds.t": "EXTRACT(TIME)",
    "SELECT COUNTIF(DISTINCT a) FROM ds.t": "COUNTIF(DISTINCT",
    "SELECT COUNT(DISTINCT a, b) FROM ds.t": "several DISTINCT",
    "SELECT SUM(a ORDER BY b) FROM ds.t": "SUM with ORDER BY",
    "SELECT ARRAY_AGG(a HAVING MAX b) FROM ds.t": "ARRAY_AGG with HAVING",
    "SELECT LAG(a IGNORE NULLS) OVER (ORDER BY b) FROM ds.t": "LAG with IGNORE NULLS",
    "SELECT LOWER(a) OVER (ORDER BY b) FROM ds.t": "OVER",
    "SELECT CAST(a AS NUMERIC) FROM ds.t": "CAST to DECIMAL",
    "SELECT CAST(a AS BYTES) FROM ds.t": "CAST to BINARY",
    "SELECT CAST(a AS DATE FORMAT 'YYYY') FROM ds.t": "STRTODATE",
    "SELECT b'bytes'": "BYTESTRING",
    "SELECT 0x1F": "HEXSTRING",
    "SELECT 1e15+0.3": "the number 1e15+0.3",
}


@pytest.mark.parametrize("sql", REFUSALS, ids=lambda sql: sql.replace("\n", " ") or "empty")
def test_outside_the_subset_is_refused(sql: str) -> None:
    with pytest.raises(DefinitionError) as refused:
        to_duckdb(sql)
    assert any(wanted in refused.value.line() for wanted in REFUSALS[sql].split("|")), refused.value.line()


def test_every_refused_function_says_what_to_do() -> None:
    for name, hint in REFUSED.items():
        assert hint, name
        with pytest.raises(DefinitionError) as refused:
            to_duckdb(f"SELECT {name}(x) FROM ds.t")
        assert refused.value.hint == hint
        assert name in refused.value.values[0]


def test_a_quoted_column_named_like_a_clock_is_a_column() -> None:
    assert '"current_date"' in to_duckdb("SELECT `current_date` FROM ds.t")
    assert '"current_date"' in to_duckdb("SELECT t.current_date FROM ds.t AS t")
