"""`EmbeddedWarehouse`: GoogleSQL on DuckDB, publication by one catalogue transaction."""

from __future__ import annotations

import datetime as dt
import time
import uuid
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from schemas.contracts import TableContract, contract
from schemas.errors import ReadBackError, WarehouseError
from schemas.settings import Settings
from warehouse.embedded import compaction, entries, housekeeping, leases, view_definitions
from warehouse.embedded import records as record_tables
from warehouse.embedded.catalog import Catalog
from warehouse.embedded.session import Session
from warehouse.embedded.storage import is_whole, storage_errors, sync
from warehouse.embedded.translations import Translations
from warehouse.embedded.views import copy_statement, quoted, repeated_keys_query, typed_columns
from warehouse.protocol import Params, Partition, Publication, Receipt, RecordWrite, Staged

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa


class EmbeddedWarehouse:
    """Tables in `settings.warehouse_dir`: Parquet files and the catalogue that says which are alive."""

    profile = "embedded"

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.catalog = Catalog(settings.warehouse_dir / "catalog.sqlite")
        self.session = Session(settings, self.catalog)
        self.translations = Translations(settings.home / "cache" / "statements")

    # -- reading ------------------------------------------------------------------------------------------------------

    def duckdb_cursor(self, tables: Sequence[str]) -> duckdb.DuckDBPyConnection:
        """Return a cursor of its own on which the named tables can be read as `dataset.table`, in DuckDB's SQL."""
        return self.session.cursor(tables)

    def query(self, sql: str, params: Params | None = None, staged: Sequence[Staged] = ()) -> pa.Table:
        """Run one GoogleSQL query on a consistent snapshot; staged tables take the place of the published ones."""
        names, translated = self._translated(sql, staged)
        with self.session.reading(names) as cursor:
            return self.session.fetch(cursor, translated, params)

    def _translated(self, sql: str, staged: Sequence[Staged]) -> tuple[list[str], str]:
        """Return the published tables a statement reads and its DuckDB text, staged rows in the place of their tables."""
        replaced = {item.table: self._scan(item) for item in staged}
        names, translated = self.translations.find(sql, replaced)
        return sorted(names.difference(replaced)), translated

    def partitions(self, table: str, start: dt.date | None = None, end: dt.date | None = None) -> dict[dt.date, Partition]:
        """Return the published partitions of a table, both ends included."""
        with storage_errors("be read"), self.catalog.snapshot() as snapshot:
            return entries.partition_rows(snapshot, table, start, end)

    def readable(self, table: str, start: dt.date | None = None, end: dt.date | None = None) -> dict[dt.date, Partition]:
        """Count and hash the rows that a reader finds, partition by partition, whatever is recorded of them."""
        spec = contract(table)
        where = "TRUE"
        if spec.partition:
            where = f"\"{spec.partition}\" BETWEEN DATE '{start or dt.date.min}' AND DATE '{end or dt.date.max}'"
        with self.session.reading([table]) as cursor:
            return self.session.fingerprints(cursor, spec, spec.name, where)

    def damaged(self, table: str) -> tuple[dt.date, ...]:
        """Return the published partitions whose rows cannot be read any more; while there are any, the table cannot be read."""
        with storage_errors("be read"), self.catalog.snapshot() as snapshot:
            files = entries.file_entries(self.catalog, snapshot, table)
        return tuple(sorted(dt.date.fromisoformat(key) for entry in files if not is_whole(entry.path) for key in entry.live))

    def stored_columns(self, table: str) -> dict[str, int]:
        """Return the columns that the stored rows have, each with the number of published partitions that have it."""
        with storage_errors("be read"), self.catalog.snapshot() as snapshot:
            files = entries.file_entries(self.catalog, snapshot, table)
        counts: dict[str, int] = {}
        for entry in files:
            counts |= {name: counts.get(name, 0) + len(entry.live) for name in entry.columns}
        return counts

    def drop_columns(self, table: str, columns: Sequence[str]) -> None:
        """Take columns out of the stored rows; every other column keeps its values, proved by fingerprint."""
        compaction.rewrite_without(self.session, contract(table), columns)

    def column_types(self, table: str) -> dict[str, str]:
        """Return the column names and GoogleSQL types of a table as they are in the warehouse."""
        return {column.name: column.sql_type for column in contract(table).columns}

    # -- writing ------------------------------------------------------------------------------------------------------

    def _path(self, staged: Staged) -> Path:
        return self.catalog.resolve(housekeeping.stored_path(staged.table, staged.token))

    def _scan(self, staged: Staged) -> str:
        return f"read_parquet({quoted(str(self._path(staged)))})"

    def stage_query(self, spec: TableContract, sql: str, params: Params, run_id: str, staged: Sequence[Staged] = ()) -> Staged:
        """Write the rows of a GoogleSQL query beside the table; staged tables take the place of the published ones."""
        names, translated = self._translated(sql, staged)
        with self.session.reading(names) as cursor:
            return self._stage(cursor, spec, translated, params, run_id)

    def define_views(self, views: Mapping[str, str]) -> None:
        """Make these the views of the warehouse, GoogleSQL by name; nothing is written when they are so already."""
        with storage_errors("be read"), self.catalog.snapshot() as snapshot:
            known = view_definitions.load(snapshot)
        if known != dict(views):
            with storage_errors("define its views"), self.catalog.write() as connection:
                view_definitions.save(connection, views)

    def stage_rows(self, spec: TableContract, rows: pa.Table, run_id: str) -> Staged:
        """Write Arrow rows beside the table; raise `WarehouseError` unless they have just its columns."""
        differing = set(rows.column_names) ^ set(spec.column_names)
        if differing:
            raise WarehouseError(f"the rows do not have the columns of {spec.name}", differing)
        cursor = self.session.plain_cursor()
        cursor.register("_staged_rows", rows)
        return self._stage(cursor, spec, "SELECT * FROM _staged_rows", None, run_id)

    def _stage(self, cursor: duckdb.DuckDBPyConnection, spec: TableContract, sql: str, params: Params | None, run_id: str) -> Staged:
        began = time.perf_counter()
        staged = Staged(spec.name, f"{run_id}-{uuid.uuid4().hex[:12]}", run_id, {})
        scratch, path = f'"stage_{staged.token}"', self._path(staged)
        try:
            self.session.run(cursor, f"CREATE TEMP TABLE {scratch} AS SELECT {typed_columns(spec)} FROM ({sql}) AS made", params)
            partitions = self.session.fingerprints(cursor, spec, scratch)
            repeated = frozenset(self.session.fetch(cursor, repeated_keys_query(spec, scratch)).column("key").to_pylist())
            with storage_errors("write its files"):
                path.parent.mkdir(parents=True, exist_ok=True)
            self.session.run(cursor, copy_statement(spec, f"SELECT * FROM {scratch}", path))
            self.session.run(cursor, f"DROP TABLE {scratch}")
        except BaseException:
            housekeeping.remove(path)
            raise
        return Staged(spec.name, staged.token, run_id, partitions, time.perf_counter() - began, repeated)

    def publish(self, publications: Sequence[Publication], records: Sequence[RecordWrite] = ()) -> list[Receipt]:
        """Replace all partitions and write all records in one step, then read back rows and fingerprints."""
        for item in publications:
            repeated = item.staged.repeated.intersection(item.keys)
            if repeated and item.into is None:
                raise WarehouseError(f"rows of {item.target} repeat a key on these partitions", repeated, "nothing was changed")
        changed = [table for item in publications for table in (item.target, *item.drop_from)]
        with storage_errors("publish"):
            for item in publications:
                sync(self._path(item.staged))
            with self.catalog.write() as connection:
                for item in publications:
                    keys = [key.isoformat() for key in item.staged.partitions]
                    path = housekeeping.stored_path(item.staged.table, item.staged.token)
                    file_id = entries.add_file(connection, item.target, path, contract(item.staged.table).column_names, keys)
                    entries.replace_partitions(connection, item.target, file_id, item.keys, item.staged.partitions)
                    for other in item.drop_from:
                        entries.replace_partitions(connection, other, file_id, item.keys, {})
                for request in records:
                    record_tables.write(connection, request)
                entries.retire(connection)
                entries.bump(connection, [*changed, *(request.table for request in records)])
        receipts = [self._read_back(item) for item in publications]
        # The rows are published and read back: tidying up that fails is tried again after the next publication.
        with suppress(WarehouseError):
            for table in sorted(set(changed)):
                compaction.compact(self.session, contract(table))
            self.collect_garbage()
        return receipts

    def _read_back(self, item: Publication) -> Receipt:
        spec, keys = contract(item.target), set(item.keys)
        expected = {key: part for key, part in item.staged.partitions.items() if key in keys}
        where = "TRUE"
        if spec.partition and keys:
            where = f"\"{spec.partition}\" BETWEEN DATE '{min(keys)}' AND DATE '{max(keys)}'"
        with self.session.reading([item.target]) as cursor:
            read = self.session.fingerprints(cursor, spec, spec.name, where)
        found = {key: part for key, part in read.items() if key in keys}
        if found != expected:
            wrong = [key for key in set(found) | set(expected) if found.get(key) != expected.get(key)]
            raise ReadBackError(f"{item.target} does not read back as written", wrong, "publish these partitions again")
        return Receipt(item.target, found)

    def discard(self, staged: Staged) -> None:
        """Remove staged rows; harmless when they are published or gone."""
        with storage_errors("remove staged rows"):
            with self.catalog.snapshot() as snapshot:
                known = housekeeping.is_known(snapshot, housekeeping.stored_path(staged.table, staged.token))
            if not known:
                self._path(staged).unlink(missing_ok=True)

    def record(self, writes: Sequence[RecordWrite]) -> None:
        """Write rows of record tables in one step."""
        with storage_errors("record"), self.catalog.write() as connection:
            for request in writes:
                record_tables.write(connection, request)
            entries.bump(connection, [request.table for request in writes])

    # -- housekeeping -------------------------------------------------------------------------------------------------

    def compact(self, table: str, above: int = compaction.MOST_FILES) -> int:
        """Merge the small files of a table when it has more than that many; return how many files were merged."""
        return compaction.compact(self.session, contract(table), above)

    def collect_garbage(self, grace_seconds: float = housekeeping.GRACE_SECONDS) -> list[Path]:
        """Delete files that have held nothing alive for longer than any reader lasts; return their paths."""
        return housekeeping.collect_garbage(self.catalog, grace_seconds)

    def orphans(self, grace_seconds: float = housekeeping.GRACE_SECONDS) -> list[Path]:
        """Return files that a dead process left behind: staged rows no catalogue entry names, and spilled memory."""
        return housekeeping.orphans(self.catalog, self.settings.home, grace_seconds)

    def remove_orphans(self, grace_seconds: float = housekeeping.GRACE_SECONDS, runs: Collection[str] = ()) -> list[Path]:
        """Delete the orphans, and whatever their age those staged by these runs, which have ended; return them."""
        return housekeeping.remove_orphans(self.catalog, self.settings.home, grace_seconds, runs)

    # -- other --------------------------------------------------------------------------------------------------------

    def lease(self, table: str, start: dt.date, end: dt.date, holder: str) -> AbstractContextManager[None]:
        """Hold the right to write the range; raises `LeaseHeldError` with the other holder's name."""
        return leases.hold(self.catalog, table, start, end, holder)

    @contextmanager
    def audited(self, staged: Staged) -> Iterator[tuple[duckdb.DuckDBPyConnection, str]]:
        """Give staged rows as a relation on a DuckDB connection for the gate to read."""
        cursor = self.session.plain_cursor()
        name = f'"audit_{staged.token}"'
        self.session.run(cursor, f"CREATE TEMP VIEW {name} AS SELECT * FROM {self._scan(staged)}")
        try:
            yield cursor, name
        finally:
            cursor.execute(f"DROP VIEW IF EXISTS {name}")

    def this_process(self) -> str:
        """Return host, number and start time of this process."""
        return leases.this_process()

    def is_alive(self, process: str) -> bool:
        """Tell whether that process still runs."""
        return leases.is_alive(process)

    def close(self) -> None:
        """Release connections."""
        self.session.close()
        self.catalog.close()
