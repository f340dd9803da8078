"""Values without a slot: packed from Arrow by the combinations that occur, read back one by one."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

import pyarrow as pa
import pytest
from feast import Field
from feast.types import Array, Float64, String, UnixTimestamp
from hypothesis import given
from hypothesis import strategies as st

from serving.packed.arrow_rows import pack_arrow
from serving.packed.layout import layout_of

LAYOUT = layout_of([Field(name="a", dtype=String), Field(name="b", dtype=Array(String)), Field(name="c", dtype=Float64)])
WORDS = st.none() | st.sampled_from(["", "gold", "ünknown", '"', "a,b", "\x00"])
ROWS = st.lists(st.tuples(WORDS, st.none() | st.lists(WORDS, max_size=3)), min_size=1, max_size=30)
EVENT = dt.datetime(2025, 1, 6, tzinfo=dt.UTC)


def sides(a: Any, b: Any) -> list[Any]:
    """Return what follows the record of each row."""
    rows = pa.table({"a": a, "b": b, "c": [1.0] * len(a), "event": [EVENT] * len(a)})
    return [json.loads(row[LAYOUT.record.itemsize :]) for row in pack_arrow(LAYOUT, rows, "event", None)[0]]


def due(rows: list[tuple[Any, Any]]) -> list[Any]:
    return [[a, b if b is None else [item for item in b if item is not None]] for a, b in rows]


@given(rows=ROWS, large=st.booleans(), cut=st.integers(0, 29))
def test_each_row_keeps_its_own_values(rows: list[tuple[Any, Any]], large: bool, cut: int) -> None:
    text = pa.large_string() if large else pa.string()
    a, b = pa.array([a for a, _ in rows], text), pa.array([b for _, b in rows], pa.list_(text))
    assert sides(a, b) == due(rows)
    # Chunks, and a slice that begins in the middle of its buffers.
    cut %= len(rows)
    assert sides(pa.chunked_array([a[:cut], a[cut:]]), pa.chunked_array([b[:cut], b[cut:]])) == due(rows)
    if cut < len(rows) - 1:
        assert sides(a[cut + 1 :], b[cut + 1 :]) == due(rows[cut + 1 :])


@pytest.mark.parametrize("count", [0, 3])
def test_columns_without_any_value(count: int) -> None:
    assert sides(pa.nulls(count, pa.string()), pa.nulls(count, pa.list_(pa.string()))) == [[None, None]] * count


def test_other_types_stay_protobufs() -> None:
    layout = layout_of([Field(name="t", dtype=UnixTimestamp)])
    rows = pa.table({"t": [EVENT, None], "event": [EVENT, EVENT]})
    one, other = (json.loads(row[layout.record.itemsize :]) for row in pack_arrow(layout, rows, "event", None)[0])
    assert isinstance(one[0], str) and other == [None]
