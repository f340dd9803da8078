"""What a source hands over: one Arrow table per raw table, what it refused, and the count of every source row."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from schemas.arrow_types import arrow_schema
from schemas.contracts import contract
from schemas.errors import DefinitionError, SourceError
from transformations.ingest.reasons import REASONS

if TYPE_CHECKING:
    import pyarrow as pa

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Rejection:
    """One refused source row and why; `row_ref` counts the rows of the source from 1."""

    table_name: str
    source: str
    row_ref: str
    reason_code: str
    detail: str | None
    raw_row_json: str

    def __post_init__(self) -> None:
        if self.reason_code not in REASONS:
            raise DefinitionError("unknown reason to refuse a row", [self.reason_code], "known: " + ", ".join(REASONS))


@dataclass(frozen=True)
class SourceCount:
    """What became of the rows of one source that concern one raw table.

    `rows_merged` are source rows that went into a loaded row beside its first one (the under of an over/under pair);
    `rows_not_wanted` are left out by design and `why` says by which.
    """

    source: str
    table: str
    rows_in: int
    rows_loaded: int
    rows_quarantined: int
    rows_merged: int = 0
    rows_not_wanted: int = 0
    why: str = ""

    @property
    def unaccounted(self) -> int:
        """Rows that arrived and are in none of the other counts; 0 unless something was lost or counted twice."""
        return self.rows_in - self.rows_loaded - self.rows_quarantined - self.rows_merged - self.rows_not_wanted

    def problems(self) -> tuple[str, ...]:
        """Return what is wrong with the count, in words."""
        name = f"{self.source} -> {self.table}"
        found = []
        if self.unaccounted:
            found.append(f"{name}: {self.unaccounted} of {self.rows_in} rows unaccounted for")
        if min(self.rows_in, self.rows_loaded, self.rows_quarantined, self.rows_merged, self.rows_not_wanted) < 0:
            found.append(f"{name}: a count is negative")
        if self.rows_not_wanted and not self.why:
            found.append(f"{name}: {self.rows_not_wanted} rows not wanted without a reason")
        return tuple(found)


@dataclass(frozen=True)
class Delivery:
    """Tables by full name (`nba_raw.schedule`), each with exactly its contract's columns and types, and the accounts."""

    tables: Mapping[str, pa.Table] = field(repr=False)
    rejections: tuple[Rejection, ...] = field(default=(), repr=False)
    counts: tuple[SourceCount, ...] = ()

    def _schema_problems(self) -> Iterable[str]:
        for name, table in self.tables.items():
            expected = arrow_schema(contract(name))
            if table.schema.names != expected.names:
                differing = sorted(set(table.schema.names) ^ set(expected.names))
                yield f"{name}: columns differ from the contract: {', '.join(differing) or 'their order'}"
                continue
            for column in expected:
                actual = table.schema.field(column.name).type
                if actual != column.type:
                    yield f"{name}.{column.name} is {actual}, not {column.type}"

    def _count_problems(self) -> Iterable[str]:
        for count in self.counts:
            yield from count.problems()
        for name, table in self.tables.items():
            loaded = sum(count.rows_loaded for count in self.counts if count.table == name)
            if loaded != table.num_rows:
                yield f"{name}: {table.num_rows} rows, but the counts say {loaded} were loaded"
        rows = {(r.table_name, r.source, r.row_ref) for r in self.rejections}
        refused = Counter((table, source) for table, source, _ in rows)
        for count in self.counts:
            found = refused.pop((count.table, count.source), 0)
            if found != count.rows_quarantined:
                yield f"{count.source} -> {count.table}: {found} rows refused, but {count.rows_quarantined} counted"
        for (table_name, source), found in refused.items():
            yield f"{source} -> {table_name}: {found} rows refused and no count of what arrived"

    def check(self) -> Delivery:
        """Return the delivery itself, or raise `SourceError` naming every lost row, wrong column and wrong count at once."""
        problems = [*self._schema_problems(), *self._count_problems()]
        if problems:
            raise SourceError("the delivery does not add up", problems, "nothing was loaded")
        return self


class Source(Protocol):
    """Where raw rows come from."""

    @property
    def name(self) -> str:
        """Short name of the source, for run records."""

    def deliver(self, progress: Progress | None = None) -> Delivery:
        """Read everything and return it checked; raise `SourceError` naming all that is wrong with the source."""
