"""Packed rows that were read: one block of records per feature view."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from feast.protos.feast.types.Value_pb2 import Value

from serving.packed.layout import FINGERPRINT_BYTES, FLOATS, NEVER, SLOTS, Layout, from_side


@dataclass(frozen=True)
class Block:
    """Rows of one view in the order they were asked for.

    `incompatible` lists the rows that were written under another schema or are damaged: they read as absent.
    """

    layout: Layout
    records: np.ndarray[Any, Any]
    sides: tuple[bytes | None, ...]
    incompatible: tuple[int, ...] = ()

    @cached_property
    def present(self) -> np.ndarray[Any, Any]:
        """TRUE where there is a row."""
        return np.asarray(self.records["event"] != NEVER)

    @cached_property
    def has_nulls(self) -> bool:
        """TRUE when a value is NULL or a row is absent."""
        return bool(self.records["nulls"].any())

    @cached_property
    def nulls(self) -> np.ndarray[Any, Any]:
        """Return the NULL bits as rows x slots."""
        bits = np.unpackbits(self.records["nulls"], axis=1, count=len(self.layout.fixed), bitorder="little")
        return np.asarray(bits.view(bool))

    @cached_property
    def null_rows(self) -> Mapping[int, list[int]]:
        """Positions of NULL rows by slot; a slot without one is not in it."""
        found: dict[int, list[int]] = {}
        if self.has_nulls:
            slots, rows = np.nonzero(self.nulls.T)
            for slot, row in zip(slots.tolist(), rows.tolist(), strict=True):
                found.setdefault(slot, []).append(row)
        return found

    @cached_property
    def floats(self) -> np.ndarray[Any, Any]:
        """Return rows x slots as doubles; integers and truth values are converted, NULL is NaN."""
        slots: np.ndarray[Any, Any] = self.records["slots"]
        kinds = [self.layout.types[i] for i in self.layout.fixed]
        whole = [slot for slot, kind in enumerate(kinds) if kind not in FLOATS]
        if whole:
            slots = np.array(slots)
            slots[:, whole] = self._integers[:, whole]
            slots[self.nulls] = np.nan
        return slots

    @cached_property
    def _integers(self) -> np.ndarray[Any, Any]:
        return np.ascontiguousarray(self.records["slots"]).view("<i8")

    @cached_property
    def _side_columns(self) -> list[list[Any]]:
        """Return the side values column by column; raise `ValueError` when a row's are damaged."""
        blank = b"[" + b",".join([b"null"] * len(self.layout.side)) + b"]"
        rows = json.loads((b"[" + b",".join(blank if side is None else side for side in self.sides) + b"]").decode())
        if len(rows) != len(self.sides) or not all(_is_side(self.layout, row) for row in rows):
            raise ValueError("a row is damaged")
        return [list(column) for column in zip(*rows, strict=True)]

    def column(self, name: str) -> list[Any]:
        """Return a field as Python values, None for NULL and for an absent row; a protobuf type as its protobuf."""
        way, place = self.layout.ways[name]
        if way == "json":
            return list(self._side_columns[place])
        if way == "proto":
            kind = self.layout.type_of[name]
            return [None if value is None else from_side(kind, value) for value in self._side_columns[place]]
        if way == "float":
            values: list[Any] = self.records["slots"][:, place].tolist()
        else:
            whole = self._integers[:, place]
            values = (whole != 0).tolist() if way == "bool" else whole.tolist()
        for at in self.null_rows.get(place, ()):
            values[at] = None
        return values

    def protos(self, name: str) -> list[Value]:
        """Return a field as Feast's values."""
        kind = self.layout.type_of[name]
        values = self.column(name)
        if kind in SLOTS:
            field, empty = SLOTS[kind], Value()
            return [empty if value is None else Value(**{field: value}) for value in values]
        return [value if isinstance(value, Value) else from_side(kind, value) for value in values]


def block_of(layout: Layout, stored: Sequence[bytes | None]) -> Block:
    """Return the rows read from a store, None where it has none; rows of another schema and damaged ones are told apart."""
    size, absent = layout.record.itemsize, layout.absent
    sides: tuple[bytes | None, ...] = ()
    if layout.side:
        sides = tuple(row[size:] if row is not None else None for row in stored)
        heads = [row[:size] if row is not None else absent for row in stored]
    else:
        heads = [row if row is not None else absent for row in stored]
    raw = b"".join(heads)
    if len(raw) == size * len(heads):
        records = np.frombuffer(raw, layout.record)
        if bool((records["schema"] == layout.schema_number).all()):
            block = Block(layout, records, sides)
            if not layout.side or _is_whole(block):
                return block
    wrong = tuple(at for at, row in enumerate(stored) if row is not None and not _fits(layout, row))
    return block_of_fitting(layout, stored, wrong)


def block_of_fitting(layout: Layout, stored: Sequence[bytes | None], wrong: tuple[int, ...]) -> Block:
    """Return the block with the rows at the positions `wrong` read as absent."""
    out = set(wrong)
    found = block_of(layout, [None if at in out else row for at, row in enumerate(stored)])
    return Block(layout, found.records, found.sides, wrong)


def _is_side(layout: Layout, values: Any) -> bool:
    return isinstance(values, list) and len(values) == len(layout.side)


def _is_whole(block: Block) -> bool:
    """TRUE when what follows the records can be read; it is read once, here, and kept."""
    try:
        block._side_columns  # noqa: B018 - kept by its first reading
    except ValueError:
        return False
    return True


def _fits(layout: Layout, row: bytes) -> bool:
    """TRUE when the row was written under this schema and is whole."""
    size = layout.record.itemsize
    if row[:FINGERPRINT_BYTES] != layout.fingerprint:
        return False
    if not layout.side:
        return len(row) == size
    try:
        return len(row) > size and _is_side(layout, json.loads(row[size:].decode()))
    except ValueError:
        return False
