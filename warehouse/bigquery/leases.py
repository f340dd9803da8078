"""One writer per table and range: a row of the lease table, taken in a transaction, renewed while it is held.

The clock is BigQuery's own, the only one that all holders share. A lease ends when it is given back, when its process on
this machine is gone, or when it has not been renewed for a quarter of an hour.
"""

from __future__ import annotations

import datetime as dt
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from schemas.contracts import Column
from schemas.errors import LeaseHeldError, WarehouseError
from warehouse.bigquery.jobs import Jobs, Request
from warehouse.bigquery.names import LEASES_TABLE, Names, quoted
from warehouse.bigquery.parameters import bound
from warehouse.bigquery.statements import Script
from warehouse.embedded.leases import is_alive, this_process

MINUTES = 15
RENEW_SECONDS = 240.0
LEASE_COLUMNS = (
    Column("lease_id", "STRING", "Id; the row `guard` is touched by every writer", required=True),
    Column("table_name", "STRING", "Table", required=True),
    Column("start_key", "DATE", "First date held", required=True),
    Column("end_key", "DATE", "Last date held", required=True),
    Column("holder", "STRING", "Who holds it", required=True),
    Column("process", "STRING", "Host, number and start time of the process", required=True),
    Column("expires_at", "TIMESTAMP", "When it ends unless renewed", required=True),
)
GUARD = "guard"


class Leases:
    """The lease table of one installation."""

    def __init__(self, jobs: Jobs, names: Names) -> None:
        self.jobs = jobs
        self.path = quoted(names.path(LEASES_TABLE))

    def _run(self, statements: list[str], values: dict[str, object]) -> None:
        sql = Script(statements).transaction()
        request = Request("lease", LEASES_TABLE, uuid.uuid4().hex, (sql,))
        self.jobs.query(request, sql, bound(sql, values))

    def _others(self, table: str, start: dt.date, end: dt.date) -> list[dict[str, object]]:
        sql = f"""SELECT lease_id, holder, process, start_key, end_key FROM {self.path}
WHERE table_name = @table_name AND start_key <= @end_key AND end_key >= @start_key AND expires_at > CURRENT_TIMESTAMP()
ORDER BY lease_id"""
        values = {"table_name": table, "start_key": start, "end_key": end}
        job = self.jobs.query(Request("query", LEASES_TABLE, uuid.uuid4().hex, (sql,)), sql, bound(sql, values))
        rows: list[dict[str, object]] = self.jobs.rows(job).to_pylist()
        return rows

    def _take(self, lease_id: str, table: str, start: dt.date, end: dt.date, holder: str) -> None:
        """Insert the lease unless another one covers a part of the range.

        Every taker changes the guard row, so BigQuery aborts all but one of several at a time; the others try again and
        see the winner's row.
        """
        overlap = "table_name = @table_name AND start_key <= @end_key AND end_key >= @start_key AND expires_at > CURRENT_TIMESTAMP()"
        self._run(
            [
                f"DELETE FROM {self.path} WHERE lease_id = '{GUARD}' OR expires_at <= CURRENT_TIMESTAMP()",
                f"""INSERT INTO {self.path} (lease_id, table_name, start_key, end_key, holder, process, expires_at)
SELECT '{GUARD}', '', DATE '1970-01-01', DATE '1970-01-01', '', '', TIMESTAMP '9999-12-31 00:00:00+00'""",
                f"""INSERT INTO {self.path} (lease_id, table_name, start_key, end_key, holder, process, expires_at)
SELECT @lease_id, @table_name, @start_key, @end_key, @holder, @process, TIMESTAMP_ADD(CURRENT_TIMESTAMP(), INTERVAL {MINUTES} MINUTE)
FROM (SELECT 1 AS one) AS once
WHERE NOT EXISTS (SELECT 1 FROM {self.path} WHERE {overlap})""",
            ],
            {
                "lease_id": lease_id,
                "table_name": table,
                "start_key": start,
                "end_key": end,
                "holder": holder,
                "process": this_process(),
            },
        )

    def _drop(self, lease_ids: list[str]) -> None:
        self._run([f"DELETE FROM {self.path} WHERE lease_id IN UNNEST(@lease_ids)"], {"lease_ids": lease_ids})

    def _renew(self, lease_id: str, until: threading.Event) -> None:
        while not until.wait(RENEW_SECONDS):
            # A renewal that fails is tried again in four minutes; the lease lasts for fifteen.
            with suppress(WarehouseError):
                self._run(
                    [
                        f"UPDATE {self.path} SET expires_at = TIMESTAMP_ADD(CURRENT_TIMESTAMP(), INTERVAL {MINUTES} MINUTE)"
                        " WHERE lease_id = @lease_id"
                    ],
                    {"lease_id": lease_id},
                )

    def _taken(self, lease_id: str, table: str, start: dt.date, end: dt.date, holder: str) -> list[dict[str, object]]:
        """Try to take the lease, also in the place of dead holders; return who holds a part of the range now."""
        self._take(lease_id, table, start, end, holder)
        others = self._others(table, start, end)
        dead = [str(row["lease_id"]) for row in others if not is_alive(str(row["process"]))]
        if dead:
            self._drop(dead)
            self._take(lease_id, table, start, end, holder)
            others = self._others(table, start, end)
        return others

    @contextmanager
    def hold(self, table: str, start: dt.date, end: dt.date, holder: str) -> Iterator[None]:
        """Hold the lease for the block; raise `LeaseHeldError` naming who has it."""
        lease_id = uuid.uuid4().hex
        try:
            others = self._taken(lease_id, table, start, end, holder)
        except BaseException:
            # It may have been taken: nobody is to wait a quarter of an hour for one that is not held.
            with suppress(WarehouseError):
                self._drop([lease_id])
            raise
        if lease_id not in [row["lease_id"] for row in others]:
            found = [f"{row['holder']} ({str(row['process']).rsplit(':', 1)[0]})" for row in others]
            hint = "wait for it to end or stop it" if found else "it has just ended: try again"
            first, last = (others[0]["start_key"], others[0]["end_key"]) if others else (start, end)
            raise LeaseHeldError(f"{table} is being written from {first} to {last}", found, hint)
        done = threading.Event()
        keeper = threading.Thread(target=self._renew, args=(lease_id, done), name=f"lease {table}", daemon=True)
        keeper.start()
        try:
            yield
        finally:
            done.set()
            # Unless it can be given back it ends by itself; the work done under it stands.
            with suppress(WarehouseError):
                self._drop([lease_id])
