"""Macros that carry BigQuery's meaning where a rewrite in place would be unreadable."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import duckdb

# A macro is a textual expansion: an argument is written out as often as it is named. `typeof` is folded when the
# statement is bound, so branches for other types cost nothing; they must bind for every type, hence the detours
# through VARCHAR.
MACROS = r"""
-- Division by zero is an error, unless the dividend is NULL.
CREATE OR REPLACE MACRO bq_divide(a, b) AS
  CAST(a AS DOUBLE) / CASE WHEN b = 0 AND a IS NOT NULL THEN error('division by zero') ELSE CAST(b AS DOUBLE) END;
CREATE OR REPLACE MACRO bq_safe_divide(a, b) AS CAST(a AS DOUBLE) / nullif(CAST(b AS DOUBLE), 0e0);
CREATE OR REPLACE MACRO bq_ieee_divide(a, b) AS CAST(a AS DOUBLE) / CAST(b AS DOUBLE);
CREATE OR REPLACE MACRO bq_div(a, b) AS a // CASE WHEN b = 0 AND a IS NOT NULL THEN error('division by zero') ELSE b END;
CREATE OR REPLACE MACRO bq_mod(a, b) AS a % CASE WHEN b = 0 AND a IS NOT NULL THEN error('division by zero') ELSE b END;
CREATE OR REPLACE MACRO bq_pow(a, b) AS
  CASE WHEN CAST(a AS DOUBLE) = 0 AND CAST(b AS DOUBLE) < 0 THEN error('floating point error in POW')
       ELSE pow(CAST(a AS DOUBLE), CAST(b AS DOUBLE)) END;

-- ROUND to p = 10^n, halves away from zero, judged on the exact binary value: 2.675 is below the half, so 2.67.
-- x * p alone rounds to the half; then the digits of x itself decide, written out in full: a tie of 15 digits ends before the
-- 120th. The text is made for ties alone. Beyond 2^52 the neighbours of x are further apart than the digits asked for.
CREATE OR REPLACE MACRO bq_below_half(x, n) AS substr(split_part(printf('%.120f', abs(x)), '.', 2), CAST(n + 1 AS BIGINT), 1) < '5';
CREATE OR REPLACE MACRO bq_round_scaled(x, p, n) AS CASE
  WHEN abs(x * p) >= 4503599627370496e0 THEN x
  WHEN abs(x * p - trunc(x * p)) = 0.5e0 AND bq_below_half(x, n) THEN trunc(x * p) / p
  ELSE round(x * p) / p END;
CREATE OR REPLACE MACRO bq_round(x, n) AS
  CASE WHEN n >= 0 THEN bq_round_scaled(CAST(x AS DOUBLE), pow(10e0, n), n) ELSE round(x / pow(10e0, -n)) * pow(10e0, -n) END;
-- The same for long arguments, which are written out once only.
CREATE OR REPLACE MACRO bq_round_once(x, n) AS list_transform([CAST(x AS DOUBLE)], lambda v: bq_round(v, n))[1];

-- FLOAT64 to INT64 rounds halves away from zero (DuckDB: to even); a string must be a whole number.
CREATE OR REPLACE MACRO bq_int64(x) AS CASE
  WHEN typeof(x) IN ('DOUBLE', 'FLOAT') THEN CAST(round(CAST(x AS DOUBLE)) AS BIGINT)
  WHEN typeof(x) = 'VARCHAR' AND NOT regexp_full_match(CAST(x AS VARCHAR), '\s*[+-]?[0-9]+\s*')
    THEN CAST(error('Bad int64 value: ' || CAST(x AS VARCHAR)) AS BIGINT)
  ELSE CAST(x AS BIGINT) END;
CREATE OR REPLACE MACRO bq_safe_int64(x) AS CASE
  WHEN typeof(x) IN ('DOUBLE', 'FLOAT') THEN TRY_CAST(round(CAST(x AS DOUBLE)) AS BIGINT)
  WHEN typeof(x) = 'VARCHAR' AND NOT regexp_full_match(CAST(x AS VARCHAR), '\s*[+-]?[0-9]+\s*') THEN NULL
  ELSE TRY_CAST(x AS BIGINT) END;
-- Text becomes a number, a truth or a date only in BigQuery's spelling; DuckDB reads 1_000, 't' and 2024/01/05 too.
CREATE OR REPLACE MACRO bq_misspelt(x, pattern) AS typeof(x) = 'VARCHAR' AND NOT regexp_full_match(CAST(x AS VARCHAR), pattern);
CREATE OR REPLACE MACRO bq_float64(x) AS
  CASE WHEN bq_misspelt(x, '[^_]*') THEN CAST(error('Bad double value: ' || CAST(x AS VARCHAR)) AS DOUBLE) ELSE CAST(x AS DOUBLE) END;
CREATE OR REPLACE MACRO bq_safe_float64(x) AS CASE WHEN bq_misspelt(x, '[^_]*') THEN NULL ELSE TRY_CAST(x AS DOUBLE) END;
CREATE OR REPLACE MACRO bq_bool(x) AS CASE
  WHEN bq_misspelt(x, '(?i)true|false') THEN CAST(error('Bad bool value: ' || CAST(x AS VARCHAR)) AS BOOLEAN)
  ELSE CAST(x AS BOOLEAN) END;
CREATE OR REPLACE MACRO bq_safe_bool(x) AS CASE WHEN bq_misspelt(x, '(?i)true|false') THEN NULL ELSE TRY_CAST(x AS BOOLEAN) END;
CREATE OR REPLACE MACRO bq_date(x) AS CASE
  WHEN bq_misspelt(x, '[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}') THEN CAST(error('Invalid date: ' || CAST(x AS VARCHAR)) AS DATE)
  ELSE CAST(x AS DATE) END;
CREATE OR REPLACE MACRO bq_safe_date(x) AS
  CASE WHEN bq_misspelt(x, '[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}') THEN NULL ELSE TRY_CAST(x AS DATE) END;

-- FLOAT64 as text: 15 digits when they suffice, else 17; whole numbers without a point.
CREATE OR REPLACE MACRO bq_float64_text(d) AS CASE
  WHEN d = 0 THEN '0'
  WHEN isnan(d) THEN 'nan'
  WHEN isinf(d) THEN CASE WHEN d > 0 THEN 'inf' ELSE '-inf' END
  WHEN CAST(printf('%.15g', d) AS DOUBLE) = d THEN printf('%.15g', d)
  ELSE printf('%.17g', d) END;
-- Fractions of a second in groups of three digits.
CREATE OR REPLACE MACRO bq_fraction_text(t) AS CASE
  WHEN epoch_us(t) % 1000000 = 0 THEN ''
  WHEN epoch_us(t) % 1000 = 0 THEN strftime(t, '.%g')
  ELSE strftime(t, '.%f') END;
CREATE OR REPLACE MACRO bq_timestamp_text(t) AS strftime(t, '%Y-%m-%d %H:%M:%S') || bq_fraction_text(t) || '+00';
CREATE OR REPLACE MACRO bq_string(x) AS CASE
  WHEN typeof(x) IN ('DOUBLE', 'FLOAT') THEN bq_float64_text(CAST(CAST(x AS VARCHAR) AS DOUBLE))
  WHEN typeof(x) = 'TIMESTAMP WITH TIME ZONE' THEN bq_timestamp_text(CAST(CAST(x AS VARCHAR) AS TIMESTAMPTZ))
  ELSE CAST(x AS VARCHAR) END;

CREATE OR REPLACE MACRO bq_json_float64(d) AS CASE
  WHEN d IS NULL THEN 'null'
  WHEN isnan(d) THEN '"NaN"'
  WHEN isinf(d) THEN CASE WHEN d > 0 THEN '"Infinity"' ELSE '"-Infinity"' END
  ELSE bq_float64_text(d) END;
CREATE OR REPLACE MACRO bq_json_int64(i) AS
  CASE WHEN i BETWEEN -9007199254740992 AND 9007199254740992 THEN CAST(i AS VARCHAR) ELSE '"' || CAST(i AS VARCHAR) || '"' END;
CREATE OR REPLACE MACRO bq_json_timestamp(t) AS '"' || strftime(t, '%Y-%m-%dT%H:%M:%S') || bq_fraction_text(t) || 'Z"';
-- Scalars and arrays of scalars exactly; other nested values only where DuckDB writes the same text.
CREATE OR REPLACE MACRO bq_json(x) AS CASE
  WHEN x IS NULL THEN 'null'
  WHEN typeof(x) IN ('DOUBLE', 'FLOAT') THEN bq_json_float64(CAST(CAST(x AS VARCHAR) AS DOUBLE))
  WHEN typeof(x) = 'BIGINT' THEN bq_json_int64(CAST(CAST(x AS VARCHAR) AS BIGINT))
  WHEN typeof(x) = 'TIMESTAMP WITH TIME ZONE' THEN bq_json_timestamp(CAST(CAST(x AS VARCHAR) AS TIMESTAMPTZ))
  WHEN typeof(x) = 'DOUBLE[]'
    THEN '[' || array_to_string(list_transform(CAST(CAST(x AS VARCHAR) AS DOUBLE[]), lambda v: bq_json_float64(v)), ',') || ']'
  WHEN typeof(x) = 'TIMESTAMP WITH TIME ZONE[]'
    THEN '[' || array_to_string(
      list_transform(CAST(CAST(x AS VARCHAR) AS TIMESTAMPTZ[]), lambda v: coalesce(bq_json_timestamp(v), 'null')), ',') || ']'
  WHEN typeof(x) LIKE '%TIMESTAMP%' OR typeof(x) LIKE '%DOUBLE%'
    THEN error('TO_JSON_STRING of a nested FLOAT64 or TIMESTAMP: write TO_JSON_STRING(STRUCT(...)) with the fields spelled out')
  ELSE CAST(to_json(x) AS VARCHAR) END;
CREATE OR REPLACE MACRO bq_json_value(s, path) AS CASE
  WHEN NOT json_valid(s) OR json_type(s, path) IN ('OBJECT', 'ARRAY', 'NULL') THEN NULL
  ELSE json_extract_string(s, path) END;

-- Position 0 is 1, a position before the start is the start.
CREATE OR REPLACE MACRO bq_substr_start(s, p) AS CASE WHEN p > 0 THEN p WHEN p = 0 THEN 1 ELSE greatest(length(s) + p + 1, 1) END;
CREATE OR REPLACE MACRO bq_substr(s, p) AS substr(s, bq_substr_start(s, p)),
  (s, p, n) AS substr(s, bq_substr_start(s, p), CASE WHEN n < 0 THEN error('negative length in SUBSTR') ELSE n END);
CREATE OR REPLACE MACRO bq_regexp_extract(s, p, g) AS CASE WHEN regexp_matches(s, p) THEN regexp_extract(s, p, g) END;
CREATE OR REPLACE MACRO bq_array_to_string(a, sep) AS array_to_string(list_filter(a, lambda v: v IS NOT NULL), sep),
  (a, sep, instead) AS array_to_string(list_transform(a, lambda v: coalesce(v, instead)), sep);

-- An element beyond either end is NULL; DuckDB would count a negative one from the end.
CREATE OR REPLACE MACRO bq_at(a, i) AS CASE WHEN i >= 0 THEN list_extract(a, i + 1) END;
-- NULL where the answer is unknown; a NULL array is empty.
CREATE OR REPLACE MACRO bq_in(x, a) AS CASE
  WHEN coalesce(len(a), 0) = 0 THEN FALSE
  WHEN x IS NULL THEN NULL
  WHEN list_contains(a, x) THEN TRUE
  WHEN len(list_filter(a, lambda v: v IS NULL)) > 0 THEN NULL
  ELSE FALSE END;
CREATE OR REPLACE MACRO bq_range_bucket(p, a) AS CASE WHEN p IS NOT NULL THEN len(list_filter(a, lambda v: v <= p)) END;

-- Days and weeks. Weekday 0 is Sunday; 1970-01-01 was a Thursday (4).
CREATE OR REPLACE MACRO bq_unix_date(d) AS date_diff('day', DATE '1970-01-01', CAST(d AS DATE));
CREATE OR REPLACE MACRO bq_week_number(d, weekday) AS CAST(floor((bq_unix_date(d) + 4 - weekday) / 7) AS BIGINT);
CREATE OR REPLACE MACRO bq_trunc(unit, d) AS cast_to_type(date_trunc(unit, d), d);
CREATE OR REPLACE MACRO bq_trunc_week(d, weekday) AS
  cast_to_type(date_trunc('day', d) - to_days(CAST((dayofweek(d) - weekday + 7) % 7 AS INTEGER)), d);
CREATE OR REPLACE MACRO bq_floor_div(n, size) AS CAST(floor(n / size) AS BIGINT);
CREATE OR REPLACE MACRO bq_date_array(a, b, step) AS CAST(generate_series(CAST(a AS TIMESTAMP), CAST(b AS TIMESTAMP), step) AS DATE[]);
"""


def prepare_connection(connection: duckdb.DuckDBPyConnection) -> None:
    """Create the macros and set UTC and IEEE division, for this connection and every cursor made from it.

    On a database in memory the macros live beside the tables, where cursors see them. On a database file they are
    temporary, so that the file stays as it is: each cursor must then be prepared itself.
    """
    row = connection.execute("SELECT path IS NULL FROM duckdb_databases() WHERE database_name = current_database()").fetchone()
    in_memory = bool(row and row[0])
    connection.execute("SET GLOBAL TimeZone = 'UTC'; SET TimeZone = 'UTC'; SET ieee_floating_point_ops = true")
    connection.execute(MACROS if in_memory else MACROS.replace("CREATE OR REPLACE MACRO", "CREATE OR REPLACE TEMP MACRO"))
