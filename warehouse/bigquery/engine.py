"""`BigQueryWarehouse`: staging tables, publication by one transaction, a register of what is published."""

from __future__ import annotations

import datetime as dt
import hashlib
import io
import json
import time
import uuid
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from typing import TYPE_CHECKING, Any

from schemas.arrow_types import arrow_schema
from schemas.contracts import TableContract, contract
from schemas.errors import ReadBackError, UsageError, WarehouseError
from schemas.settings import GcpSettings, Settings
from warehouse.bigquery.failures import cloud_errors
from warehouse.bigquery.jobs import Jobs, Pace, Request, parameters_text
from warehouse.bigquery.journal import Journal
from warehouse.bigquery.leases import Leases
from warehouse.bigquery.names import PARTITIONS_TABLE, Names, found_tables, quoted
from warehouse.bigquery.parameters import bound
from warehouse.bigquery.statements import (
    Script,
    checked_rows,
    fingerprint_query,
    range_filter,
    register,
    replace_partitions,
    write_records,
)
from warehouse.bigquery.tables import field_of, staging_table, types_of
from warehouse.embedded import leases as processes
from warehouse.protocol import Params, Partition, Publication, Receipt, RecordWrite, Row, Staged

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa
    from google.cloud import bigquery

# A request with its parameters may hold ten megabytes.
MOST_BOUND_BYTES = 2_000_000


def open_client(settings: GcpSettings) -> bigquery.Client:
    """Return the official client; `BIGQUERY_EMULATOR_HOST` sends it, without credentials, to another server."""
    import os

    from google.auth.credentials import AnonymousCredentials
    from google.cloud import bigquery

    with cloud_errors("opening BigQuery"):
        credentials = AnonymousCredentials() if os.environ.get("BIGQUERY_EMULATOR_HOST") else None
        return bigquery.Client(project=settings.project, location=settings.location, credentials=credentials)


class BigQueryWarehouse:
    """Tables in the datasets of one project."""

    profile = "gcp"

    def __init__(self, settings: Settings, client: bigquery.Client | None = None, pace: Pace | None = None) -> None:
        if settings.gcp is None:
            raise UsageError("the gcp profile has no project", [], "set NBA_FEATURES_GCP_PROJECT")
        self.settings = settings
        self.gcp = settings.gcp
        self.names = Names(settings.gcp)
        self.journal = Journal(settings.home / "bigquery" / "jobs")
        self.client = client or open_client(settings.gcp)
        self.jobs = Jobs(self.client, settings.gcp, self.journal, processes.this_process(), pace or Pace())
        self._leases = Leases(self.jobs, self.names)

    @property
    def others_tables(self) -> frozenset[str]:
        """Tables of the contracts that another owner makes: they are read here, never built."""
        return frozenset(self.names.mapped)

    # -- reading ------------------------------------------------------------------------------------------------------

    def _read(self, what: str, sql: str, parameters: Sequence[Any]) -> pa.Table:
        """Run a query of the engine's own or a placed one, under an id nobody else uses."""
        return self.jobs.rows(self.jobs.query(Request("query", what, uuid.uuid4().hex, (sql,)), sql, parameters))

    def query(self, sql: str, params: Params | None = None, staged: Sequence[Staged] = ()) -> pa.Table:
        """Run one GoogleSQL query on a consistent snapshot; staged tables take the place of the published ones."""
        instead = {item.table: self.names.staging(item.token) for item in staged}
        tables = found_tables(sql)
        return self._read(tables[0] if len(tables) == 1 else "several", self.names.placed(sql, instead), bound(sql, params))

    def _must_be_ours(self, tables: Collection[str]) -> None:
        """Raise `WarehouseError` for tables of another owner."""
        if mapped := set(tables) & self.others_tables:
            raise WarehouseError("tables of another owner are read only", mapped, "take them out of NBA_FEATURES_TABLES to build them here")

    @property
    def bytes_budget(self) -> int:
        """Bytes that one statement may read."""
        return self.gcp.max_bytes_billed

    def bytes_processed(self, sql: str, params: Params | None = None) -> int:
        """Return how many bytes BigQuery would read for a query; nothing runs and nothing is billed."""
        return self.jobs.bytes_processed(self.names.placed(sql), bound(sql, params))

    def _read_partitions(
        self, spec: TableContract, path: str, where: str = "TRUE", parameters: Sequence[Any] = ()
    ) -> tuple[dict[dt.date, Partition], frozenset[dt.date]]:
        """Return the partitions of a table as its rows are, and those in which a row key repeats."""
        rows = self._read(spec.name, fingerprint_query(spec, path, where), parameters).to_pylist()
        if any(row["key"] is None for row in rows):
            raise WarehouseError(f"rows for {spec.name} have no {spec.partition}")
        found = {row["key"]: Partition(row["key"], row["n"], row["fingerprint"]) for row in sorted(rows, key=lambda row: row["key"])}
        return found, frozenset(row["key"] for row in rows if row["is_repeated"])

    def partitions(self, table: str, start: dt.date | None = None, end: dt.date | None = None) -> dict[dt.date, Partition]:
        """Return the published partitions of a table, both ends included; of a table that is not ours, as its rows are."""
        low, high = start or dt.date.min, end or dt.date.max
        if table in self.names.mapped:
            return self.readable(table, start, end)
        sql = f"""SELECT key, row_count, fingerprint FROM {quoted(self.names.path(PARTITIONS_TABLE))}
WHERE table_name = @table_name AND key BETWEEN @low AND @high ORDER BY key"""
        rows = self._read(PARTITIONS_TABLE, sql, bound(sql, {"table_name": table, "low": low, "high": high})).to_pylist()
        return {row["key"]: Partition(row["key"], row["row_count"], row["fingerprint"]) for row in rows}

    def readable(self, table: str, start: dt.date | None = None, end: dt.date | None = None) -> dict[dt.date, Partition]:
        """Count and hash the rows that a reader finds, partition by partition, whatever is recorded of them."""
        spec, low, high = contract(table), start or dt.date.min, end or dt.date.max
        where = f"`{spec.partition}` BETWEEN DATE '{low}' AND DATE '{high}'" if spec.partition else "TRUE"
        return self._read_partitions(spec, self.names.path(table), where)[0]

    def damaged(self, table: str) -> tuple[dt.date, ...]:
        """Return no partition: BigQuery keeps its own copies of what it stores."""
        del table
        return ()

    def stored_columns(self, table: str) -> dict[str, int]:
        """Return the columns of the table, each with all its partitions: a column belongs to the whole table here."""
        return dict.fromkeys(self.column_types(table), len(self.partitions(table)))

    def drop_columns(self, table: str, columns: Sequence[str]) -> None:
        """Take columns out of the table; BigQuery leaves every other column alone."""
        from warehouse.bigquery.schema import Change, apply

        self._must_be_ours({table})
        path = self.names.path(table)
        drops = ", ".join(f"DROP COLUMN IF EXISTS `{name}`" for name in columns)
        apply(self, [Change("drop columns", path, f"ALTER TABLE `{path}` {drops}")])

    def column_types(self, table: str) -> dict[str, str]:
        """Return the column names and GoogleSQL types of a table as they are in the warehouse; none for a table that is not there."""
        from google.api_core.exceptions import NotFound

        with cloud_errors(f"reading the columns of {table}"):
            try:
                return types_of(self.jobs.call(self.client.get_table, self.names.path(table)).schema)
            except NotFound:
                return {}

    # -- staging ------------------------------------------------------------------------------------------------------

    def _token(self, request: Request) -> str:
        """Return the name of the staging table of a request, the same in every process that asks for it."""
        return request.job_id(0).removeprefix(f"nba_{request.what}_")

    def _prepare(self, spec: TableContract, token: str) -> None:
        """Create the staging table; one that is there belongs to an earlier try of the same job."""
        table = staging_table(spec, self.names.staging(token), dt.datetime.now(dt.UTC))
        with cloud_errors(f"staging {spec.name}"):
            self.jobs.call(self.client.create_table, table, exists_ok=True)

    def _staged(self, spec: TableContract, token: str, run_id: str, began: float) -> Staged:
        try:
            partitions, repeated = self._read_partitions(spec, self.names.staging(token))
        except BaseException:
            with suppress(WarehouseError):
                self._delete(token)
            raise
        return Staged(spec.name, token, run_id, partitions, time.perf_counter() - began, repeated)

    def stage_query(self, spec: TableContract, sql: str, params: Params, run_id: str, staged: Sequence[Staged] = ()) -> Staged:
        """Write the rows of a GoogleSQL query beside the table; staged tables take the place of the published ones.

        A process that was killed while it waited and does the same again, for the same run, finds its job.
        """
        began = time.perf_counter()
        columns = ", ".join(f"`{name}`" for name in spec.column_names)
        instead = {item.table: self.names.staging(item.token) for item in staged}
        statement = f"SELECT {columns} FROM (\n{self.names.placed(sql, instead)}\n) AS made"
        parameters = bound(sql, params)
        request = Request("stage", spec.name, run_id, (statement, parameters_text(parameters)))
        token = self._token(request)
        self._prepare(spec, token)
        destination = self.names.staging(token)
        self.jobs.query(Request(*_parts(request), staging=destination), statement, parameters, destination)
        return self._staged(spec, token, run_id, began)

    def stage_rows(self, spec: TableContract, rows: pa.Table, run_id: str) -> Staged:
        """Write Arrow rows beside the table; raise `WarehouseError` unless they have just its columns."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        began = time.perf_counter()
        differing = set(rows.column_names) ^ set(spec.column_names)
        if differing:
            raise WarehouseError(f"the rows do not have the columns of {spec.name}", differing)
        try:
            typed = rows.select(list(spec.column_names)).cast(arrow_schema(spec))
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
            raise WarehouseError(f"the rows do not have the types of {spec.name}", [error]) from None
        buffer = io.BytesIO()
        pq.write_table(typed, buffer, compression="zstd")
        parquet = buffer.getvalue()
        request = Request("load", spec.name, run_id, (hashlib.sha256(parquet).hexdigest(),))
        token = self._token(request)
        self._prepare(spec, token)
        if typed.num_rows:
            destination = self.names.staging(token)
            self.jobs.load(
                Request(*_parts(request), staging=destination), parquet, [field_of(column) for column in spec.columns], destination
            )
        return self._staged(spec, token, run_id, began)

    @contextmanager
    def audited(self, staged: Staged) -> Iterator[tuple[duckdb.DuckDBPyConnection, str]]:
        """Pull staged rows into a DuckDB of their own for the gate to read."""
        import duckdb

        from warehouse.googlesql import prepare_connection

        spec = contract(staged.table)
        columns = ", ".join(f"`{name}`" for name in spec.column_names)
        rows = self._read(staged.table, f"SELECT {columns} FROM {quoted(self.names.staging(staged.token))}", [])
        connection = duckdb.connect(":memory:", config={"memory_limit": self.settings.memory_limit, "threads": self.settings.threads})
        try:
            prepare_connection(connection)
            connection.register("_audit_rows", rows.cast(arrow_schema(spec)))
            name = f'"audit_{staged.token}"'
            connection.execute(f"CREATE TABLE {name} AS SELECT * FROM _audit_rows")
            connection.unregister("_audit_rows")
            yield connection, name
        finally:
            connection.close()

    def _delete(self, token: str) -> None:
        with cloud_errors("removing staged rows"):
            self.jobs.call(self.client.delete_table, self.names.staging(token), not_found_ok=True)

    def discard(self, staged: Staged) -> None:
        """Remove staged rows; harmless when they are published or gone."""
        self._delete(staged.token)

    def define_views(self, views: Mapping[str, str]) -> None:
        """Make these the views of the datasets, GoogleSQL by name; nothing is written when they are so already."""
        from warehouse.bigquery import schema

        schema.define_views(self, views)

    # -- publishing ---------------------------------------------------------------------------------------------------

    def publish(self, publications: Sequence[Publication], records: Sequence[RecordWrite] = ()) -> list[Receipt]:
        """Replace all partitions and write all records in one transaction, then read back rows and fingerprints."""
        for item in publications:
            repeated = item.staged.repeated.intersection(item.keys)
            if repeated and item.into is None:
                raise WarehouseError(f"rows of {item.target} repeat a key on these partitions", repeated, "nothing was changed")
        self._must_be_ours({table for item in publications for table in (item.target, *item.drop_from)})
        script = Script()
        gone: dict[str, set[dt.date]] = {}
        here: list[Row] = []
        for item in publications:
            spec, source = contract(item.staged.table), self.names.staging(item.staged.token)
            replace_partitions(script, spec, self.names.path(item.target), source, item.keys)
            for other in item.drop_from:
                replace_partitions(script, contract(other), self.names.path(other), None, item.keys)
            for table in (item.target, *item.drop_from):
                gone.setdefault(table, set()).update(item.keys)
            here += [
                {"table_name": item.target, "key": key, "row_count": part.rows, "fingerprint": part.fingerprint}
                for key, part in item.staged.partitions.items()
                if key in item.keys
            ]
        register(script, self.names.path(PARTITIONS_TABLE), {table: sorted(keys) for table, keys in gone.items()}, here)
        label = publications[0].target if publications else "records"
        self._write(script, "publish", label, records)
        return [self._read_back(item) for item in publications]

    def _write(self, script: Script, what: str, table: str, records: Sequence[RecordWrite]) -> None:
        loaded: list[Staged] = []
        try:
            for request in records:
                spec = contract(request.table)
                rows = checked_rows(spec, request)
                big = self._loaded(spec, rows)
                loaded += [big] if big else []
                write_records(script, spec, self.names.path(request.table), request, rows, self.names.staging(big.token) if big else None)
            if script.statements:
                sql = script.transaction()
                self.jobs.query(Request(what, table, uuid.uuid4().hex, (sql,)), sql, script.parameters)
        finally:
            for staged in loaded:
                with suppress(WarehouseError):
                    self.discard(staged)

    def _loaded(self, spec: TableContract, rows: Sequence[Mapping[str, Any]]) -> Staged | None:
        """Stage record rows that are too many to be bound to a statement."""
        import pyarrow as pa

        if len(rows) < 100 or len(json.dumps(list(rows), default=str)) < MOST_BOUND_BYTES:
            return None
        table = pa.Table.from_pylist([{name: row.get(name) for name in spec.column_names} for row in rows], schema=arrow_schema(spec))
        return self.stage_rows(spec, table, uuid.uuid4().hex)

    def _read_back(self, item: Publication) -> Receipt:
        spec, keys = contract(item.target), set(item.keys)
        expected = {key: part for key, part in item.staged.partitions.items() if key in keys}
        script = Script()
        where = range_filter(spec, script, item.keys) if keys else "FALSE"
        read, _ = self._read_partitions(contract(item.staged.table), self.names.path(item.target), where, script.parameters)
        found = {key: part for key, part in read.items() if key in keys}
        if found != expected:
            wrong = [key for key in set(found) | set(expected) if found.get(key) != expected.get(key)]
            raise ReadBackError(f"{spec.name} does not read back as written", wrong, "publish these partitions again")
        return Receipt(item.target, found)

    def record(self, writes: Sequence[RecordWrite]) -> None:
        """Write rows of record tables in one transaction."""
        self._write(Script(), "record", writes[0].table if writes else "records", writes)

    # -- other --------------------------------------------------------------------------------------------------------

    def lease(self, table: str, start: dt.date, end: dt.date, holder: str) -> AbstractContextManager[None]:
        """Hold the right to write the range; raises `LeaseHeldError` with the other holder's name."""
        return self._leases.hold(table, start, end, holder)

    def orphans(self, grace_seconds: float = 0.0) -> list[str]:
        """Return the staging tables of processes of this machine that died; whether one did needs no grace to be known."""
        del grace_seconds
        dead = [item for item in self.journal if item.process != self.this_process() and not self.is_alive(item.process)]
        return [item.staging for item in dead if item.staging]

    def remove_orphans(self, grace_seconds: float = 0.0, runs: Collection[str] = ()) -> list[str]:
        """Delete the staging tables of processes of this machine that died before they read their job; return their paths."""
        del grace_seconds, runs
        removed = []
        for entry in self.journal:
            if entry.process == self.this_process() or self.is_alive(entry.process):
                continue
            if entry.staging:
                with cloud_errors("removing staged rows"):
                    self.jobs.call(self.client.delete_table, entry.staging, not_found_ok=True)
                removed.append(entry.staging)
            self.journal.forget(entry.job_id)
        return removed

    def this_process(self) -> str:
        """Return host, number and start time of this process."""
        return processes.this_process()

    def is_alive(self, process: str) -> bool:
        """Tell whether that process still runs; one on another machine counts as running."""
        return processes.is_alive(process)

    def close(self) -> None:
        """Release connections."""
        self.client.close()


def _parts(request: Request) -> tuple[str, str, str, tuple[str, ...]]:
    return request.what, request.table, request.run_id, request.content
