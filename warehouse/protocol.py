"""What every engine offers: read, stage, publish, record. Everything above speaks to a `Warehouse` only."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from schemas.contracts import TableContract

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

Params = Mapping[str, Any]
Row = Mapping[str, Any]
UNPARTITIONED = dt.date(1970, 1, 1)
"""Partition key of a table without partitions."""


@dataclass(frozen=True)
class Partition:
    """One published (or staged) partition: its rows and the order-free hash over its content columns."""

    key: dt.date
    rows: int
    fingerprint: str


@dataclass(frozen=True)
class Staged:
    """Rows written beside a table, not yet visible in it. `token` names them to the engine that made them.

    `repeated` are the partitions in which a key of the contract occurs more than once: they may be looked at and kept as
    blocked rows, but not published into the table.
    """

    table: str
    token: str
    run_id: str
    partitions: Mapping[dt.date, Partition]
    seconds: float = 0.0
    repeated: frozenset[dt.date] = frozenset()

    @property
    def rows(self) -> int:
        """Rows staged over all partitions."""
        return sum(partition.rows for partition in self.partitions.values())


@dataclass(frozen=True)
class Publication:
    """A request to make partitions of a staged table visible.

    `keys` are the partitions to replace; a key without staged rows empties the partition. `into` publishes the rows
    into another table of the same columns (the blocked rows). `drop_from` empties the same keys of other tables.
    """

    staged: Staged
    keys: tuple[dt.date, ...]
    into: str | None = None
    drop_from: tuple[str, ...] = ()

    @property
    def target(self) -> str:
        """Table the rows become visible in."""
        return self.into or self.staged.table


@dataclass(frozen=True)
class Receipt:
    """What a publication changed, read back from the table."""

    table: str
    published: Mapping[dt.date, Partition]
    unchanged: tuple[dt.date, ...] = ()

    @property
    def rows(self) -> int:
        """Rows now readable in the published partitions."""
        return sum(partition.rows for partition in self.published.values())


@dataclass(frozen=True)
class RecordWrite:
    """Rows for a record table; with `replace` rows of equal keys are overwritten, else a repeated key is an error.

    `clear` first removes the rows whose columns hold one of the given values (all columns must match).
    """

    table: str
    rows: Sequence[Row] = field(default_factory=tuple)
    replace: bool = True
    clear: Mapping[str, Sequence[Any]] | None = None


class Warehouse(Protocol):
    """Tables of the contracts, read with GoogleSQL and written partition by partition."""

    profile: str

    def query(self, sql: str, params: Params | None = None, staged: Sequence[Staged] = ()) -> pa.Table:
        """Run one GoogleSQL query on a consistent snapshot; `staged` tables take the place of the published ones."""

    def stage_query(self, contract: TableContract, sql: str, params: Params, run_id: str, staged: Sequence[Staged] = ()) -> Staged:
        """Write the rows of a GoogleSQL query beside the table; `staged` tables take the place of the published ones."""

    def define_views(self, views: Mapping[str, str]) -> None:
        """Make these the views of the warehouse, GoogleSQL by name; nothing is written when they are so already."""

    def stage_rows(self, contract: TableContract, rows: pa.Table, run_id: str) -> Staged:
        """Write Arrow rows beside the table."""

    def publish(self, publications: Sequence[Publication], records: Sequence[RecordWrite] = ()) -> list[Receipt]:
        """Replace all partitions and write all records in one step, then read back rows and fingerprints.

        Raises:
            ReadBackError: what is readable afterwards is not what was staged.
            WarehouseError: rows to publish repeat a key, or a record has a column unknown to its contract; nothing was changed.
            StorageUnavailableError: nothing was changed.
        """

    def discard(self, staged: Staged) -> None:
        """Remove staged rows; harmless when they are published or gone."""

    def partitions(self, table: str, start: dt.date | None = None, end: dt.date | None = None) -> dict[dt.date, Partition]:
        """Return the published partitions of a table, both ends included."""

    def readable(self, table: str, start: dt.date | None = None, end: dt.date | None = None) -> dict[dt.date, Partition]:
        """Count and hash the rows that a reader finds, partition by partition, whatever is recorded of them."""

    def damaged(self, table: str) -> tuple[dt.date, ...]:
        """Return the published partitions whose rows cannot be read any more; while there are any, the table cannot be read."""

    def stored_columns(self, table: str) -> dict[str, int]:
        """Return the columns that the stored rows have, each with the number of published partitions that have it."""

    def drop_columns(self, table: str, columns: Sequence[str]) -> None:
        """Take columns out of the stored rows; every other column keeps its values, proved by fingerprint."""

    def record(self, writes: Sequence[RecordWrite]) -> None:
        """Write rows of record tables in one step."""

    def orphans(self, grace_seconds: float = 3600.0) -> Sequence[object]:
        """Return what dead processes left behind and nobody names, older than the grace."""

    def remove_orphans(self, grace_seconds: float = 3600.0, runs: Collection[str] = ()) -> Sequence[object]:
        """Remove the orphans, and whatever their age those staged by these runs, which have ended; return them."""

    def lease(self, table: str, start: dt.date, end: dt.date, holder: str) -> AbstractContextManager[None]:
        """Hold the right to write the range; raises `LeaseHeldError` with the other holder's name."""

    def column_types(self, table: str) -> dict[str, str]:
        """Return the column names and GoogleSQL types of a table as they are in the warehouse."""

    def audited(self, staged: Staged) -> AbstractContextManager[tuple[duckdb.DuckDBPyConnection, str]]:
        """Give staged rows as a relation on a DuckDB connection, whatever the engine, for the gate to read."""

    def this_process(self) -> str:
        """Return a text that tells this process from all others."""

    def is_alive(self, process: str) -> bool:
        """Tell whether the process of such a text still runs; when that cannot be told it counts as running."""

    def close(self) -> None:
        """Release connections."""
