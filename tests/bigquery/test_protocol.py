"""The warehouse protocol on BigQuery: the behaviour that everything above relies on, over the wire with the official client."""

from __future__ import annotations

import datetime as dt

import pyarrow as pa
import pytest

from schemas.contracts import contract
from schemas.errors import LeaseHeldError, ReadBackError, StorageUnavailableError, UsageError, WarehouseError
from schemas.rules import STORE_TABLE
from tests.bigquery.stand_in import StandIn
from tests.warehouse.made_up_rows import BOXES, COMPLETIONS, DAYS, NOON, PLAYERS, completion, publish, rows_of, stage
from warehouse.bigquery import BigQueryWarehouse
from warehouse.protocol import UNPARTITIONED, Publication, RecordWrite

BLOCKED = f"{STORE_TABLE}_blocked"
SPAN = {"first": DAYS[0], "last": DAYS[-1]}


def rows_in(warehouse: BigQueryWarehouse, table: str) -> pa.Table:
    """Return all rows of a table in the order of its keys."""
    spec = contract(table)
    where = f" WHERE {spec.partition} BETWEEN @first AND @last" if spec.partition else ""
    found = warehouse.query(f"SELECT * FROM {table}{where}", SPAN)
    return found.sort_by([(name, "ascending") for name in spec.keys])


@pytest.mark.parametrize("table", [BOXES, PLAYERS, STORE_TABLE, "nba_precompute.player_composite_factors"])
def test_what_was_written_is_what_is_read_in_every_column(warehouse: BigQueryWarehouse, table: str) -> None:
    rows = rows_of(table)
    published = publish(warehouse, table, rows)
    keys = [(name, "ascending") for name in contract(table).keys]
    assert rows_in(warehouse, table).to_pylist() == rows.sort_by(keys).to_pylist()
    assert warehouse.partitions(table) == published == warehouse.readable(table)


def test_rows_are_invisible_until_they_are_published(warehouse: BigQueryWarehouse) -> None:
    staged = stage(warehouse, BOXES, rows_of(BOXES))
    assert staged.rows == 3 * len(DAYS) and not warehouse.partitions(BOXES) and rows_in(warehouse, BOXES).num_rows == 0
    seen = warehouse.query(f"SELECT COUNT(*) AS n FROM {BOXES} WHERE game_date BETWEEN @first AND @last", SPAN, staged=[staged])
    assert seen.to_pylist() == [{"n": staged.rows}]


def test_the_same_again_changes_no_row_and_no_fingerprint(warehouse: BigQueryWarehouse) -> None:
    first, before = publish(warehouse, BOXES, rows_of(BOXES)), rows_in(warehouse, BOXES)
    assert publish(warehouse, BOXES, rows_of(BOXES)) == first and rows_in(warehouse, BOXES).equals(before)


def test_other_rows_replace_their_partition_and_no_other(warehouse: BigQueryWarehouse) -> None:
    first = publish(warehouse, BOXES, rows_of(BOXES))
    publish(warehouse, BOXES, rows_of(BOXES, DAYS[-1:], per_date=2, points=77))
    now = warehouse.partitions(BOXES)
    assert {key for key in now if now[key] != first[key]} == {DAYS[-1]} and now[DAYS[-1]].rows == 2
    assert rows_in(warehouse, BOXES)["points"].to_pylist().count(77) == 2


def test_a_partition_published_without_rows_is_emptied(warehouse: BigQueryWarehouse) -> None:
    publish(warehouse, BOXES, rows_of(BOXES))
    nothing = stage(warehouse, BOXES, rows_of(BOXES).slice(0, 0))
    assert warehouse.publish([Publication(nothing, (DAYS[0],))])[0].rows == 0
    assert set(warehouse.partitions(BOXES)) == set(DAYS[1:]) and rows_in(warehouse, BOXES).num_rows == 9


def test_FM40_a_key_twice_is_refused_and_the_partition_stays(warehouse: BigQueryWarehouse) -> None:
    before, rows = publish(warehouse, BOXES, rows_of(BOXES)), rows_of(BOXES)
    staged = stage(warehouse, BOXES, pa.concat_tables([rows, rows.slice(0, 1)]))
    assert staged.repeated == {DAYS[0]}
    with pytest.raises(WarehouseError, match="repeat a key"):
        warehouse.publish([Publication(staged, tuple(staged.partitions))])
    assert warehouse.partitions(BOXES) == before
    assert set(warehouse.publish([Publication(staged, DAYS[1:])])[0].published) == set(DAYS[1:])


def test_blocked_rows_go_beside_and_leave_again(warehouse: BigQueryWarehouse) -> None:
    staged = stage(warehouse, STORE_TABLE, rows_of(STORE_TABLE))
    warehouse.publish([Publication(staged, DAYS[:3], drop_from=(BLOCKED,)), Publication(staged, DAYS[3:], into=BLOCKED)])
    assert set(warehouse.partitions(STORE_TABLE)) == set(DAYS[:3]) and set(warehouse.partitions(BLOCKED)) == {DAYS[3]}
    warehouse.publish([Publication(staged, DAYS[3:], drop_from=(BLOCKED,))])
    assert set(warehouse.partitions(STORE_TABLE)) == set(DAYS) and not warehouse.partitions(BLOCKED)
    assert rows_in(warehouse, BLOCKED).num_rows == 0


def test_FM40_rows_and_records_are_published_together_or_not_at_all(warehouse: BigQueryWarehouse, server: StandIn) -> None:
    publish(warehouse, BOXES, rows_of(BOXES))
    before = rows_in(warehouse, BOXES)
    warehouse.record([RecordWrite(COMPLETIONS, [completion()])])
    staged = stage(warehouse, BOXES, rows_of(BOXES, points=1))
    repeated = RecordWrite(COMPLETIONS, [completion(record_count=9)], replace=False)
    with pytest.raises(WarehouseError, match="is there already"):
        warehouse.publish([Publication(staged, tuple(staged.partitions))], [repeated])
    assert rows_in(warehouse, BOXES).equals(before)
    assert warehouse.query(f"SELECT record_count FROM {COMPLETIONS}").to_pylist() == [{"record_count": 3}]


def test_FM41_a_table_that_reads_back_differently_is_told(warehouse: BigQueryWarehouse, server: StandIn) -> None:
    staged = stage(warehouse, BOXES, rows_of(BOXES))
    server.store.connection.execute(f"UPDATE nba_staging.\"{staged.token}\" SET points = 0 WHERE game_date = DATE '{DAYS[1]}'")
    with pytest.raises(ReadBackError) as caught:
        warehouse.publish([Publication(staged, tuple(staged.partitions))])
    assert caught.value.values == (str(DAYS[1]),)


def test_staged_by_a_statement_with_bound_parameters(warehouse: BigQueryWarehouse) -> None:
    publish(warehouse, BOXES, rows_of(BOXES))
    columns = ", ".join(contract(BOXES).column_names)
    sql = f"SELECT {columns} FROM {BOXES} WHERE game_date BETWEEN @first AND @last AND game_date IN UNNEST(@dates)"
    staged = warehouse.stage_query(contract(BOXES), sql, {**SPAN, "dates": [DAYS[0], DAYS[2]], "unused": "x"}, "run-1")
    assert set(staged.partitions) == {DAYS[0], DAYS[2]}
    assert staged.partitions[DAYS[0]] == warehouse.partitions(BOXES)[DAYS[0]]
    again = warehouse.stage_query(contract(BOXES), sql, {**SPAN, "dates": [DAYS[0], DAYS[2]]}, "run-1")
    assert again.partitions == staged.partitions, "the same statement of the same run"
    warehouse.discard(staged)
    warehouse.discard(staged)
    anew = warehouse.stage_query(contract(BOXES), sql, {**SPAN, "dates": [DAYS[0], DAYS[2]]}, "run-1")
    assert anew.partitions == staged.partitions, "discarded rows are made again, not found empty"


def test_the_gate_reads_staged_rows_from_a_database_of_its_own(warehouse: BigQueryWarehouse) -> None:
    staged = stage(warehouse, STORE_TABLE, rows_of(STORE_TABLE))
    with warehouse.audited(staged) as (connection, relation):
        assert connection.execute(f"SELECT count(*), count(DISTINCT game_date) FROM {relation}").fetchone() == (12, 4)
        names = [row[0] for row in connection.execute(f"DESCRIBE {relation}").fetchall()]
    assert names == list(contract(STORE_TABLE).column_names)


def test_FM50_staging_tables_expire_and_tables_do_not(warehouse: BigQueryWarehouse, server: StandIn) -> None:
    staged = stage(warehouse, BOXES, rows_of(BOXES))
    table = warehouse.client.get_table(warehouse.names.staging(staged.token))
    assert dt.timedelta(hours=23) < table.expires - dt.datetime.now(dt.UTC) <= dt.timedelta(hours=24)
    assert warehouse.client.get_table(warehouse.names.path(BOXES)).expires is None


def test_records_replace_clear_and_append(warehouse: BigQueryWarehouse) -> None:
    warehouse.record([RecordWrite(COMPLETIONS, [completion(record_count=1), completion(run="r2"), completion(record_count=4)])])
    counts = {row["run_id"]: row["record_count"] for row in rows_in(warehouse, COMPLETIONS).to_pylist()}
    assert counts == {"r1": 4, "r2": 3}, "the last of equal keys stands"
    warehouse.record([RecordWrite(COMPLETIONS, [completion(run="r3")], clear={"run_id": ["r1", "r2"], "job": [BOXES]})])
    assert rows_in(warehouse, COMPLETIONS)["run_id"].to_pylist() == ["r3"]
    with pytest.raises(WarehouseError, match="no such column"):
        warehouse.record([RecordWrite(COMPLETIONS, [completion(nonsense=1)])])
    with pytest.raises(WarehouseError, match="breaks its contract"):
        warehouse.record([RecordWrite(COMPLETIONS, [completion(job=None)])])


def test_many_record_rows_are_loaded_not_bound(warehouse: BigQueryWarehouse, monkeypatch: pytest.MonkeyPatch, server: StandIn) -> None:
    from warehouse.bigquery import engine

    monkeypatch.setattr(engine, "MOST_BOUND_BYTES", 1000)
    warehouse.record([RecordWrite(COMPLETIONS, [completion(run=f"r{n:03d}") for n in range(150)])])
    assert rows_in(warehouse, COMPLETIONS).num_rows == 150
    assert any(name.startswith("nba_load_") for name in server.store.executed)
    assert not [name for name in server.store.tables if name.startswith("nba_staging")]


def test_a_lease_names_its_holder_and_only_overlaps_conflict(warehouse: BigQueryWarehouse, other: BigQueryWarehouse) -> None:
    with warehouse.lease(BOXES, DAYS[0], DAYS[1], "run 42"):
        with pytest.raises(LeaseHeldError, match="run 42"), other.lease(BOXES, DAYS[1], DAYS[3], "run 43"):
            raise AssertionError("two writers at once")
        with other.lease(BOXES, DAYS[2], DAYS[3], "run 43"), other.lease(PLAYERS, DAYS[0], DAYS[3], "run 44"):
            pass
    with other.lease(BOXES, DAYS[0], DAYS[3], "run 45"):
        pass


def test_a_lease_that_could_not_be_read_back_is_given_back(
    warehouse: BigQueryWarehouse, other: BigQueryWarehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unreadable(*_: object) -> list[dict[str, object]]:
        raise StorageUnavailableError("the service went away")

    with monkeypatch.context() as gone:
        gone.setattr(warehouse._leases, "_others", unreadable)
        with pytest.raises(StorageUnavailableError, match="went away"), warehouse.lease(BOXES, DAYS[0], DAYS[3], "run 1"):
            pass
    with other.lease(BOXES, DAYS[0], DAYS[3], "run 2"):
        pass


def test_the_lease_of_a_dead_process_is_recovered(warehouse: BigQueryWarehouse, server: StandIn) -> None:
    host, _, rest = warehouse.this_process().partition(":")
    dead = f"{host}:999999999:{rest.partition(':')[2]}"
    server.store.connection.execute(
        "INSERT INTO nba_orchestration.warehouse_leases VALUES ('x', ?, ?, ?, 'gone', ?, TIMESTAMPTZ '9999-01-01 00:00:00+00')",
        [BOXES, DAYS[0], DAYS[3], dead],
    )
    with warehouse.lease(BOXES, DAYS[0], DAYS[3], "run 2"):
        pass


def test_unpartitioned_tables_have_one_partition(warehouse: BigQueryWarehouse) -> None:
    publish(warehouse, PLAYERS, rows_of(PLAYERS, per_date=3))
    publish(warehouse, PLAYERS, rows_of(PLAYERS, per_date=2))
    assert {key: part.rows for key, part in warehouse.partitions(PLAYERS).items()} == {UNPARTITIONED: 2}
    assert rows_in(warehouse, PLAYERS).num_rows == 2


def test_columns_are_read_back_as_the_contracts_spell_them(warehouse: BigQueryWarehouse) -> None:
    for table in (BOXES, STORE_TABLE, COMPLETIONS):
        assert warehouse.column_types(table) == {column.name: column.sql_type for column in contract(table).columns}


def test_FM48_a_scan_without_dates_is_refused_as_the_service_does(warehouse: BigQueryWarehouse) -> None:
    with pytest.raises(WarehouseError, match="without a filter"):
        warehouse.query(f"SELECT COUNT(*) AS n FROM {BOXES}")


@pytest.mark.parametrize("text", ["'; DROP TABLE nba_raw.players; --", 'x" OR 1=1', "`back`", "ümläut\n\\'", "@name", "nba_raw.players"])
def test_hostile_values_are_values(warehouse: BigQueryWarehouse, text: str) -> None:
    warehouse.record([RecordWrite(COMPLETIONS, [completion(job=text, detail=text)])])
    found = warehouse.query(f"SELECT job, detail FROM {COMPLETIONS} WHERE job = @job", {"job": text}).to_pylist()
    assert found == [{"job": text, "detail": text}]
    with warehouse.lease(PLAYERS, DAYS[0], DAYS[0], text):
        pass


def test_what_cannot_be_bound_is_a_usage_error(warehouse: BigQueryWarehouse) -> None:
    for value in ([{"a": 1}], dt.datetime(2025, 1, 1), {"a": 1}):
        with pytest.raises(UsageError):
            warehouse.query(f"SELECT * FROM {COMPLETIONS} WHERE job = @job", {"job": value})


def test_nothing_is_in_an_empty_list(warehouse: BigQueryWarehouse) -> None:
    """As on the embedded engine: a list of which no name is left, such as the players of a corrected game."""
    publish(warehouse, BOXES, rows_of(BOXES))
    given = {"names": [], "first": DAYS[0], "last": DAYS[-1]}
    sql = f"SELECT COUNTIF(team_abbr IN UNNEST(@names)) AS n FROM {BOXES} WHERE game_date BETWEEN @first AND @last"
    assert warehouse.query(sql, given).to_pylist() == [{"n": 0}]


def test_jobs_that_wait_for_their_table_keep_no_other_table_waiting(warehouse: BigQueryWarehouse) -> None:
    import threading

    from warehouse.bigquery.jobs import IN_ALL, PER_TABLE

    inside, most, go_on = threading.Semaphore(0), [0, 0], threading.Event()
    lock = threading.Lock()

    def busy() -> None:
        with warehouse.jobs._slot(BOXES):
            with lock:
                most[0] += 1
                most[1] = max(most)
            inside.release()
            go_on.wait(20)
            with lock:
                most[0] -= 1

    def elsewhere() -> None:
        with warehouse.jobs._slot(PLAYERS):
            inside.release()

    threads = [threading.Thread(target=busy, daemon=True) for _ in range(IN_ALL + 2)]
    for thread in threads:
        thread.start()
    assert all(inside.acquire(timeout=5) for _ in range(PER_TABLE))
    threading.Thread(target=elsewhere, daemon=True).start()
    served = inside.acquire(timeout=2)
    go_on.set()
    for thread in threads:
        thread.join(20)
    assert served and most == [0, PER_TABLE]


def test_partitions_taken_out_of_use_leave_no_staging_table(warehouse: BigQueryWarehouse, server: StandIn) -> None:
    from backfill.plan import RetireStage
    from backfill.runner import retire
    from orchestration.dependencies import Dependency
    from orchestration.nightly import _retire
    from orchestration.runs import Run

    run, job = Run("run-1", NOON, NOON, 60), "nba_precompute.team_defense_zone_analysis"
    for table in (BOXES, job):
        publish(warehouse, table, rows_of(table))
    before = set(server.store.tables)
    retire(warehouse, RetireStage(BOXES, DAYS[:1]), run)
    _retire(warehouse, [Dependency(job, "stale", 3, 3, None, None)], DAYS[0], run)
    assert set(warehouse.partitions(BOXES)) == set(warehouse.partitions(job)) == set(DAYS[1:])
    assert set(server.store.tables) == before
