"""What a Feast source is on the warehouse's DuckDB."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from schemas.contracts import load_contracts
from schemas.errors import UsageError
from warehouse.googlesql import table_names, to_duckdb

if TYPE_CHECKING:
    from feast.data_source import DataSource

LEDGER = "nba_orchestration.partition_ledger"


@dataclass(frozen=True)
class Relation:
    """A table expression in DuckDB's SQL and the warehouse tables it reads."""

    sql: str
    tables: tuple[str, ...]


def quoted(name: str) -> str:
    """Return a column name as a SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def source_table(source: DataSource) -> str:
    """Return `dataset.table` of a table source, without the project; raise `UsageError` for another kind of source."""
    table, query = getattr(source, "table", ""), getattr(source, "query", "")
    if not table or query:
        raise UsageError("the source is no table of the warehouse", [source.name])
    return ".".join(re.split(r"[.:]", table.replace("`", ""))[-2:])


def relation(source: DataSource) -> Relation:
    """Return the relation of a BigQuerySource: a table as it is, a query translated to DuckDB's SQL."""
    query = getattr(source, "query", "")
    if query:
        return Relation(f"({to_duckdb(query)})", tuple(sorted(table_names(query))))
    table = source_table(source)
    return Relation(table, (table,))


def gated_relation(source: DataSource) -> Relation:
    """Return the relation without the partitions that the ledger holds as blocked.

    A date blocked after it had been published keeps its last good partition for readers of history; what leaves for the
    online store leaves it out.
    """
    plain = relation(source)
    contract = load_contracts().get(plain.sql)
    if contract is None or not contract.partition:
        return plain
    key = quoted(contract.partition)
    blocked = f"SELECT game_date FROM {LEDGER} WHERE table_name = '{contract.name}' AND state = 'blocked'"
    return Relation(f"(SELECT * FROM {contract.name} WHERE {key} NOT IN ({blocked}))", (contract.name, LEDGER))
