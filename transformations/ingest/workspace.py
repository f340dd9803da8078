"""The bench on which a box-score folder is put in order: a private DuckDB, the files as views, and the accounts."""

from __future__ import annotations

import datetime as dt
import json
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from schemas.arrow_types import arrow_schema
from schemas.contracts import contract
from transformations.ingest.delivery import Delivery, Rejection, SourceCount
from transformations.ingest.folder_layout import FolderFile, FolderFiles
from transformations.ingest.teams import other_names, teams
from transformations.ingest.validate import ROW_COLUMN, SOURCE_COLUMN, split_by_contract

EASTERN = "America/New_York"


@dataclass(frozen=True)
class NotWanted:
    """Rows of one source that are left out by design, and by which."""

    source: str
    rows: int
    why: str


@dataclass
class _Account:
    rows_in: int
    loaded: int = 0
    quarantined: int = 0
    merged: int = 0
    not_wanted: list[NotWanted] = field(default_factory=list)


def _plain(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value.isoformat() if isinstance(value, dt.datetime | dt.date) else value


def quoted(text: str) -> str:
    """Return the text as an SQL string."""
    return "'" + text.replace("'", "''") + "'"


class Workspace:
    """One reading of a folder: a connection, the tables accepted so far, the rejections and the accounts."""

    def __init__(self, files: FolderFiles) -> None:
        self.files = files
        self.connection = duckdb.connect()
        self.connection.execute("SET TimeZone = 'UTC'")
        self._paths = {file.source: file for file in (*files.files, *files.others)}
        self._accounts: dict[tuple[str, str], _Account] = {}
        self._tables: dict[str, pa.Table] = {}
        self._rejections: list[Rejection] = []
        self._views()

    def _views(self) -> None:
        for kind in {file.kind for file in self.files.files} - {"shots"}:
            body = " UNION ALL BY NAME ".join(f"SELECT {self.origin(file)}, * FROM {self.scan(file)}" for file in self.files.of(kind))
            self.connection.execute(f"CREATE TEMP VIEW source_{kind} AS {body}")
        self.register("teams", pa.table({"team_id": [t.team_id for t in teams()], "abbr": [t.abbr for t in teams()]}))
        names = {**{t.name: t.abbr for t in teams()}, **other_names()}
        self.register("team_names", pa.table({"name": list(names), "abbr": list(names.values())}))
        self.register("team_codes", pa.table({"code": [t.lines_code for t in teams()], "abbr": [t.abbr for t in teams()]}))
        self.register("team_nicknames", pa.table({"nickname": [t.nickname for t in teams()], "abbr": [t.abbr for t in teams()]}))

    @staticmethod
    def scan(file: FolderFile) -> str:
        """Return the FROM item that reads a file; column `file_row_number` counts from 0."""
        return f"read_parquet({quoted(str(file.path))}, file_row_number = true)"

    @staticmethod
    def origin(file: FolderFile) -> str:
        """Return the select items that say where a row comes from."""
        return f"{quoted(file.source)} AS {SOURCE_COLUMN}, {quoted(file.season)} AS _season, file_row_number + 1 AS {ROW_COLUMN}"

    def has(self, kind: str) -> bool:
        """TRUE when the folder holds a file of the kind."""
        return bool(self.files.of(kind))

    def register(self, name: str, table: pa.Table) -> None:
        """Make an Arrow table readable in SQL under the name."""
        self.connection.register(name, table)

    def run(self, statement: str) -> None:
        """Run a statement for its effect."""
        self.connection.execute(statement)

    def arrow(self, query: str) -> pa.Table:
        """Return the rows of a query as an Arrow table."""
        return self.connection.execute(query).to_arrow_table()

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """Return the rows of a query as tuples."""
        return self.connection.execute(query).fetchall()

    def accept(
        self, table: str, staged: pa.Table | None, sources: Iterable[FolderFile], *, readers: Sequence[str] = (), keep: str | None = None
    ) -> None:
        """Check staged rows against the contract of `table`, book them, and keep the good ones, readable in SQL as `keep`.

        `sources` are all the files that concern the table, also those without a staged row; None stages nothing.
        """
        for file in sources:
            self._account(file.source, table)
        definition = contract(table)
        if staged is None:
            self._tables[table] = arrow_schema(definition).empty_table()
            return
        good, rejections = split_by_contract(staged, definition, readers)
        self._book(table, good, rejections)
        self._rejections += rejections
        self._tables[table] = good.drop_columns([SOURCE_COLUMN, ROW_COLUMN])
        if keep:
            self.register(keep, self._tables[table])

    def _account(self, source: str, table: str) -> _Account:
        return self._accounts.setdefault((source, table), _Account(self._paths[source].rows))

    def _book(self, table: str, good: pa.Table, rejections: Iterable[Rejection]) -> None:
        for source, rows in Counter(good[SOURCE_COLUMN].to_pylist()).items() if good.num_rows else ():
            self._account(source, table).loaded += rows
        if pa.types.is_list(good.schema.field(ROW_COLUMN).type):
            extra = pc.subtract(pc.list_value_length(good[ROW_COLUMN]), 1)
            grouped = pa.table({"source": good[SOURCE_COLUMN], "extra": extra}).group_by("source").aggregate([("extra", "sum")])
            for row in grouped.to_pylist():
                self._account(row["source"], table).merged += row["extra_sum"]
        for source, rows in Counter(source for source, _ in {(r.source, r.row_ref) for r in rejections}).items():
            self._account(source, table).quarantined += rows

    def refuse(self, table: str, staged: pa.Table) -> None:
        """Quarantine rows that only add to another source's rows (start times, positions): `_source`, `_row`, `_reason`, `_detail`."""
        found = [
            Rejection(table, row[SOURCE_COLUMN], str(row[ROW_COLUMN]), row["_reason"], row["_detail"], "{}") for row in staged.to_pylist()
        ]
        self._rejections += found
        for rejection in found:
            self._account(rejection.source, table).quarantined += 1

    def merged(self, table: str, rows: Iterable[tuple[str, int]]) -> None:
        """Book source rows that went into rows of `table` loaded from elsewhere."""
        for source, number in rows:
            self._account(source, table).merged += number

    def not_wanted(self, table: str, rows: Iterable[tuple[str, int, str]]) -> None:
        """Book source rows left out by design: source, number and reason."""
        for source, number, why in rows:
            self._account(source, table).not_wanted.append(NotWanted(source, number, why))

    def delivery(self) -> Delivery:
        """Return everything accepted, checked to the last row."""
        counts = tuple(self._count(source, table, account) for (source, table), account in sorted(self._accounts.items()))
        return Delivery(dict(self._tables), tuple(self._with_raw_rows()), counts).check()

    @staticmethod
    def _count(source: str, table: str, account: _Account) -> SourceCount:
        left_out = sum(item.rows for item in account.not_wanted)
        several = len(account.not_wanted) > 1
        why = "; ".join(f"{item.rows} rows: {item.why}" if several else item.why for item in account.not_wanted)
        return SourceCount(source, table, account.rows_in, account.loaded, account.quarantined, account.merged, left_out, why)

    def _with_raw_rows(self) -> list[Rejection]:
        """Give each rejection the row as the file has it, not as the staging made it."""
        wanted: dict[str, list[int]] = {}
        for rejection in self._rejections:
            wanted.setdefault(rejection.source, []).append(int(rejection.row_ref))
        raw = {source: self._raw_rows(source, rows) for source, rows in wanted.items()}
        done = [replace(r, raw_row_json=raw[r.source][int(r.row_ref)]) for r in self._rejections]
        return sorted(done, key=lambda r: (r.table_name, r.source, int(r.row_ref), r.reason_code))

    def _raw_rows(self, source: str, rows: Sequence[int]) -> Mapping[int, str]:
        numbers = sorted(set(rows))
        table = pq.read_table(self._paths[source].path).take([number - 1 for number in numbers])
        texts = (json.dumps({name: _plain(value) for name, value in row.items()}, ensure_ascii=False) for row in table.to_pylist())
        return dict(zip(numbers, texts, strict=True))
