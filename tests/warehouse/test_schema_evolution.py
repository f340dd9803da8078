"""A contract gains a column: old files read on, a rerun fills it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from types import MappingProxyType

import pytest

from schemas import contracts
from schemas.contracts import Column, TableContract, load_contracts
from tests.warehouse.made_up_rows import BOXES, DAYS, publish, read, rows_of
from warehouse.embedded import EmbeddedWarehouse, compaction
from warehouse.embedded import engine as engine_module
from warehouse.embedded import session as session_module

ADDED = (
    Column("attendance", "INT64", "Spectators"),
    Column("referees", "ARRAY<STRING>", "Referees"),
    Column("is_sold_out", "BOOL", "TRUE when no seat was left"),
)


@pytest.fixture
def evolve(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Add columns to the contract of the box scores, in front of the last one."""
    real = load_contracts()
    spec = real[BOXES]
    wider = replace(spec, columns=(*spec.columns[:-1], *ADDED, spec.columns[-1]))
    changed = MappingProxyType({**real, BOXES: wider})

    def all_contracts() -> MappingProxyType[str, TableContract]:
        return changed

    monkeypatch.setattr(contracts, "load_contracts", all_contracts)
    monkeypatch.setattr(session_module, "load_contracts", all_contracts)
    assert engine_module.contract is contracts.contract
    yield


def written_before(warehouse: EmbeddedWarehouse) -> None:
    publish(warehouse, BOXES, rows_of(BOXES))
    warehouse.close()


@pytest.fixture
def old(warehouse: EmbeddedWarehouse) -> EmbeddedWarehouse:
    written_before(warehouse)
    return warehouse


def test_a_file_without_the_column_reads_as_null(old: EmbeddedWarehouse, evolve: None) -> None:
    rows = read(old, BOXES)
    assert rows.num_rows == 12 and rows["points"].null_count == 0
    assert rows["attendance"].to_pylist() == [None] * 12
    assert rows["referees"].to_pylist() == [[]] * 12
    assert old.query(f"SELECT COUNT(*) AS n FROM {BOXES} WHERE is_sold_out IS NULL").to_pylist() == [{"n": 12}]


def test_FM39_a_rerun_fills_the_new_columns_of_its_partitions(old: EmbeddedWarehouse, evolve: None) -> None:
    before = old.partitions(BOXES)
    fresh = rows_of(BOXES, DAYS[:2])
    assert set(fresh.column_names) > {column.name for column in ADDED}
    publish(old, BOXES, fresh)
    rows = read(old, BOXES)
    for name in fresh.column_names:
        filled = rows[name].to_pylist()[:6]
        assert filled == fresh[name].to_pylist(), name
    assert rows["attendance"].to_pylist()[6:] == [None] * 6
    after = old.partitions(BOXES)
    assert all(after[day] == before[day] for day in DAYS[2:]) and all(after[day] != before[day] for day in DAYS[:2])


def test_old_and_new_files_are_merged_with_the_fingerprints_they_have(old: EmbeddedWarehouse, evolve: None) -> None:
    publish(old, BOXES, rows_of(BOXES, DAYS[:2]))
    rows, partitions = read(old, BOXES), old.partitions(BOXES)
    assert compaction.compact(old.session, contracts.contract(BOXES), above=1) == 2
    assert read(old, BOXES).equals(rows) and old.partitions(BOXES) == partitions
