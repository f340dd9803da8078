"""Jobs that run once: the id is made from what the job does, noted before it is sent, and found again after a crash."""

from __future__ import annotations

import datetime as dt
import hashlib
import io
import json
import random
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING, Any

from schemas.errors import StorageUnavailableError
from schemas.settings import GcpSettings
from warehouse.bigquery.failures import cloud_errors, is_worth_another_job, message, retry
from warehouse.bigquery.journal import Journal, Submitted

if TYPE_CHECKING:
    import pyarrow as pa
    from google.cloud import bigquery

ATTEMPTS = 5
PER_TABLE = 2
IN_ALL = 8
LONG_WAIT = 30.0


@dataclass(frozen=True)
class Pace:
    """How often and how long one request is tried again (seconds)."""

    first_wait: float = 1.0
    request: float = 60.0
    retries: float = 180.0


@dataclass(frozen=True)
class Request:
    """What a job is for; all of it but `staging` enters the job's id."""

    what: str
    table: str
    run_id: str
    content: tuple[str, ...]
    staging: str = ""

    def job_id(self, attempt: int) -> str:
        """Return the id of that attempt, the same in every process."""
        digest = hashlib.sha256("\0".join((self.table, self.run_id, *self.content, str(attempt))).encode()).hexdigest()
        return f"nba_{self.what}_{digest[:40]}"


def parameters_text(parameters: Sequence[Any]) -> str:
    """Return bound parameters as text that differs when they differ."""
    return json.dumps([parameter.to_api_repr() for parameter in parameters], sort_keys=True)


class Jobs:
    """Sends jobs of one project and waits for them, a few at a time."""

    def __init__(self, client: bigquery.Client, settings: GcpSettings, journal: Journal, process: str, pace: Pace) -> None:
        self.client = client
        self.settings = settings
        self.journal = journal
        self.process = process
        self.pace = pace
        self.retry = retry(pace.first_wait, pace.retries)
        self._all = threading.BoundedSemaphore(IN_ALL)
        self._tables: dict[str, threading.BoundedSemaphore] = {}
        self._storage: Any = None
        self._by_rest = False

    def call(self, method: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Call a method of the client with the project's time limit and retries."""
        return method(*args, retry=self.retry, timeout=self.pace.request, **kwargs)

    @contextmanager
    def _slot(self, table: str) -> Iterator[None]:
        # The table's own turn first: who waits for it takes no place that a job of another table could have.
        with self._tables.setdefault(table, threading.BoundedSemaphore(PER_TABLE)), self._all:
            yield

    def _labels(self, request: Request) -> dict[str, str]:
        """Return labels by which the bill can be read; BigQuery allows lower case, digits, `-` and `_`."""
        table = "".join(c if c.isalnum() or c in "-_" else "_" for c in request.table.lower())
        return {"app": "nba-features", "what": request.what, "table": table[:63]}

    # -- queries ------------------------------------------------------------------------------------------------------

    def query(
        self, request: Request, sql: str, parameters: Sequence[Any], destination: str | None = None, write: str = "WRITE_EMPTY"
    ) -> bigquery.QueryJob:
        """Run a statement or a script as one job and wait for it; its rows go to `destination` where there is one.

        Raises:
            WarehouseError: BigQuery refused it, or it failed.
            StorageUnavailableError: no rights, or BigQuery did not answer in time.
        """
        from google.cloud import bigquery

        config = bigquery.QueryJobConfig(
            query_parameters=list(parameters),
            use_legacy_sql=False,
            maximum_bytes_billed=self.settings.max_bytes_billed,
            labels=self._labels(request),
            use_query_cache=destination is None,
        )
        if destination:
            config.destination = bigquery.TableReference.from_string(destination)
            config.create_disposition = "CREATE_NEVER"
            config.write_disposition = write

        def send(job_id: str) -> Any:
            return self.call(self.client.query, sql, job_config=config, job_id=job_id, job_retry=None, location=self.settings.location)

        return self._run(request, send)

    def bytes_processed(self, sql: str, parameters: Sequence[Any]) -> int:
        """Return what BigQuery says a statement would read; nothing runs."""
        from google.cloud import bigquery

        config = bigquery.QueryJobConfig(dry_run=True, use_query_cache=False, query_parameters=list(parameters))
        with cloud_errors("the estimate"):
            job = self.call(self.client.query, sql, job_config=config, job_retry=None, location=self.settings.location)
        return int(job.total_bytes_processed or 0)

    def rows(self, job: bigquery.QueryJob) -> pa.Table:
        """Return the rows of a finished query as Arrow, by the Storage Read API where it is there."""
        from google.api_core.exceptions import Forbidden

        def read(storage: Any) -> pa.Table:
            iterator = job.result(retry=self.retry, timeout=float(self.settings.job_seconds), job_retry=None)
            return iterator.to_arrow(bqstorage_client=storage, create_bqstorage_client=False)

        with cloud_errors("reading the rows"):
            storage = self.storage()
            try:
                return read(storage)
            except Forbidden:
                if storage is None:
                    raise
                self._by_rest = True
                return read(None)

    def storage(self) -> Any:
        """Return the Storage Read API's client, or None where rows travel by REST: an emulator, no package, or no right to it."""
        import os

        if self._by_rest or os.environ.get("BIGQUERY_EMULATOR_HOST"):
            return None
        if self._storage is None:
            self._storage = self.client._ensure_bqstorage_client()
        return self._storage

    # -- loads --------------------------------------------------------------------------------------------------------

    def load(self, request: Request, parquet: bytes, schema: Sequence[Any], destination: str) -> bigquery.LoadJob:
        """Load one Parquet file into an empty table."""
        from google.cloud import bigquery

        options = bigquery.ParquetOptions()
        options.enable_list_inference = True
        config = bigquery.LoadJobConfig(
            source_format=bigquery.SourceFormat.PARQUET,
            schema=list(schema),
            create_disposition="CREATE_NEVER",
            write_disposition="WRITE_EMPTY",
            labels=self._labels(request),
        )
        config.parquet_options = options

        def send(job_id: str) -> Any:
            # The upload has retries of its own inside; a failed one is sent again as a whole under the same id.
            return self.retry(self.client.load_table_from_file)(
                io.BytesIO(parquet),
                bigquery.TableReference.from_string(destination),
                size=len(parquet),
                rewind=True,
                job_id=job_id,
                location=self.settings.location,
                job_config=config,
                timeout=self.pace.request,
            )

        return self._run(request, send)

    # -- once ---------------------------------------------------------------------------------------------------------

    def _run(self, request: Request, send: Callable[[str], Any]) -> Any:
        failures = 0
        with self._slot(request.table), cloud_errors(f"the {request.what} of {request.table}", unknown_outcome=True):
            for attempt in count():
                job = self._sent(request, request.job_id(attempt), send)
                if job is None:
                    continue
                try:
                    self._wait(job, request)
                except Exception as error:
                    if job.done(reload=False):
                        self.journal.forget(job.job_id)
                    failures += 1
                    if failures == ATTEMPTS or not is_worth_another_job(error):
                        raise
                    time.sleep(random.uniform(0, min(self.pace.first_wait * 2**failures, LONG_WAIT)))
                else:
                    self.journal.forget(job.job_id)
                    return job
        raise AssertionError("unreachable: the last attempt returns or raises")

    def _sent(self, request: Request, job_id: str, send: Callable[[str], Any]) -> Any:
        """Send the job, or find the one that was sent under this id before; None when that one failed or its rows are gone."""
        from google.api_core import exceptions as core

        at = dt.datetime.now(dt.UTC).isoformat()
        self.journal.note(Submitted(job_id, self.settings.location, request.table, request.run_id, request.staging, self.process, at))
        try:
            return send(job_id)
        except core.Conflict as error:
            try:
                job = self.call(self.client.get_job, job_id, location=self.settings.location)
            except core.NotFound:
                self.journal.forget(job_id)
                raise error from None
        except core.ClientError:
            # Refused at the door: there is no job to be found again.
            self.journal.forget(job_id)
            raise
        # What failed before may be mended by now: a right, the budget, a missing table. A failed job leaves nothing.
        if job.error_result:
            self.journal.forget(job_id)
            return None
        if not request.staging:
            return job
        # Staged rows that were discarded and are asked for again: the table is younger than the job, so the job is run anew.
        table = self.call(self.client.get_table, request.staging)
        if table.created and job.created and table.created > job.created:
            self.journal.forget(job_id)
            return None
        return job

    def _wait(self, job: Any, request: Request) -> None:
        import concurrent.futures

        from google.cloud import bigquery

        seconds = float(self.settings.job_seconds)
        options = {"job_retry": None} if isinstance(job, bigquery.QueryJob) else {}
        try:
            job.result(retry=self.retry, timeout=seconds, **options)
        except (concurrent.futures.TimeoutError, TimeoutError) as error:
            raise StorageUnavailableError(
                f"the {request.what} of {request.table} has not finished after {seconds:.0f} s",
                [job.job_id, message(error) or "no answer"],
                "it goes on: run this again and it is found by its job id, or raise NBA_FEATURES_JOB_SECONDS",
            ) from None
