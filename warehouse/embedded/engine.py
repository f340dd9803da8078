"""`EmbeddedWarehouse`: GoogleSQL on DuckDB, publication by one catalogue transaction."""

from __future__ import annotations

import datetime as dt
import os
import re
import threading
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from schemas.arrow_types import arrow_schema
from schemas.contracts import TableContract, contract, load_contracts
from schemas.errors import ReadBackError, WarehouseError
from schemas.settings import Settings
from warehouse.embedded import catalog as cat
from warehouse.embedded import leases, records
from warehouse.embedded.views import fingerprint_query, quoted, relation, typed_columns
from warehouse.googlesql import prepare_connection, table_names, to_duckdb
from warehouse.protocol import Params, Partition, Publication, Receipt, RecordWrite, Staged

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

GARBAGE_GRACE_SECONDS = 3600.0
ROW_GROUP_ROWS = 20_000


class EmbeddedWarehouse:
    """Tables in `settings.warehouse_dir`: Parquet files and the catalogue that says which are alive."""

    profile = "embedded"

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.root = settings.warehouse_dir
        self.catalog = cat.Catalog(self.root / "catalog.sqlite")
        self._versions: dict[str, int] = {}
        self._lock = threading.RLock()
        self._connection: duckdb.DuckDBPyConnection | None = None

    # -- reading ------------------------------------------------------------------------------------------------------

    def _duckdb(self) -> duckdb.DuckDBPyConnection:
        if self._connection is None:
            import duckdb

            config = {
                "memory_limit": self.settings.memory_limit,
                "threads": str(self.settings.threads),
                "preserve_insertion_order": "false",
            }
            connection = duckdb.connect(":memory:", config=config)
            connection.execute(f"SET temp_directory = {quoted(str(self.settings.home / 'tmp'))}")
            prepare_connection(connection)
            for dataset in sorted({spec.dataset for spec in load_contracts().values()}):
                connection.execute(f"CREATE SCHEMA IF NOT EXISTS {dataset}")
            self._connection = connection
        return self._connection

    def _refresh(self, tables: Sequence[str]) -> None:
        """Point the views of the tables at one snapshot of the catalogue."""
        contracts = load_contracts()
        known = [name for name in tables if name in contracts and contracts[name].built_by != "view"]
        with self._lock, cat.storage_errors("be read"), self.catalog.snapshot() as snapshot:
            for name, version in cat.versions(snapshot, known).items():
                if self._versions.get(name) == version:
                    continue
                spec = contracts[name]
                if spec.built_by == "record":
                    self._register_records(snapshot, spec)
                else:
                    self._duckdb().execute(f"CREATE OR REPLACE VIEW {name} AS {relation(spec, cat.file_entries(snapshot, name))}")
                self._versions[name] = version

    def _register_records(self, snapshot: Any, spec: TableContract) -> None:
        rows = records.read(snapshot, spec, arrow_schema(spec))
        connection = self._duckdb()
        connection.register("_record_rows", rows)
        connection.execute(f"CREATE OR REPLACE TABLE {spec.name} AS SELECT * FROM _record_rows")
        connection.unregister("_record_rows")

    def duckdb_cursor(self, tables: Sequence[str]) -> duckdb.DuckDBPyConnection:
        """Return a cursor of its own on which the named tables can be read as `dataset.table`, in DuckDB's SQL."""
        with self._lock:
            self._refresh(tables)
            return self._duckdb().cursor()

    def _run(self, cursor: duckdb.DuckDBPyConnection, sql: str, params: Params | None) -> duckdb.DuckDBPyConnection:
        import duckdb

        named = set(re.findall(r"\$(\w+)", sql))
        used = {name: value for name, value in (params or {}).items() if name in named}
        try:
            return cursor.execute(sql, used)
        except duckdb.OutOfMemoryException as error:
            raise WarehouseError(
                "the statement needs more memory than allowed",
                [_first_line(error)],
                "raise NBA_FEATURES_MEMORY_LIMIT or ask for a shorter range",
            ) from None
        except duckdb.IOException as error:
            with cat.storage_errors("read or write its files"):
                raise OSError(_first_line(error)) from None
        except duckdb.Error as error:
            raise WarehouseError("a statement failed", [_first_line(error)]) from error

    def query(self, sql: str, params: Params | None = None, staged: Sequence[Staged] = ()) -> pa.Table:
        """Run one GoogleSQL query on a consistent snapshot; staged tables take the place of the published ones."""
        replaced = {item.table: f"read_parquet({quoted(str(self._staged_path(item)))})" for item in staged}
        cursor = self.duckdb_cursor([name for name in table_names(sql) if name not in replaced])
        return self._run(cursor, to_duckdb(sql, tuple(sorted(replaced.items()))), params).to_arrow_table()

    def partitions(self, table: str, start: dt.date | None = None, end: dt.date | None = None) -> dict[dt.date, Partition]:
        """Return the published partitions of a table, both ends included."""
        with cat.storage_errors("be read"):
            return cat.partition_rows(self.catalog.connection(), table, start, end)

    def column_types(self, table: str) -> dict[str, str]:
        """Return the column names and GoogleSQL types of a table as they are in the warehouse."""
        return {column.name: column.sql_type for column in contract(table).columns}

    # -- writing ------------------------------------------------------------------------------------------------------

    def _staged_path(self, staged: Staged) -> Path:
        return self.root / "tables" / staged.table / f"{staged.token}.parquet"

    def stage_query(self, spec: TableContract, sql: str, params: Params, run_id: str) -> Staged:
        """Write the rows of a GoogleSQL query beside the table."""
        cursor = self.duckdb_cursor(sorted(table_names(sql)))
        return self._stage(cursor, spec, to_duckdb(sql), params, run_id)

    def stage_rows(self, spec: TableContract, rows: pa.Table, run_id: str) -> Staged:
        """Write Arrow rows beside the table."""
        cursor = self._duckdb().cursor()
        cursor.register("_staged_rows", rows)
        names = ", ".join(f'"{name}"' for name in spec.column_names)
        return self._stage(cursor, spec, f"SELECT {names} FROM _staged_rows", None, run_id)

    def _stage(self, cursor: duckdb.DuckDBPyConnection, spec: TableContract, sql: str, params: Params | None, run_id: str) -> Staged:
        started = time.perf_counter()
        token = f"{run_id}-{uuid.uuid4().hex[:12]}"
        scratch = f'"stage_{token}"'
        try:
            self._run(cursor, f"CREATE TEMP TABLE {scratch} AS SELECT {typed_columns(spec)} FROM ({sql}) AS made", params)
            partitions = self._fingerprints(cursor, spec, scratch)
            staged = Staged(spec.name, token, run_id, partitions, time.perf_counter() - started)
            path = self._staged_path(staged)
            with cat.storage_errors("write its files"):
                path.parent.mkdir(parents=True, exist_ok=True)
            order = ", ".join(f'"{name}"' for name in dict.fromkeys([*filter(None, [spec.partition]), *spec.keys]))
            options = f"FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE {ROW_GROUP_ROWS}"
            self._run(cursor, f"COPY (SELECT * FROM {scratch} ORDER BY {order}) TO {quoted(str(path))} ({options})", None)
            return staged
        finally:
            self._run(cursor, f"DROP TABLE IF EXISTS {scratch}", None)

    def _fingerprints(
        self, cursor: duckdb.DuckDBPyConnection, spec: TableContract, source: str, where: str = "TRUE"
    ) -> dict[dt.date, Partition]:
        rows = self._run(cursor, fingerprint_query(spec, source, where), None).fetchall()
        if any(key is None for key, _, _ in rows):
            raise WarehouseError(f"rows for {spec.name} have no {spec.partition}")
        return {key: Partition(key, count, fingerprint) for key, count, fingerprint in rows}

    def publish(self, publications: Sequence[Publication], record_writes: Sequence[RecordWrite] = ()) -> list[Receipt]:
        """Replace all partitions and write all records in one step, then read back rows and fingerprints."""
        with cat.storage_errors("publish"):
            for item in publications:
                if item.staged.rows:
                    _sync(self._staged_path(item.staged))
            with self.catalog.write() as connection:
                for item in publications:
                    staged = dict(item.staged.partitions)
                    path = str(self._staged_path(item.staged))
                    file_id = cat.add_file(connection, item.target, path, contract(item.staged.table).column_names, staged)
                    cat.replace_partitions(connection, item.target, file_id, item.keys, staged)
                    for other in item.drop_from:
                        cat.replace_partitions(connection, other, file_id, item.keys, {})
                for request in record_writes:
                    records.write(connection, request)
                cat.bump(
                    connection,
                    [i.target for i in publications] + [o for i in publications for o in i.drop_from] + [r.table for r in record_writes],
                )
        receipts = [self._read_back(item) for item in publications]
        self.collect_garbage()
        return receipts

    def _read_back(self, item: Publication) -> Receipt:
        spec = contract(item.target)
        expected = {key: part for key, part in item.staged.partitions.items() if key in set(item.keys)}
        cursor = self.duckdb_cursor([item.target])
        where = "TRUE"
        if spec.partition and item.keys:
            where = f"\"{spec.partition}\" BETWEEN DATE '{min(item.keys)}' AND DATE '{max(item.keys)}'"
        found = {key: part for key, part in self._fingerprints(cursor, spec, spec.name, where).items() if key in set(item.keys)}
        if found != expected:
            wrong = [key for key in set(found) | set(expected) if found.get(key) != expected.get(key)]
            raise ReadBackError(f"{item.target} does not read back as written", wrong, "run: nba-features doctor")
        return Receipt(item.target, found)

    def discard(self, staged: Staged) -> None:
        """Remove staged rows; harmless when they are published or gone."""
        path = self._staged_path(staged)
        with self.catalog.snapshot() as snapshot:
            published = snapshot.execute("SELECT 1 FROM files WHERE path = ?", (str(path),)).fetchone()
        if not published:
            path.unlink(missing_ok=True)

    def collect_garbage(self, grace_seconds: float = GARBAGE_GRACE_SECONDS) -> list[str]:
        """Delete files that hold nothing alive and are older than any reader; return their paths."""
        removed = []
        with self.catalog.write() as connection:
            for file_id, path in cat.unreferenced_files(connection, grace_seconds):
                connection.execute("DELETE FROM file_keys WHERE file_id = ?", (file_id,))
                connection.execute("DELETE FROM files WHERE file_id = ?", (file_id,))
                removed.append(path)
        for path in removed:
            Path(path).unlink(missing_ok=True)
        return removed

    def record(self, writes: Sequence[RecordWrite]) -> None:
        """Write rows of record tables in one step."""
        with cat.storage_errors("record"), self.catalog.write() as connection:
            for request in writes:
                records.write(connection, request)
            cat.bump(connection, [request.table for request in writes])

    @contextmanager
    def _lease(self, table: str, start: dt.date, end: dt.date, holder: str) -> Iterator[None]:
        with leases.hold(self.catalog, table, start, end, holder):
            yield

    def lease(self, table: str, start: dt.date, end: dt.date, holder: str) -> AbstractContextManager[None]:
        """Hold the right to write the range; raises `LeaseHeldError` with the other holder's name."""
        return self._lease(table, start, end, holder)

    @contextmanager
    def audited(self, staged: Staged) -> Iterator[tuple[duckdb.DuckDBPyConnection, str]]:
        """Give staged rows as a relation on a DuckDB connection for the gate to read."""
        cursor = self._duckdb().cursor()
        name = f'"audit_{staged.token}"'
        source = f"read_parquet({quoted(str(self._staged_path(staged)))})"
        self._run(cursor, f"CREATE TEMP VIEW {name} AS SELECT * FROM {source}", None)
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
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None
            self._versions.clear()
            self.catalog.close()


def _first_line(error: BaseException) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__


def _sync(path: Path) -> None:
    """Make the file durable before the catalogue names it."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
