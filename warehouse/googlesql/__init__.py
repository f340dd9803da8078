"""GoogleSQL on DuckDB: one statement in BigQuery's meaning, written as DuckDB's SQL.

`to_duckdb` parses the statement, rewrites what the two engines read differently and refuses what lies outside the
portable subset. `prepare_connection` gives a connection the macros the result calls and the time zone it assumes.
What cannot be made equal is listed in `docs/googlesql.md`, each point with a test.
"""

from __future__ import annotations

from warehouse.googlesql.macros import MACROS, prepare_connection
from warehouse.googlesql.translate import parameter_names, placed, table_names, to_duckdb, translation

__all__ = ["MACROS", "parameter_names", "placed", "prepare_connection", "table_names", "to_duckdb", "translation"]
