"""A game that was moved to another date must leave its old one, also when nothing else is delivered for that."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from schemas.contracts import TableContract
from warehouse.protocol import Warehouse

if TYPE_CHECKING:
    import pyarrow as pa


def may_move(spec: TableContract) -> bool:
    """TRUE for a table of one row per key whose partition is no part of the key."""
    return spec.partition is not None and len(spec.keys) == 1 and spec.partition not in spec.keys


def without_moved(warehouse: Warehouse, spec: TableContract, rows: pa.Table) -> tuple[pa.Table, tuple[dt.date, ...]]:
    """Return the rows to publish and the dates that are left without any.

    Where a delivered row was published under another date, that date is published again: without it, and with all its
    other rows as they are.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    if not may_move(spec) or not warehouse.partitions(spec.name):
        return rows, ()
    day, key = str(spec.partition), spec.keys[0]
    known = warehouse.query(f"SELECT * FROM {spec.name}").select(rows.column_names).cast(rows.schema)
    elsewhere = known.filter(pc.invert(pc.is_in(known[day], value_set=pc.unique(rows[day]))))
    is_moved = pc.is_in(elsewhere[key], value_set=rows[key])
    left = pc.unique(elsewhere.filter(is_moved)[day])
    if not len(left):
        return rows, ()
    staying = elsewhere.filter(pc.and_(pc.is_in(elsewhere[day], value_set=left), pc.invert(is_moved)))
    emptied = set(left.to_pylist()) - set(staying[day].to_pylist())
    return pa.concat_tables([rows, staying]), tuple(sorted(emptied))
