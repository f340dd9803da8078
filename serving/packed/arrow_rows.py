"""From the warehouse's Arrow to packed rows, column by column, without a protobuf on the way."""

from __future__ import annotations

from collections.abc import Sequence
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


def _side_values(column: pa.ChunkedArray, kind: ValueType) -> list[Any]:
    """Return what JSON holds of each value.

    A missing list is an empty one, as it is to Feast: its own conversion of Arrow makes no difference.
    """
    if kind is ValueType.STRING:
        return list(column.to_pylist())
    if kind is ValueType.STRING_LIST:
        return [value if value is None else [item for item in value if item is not None] for value in column.to_pylist()]
    return [to_side(kind, value) for value in python_values_to_proto_values(column.to_pylist(), kind)]


def _sides(layout: Layout, rows: pa.Table) -> list[bytes] | None:
    if not layout.side:
        return None
    columns = [_side_values(rows.column(layout.names[i]), layout.types[i]) for i in layout.side]
    # Tiers, levels and reasons repeat from row to row: each combination is written out once.
    known: dict[str, bytes] = {}
    sides = []
    for values in zip(*columns, strict=True):
        mark = repr(values)
        side = known.get(mark)
        if side is None:
            side = known[mark] = side_text(values)
        sides.append(side)
    return sides


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
