"""Where a table of the contracts lies in BigQuery, and statements with those names put in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache

from schemas.contracts import DATASETS, load_contracts
from schemas.errors import UsageError
from schemas.settings import GcpSettings

STAGING_DATASET = "nba_staging"
PARTITIONS_TABLE = "nba_orchestration.warehouse_partitions"
LEASES_TABLE = "nba_orchestration.warehouse_leases"
MAPPABLE = ("ingest", "sql")
"""What another owner's table can stand for: rows that arrived or were computed, never records, blocked rows or views."""


class Names:
    """Names of tables: ours in the project's datasets, mapped ones where the settings say."""

    def __init__(self, settings: GcpSettings) -> None:
        self.settings = settings
        self.mapped = dict(settings.tables)
        contracts = load_contracts()
        if wrong := [name for name in self.mapped if name not in contracts or contracts[name].built_by not in MAPPABLE]:
            raise UsageError("NBA_FEATURES_TABLES maps what cannot be mapped", wrong, "name tables that are ingested or built")

    def dataset(self, name: str) -> str:
        """Return `project.dataset` with the prefix."""
        return f"{self.settings.project}.{self.settings.dataset_prefix}{name}"

    def path(self, table: str) -> str:
        """Return `project.dataset.table` of a table of the contracts."""
        if table in self.mapped:
            return self.mapped[table]
        dataset, name = table.split(".")
        return f"{self.dataset(dataset)}.{name}"

    def staging(self, token: str) -> str:
        """Return `project.dataset.table` of a staging table."""
        return f"{self.dataset(STAGING_DATASET)}.{token}"

    def placed(self, sql: str, instead: Mapping[str, str] | None = None) -> str:
        """Return the statement with `dataset.table` written in full; `instead` names the paths that take a table's place."""
        names = {**{name: self.path(name) for name in found_tables(sql)}, **(instead or {})}
        return replaced(sql, tuple(sorted(names.items())))


def quoted(path: str) -> str:
    """Return a path as an identifier."""
    return f"`{path}`"


@lru_cache(maxsize=256)
def _places(sql: str) -> tuple[tuple[int, int, str], ...]:
    """Find `dataset.table` in the code of a statement, never in its strings or comments."""
    import sqlglot

    tokens = sqlglot.tokenize(sql, read="bigquery")
    texts = [sql[token.start : token.end + 1] for token in tokens]
    return tuple(
        (tokens[place].start, tokens[place + 2].end + 1, f"{texts[place]}.{texts[place + 2]}")
        for place in range(len(tokens) - 2)
        if texts[place] in DATASETS and texts[place + 1] == "." and (place == 0 or texts[place - 1] != ".")
    )


def found_tables(sql: str) -> Sequence[str]:
    """Return the tables of our datasets that a statement names."""
    return sorted({name for _, _, name in _places(sql)})


@lru_cache(maxsize=256)
def replaced(sql: str, paths: tuple[tuple[str, str], ...]) -> str:
    """Return the statement with each named table written as its path."""
    known = dict(paths)
    parts: list[str] = []
    done = 0
    for start, end, name in _places(sql):
        parts += [sql[done:start], quoted(known[name])]
        done = end
    return "".join([*parts, sql[done:]])
