"""The DuckDB connection of a warehouse: views that follow the catalogue, statements, and what their errors mean."""

from __future__ import annotations

import datetime as dt
import re
import sqlite3
import threading
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from schemas.arrow_types import arrow_schema
from schemas.contracts import TableContract, load_contracts
from schemas.errors import UsageError, WarehouseError
from schemas.settings import Settings
from warehouse.embedded import entries, records, view_definitions
from warehouse.embedded.catalog import Catalog
from warehouse.embedded.leases import this_process
from warehouse.embedded.storage import first_line, of_duckdb, storage_errors
from warehouse.embedded.views import fingerprint_query, quoted, relation
from warehouse.googlesql import prepare_connection, to_duckdb
from warehouse.protocol import Params, Partition

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

SPILL_PREFIX = "tmp-"


class Session:
    """One in-memory DuckDB; a statement sees all tables as of one instant of the catalogue."""

    def __init__(self, settings: Settings, catalog: Catalog) -> None:
        self.settings = settings
        self.catalog = catalog
        self._versions: dict[str, int] = {}
        self._lock = threading.RLock()
        self._connection: duckdb.DuckDBPyConnection | None = None

    def _connect(self) -> duckdb.DuckDBPyConnection:
        import duckdb

        settings = self.settings
        try:
            connection = duckdb.connect(":memory:", config={"memory_limit": settings.memory_limit, "threads": settings.threads})
        except duckdb.Error as error:
            raise UsageError("NBA_FEATURES_MEMORY_LIMIT is no size such as 2GB", [settings.memory_limit, first_line(error)]) from None
        connection.execute("SET preserve_insertion_order = false")
        # A spill folder of its own: two databases in memory would write into each other's files.
        spill = settings.home / f"{SPILL_PREFIX}{this_process().replace(':', '=')}={uuid.uuid4().hex[:8]}"
        connection.execute(f"SET temp_directory = {quoted(str(spill))}")
        prepare_connection(connection)
        for dataset in sorted({spec.dataset for spec in load_contracts().values()}):
            connection.execute(f"CREATE SCHEMA IF NOT EXISTS {dataset}")
        return connection

    def _duckdb(self) -> duckdb.DuckDBPyConnection:
        with self._lock:
            if self._connection is None:
                self._connection = self._connect()
            return self._connection

    def _refresh(self, tables: Sequence[str]) -> None:
        """Point the views of the tables at one snapshot of the catalogue."""
        contracts = load_contracts()
        known = [name for name in tables if name in contracts]
        with storage_errors("be read"), self.catalog.snapshot() as snapshot:
            views = view_definitions.load(snapshot) if any(contracts[name].built_by == "view" for name in known) else {}
            for name, version in entries.versions(snapshot, view_definitions.reads(views, known)).items():
                if self._versions.get(name) == version:
                    continue
                if name in views:
                    self.run(self._duckdb(), f"CREATE OR REPLACE VIEW {name} AS {to_duckdb(views[name])}")
                else:
                    self._register(snapshot, contracts[name])
                self._versions[name] = version

    def _register(self, snapshot: sqlite3.Connection, spec: TableContract) -> None:
        connection = self._duckdb()
        if spec.built_by != "record":
            source = relation(spec, entries.file_entries(self.catalog, snapshot, spec.name))
            self.run(connection, f"CREATE OR REPLACE VIEW {spec.name} AS {source}")
            return
        connection.register("_record_rows", records.read(snapshot, spec, arrow_schema(spec)))
        connection.execute(f"CREATE OR REPLACE TABLE {spec.name} AS SELECT * FROM _record_rows")
        connection.unregister("_record_rows")

    def plain_cursor(self) -> duckdb.DuckDBPyConnection:
        """Return a cursor for what reads no table."""
        return self._duckdb().cursor()

    def cursor(self, tables: Sequence[str]) -> duckdb.DuckDBPyConnection:
        """Return a cursor on which the named tables can be read as `dataset.table`, in DuckDB's SQL."""
        with self._lock:
            self._refresh(tables)
            return self._duckdb().cursor()

    @contextmanager
    def reading(self, tables: Sequence[str]) -> Iterator[duckdb.DuckDBPyConnection]:
        """Yield a cursor that sees the named tables as of now, whatever other threads let them point at meanwhile."""
        with self._lock:
            self._refresh(tables)
            cursor = self._duckdb().cursor()
            cursor.begin()
            # A transaction takes its snapshot with the first thing it reads.
            cursor.execute("SELECT count(*) FROM duckdb_schemas()")
        try:
            yield cursor
        except BaseException:
            cursor.rollback()
            raise
        cursor.commit()

    def run(self, cursor: duckdb.DuckDBPyConnection, sql: str, params: Params | None = None) -> duckdb.DuckDBPyConnection:
        """Run a statement with the parameters it names; raise `WarehouseError` saying what went wrong."""
        import duckdb

        named = set(re.findall(r"\$(\w+)", sql))
        used = {name: value for name, value in (params or {}).items() if name in named}
        try:
            return cursor.execute(sql, used)
        except duckdb.Error as error:
            raise of_duckdb(error) from None

    def fetch(self, cursor: duckdb.DuckDBPyConnection, sql: str, params: Params | None = None) -> pa.Table:
        """Run a query and return all its rows; what fails while they are made is told alike."""
        import duckdb

        result = self.run(cursor, sql, params)
        try:
            return result.to_arrow_table()
        except duckdb.Error as error:
            raise of_duckdb(error) from None

    def fingerprints(
        self, cursor: duckdb.DuckDBPyConnection, spec: TableContract, source: str, where: str = "TRUE"
    ) -> dict[dt.date, Partition]:
        """Return rows and fingerprint of each partition of a relation; raise `WarehouseError` for rows without a partition."""
        rows = self.fetch(cursor, fingerprint_query(spec, source, where)).to_pylist()
        if any(row["key"] is None for row in rows):
            raise WarehouseError(f"rows for {spec.name} have no {spec.partition}")
        return {row["key"]: Partition(row["key"], row["n"], row["fingerprint"]) for row in rows}

    def close(self) -> None:
        """Release the connection; its spill folder goes with it."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None
            self._versions.clear()
