"""Run GoogleSQL scripts on DuckDB: queries through the project's adapter, DML and DDL by the plain translation."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import duckdb
import pyarrow as pa
import sqlglot
from sqlglot import exp

from schemas.errors import FeatureStoreError
from tests.bigquery.stand_in.values import arrow_type, parameter
from warehouse.googlesql import to_duckdb

ENGINE_MACROS = """
CREATE OR REPLACE MACRO farm_fingerprint(x) AS CAST(CAST(hash(x) % 9223372036854775807 AS UBIGINT) AS BIGINT);
"""


# The engine's own statements; the adapter refuses what no transformation may use.
ENGINE_SIGNS = ("FARM_FINGERPRINT", "CURRENT_TIMESTAMP", "UNNEST(@p")


class RefusedError(Exception):
    """The service's answer to what it will not do."""

    def __init__(self, code: int, reason: str, message: str) -> None:
        super().__init__(message)
        self.code, self.reason, self.message = code, reason, message


@dataclass
class Filtered:
    """Tables that need a filter on their partition column, by `dataset.table`."""

    columns: dict[str, str] = field(default_factory=dict)


def _conjuncts(node: exp.Expression | None) -> list[exp.Expression]:
    if node is None:
        return []
    return [part.unnest() for part in (node.flatten() if isinstance(node, exp.And) else [node])]


def _is_filter(condition: exp.Expression, column: str, table: str) -> bool:
    """TRUE for a comparison of the column with what can be told before the query runs."""
    if not isinstance(condition, (exp.Between, exp.GT, exp.GTE, exp.LT, exp.LTE, exp.EQ, exp.In)):
        return False
    sides = [part for name, part in condition.args.items() if isinstance(part, exp.Expression) and name != "negated"]
    mine = [s for s in sides if isinstance(s, exp.Column) and s.name == column and s.table in ("", table)]
    return bool(mine) and not any(part.find(exp.Column) for part in sides if part is not mine[0])


def unfiltered(root: exp.Expression, filtered: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Yield the tables, and their partition columns, that a statement reads without naming dates."""
    # A view names no dates: whoever reads it does.
    for select in () if isinstance(root, exp.Create) else root.find_all(exp.Select, exp.Delete):
        start = select.args.get("from_") or select.args.get("from")
        joins = select.args.get("joins") or []
        sources = [select.this] if isinstance(select, exp.Delete) else [*([start.this] if start else []), *(join.this for join in joins)]
        where = select.args.get("where")
        conditions = _conjuncts(where.this if where else None)
        for join in joins:
            conditions += _conjuncts(join.args.get("on"))
        for source in sources:
            name = f"{source.db}.{source.name}" if isinstance(source, exp.Table) else ""
            if name in filtered and not any(_is_filter(item, filtered[name], source.alias_or_name) for item in conditions):
                yield name, filtered[name]


def split(script: str) -> list[tuple[exp.Expression, str]]:
    """Return the statements of a script, each parsed and as it was written."""
    parsed = [item for item in sqlglot.parse(script, read="bigquery") if item is not None]
    if len(parsed) == 1:
        return [(parsed[0], script.strip().rstrip(";"))]
    return [(item, item.sql(dialect="bigquery")) for item in parsed]


class Runner:
    """Runs scripts on one connection; `parameters` are those of the request."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, filtered: Mapping[str, str]) -> None:
        self.connection = connection
        self.filtered = filtered

    def run(self, script: str, given: list[Mapping[str, Any]]) -> tuple[pa.Table | None, list[Any] | None, str]:
        """Run a script; return the rows of its last query with DuckDB's description, and the kind of its last statement."""
        rows, description, kind = None, None, "SCRIPT"
        names: list[str] = []
        try:
            statements = split(script)
            values = self._values(given, names)
            for parsed, text in statements:
                missing = sorted(set(unfiltered(parsed, self.filtered)))
                if missing:
                    table, column = missing[0]
                    raise RefusedError(400, "invalidQuery", f"Cannot query over table '{table}' without a filter over column(s) '{column}'")
                cursor = self._one(parsed, text, values)
                if isinstance(parsed, exp.Query):
                    description = cursor.description
                    rows = cursor.to_arrow_table()
                kind = "SELECT" if isinstance(parsed, exp.Query) else parsed.key.upper()
        except RefusedError:
            self._roll_back()
            raise
        except (sqlglot.errors.SqlglotError, FeatureStoreError) as error:
            self._roll_back()
            raise RefusedError(400, "invalidQuery", f"Syntax error: {str(error).splitlines()[0]}") from None
        except duckdb.Error as error:
            self._roll_back()
            raise _refused(error) from None
        finally:
            for name in names:
                self.connection.unregister(name)
        return rows, description, kind

    def _roll_back(self) -> None:
        try:
            self.connection.execute("ROLLBACK")
        except duckdb.Error:
            return

    def _values(self, given: list[Mapping[str, Any]], names: list[str]) -> dict[str, Any]:
        values = {}
        for item in given:
            kind, value = item["parameterType"], parameter(item["parameterType"], item["parameterValue"])
            if kind["type"] == "ARRAY" and kind["arrayType"]["type"] == "STRUCT":
                shape = arrow_type(kind["arrayType"])
                rows = pa.Table.from_pylist(value, schema=pa.schema(list(shape)))
                names.append(f"_rows_{item['name']}")
                self.connection.register(names[-1], rows)
            else:
                values[item["name"]] = value
        return values

    def _one(self, parsed: exp.Expression, text: str, values: Mapping[str, Any]) -> duckdb.DuckDBPyConnection:
        if isinstance(parsed, exp.Transaction):
            return self.connection.execute("BEGIN TRANSACTION")
        if isinstance(parsed, exp.Commit):
            return self.connection.execute("COMMIT")
        sql = self._translated(parsed, text)
        used = {name: value for name, value in values.items() if re.search(rf"\${name}\b", sql)}
        return self.connection.execute(sql, used)

    def _translated(self, parsed: exp.Expression, text: str) -> str:
        if text.startswith("CREATE SCHEMA"):
            dataset = text.split("`")[1].split(".")[-1]
            return f'CREATE SCHEMA IF NOT EXISTS "{dataset}"'
        is_temporary = isinstance(parsed, exp.Create) and parsed.find(exp.TemporaryProperty) is not None
        if isinstance(parsed, exp.Create) and not is_temporary:
            # Options steer the service's storage and change no row; the adapter knows few of them.
            return to_duckdb(text.rpartition("\nOPTIONS (")[0] or text)
        own = is_temporary or not isinstance(parsed, exp.Query) or any(sign in text for sign in ENGINE_SIGNS)
        if not own:
            return to_duckdb(text)
        for table in parsed.find_all(exp.Table):
            table.set("catalog", None)
        if is_temporary:
            # Temporary tables end with their script on the service, with the connection here.
            parsed.set("replace", True)
        sql = parsed.sql(dialect="duckdb")
        sql = re.sub(r"FROM UNNEST\(\$(\w+)\)( AS \w+)?", lambda found: f"FROM _rows_{found[1]}", sql)
        sql = re.sub(r"(?i)\bformat\('b1:%d:%d', ", "printf('b1:%d:%d', ", sql)
        sql = re.sub(r"(?i)\bSUM\((MOD\(h, \d+\)|h % \d+)\)", r"CAST(SUM(h % 4294967291) AS BIGINT)", sql)
        return re.sub(r"(?i)\berror\('", "error('", sql)


def _refused(error: duckdb.Error) -> RefusedError:
    line = str(error).splitlines()[0]
    if isinstance(error, duckdb.CatalogException) and "does not exist" in line:
        return RefusedError(404, "notFound", f"Not found: {line}")
    return RefusedError(400, "invalidQuery", line)
