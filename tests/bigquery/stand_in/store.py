"""Datasets, tables and jobs of the stand-in."""

from __future__ import annotations

import io
import re
import threading
import time
from collections.abc import Mapping
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from tests.bigquery.stand_in.statements import ENGINE_MACROS, RefusedError, Runner
from tests.bigquery.stand_in.values import column_type, encoded, field
from warehouse.googlesql import prepare_connection

NAMED = re.compile(r"`([^`]+)`")


def now_ms() -> str:
    """Return the server's clock as the protocol writes it."""
    return str(int(time.time() * 1000))


class Store:
    """Everything the server knows, behind one lock: statements run one after another."""

    def __init__(self, project: str) -> None:
        self.project = project
        self.lock = threading.RLock()
        self.connection = duckdb.connect(":memory:", config={"threads": 2, "memory_limit": "2GB"})
        prepare_connection(self.connection)
        self.connection.execute(ENGINE_MACROS)
        self.tables: dict[str, dict[str, Any]] = {}
        self.filtered: dict[str, str] = {}
        self.jobs: dict[str, dict[str, Any]] = {}
        self.executed: list[str] = []
        self.denied: set[tuple[str, str]] = set()

    # -- tables -------------------------------------------------------------------------------------------------------

    def datasets(self) -> list[str]:
        """Return the names of the datasets."""
        sql = "SELECT schema_name FROM duckdb_schemas() WHERE NOT internal AND schema_name <> 'main' ORDER BY 1"
        return [row[0] for row in self.connection.execute(sql).fetchall()]

    def table(self, dataset: str, name: str) -> dict[str, Any]:
        """Return a table's resource."""
        with self.lock:
            found = self.connection.execute(
                "SELECT 1 FROM duckdb_columns() WHERE schema_name = ? AND table_name = ?", [dataset, name]
            ).fetchone()
            if not found:
                raise RefusedError(404, "notFound", f"Not found: Table {self.project}:{dataset}.{name}")
            description = self.connection.execute(f'SELECT * FROM "{dataset}"."{name}" LIMIT 0').description
            kept = self.tables.setdefault(f"{dataset}.{name}", {"creationTime": now_ms()})
            fields = [field(column[0], column[1]) for column in description or []]
            return {
                "kind": "bigquery#table",
                "id": f"{self.project}:{dataset}.{name}",
                "tableReference": {"projectId": self.project, "datasetId": dataset, "tableId": name},
                "type": "VIEW" if "view" in kept else "TABLE",
                "etag": "x",
                "location": "US",
                **kept,
                "schema": {"fields": fields},
            }

    def create(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """Create a table from its resource."""
        ref = body["tableReference"]
        dataset, name = ref["datasetId"], ref["tableId"]
        columns = ", ".join(f'"{item["name"]}" {column_type(item)}' for item in body["schema"]["fields"])
        with self.lock:
            try:
                self.connection.execute(f'CREATE TABLE "{dataset}"."{name}" ({columns})')
            except duckdb.CatalogException as error:
                if "already exists" in str(error):
                    raise RefusedError(409, "duplicate", f"Already Exists: Table {dataset}.{name}") from None
                raise RefusedError(404, "notFound", f"Not found: Dataset {self.project}:{dataset}") from None
            kept = {key: body[key] for key in ("expirationTime", "labels", "timePartitioning") if key in body}
            self.tables[f"{dataset}.{name}"] = {**kept, "creationTime": now_ms()}
            return self.table(dataset, name)

    def drop(self, dataset: str, name: str) -> dict[str, Any]:
        """Drop a table."""
        with self.lock:
            self.table(dataset, name)
            self.connection.execute(f'DROP TABLE "{dataset}"."{name}"')
            del self.tables[f"{dataset}.{name}"]
            return {}

    def _created_by(self, sql: str) -> None:
        """Keep of a CREATE statement what DuckDB has no place for."""
        head = sql.split("(", 1)[0]
        named = NAMED.search(head)
        if named is None or named[1].count(".") < 2:
            return
        name = ".".join(named[1].split(".")[-2:])
        kept = self.tables.setdefault(name, {"creationTime": now_ms()})
        if head.upper().startswith("CREATE OR REPLACE VIEW"):
            kept["view"] = {"query": sql.split(" AS\n", 1)[1], "useLegacySql": False}
        partition = re.search(r"PARTITION BY `(\w+)`", sql)
        if partition and "require_partition_filter = TRUE" in sql:
            self.filtered[name] = partition[1]

    def forget(self) -> None:
        """Empty every table and forget every job, so that the next test finds only the schema."""
        with self.lock:
            for name in list(self.tables):
                dataset, table = name.split(".")
                if dataset == "nba_staging":
                    self.drop(dataset, table)
                elif "view" not in self.tables[name]:
                    self.connection.execute(f'DELETE FROM "{dataset}"."{table}"')
            self.jobs.clear()
            self.executed.clear()
            self.denied.clear()

    # -- jobs ---------------------------------------------------------------------------------------------------------

    def submit(self, body: Mapping[str, Any], data: bytes | None = None) -> dict[str, Any]:
        """Run a job and keep its outcome under its id."""
        config = body["configuration"]
        if config.get("dryRun"):
            return self._estimated(config)
        reference = body.get("jobReference") or {}
        job_id = reference.get("jobId") or f"job_{len(self.jobs)}_{now_ms()}"
        with self.lock:
            if job_id in self.jobs:
                raise RefusedError(409, "duplicate", f"Already Exists: Job {self.project}:US.{job_id}")
            at = now_ms()
            job: dict[str, Any] = {
                "kind": "bigquery#job",
                "id": f"{self.project}:US.{job_id}",
                "etag": "x",
                "jobReference": {"projectId": self.project, "jobId": job_id, "location": "US"},
                "configuration": config,
                "status": {"state": "DONE"},
                "statistics": {"creationTime": at, "startTime": at, "endTime": at},
                "user_email": "nobody",
            }
            try:
                if "load" in config:
                    self._load(config["load"], data or b"")
                else:
                    self._query(job, config["query"])
            except RefusedError as error:
                told = {"reason": error.reason, "message": error.message}
                job["status"] |= {"errorResult": told, "errors": [told]}
                job["_error"] = error
            self.jobs[job_id] = job
            self.executed.append(job_id)
            return job

    def _estimated(self, config: Mapping[str, Any]) -> dict[str, Any]:
        """Return a job that did not run: eight bytes for each value of the tables that the statement names."""
        sql = config["query"]["query"]
        read = sum(self._values(name) for name in self.tables if re.search(rf"\b{re.escape(name)}\b", sql))
        return {
            "kind": "bigquery#job",
            "jobReference": {"projectId": self.project, "jobId": "", "location": "US"},
            "configuration": dict(config),
            "status": {"state": "DONE"},
            "statistics": {"creationTime": now_ms(), "query": {"totalBytesProcessed": str(8 * read)}},
        }

    def _values(self, name: str) -> int:
        dataset, table = name.split(".")
        with self.lock:
            found = self.connection.execute(f'SELECT * FROM "{dataset}"."{table}"').to_arrow_table()
        return int(found.num_rows * found.num_columns)

    def _load(self, config: Mapping[str, Any], data: bytes) -> None:
        ref, rows = config["destinationTable"], pq.read_table(io.BytesIO(data))
        if f"{ref['datasetId']}.{ref['tableId']}" not in self.tables and config.get("createDisposition") != "CREATE_NEVER":
            self._create_like(ref["datasetId"], ref["tableId"], rows)
        self._write(ref["datasetId"], ref["tableId"], rows, config.get("writeDisposition", "WRITE_APPEND"))

    def _query(self, job: dict[str, Any], config: dict[str, Any]) -> None:
        sql = config["query"]
        rows, description, kind = Runner(self.connection, self.filtered).run(sql, config.get("queryParameters", []))
        if sql.lstrip().upper().startswith("CREATE"):
            self._created_by(sql)
        target = config.get("destinationTable")
        if target and rows is not None:
            if f"{target['datasetId']}.{target['tableId']}" not in self.tables and config.get("createDisposition") != "CREATE_NEVER":
                self._create_like(target["datasetId"], target["tableId"], rows)
            self._write(target["datasetId"], target["tableId"], rows, config.get("writeDisposition", "WRITE_EMPTY"))
        fields = [field(column[0], column[1]) for column in description or []]
        job["_fields"], job["_rows"] = fields, rows
        job["statistics"]["query"] = {"statementType": kind, "totalBytesProcessed": "0", "schema": {"fields": fields}}

    def _create_like(self, dataset: str, name: str, rows: pa.Table) -> None:
        """Create a table with the columns of what is loaded into it."""
        self.connection.register("_shape", rows.slice(0, 0))
        try:
            self.connection.execute(f'CREATE TABLE "{dataset}"."{name}" AS SELECT * FROM _shape')
        finally:
            self.connection.unregister("_shape")
        self.tables[f"{dataset}.{name}"] = {"creationTime": now_ms()}

    def change(self, dataset: str, name: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Change what the service keeps of a table beside its rows."""
        with self.lock:
            self.table(dataset, name)
            self.tables[f"{dataset}.{name}"] |= {key: body[key] for key in ("expirationTime", "labels") if key in body}
            return self.table(dataset, name)

    def _write(self, dataset: str, name: str, rows: pa.Table, disposition: str) -> None:
        self.table(dataset, name)
        count = self.connection.execute(f'SELECT COUNT(*) FROM "{dataset}"."{name}"').fetchone()
        if disposition == "WRITE_EMPTY" and count and count[0]:
            raise RefusedError(409, "duplicate", f"Already Exists: Table {dataset}.{name} holds rows")
        self.connection.register("_written", rows)
        try:
            self.connection.execute(f'INSERT INTO "{dataset}"."{name}" BY NAME SELECT * FROM _written')
        except duckdb.Error as error:
            raise RefusedError(400, "invalid", str(error).splitlines()[0]) from None
        finally:
            self.connection.unregister("_written")

    def results(self, job_id: str, start: int, most: int) -> dict[str, Any]:
        """Return a page of a finished query's rows."""
        job = self.job(job_id)
        if "_error" in job:
            raise job["_error"]
        fields, rows = job.get("_fields") or [], job.get("_rows")
        count = rows.num_rows if rows is not None else 0
        answer: dict[str, Any] = {
            "kind": "bigquery#getQueryResultsResponse",
            "schema": {"fields": fields},
            "jobReference": job["jobReference"],
            "jobComplete": True,
            "totalRows": str(count),
            "totalBytesProcessed": "0",
        }
        if rows is not None and most:
            page = rows.slice(start, most).to_pylist()
            answer["rows"] = [{"f": [{"v": encoded(row[item["name"]], item)} for item in fields]} for row in page]
            if start + most < count:
                answer["pageToken"] = str(start + most)
        return answer

    def job(self, job_id: str) -> dict[str, Any]:
        """Return a job."""
        with self.lock:
            if job_id not in self.jobs:
                raise RefusedError(404, "notFound", f"Not found: Job {self.project}:US.{job_id}")
            return self.jobs[job_id]
