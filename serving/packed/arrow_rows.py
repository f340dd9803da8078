"""From the warehouse's Arrow to packed rows, column by column, without a protobuf on the way."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from feast.type_map import python_values_to_proto_values
from feast.value_type import ValueType

from schemas.errors import UsageError
from serving.packed.layout import FLOATS, NEVER, Layout, side_text, to_side

INSTANT = pa.timestamp("us", tz="UTC")


def _instants(column: pa.ChunkedArray) -> np.ndarray[Any, Any]:
    """Return UTC microseconds, `NEVER` where there is none."""
    typed = column.cast(INSTANT) if column.type != INSTANT else column
    return typed.cast(pa.int64()).fill_null(NEVER).combine_chunks().to_numpy(zero_copy_only=False)


def _numbers(column: pa.ChunkedArray, kind: ValueType) -> np.ndarray[Any, Any]:
    """Return the column as eight-byte slots; what stands at a NULL is of no meaning."""
    if kind in FLOATS:
        wanted = column.cast(pa.float32()).cast(pa.float64()) if kind is ValueType.FLOAT else column.cast(pa.float64())
        return wanted.fill_null(float("nan")).combine_chunks().to_numpy(zero_copy_only=False)
    whole = column.cast(pa.int64()).fill_null(0).combine_chunks().to_numpy(zero_copy_only=False)
    return np.ascontiguousarray(whole).view("<f8")


Codes = tuple[np.ndarray[Any, Any], list[Any]]
"""A column as numbers, and what each number stands for; -1 is the last of the list."""


def _text_codes(column: pa.ChunkedArray) -> Codes:
    found = pc.dictionary_encode(column.combine_chunks())
    return found.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64), [*found.dictionary.to_pylist(), None]


def _list_codes(column: pa.ChunkedArray) -> Codes:
    """Number the lists that differ; an item that is NULL is none, as it is to Feast."""
    lists = column.combine_chunks()
    ends = lists.offsets.to_numpy()
    items, words = _text_codes(pa.chunked_array([lists.values]))
    raw, bounds = items.tobytes(), (ends * items.itemsize).tolist()
    known: dict[bytes | None, int] = {}
    marks: list[bytes | None] = [raw[start:stop] for start, stop in pairwise(bounds)]
    if lists.null_count:
        marks = [mark if there else None for mark, there in zip(marks, lists.is_valid().to_pylist(), strict=True)]
    codes = np.array([known.setdefault(mark, len(known)) for mark in marks], np.int64)
    return codes, [None if mark is None else [words[at] for at in np.frombuffer(mark, items.dtype) if at >= 0] for mark in known]


def _other_codes(column: pa.ChunkedArray, kind: ValueType) -> Codes:
    """Number every value by itself. A missing list is an empty one: Feast's own conversion of Arrow makes no difference."""
    values = [to_side(kind, value) for value in python_values_to_proto_values(column.to_pylist(), kind)]
    return np.arange(len(values)), values


def _side_codes(column: pa.ChunkedArray, kind: ValueType) -> Codes:
    if kind is ValueType.STRING and pa.types.is_string(column.type):
        return _text_codes(column)
    if kind is ValueType.STRING_LIST and pa.types.is_list(column.type) and pa.types.is_string(column.type.value_type):
        return _list_codes(column)
    if kind in (ValueType.STRING, ValueType.STRING_LIST):
        return _side_codes(column.cast(pa.string() if kind is ValueType.STRING else pa.list_(pa.string())), kind)
    return _other_codes(column, kind)


def _sides(layout: Layout, rows: pa.Table) -> list[bytes] | None:
    """Return the JSON array of each row: tiers, levels and reasons repeat, so each combination is written out once."""
    if not layout.side:
        return None
    columns = [_side_codes(rows.column(layout.names[i]), layout.types[i]) for i in layout.side]
    marks = np.zeros(rows.num_rows, np.int64)
    for codes, _ in columns:
        # Numbered anew after each column, so that the product stays small.
        marks = np.unique(marks * (codes.max(initial=0) + 2) + codes + 1, return_inverse=True)[1]
    _, first, place = np.unique(marks, return_index=True, return_inverse=True)
    texts = [side_text([values[codes[at]] for codes, values in columns]) for at in first]
    return [texts[at] for at in place.tolist()]


Packed = tuple[list[bytes], list[int], list[int]]


def pack_arrow(layout: Layout, rows: pa.Table, timestamp_field: str, created_column: str | None) -> Packed:
    """Return one packed row per Arrow row, and event and created times in microseconds.

    Raises `UsageError` when a column of the view or its instant is missing.
    """
    missing = [name for name in (*layout.names, timestamp_field) if name not in rows.column_names]
    if missing:
        raise UsageError("the rows lack columns of the feature view", missing)
    records = layout.records(rows.num_rows)
    records["event"] = _instants(rows.column(timestamp_field))
    records["created"] = _instants(rows.column(created_column)) if created_column else NEVER
    nulls = np.zeros((rows.num_rows, len(layout.fixed)), bool)
    for slot, position in enumerate(layout.fixed):
        column = rows.column(layout.names[position])
        records["slots"][:, slot] = _numbers(column, layout.types[position])
        if column.null_count:
            nulls[:, slot] = pc.is_null(column).combine_chunks().to_numpy(zero_copy_only=False)
    layout.set_nulls(records, nulls)
    return layout.packed(records, _sides(layout, rows)), records["event"].tolist(), records["created"].tolist()


def text_columns(rows: pa.Table, names: Sequence[str]) -> list[list[str]] | None:
    """Return key columns as text, None when one of them is of another type or has a NULL."""
    columns = [rows.column(name) for name in names]
    if any(not (pa.types.is_string(column.type) or pa.types.is_large_string(column.type)) or column.null_count for column in columns):
        return None
    return [column.to_pylist() for column in columns]
