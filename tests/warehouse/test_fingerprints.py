"""Fingerprints: free of order, moved by every content value and by nothing else."""

from __future__ import annotations

import math
from typing import Any

import pyarrow as pa
import pytest

from schemas.arrow_types import arrow_schema
from schemas.contracts import Column, contract
from schemas.rules import STORE_TABLE
from tests.warehouse.made_up_rows import BOXES, DAYS, NOON, publish, read, rows_of, stage
from warehouse.embedded import EmbeddedWarehouse
from warehouse.protocol import Staged

FACTORS = "nba_precompute.player_composite_factors"
DAY = DAYS[:1]


def only(staged: Staged) -> str:
    """Return the one fingerprint."""
    (part,) = staged.partitions.values()
    return part.fingerprint


def changed_value(column: Column) -> Any:
    """Return a value of the column that `rows_of` never makes."""
    if column.is_array:
        return [changed_value(Column(column.name, column.element_type, column.description, fields=column.fields))]
    if column.fields:
        return {inner.name: changed_value(inner) for inner in column.fields}
    return {"STRING": "other", "INT64": -1, "FLOAT64": -0.5, "BOOL": None, "DATE": DAYS[3], "TIMESTAMP": NOON.replace(year=2020)}[
        column.type
    ]


def with_first(rows: pa.Table, name: str, value: Any) -> pa.Table:
    """Return the rows with another value in one cell."""
    place = rows.schema.get_field_index(name)
    cells = [value, *rows[name].to_pylist()[1:]]
    return rows.set_column(place, rows.schema.field(name), pa.array(cells, rows.schema.field(name).type))


@pytest.mark.parametrize("table", [BOXES, FACTORS, STORE_TABLE])
def test_order_does_not_matter_and_one_row_does(warehouse: EmbeddedWarehouse, table: str) -> None:
    rows = rows_of(table, DAY, per_date=5)
    first = only(stage(warehouse, table, rows))
    assert only(stage(warehouse, table, rows.take([4, 2, 0, 3, 1]))) == first
    assert only(stage(warehouse, table, rows.slice(1))) != first
    assert only(stage(warehouse, table, pa.concat_tables([rows, rows.slice(0, 1), rows.slice(0, 1)]))) != first


@pytest.mark.parametrize("table", [BOXES, FACTORS, STORE_TABLE])
def test_FM39_every_content_column_moves_it_and_no_meta_column_does(warehouse: EmbeddedWarehouse, table: str) -> None:
    rows = rows_of(table, DAY)
    first = only(stage(warehouse, table, rows))
    columns = [column for column in contract(table).columns if column.name != contract(table).partition]
    if table == STORE_TABLE:
        # One of each kind suffices where there are hundreds.
        kinds = {(column.type, bool(column.fields), column.role): column for column in columns}
        columns = list(kinds.values())
    moved = {
        column.name: only(stage(warehouse, table, with_first(rows, column.name, changed_value(column)))) != first for column in columns
    }
    assert moved == {column.name: column.role != "meta" for column in columns}


def test_values_that_change_places_move_it(warehouse: EmbeddedWarehouse) -> None:
    rows = rows_of(BOXES, DAY)
    swapped = rows.set_column(rows.schema.get_field_index("fgm"), "fgm", rows["fga"])
    swapped = swapped.set_column(rows.schema.get_field_index("fga"), "fga", pa.array([1, 2, 3], pa.int64()))
    back = swapped.set_column(rows.schema.get_field_index("fgm"), "fgm", swapped["fga"])
    back = back.set_column(rows.schema.get_field_index("fga"), "fga", swapped["fgm"])
    assert only(stage(warehouse, BOXES, swapped)) != only(stage(warehouse, BOXES, back))


def test_equal_zeros_are_equal_and_each_nan_is_one(warehouse: EmbeddedWarehouse) -> None:
    def of(value: float | None) -> str:
        return only(stage(warehouse, FACTORS, with_first(rows_of(FACTORS, DAY), "fatigue_score", value)))

    assert of(0.0) == of(-0.0)
    assert of(math.nan) == of(-math.nan)
    assert len({of(value) for value in (0.0, None, math.nan, math.inf, -math.inf, 1e-300)}) == 6


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("shot_zone_mismatch_score", [None, 0.0, math.nan, 1.0]),
        ("contributing_game_ids", [[], [""], ["a"], ["a", "b"], ["b", "a"], ["a", None]]),
        ("player_lookup", ["", " ", "a"]),
        ("is_production_ready", [None, False, True]),
    ],
)
def test_FM16_nothing_zero_and_not_a_number_stay_what_they_are(warehouse: EmbeddedWarehouse, name: str, values: list[Any]) -> None:
    prints = []
    for value in values:
        prints.append(publish(warehouse, FACTORS, with_first(rows_of(FACTORS, DAY), name, value))[DAYS[0]].fingerprint)
        found = read(warehouse, FACTORS)[name].to_pylist()
        assert any(repr(item) == repr(value) for item in found), (value, found)
    assert len(set(prints)) == len(values)


def test_an_array_that_is_null_is_an_empty_one(warehouse: EmbeddedWarehouse) -> None:
    rows = rows_of(FACTORS, DAY)
    prints = []
    for value in (None, []):
        prints.append(publish(warehouse, FACTORS, with_first(rows, "contributing_game_ids", value))[DAYS[0]].fingerprint)
        assert read(warehouse, FACTORS)["contributing_game_ids"].to_pylist()[0] == []
    assert prints[0] == prints[1]


def test_it_is_the_same_in_another_warehouse_and_after_another_order_of_columns(
    warehouse: EmbeddedWarehouse, other: EmbeddedWarehouse
) -> None:
    rows = rows_of(FACTORS, DAY)
    mixed = rows.select(sorted(rows.column_names, reverse=True))
    assert only(stage(warehouse, FACTORS, rows)) == only(stage(other, FACTORS, mixed))
    assert arrow_schema(contract(FACTORS)).names == rows.column_names
