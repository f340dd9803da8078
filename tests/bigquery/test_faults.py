"""Faults on the wire: whatever breaks, the rows are right after it, none is doubled, and no job has run twice."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator

import pytest

from schemas.contracts import contract
from schemas.errors import StorageUnavailableError, WarehouseError
from schemas.settings import Settings
from tests.bigquery.conftest import QUICK, settings_for
from tests.bigquery.faults import Proxy, proxied
from tests.bigquery.stand_in import StandIn
from tests.warehouse.in_child import DIED, in_child
from tests.warehouse.made_up_rows import BOXES, COMPLETIONS, DAYS, completion, publish, rows_of, stage
from warehouse.bigquery import BigQueryWarehouse
from warehouse.bigquery.jobs import Pace
from warehouse.protocol import Publication, RecordWrite

pytestmark = pytest.mark.wire

COLUMNS = ", ".join(contract(BOXES).column_names)
COPY = f"SELECT {COLUMNS} FROM {BOXES} WHERE game_date BETWEEN @first AND @last"
SPAN = {"first": DAYS[0], "last": DAYS[-1]}


def submits(method: str, path: str) -> bool:
    """TRUE for a request that starts a query job."""
    return method == "POST" and path.split("?")[0].endswith("/jobs") and "upload" not in path


def waits(method: str, path: str) -> bool:
    """TRUE for a request that asks for the results of a job."""
    return method == "GET" and "/queries/" in path


def loads(method: str, path: str) -> bool:
    """TRUE for a request of an upload."""
    return "/upload/" in path and method in ("POST", "PUT")


def tables(method: str, path: str) -> bool:
    """TRUE for a request that makes, reads or removes a table."""
    return "/tables" in path


@pytest.fixture
def proxy(server: StandIn, monkeypatch: pytest.MonkeyPatch) -> Iterator[Proxy]:
    with proxied(server.address) as started:
        monkeypatch.setenv("BIGQUERY_EMULATOR_HOST", started.address)
        yield started


@pytest.fixture
def warehouse(proxy: Proxy, settings: Settings) -> Iterator[BigQueryWarehouse]:
    opened = BigQueryWarehouse(settings, pace=QUICK)
    yield opened
    opened.close()


def count(warehouse: BigQueryWarehouse) -> int:
    """Count the rows of the table."""
    (row,) = warehouse.query(f"SELECT COUNT(*) AS n FROM {BOXES} WHERE game_date BETWEEN @first AND @last", SPAN).to_pylist()
    return int(row["n"])


def ran_once(server: StandIn) -> bool:
    """TRUE when no job id has been run a second time."""
    return max(Counter(server.store.executed).values()) == 1


def jobs_of(server: StandIn, what: str) -> list[str]:
    """Return the ids of the jobs of a kind, in the order they ran."""
    return [name for name in server.store.executed if name.startswith(f"nba_{what}_")]


@pytest.mark.parametrize(
    ("where", "action"),
    [
        *((where, action) for where in (submits, waits) for action in ("cut_before", "cut_during", "cut_after", 429, 500, 503)),
        # The upload's own retries begin at a second: fewer cases, the same three moments.
        *((loads, action) for action in ("cut_before", "cut_after", 503)),
        *((tables, action) for action in ("cut_before", "cut_after", 503)),
    ],
)
def test_FM43_a_passing_fault_is_survived(
    warehouse: BigQueryWarehouse, proxy: Proxy, server: StandIn, action: str | int, where: Callable[[str, str], bool]
) -> None:
    fault = proxy.add(action, where, times=2)
    staged = stage(warehouse, BOXES, rows_of(BOXES))
    warehouse.publish([Publication(staged, DAYS)])
    warehouse.discard(staged)
    warehouse.record([RecordWrite(COMPLETIONS, [completion()], replace=False)])
    assert fault.met == 2, "the fault was met"
    assert count(warehouse) == 12 and ran_once(server)
    assert len(jobs_of(server, "load")) == len(jobs_of(server, "publish")) == len(jobs_of(server, "record")) == 1
    assert warehouse.query(f"SELECT run_id FROM {COMPLETIONS}").num_rows == 1
    assert not list(warehouse.journal)
    assert not [name for name in server.store.tables if name.startswith("nba_staging")], "no table is left over"


@pytest.mark.parametrize(("code", "said"), [(403, "is not allowed"), (404, "is missing")])
def test_a_lasting_refusal_is_told_at_once_and_changes_nothing(
    warehouse: BigQueryWarehouse, proxy: Proxy, server: StandIn, code: int, said: str
) -> None:
    publish(warehouse, BOXES, rows_of(BOXES))
    staged = stage(warehouse, BOXES, rows_of(BOXES, points=1))
    fault = proxy.add(code, submits, times=100)
    with pytest.raises(WarehouseError, match=said) as caught:
        warehouse.publish([Publication(staged, DAYS)])
    assert fault.met == 1, "it is not tried again"
    assert not list(warehouse.journal), "what was refused is nothing to come back to"
    assert "planted" in caught.value.line() and "http" not in caught.value.line()
    fault.times = 0
    assert count(warehouse) == 12 and warehouse.partitions(BOXES) != staged.partitions
    warehouse.publish([Publication(staged, DAYS)])
    assert warehouse.partitions(BOXES) == staged.partitions


def test_a_conflict_without_a_job_behind_it_is_told(warehouse: BigQueryWarehouse, proxy: Proxy) -> None:
    proxy.add(409, submits, times=100)
    with pytest.raises(WarehouseError, match="planted 409"):
        warehouse.record([RecordWrite(COMPLETIONS, [completion()])])
    assert not list(warehouse.journal)


def test_a_service_that_stays_away_is_told(settings: Settings, proxy: Proxy) -> None:
    proxy.add(503, submits, times=10_000)
    warehouse = BigQueryWarehouse(settings, pace=Pace(first_wait=0.01, request=5.0, retries=0.3))
    with pytest.raises(StorageUnavailableError):
        warehouse.record([RecordWrite(COMPLETIONS, [completion()])])


def test_an_answer_that_comes_too_late_is_asked_for_again(settings: Settings, proxy: Proxy, server: StandIn) -> None:
    warehouse = BigQueryWarehouse(settings, pace=Pace(first_wait=0.01, request=1.0, retries=20.0))
    fault = proxy.add("slow", submits, seconds=2.0)
    publish(warehouse, BOXES, rows_of(BOXES))
    assert fault.met == 1 and count(warehouse) == 12 and ran_once(server)


def test_FM44_a_job_slower_than_it_is_waited_for_goes_on_and_is_found(
    settings: Settings, server: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dataclasses import replace

    assert settings.gcp
    hasty = BigQueryWarehouse(replace(settings, gcp=replace(settings.gcp, job_seconds=1)), pace=QUICK)
    publish(hasty, BOXES, rows_of(BOXES))
    before, store = len(jobs_of(server, "stage")), server.store
    submit, job = store.submit, store.job
    running: dict[str, object] = {"status": {"state": "RUNNING"}}

    def unfinished(job_id: str, *_: object) -> dict[str, object]:
        return {"jobReference": job(job_id)["jobReference"], "jobComplete": False}

    with monkeypatch.context() as slow:
        slow.setattr(store, "submit", lambda *given: {**submit(*given), **running})
        slow.setattr(store, "job", lambda job_id: {**job(job_id), **running})
        slow.setattr(store, "results", unfinished)
        with pytest.raises(StorageUnavailableError, match="has not finished after 1 s") as caught:
            hasty.stage_query(contract(BOXES), COPY, SPAN, "run-8")
    assert "run this again and it is found by its job id" in caught.value.line()
    (entry,) = list(hasty.journal)
    assert entry.run_id == "run-8"
    staged = hasty.stage_query(contract(BOXES), COPY, SPAN, "run-8")
    assert staged.rows == 12 and len(jobs_of(server, "stage")) == before + 1 and not list(hasty.journal)


def test_a_job_that_failed_inside_is_run_again_under_another_id(
    warehouse: BigQueryWarehouse, server: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tests.bigquery.stand_in.statements import RefusedError

    real, failures = (
        server.store._query,
        [RefusedError(400, "invalidQuery", "Transaction is aborted due to concurrent update against table x")],
    )

    def flaky(job: dict[str, object], config: dict[str, object]) -> None:
        if "MERGE" in str(config["query"]) and failures:
            raise failures.pop()
        real(job, config)

    monkeypatch.setattr(server.store, "_query", flaky)
    warehouse.record([RecordWrite(COMPLETIONS, [completion()])])
    assert len(jobs_of(server, "record")) == 2 and ran_once(server)
    assert warehouse.query(f"SELECT run_id FROM {COMPLETIONS}").num_rows == 1


def test_a_job_that_failed_before_is_run_again_when_the_cause_is_mended(
    settings: Settings, server: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A resumed backfill asks for the same job of the same run: the old refusal must not be its answer for ever."""
    from tests.bigquery.stand_in.statements import RefusedError

    first = BigQueryWarehouse(settings, pace=QUICK)
    publish(first, BOXES, rows_of(BOXES))
    real, refused = server.store._query, RefusedError(400, "bytesBilledLimitExceeded", "Query exceeded limit for bytes billed")

    def too_dear(job: dict[str, object], config: dict[str, object]) -> None:
        if "destinationTable" in config:
            raise refused
        real(job, config)

    with monkeypatch.context() as dear:
        dear.setattr(server.store, "_query", too_dear)
        for _ in range(2):
            with pytest.raises(WarehouseError, match="more bytes than allowed"):
                first.stage_query(contract(BOXES), COPY, SPAN, "run-9")
    assert first.stage_query(contract(BOXES), COPY, SPAN, "run-9").rows == 12
    assert len(jobs_of(server, "stage")) == 3 and ran_once(server) and not list(first.journal)


def test_without_the_right_to_the_storage_api_rows_come_by_rest(
    settings: Settings, server: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    from google.api_core.exceptions import PermissionDenied
    from google.cloud.bigquery.table import RowIterator

    warehouse = BigQueryWarehouse(settings, pace=QUICK)
    publish(warehouse, BOXES, rows_of(BOXES))
    plain, asked = RowIterator.to_arrow, []

    def to_arrow(rows: RowIterator, bqstorage_client: object, create_bqstorage_client: bool) -> object:
        asked.append(bqstorage_client)
        if bqstorage_client is not None:
            raise PermissionDenied("request failed: the user does not have 'bigquery.readsessions.create' permission")
        return plain(rows, bqstorage_client=None, create_bqstorage_client=create_bqstorage_client)

    monkeypatch.setattr(RowIterator, "to_arrow", to_arrow)
    monkeypatch.setattr(warehouse.client, "_ensure_bqstorage_client", lambda: "a client")
    monkeypatch.delenv("BIGQUERY_EMULATOR_HOST")
    assert count(warehouse) == count(warehouse) == 12
    assert asked == ["a client", None, None], "it is asked for once"


def test_FM44_a_process_killed_after_submitting_finds_its_job_again(settings: Settings, server: StandIn, proxy: Proxy) -> None:
    first = BigQueryWarehouse(settings, pace=QUICK)
    publish(first, BOXES, rows_of(BOXES))
    before, there = len(jobs_of(server, "stage")), set(server.store.tables)

    def work() -> None:
        doomed = BigQueryWarehouse(settings, pace=QUICK)
        doomed.jobs._wait = lambda *_: os._exit(DIED)  # type: ignore[method-assign]
        doomed.stage_query(contract(BOXES), COPY, SPAN, "run-7")

    assert in_child(work)[0] == DIED
    (entry,) = list(first.journal)
    assert entry.table == BOXES and entry.run_id == "run-7" and not first.is_alive(entry.process)
    staged = first.stage_query(contract(BOXES), COPY, SPAN, "run-7")
    assert staged.rows == 12 and len(jobs_of(server, "stage")) == before + 1 and ran_once(server), "the job has run once"
    first.publish([Publication(staged, DAYS)])
    first.discard(staged)
    assert count(first) == 12 and not list(first.journal)
    assert set(server.store.tables) == there, "no table is left over"


def test_what_a_killed_process_staged_is_removed_when_nobody_returns(settings: Settings, server: StandIn, proxy: Proxy) -> None:
    def work() -> None:
        doomed = BigQueryWarehouse(settings, pace=QUICK)
        doomed.jobs._wait = lambda *_: os._exit(DIED)  # type: ignore[method-assign]
        stage(doomed, BOXES, rows_of(BOXES))

    assert in_child(work)[0] == DIED
    warehouse = BigQueryWarehouse(settings, pace=QUICK)
    assert [name for name in server.store.tables if name.startswith("nba_staging")]
    assert len(warehouse.remove_orphans()) == 1 and not list(warehouse.journal)
    assert not [name for name in server.store.tables if name.startswith("nba_staging")]


def test_without_credentials_the_hint_says_what_to_do(monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> None:
    from pathlib import Path

    from warehouse.bigquery.engine import open_client

    for name in ("BIGQUERY_EMULATOR_HOST", "GOOGLE_APPLICATION_CREDENTIALS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NO_GCE_CHECK", "true")
    gcp = settings_for(Path(str(tmp_path))).gcp
    assert gcp
    with pytest.raises(StorageUnavailableError, match="gcloud auth application-default login"):
        open_client(gcp)


def test_nothing_secret_is_written(warehouse: BigQueryWarehouse, settings: Settings, caplog: pytest.LogCaptureFixture) -> None:
    """The journal holds names and ids alone: neither values nor tokens."""
    caplog.set_level("DEBUG")
    token = "ya29.not-a-real-token"
    warehouse.client._credentials.token = token
    publish(warehouse, BOXES, rows_of(BOXES))
    written = "".join(path.read_text(errors="replace") for path in settings.home.rglob("*") if path.is_file())
    assert token not in written and token not in caplog.text
