"""Each way to write, in each situation: published, run again, a partition without rows, a key twice, cut off."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pytest

from schemas.contracts import contract
from schemas.errors import WarehouseError
from schemas.rules import STORE_TABLE
from tests.warehouse.made_up_rows import BOXES, COMPLETIONS, DAYS, PLAYERS, completion, publish, read, rows_of, stage
from warehouse.embedded import EmbeddedWarehouse, entries
from warehouse.protocol import UNPARTITIONED, Publication, Receipt, RecordWrite, Staged

BLOCKED = f"{STORE_TABLE}_blocked"


def _literal(item: Any) -> str:
    return f"DATE '{item}'" if isinstance(item, dt.date) else repr(item)


def by_query(warehouse: EmbeddedWarehouse, table: str, rows: pa.Table) -> Staged:
    """Stage the rows as the result of a GoogleSQL statement."""
    selects = [", ".join(f"{_literal(item)} AS {name}" for name, item in row.items()) for row in rows.to_pylist()]
    return warehouse.stage_query(contract(table), " UNION ALL ".join(f"SELECT {text}" for text in selects), {}, "test")


@dataclass(frozen=True)
class Writer:
    """A table, where its rows become visible, and how they are staged."""

    table: str
    target: str
    stage: Callable[[EmbeddedWarehouse, str, pa.Table], Staged]

    def write(self, warehouse: EmbeddedWarehouse, rows: pa.Table, keys: tuple[dt.date, ...] | None = None) -> Receipt:
        staged = self.stage(warehouse, self.table, rows)
        into = self.target if self.target != self.table else None
        return warehouse.publish([Publication(staged, tuple(staged.partitions) if keys is None else keys, into=into)])[0]

    def days(self) -> tuple[dt.date, ...]:
        return DAYS if contract(self.table).partition else (UNPARTITIONED,)

    def column(self) -> str:
        """Return a column that is no key."""
        return next(c.name for c in contract(self.table).columns if c.type == "INT64" and c.name not in contract(self.table).keys)


WRITERS = {
    "rows": Writer(BOXES, BOXES, stage),
    "query": Writer(BOXES, BOXES, by_query),
    "unpartitioned": Writer(PLAYERS, PLAYERS, stage),
    "blocked rows": Writer(STORE_TABLE, BLOCKED, stage),
}


@pytest.fixture(params=list(WRITERS))
def writer(request: pytest.FixtureRequest) -> Writer:
    return WRITERS[request.param]


def test_rows_are_invisible_until_they_are_published(warehouse: EmbeddedWarehouse, writer: Writer) -> None:
    rows = rows_of(writer.table)
    staged = writer.stage(warehouse, writer.table, rows)
    assert staged.rows == rows.num_rows and not warehouse.partitions(writer.target) and read(warehouse, writer.target).num_rows == 0
    receipt = writer.write(warehouse, rows)
    assert receipt.rows == rows.num_rows and set(receipt.published) == set(writer.days())
    assert warehouse.partitions(writer.target) == receipt.published == staged.partitions


def test_FM41_what_was_written_is_what_is_read_in_every_column(warehouse: EmbeddedWarehouse, writer: Writer) -> None:
    rows = rows_of(writer.table)
    writer.write(warehouse, rows)
    found = read(warehouse, writer.target).select(rows.column_names)
    keys = [(name, "ascending") for name in contract(writer.table).keys]
    assert found.sort_by(keys).to_pylist() == rows.sort_by(keys).to_pylist()


def test_the_same_again_changes_no_row_and_no_fingerprint(warehouse: EmbeddedWarehouse, writer: Writer) -> None:
    first = writer.write(warehouse, rows_of(writer.table))
    before = read(warehouse, writer.target)
    again = writer.write(warehouse, rows_of(writer.table))
    assert again.published == first.published
    assert read(warehouse, writer.target).equals(before)


def test_other_rows_replace_their_partition_and_no_other(warehouse: EmbeddedWarehouse, writer: Writer) -> None:
    first = writer.write(warehouse, rows_of(writer.table)).published
    last = writer.days()[-1]
    changed = rows_of(writer.table, writer.days()[-1:], per_date=2, **{writer.column(): 77})
    writer.write(warehouse, changed)
    now = warehouse.partitions(writer.target)
    assert {key for key in now if now[key] != first[key]} == {last} and now[last].rows == 2
    assert warehouse.query(f"SELECT COUNT(*) AS n FROM {writer.target} WHERE {writer.column()} = 77").to_pylist() == [{"n": 2}]


def test_a_partition_published_without_rows_is_emptied(warehouse: EmbeddedWarehouse, writer: Writer) -> None:
    writer.write(warehouse, rows_of(writer.table))
    gone = writer.days()[0]
    nothing = stage(warehouse, writer.table, rows_of(writer.table).slice(0, 0))
    into = writer.target if writer.target != writer.table else None
    receipt = warehouse.publish([Publication(nothing, (gone,), into=into)])[0]
    assert receipt.rows == 0 and set(warehouse.partitions(writer.target)) == set(writer.days()) - {gone}
    assert read(warehouse, writer.target).num_rows == 3 * (len(writer.days()) - 1)


def test_FM40_a_key_twice_is_refused_and_the_partition_stays(warehouse: EmbeddedWarehouse, writer: Writer) -> None:
    before = writer.write(warehouse, rows_of(writer.table)).published
    rows = rows_of(writer.table)
    twice = pa.concat_tables([rows, rows.slice(0, 1)])
    if writer.target != writer.table:
        assert writer.write(warehouse, twice).rows == rows.num_rows + 1, "blocked rows are kept as they are"
        return
    with pytest.raises(WarehouseError, match="repeat a key") as caught:
        writer.write(warehouse, twice)
    assert caught.value.values == (str(writer.days()[0]),)
    assert warehouse.partitions(writer.target) == before
    assert read(warehouse, writer.target).num_rows == rows.num_rows


def test_good_partitions_beside_a_key_twice_are_published(warehouse: EmbeddedWarehouse) -> None:
    rows = rows_of(BOXES)
    staged = stage(warehouse, BOXES, pa.concat_tables([rows, rows.slice(0, 1)]))
    assert staged.repeated == {DAYS[0]}
    assert set(warehouse.publish([Publication(staged, DAYS[1:])])[0].published) == set(DAYS[1:])


def test_cut_off_in_the_middle_nothing_has_changed(warehouse: EmbeddedWarehouse, writer: Writer, monkeypatch: pytest.MonkeyPatch) -> None:
    before = writer.write(warehouse, rows_of(writer.table)).published
    changed = rows_of(writer.table, **{writer.column(): 77})

    def fail(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(entries, "bump", fail)
        with pytest.raises(KeyboardInterrupt):
            writer.write(warehouse, changed)
    assert warehouse.partitions(writer.target) == before
    assert read(warehouse, writer.target).filter(pa.compute.equal(read(warehouse, writer.target)[writer.column()], 77)).num_rows == 0
    assert writer.write(warehouse, changed).published.keys() == before.keys(), "and it can be done again"


def test_rows_lacking_or_exceeding_the_columns_are_refused(warehouse: EmbeddedWarehouse) -> None:
    rows = rows_of(BOXES)
    with pytest.raises(WarehouseError, match=r"columns of nba_raw\.team_boxscores: bonus, pf"):
        stage(warehouse, BOXES, rows.drop_columns(["pf"]).append_column("bonus", rows["points"]))


def test_rows_in_another_order_of_columns_land_in_their_own(warehouse: EmbeddedWarehouse) -> None:
    rows = rows_of(BOXES)
    publish(warehouse, BOXES, rows.select(list(reversed(rows.column_names))))
    assert read(warehouse, BOXES).equals(rows)


def test_rows_without_a_partition_are_refused(warehouse: EmbeddedWarehouse) -> None:
    with pytest.raises(WarehouseError, match="no game_date"):
        stage(warehouse, BOXES, rows_of(BOXES, game_date=None))
    assert not warehouse.orphans(0)


def test_a_failing_statement_leaves_no_file(warehouse: EmbeddedWarehouse) -> None:
    with pytest.raises(WarehouseError, match="a statement failed"):
        warehouse.stage_query(contract(BOXES), "SELECT 'x' AS game_id", {}, "test")
    assert not warehouse.orphans(0)


def test_discarded_rows_are_gone_and_published_ones_stay(warehouse: EmbeddedWarehouse) -> None:
    staged = stage(warehouse, BOXES, rows_of(BOXES))
    warehouse.discard(staged)
    warehouse.discard(staged)
    assert not warehouse.orphans(0)
    kept = stage(warehouse, BOXES, rows_of(BOXES))
    warehouse.publish([Publication(kept, DAYS)])
    warehouse.discard(kept)
    assert read(warehouse, BOXES).num_rows == 12


def test_publishing_into_the_store_clears_the_blocked_rows_of_the_date(warehouse: EmbeddedWarehouse) -> None:
    staged = stage(warehouse, STORE_TABLE, rows_of(STORE_TABLE))
    warehouse.publish([Publication(staged, DAYS[:2]), Publication(staged, DAYS[2:], into=BLOCKED)])
    assert set(warehouse.partitions(STORE_TABLE)) == set(DAYS[:2]) and set(warehouse.partitions(BLOCKED)) == set(DAYS[2:])
    again = stage(warehouse, STORE_TABLE, rows_of(STORE_TABLE, DAYS[2:3]))
    warehouse.publish([Publication(again, DAYS[2:3], drop_from=(BLOCKED,))])
    assert set(warehouse.partitions(STORE_TABLE)) == set(DAYS[:3]) and set(warehouse.partitions(BLOCKED)) == set(DAYS[3:])


def test_staged_rows_take_the_place_of_the_published_ones(warehouse: EmbeddedWarehouse) -> None:
    publish(warehouse, BOXES, rows_of(BOXES))
    staged = stage(warehouse, BOXES, rows_of(BOXES, DAYS[:1], points=77))
    sql = f"SELECT COUNT(*) AS n, MIN(points) AS low FROM {BOXES}"
    assert warehouse.query(sql, staged=[staged]).to_pylist() == [{"n": 3, "low": 77}]
    with warehouse.audited(staged) as (connection, relation):
        assert connection.execute(f"SELECT count(*), min(points) FROM {relation}").fetchall() == [(3, 77)]
    assert warehouse.query(sql).to_pylist() == [{"n": 12, "low": 100}]


def test_records_travel_with_the_partitions_they_speak_of(warehouse: EmbeddedWarehouse) -> None:
    publish(warehouse, BOXES, rows_of(BOXES), [RecordWrite(COMPLETIONS, [completion()])])
    assert read(warehouse, COMPLETIONS).num_rows == 1
    with pytest.raises(WarehouseError, match="no such column: colour"):
        publish(warehouse, BOXES, rows_of(BOXES, points=77), [RecordWrite(COMPLETIONS, [{**completion(run="r2"), "colour": "red"}])])
    assert read(warehouse, COMPLETIONS).num_rows == 1
    assert warehouse.query(f"SELECT COUNT(*) AS n FROM {BOXES} WHERE points = 77").to_pylist() == [{"n": 0}]
