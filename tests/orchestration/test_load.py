"""Loading a delivery: all that arrived is loaded or quarantined, in one step, and again without a trace."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from schemas.contracts import contract
from schemas.errors import LeaseHeldError, SourceError, StorageUnavailableError, WarehouseError
from schemas.settings import Settings
from tests.orchestration.looking import COMPLETIONS, rows
from transformations.ingest.delivery import Delivery
from transformations.ingest.load import IngestReport, load
from transformations.ingest.simulated_league import DuplicateBox, NaNPoints, SimulatedLeague
from warehouse.embedded import EmbeddedWarehouse
from warehouse.protocol import UNPARTITIONED

AT = dt.datetime(2025, 1, 15, 22, tzinfo=dt.UTC)
SCHEDULE = "nba_raw.schedule"
BOXES = "nba_raw.player_boxscores"
QUARANTINE = "nba_raw.quarantine"
WHOLE = SimulatedLeague(teams=6, games_per_team=20)
DAY = WHOLE.played_dates()[4]


def league(played: int = 10, faults: tuple[Any, ...] = ()) -> SimulatedLeague:
    return SimulatedLeague(teams=6, games_per_team=20, played_through=WHOLE.played_dates()[played - 1], faults=faults)


@pytest.fixture(scope="module")
def delivery() -> Delivery:
    return league().deliver()


@pytest.fixture
def warehouse(tmp_path: Path) -> Iterator[EmbeddedWarehouse]:
    opened = EmbeddedWarehouse(Settings("embedded", tmp_path / "home", None, threads=1))
    yield opened
    opened.close()


def counts(warehouse: EmbeddedWarehouse, delivery: Delivery) -> dict[str, int]:
    return {name: warehouse.query(f"SELECT COUNT(*) AS n FROM {name}").to_pylist()[0]["n"] for name in delivery.tables}


def loaded(warehouse: EmbeddedWarehouse, delivery: Delivery, run: str = "r1") -> IngestReport:
    return load(warehouse, delivery, run, AT)


def test_FM63_all_that_arrived_is_loaded_or_quarantined(warehouse: EmbeddedWarehouse) -> None:
    spoiled = league(faults=(NaNPoints(DAY), DuplicateBox(DAY))).deliver()
    report = loaded(warehouse, spoiled)
    assert counts(warehouse, spoiled) == {name: table.num_rows for name, table in spoiled.tables.items()}
    held = rows(warehouse, QUARANTINE)
    assert len({(row["table_name"], row["source"], row["row_ref"]) for row in held}) == sum(c.rows_quarantined for c in report.counts) > 0
    assert report.rows_in == sum(counts(warehouse, spoiled).values()) + sum(c.rows_quarantined for c in report.counts)
    assert {row["reason_code"] for row in held} and all(row["raw_row"].startswith("{") for row in held)


def test_FM63_rows_lost_on_the_way_load_nothing(warehouse: EmbeddedWarehouse, delivery: Delivery, monkeypatch: pytest.MonkeyPatch) -> None:
    stage_rows = warehouse.stage_rows
    monkeypatch.setattr(
        warehouse,
        "stage_rows",
        lambda spec, table, run: stage_rows(spec, table.slice(0, table.num_rows - 1) if spec.name == BOXES else table, run),
    )
    with pytest.raises(WarehouseError, match=r"rows for nba_raw\.player_boxscores were lost on the way"):
        loaded(warehouse, delivery)
    assert not any(counts(warehouse, delivery).values()) and not warehouse.orphans(0)


def test_FM63_a_delivery_that_does_not_add_up_loads_nothing(warehouse: EmbeddedWarehouse, delivery: Delivery) -> None:
    short = {**delivery.tables, BOXES: delivery.tables[BOXES].slice(3)}
    with pytest.raises(SourceError, match="does not add up"):
        loaded(warehouse, replace(delivery, tables=short))
    assert not any(counts(warehouse, delivery).values())


def test_the_same_again_changes_nothing(warehouse: EmbeddedWarehouse, delivery: Delivery) -> None:
    first = loaded(warehouse, delivery)
    assert {t.table for t in first.tables if t.changed} == {name for name, table in delivery.tables.items() if table.num_rows}
    before = {name: warehouse.partitions(name) for name in delivery.tables}
    files = sorted((warehouse.catalog.root / "tables").rglob("*.parquet"))
    again = loaded(warehouse, delivery, "r2")
    assert again.changed_dates == {} and again.rows_in == first.rows_in
    assert {name: warehouse.partitions(name) for name in delivery.tables} == before
    assert sorted((warehouse.catalog.root / "tables").rglob("*.parquet")) == files
    assert {row["run_id"] for row in rows(warehouse, COMPLETIONS)} == {"r1"}


def test_one_more_day_changes_that_day_and_what_was_announced_for_it(warehouse: EmbeddedWarehouse, delivery: Delivery) -> None:
    loaded(warehouse, delivery)
    later = league(11)
    report = loaded(warehouse, later.deliver(), "r2")
    day = later.played_dates()[-1]
    assert report.changed_dates[BOXES] == (day,)
    (completion,) = rows(warehouse, COMPLETIONS, job=BOXES, game_date=day)
    assert completion["phase"] == "phase2" and completion["record_count"] == warehouse.partitions(BOXES)[day].rows


def test_a_failure_in_the_middle_loads_nothing_and_leaves_no_file(
    warehouse: EmbeddedWarehouse, delivery: Delivery, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage_rows = warehouse.stage_rows

    def failing(spec: Any, table: pa.Table, run: str) -> Any:
        if spec.name == "nba_raw.shots":
            raise StorageUnavailableError("no space")
        return stage_rows(spec, table, run)

    with monkeypatch.context() as patched:
        patched.setattr(warehouse, "stage_rows", failing)
        with pytest.raises(StorageUnavailableError):
            loaded(warehouse, delivery)
    assert not any(counts(warehouse, delivery).values()) and not warehouse.orphans(0)
    loaded(warehouse, delivery)
    assert all(counts(warehouse, delivery).values())


def test_a_second_ingest_at_once_is_refused_by_name(warehouse: EmbeddedWarehouse, delivery: Delivery) -> None:
    other = EmbeddedWarehouse(warehouse.settings)
    with (
        other.lease("nba_raw", dt.date(2000, 1, 1), dt.date(2030, 1, 1), "ingest elsewhere"),
        pytest.raises(LeaseHeldError, match="elsewhere"),
    ):
        loaded(warehouse, delivery)
    other.close()


def schedule_of(delivery: Delivery, moved: dict[str, dt.date], dropped: tuple[dt.date, ...] = ()) -> Delivery:
    """Return a delivery of the schedule alone, with games moved and dates left out."""
    table = delivery.tables[SCHEDULE]
    days = [moved.get(game, day) for game, day in zip(table["game_id"].to_pylist(), table["game_date"].to_pylist(), strict=True)]
    table = table.set_column(table.schema.get_field_index("game_date"), "game_date", pa.array(days, pa.date32()))
    table = table.filter(pc.invert(pc.is_in(table["game_date"], value_set=pa.array(dropped, pa.date32()))))
    (count,) = [count for count in delivery.counts if count.table == SCHEDULE]
    return Delivery({SCHEDULE: table}, (), (replace(count, rows_in=table.num_rows, rows_loaded=table.num_rows),))


@pytest.mark.parametrize("games_that_day", [1, 2])
def test_a_game_that_moved_leaves_its_old_date(warehouse: EmbeddedWarehouse, delivery: Delivery, games_that_day: int) -> None:
    loaded(warehouse, delivery)
    table = delivery.tables[SCHEDULE]
    by_day: dict[dt.date, list[str]] = {}
    for game, day in zip(table["game_id"].to_pylist(), table["game_date"].to_pylist(), strict=True):
        by_day.setdefault(day, []).append(game)
    old, games = next((day, games) for day, games in sorted(by_day.items()) if len(games) == games_that_day)
    new = max(by_day)
    # What is delivered says nothing of the old date.
    update = schedule_of(delivery, {games[0]: new}, dropped=(old,))
    report = loaded(warehouse, update, "r2")
    assert set(report.changed_dates[SCHEDULE]) == {old, new}
    found = {row["game_id"]: row["game_date"] for row in rows(warehouse, SCHEDULE)}
    assert len(rows(warehouse, SCHEDULE)) == table.num_rows == len(found), "each game is there once"
    assert found[games[0]] == new and all(found[game] == old for game in games[1:])
    assert (old in warehouse.partitions(SCHEDULE)) == (games_that_day > 1)
    assert loaded(warehouse, update, "r3").changed_dates == {}


def test_nights_in_a_row_leave_each_game_once(warehouse: EmbeddedWarehouse) -> None:
    for played in (8, 9, 10, 12, 20, 30):
        last = league(played).deliver()
        loaded(warehouse, last, f"r{played}")
    found = rows(warehouse, SCHEDULE)
    assert len(found) == len({row["game_id"] for row in found}) == last.tables[SCHEDULE].num_rows
    assert {row["game_id"]: row["game_date"] for row in found} == dict(
        zip(last.tables[SCHEDULE]["game_id"].to_pylist(), last.tables[SCHEDULE]["game_date"].to_pylist(), strict=True)
    )


def test_a_table_without_partitions_is_replaced_whole(warehouse: EmbeddedWarehouse, delivery: Delivery) -> None:
    report = loaded(warehouse, delivery)
    players = "nba_raw.players"
    assert contract(players).partition is None and report.changed_dates[players] == (UNPARTITIONED,)
    assert not rows(warehouse, COMPLETIONS, job=players), "a completion speaks of a date"
