"""What a packed row looks like: a record of fixed size, then the values that have no fixed size.

The record holds the fingerprint of the view's schema, event and created time, a bit per NULL and eight bytes per number or
truth value. A NULL is told by its bit, never by a value: 0, NaN and NULL stay three things. Text and lists follow as one
JSON array; every other type follows as its protobuf, so that nothing Feast can hold is refused.
"""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from feast.protos.feast.types.Value_pb2 import StringList, Value
from feast.value_type import ValueType

FORMAT = 1
"""Counts the changes of the encoding; rows of another format are incompatible."""
FINGERPRINT_BYTES = 8
EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
MICROSECOND = dt.timedelta(microseconds=1)
NEVER = -(2**52)
"""Stands for a missing instant: far before any other, and exact in a double, which is all that Lua knows."""

FLOATS = {ValueType.DOUBLE: "double_val", ValueType.FLOAT: "float_val"}
INTEGERS = {ValueType.INT64: "int64_val", ValueType.INT32: "int32_val"}
SLOTS = {**FLOATS, **INTEGERS, ValueType.BOOL: "bool_val"}


def microseconds(instant: dt.datetime | None) -> int:
    """Return UTC microseconds since 1970, `NEVER` for None; a naive instant is UTC."""
    if instant is None:
        return NEVER
    return ((instant if instant.tzinfo else instant.replace(tzinfo=dt.UTC)) - EPOCH) // MICROSECOND


def instant_of(value: int) -> dt.datetime | None:
    """Return the instant of UTC microseconds, None for `NEVER`."""
    return None if value == NEVER else EPOCH + value * MICROSECOND


@dataclass(frozen=True)
class Layout:
    """The row of one view: field names and types in the order of the names."""

    names: tuple[str, ...]
    types: tuple[ValueType, ...]

    @cached_property
    def fixed(self) -> tuple[int, ...]:
        """Positions of the fields that have a slot."""
        return tuple(i for i, kind in enumerate(self.types) if kind in SLOTS)

    @cached_property
    def side(self) -> tuple[int, ...]:
        """Positions of the fields that follow the record."""
        return tuple(i for i, kind in enumerate(self.types) if kind not in SLOTS)

    @cached_property
    def slot_of(self) -> Mapping[str, int]:
        """Slot number by field name."""
        return {self.names[i]: slot for slot, i in enumerate(self.fixed)}

    @cached_property
    def side_of(self) -> Mapping[str, int]:
        """Place in the JSON array by field name."""
        return {self.names[i]: place for place, i in enumerate(self.side)}

    @cached_property
    def ways(self) -> Mapping[str, tuple[str, int]]:
        """How a field is read, and its slot or its place in the JSON array; text, because enums are slow as keys."""
        found: dict[str, tuple[str, int]] = {}
        for name, kind in zip(self.names, self.types, strict=True):
            if kind in SLOTS:
                found[name] = ("float" if kind in FLOATS else "bool" if kind is ValueType.BOOL else "integer", self.slot_of[name])
            else:
                found[name] = ("json" if kind in (ValueType.STRING, ValueType.STRING_LIST) else "proto", self.side_of[name])
        return found

    @cached_property
    def type_of(self) -> Mapping[str, ValueType]:
        """Value type by field name."""
        return dict(zip(self.names, self.types, strict=True))

    @cached_property
    def fingerprint(self) -> bytes:
        """Return the mark of this schema and format."""
        text = json.dumps([FORMAT, *((name, kind.name) for name, kind in zip(self.names, self.types, strict=True))])
        return hashlib.sha256(text.encode()).digest()[:FINGERPRINT_BYTES]

    @cached_property
    def record(self) -> np.dtype[Any]:
        """Return the numpy type of the record."""
        slots = len(self.fixed)
        fields: list[Any] = [("schema", "<u8"), ("event", "<i8"), ("created", "<i8"), ("nulls", "u1", (-(-slots // 8),))]
        return np.dtype([*fields, ("slots", "<f8", (slots,))])

    @cached_property
    def schema_number(self) -> int:
        """Return the fingerprint as the integer the record holds."""
        return int.from_bytes(self.fingerprint, "little")

    @cached_property
    def absent(self) -> bytes:
        """Return the record that stands for a row that is not there: no instant, every bit NULL."""
        record = np.zeros(1, self.record)
        record["schema"], record["event"], record["created"] = self.schema_number, NEVER, NEVER
        record["nulls"] = 255
        record["slots"] = np.nan
        return record.tobytes()

    def records(self, rows: int) -> np.ndarray[Any, Any]:
        """Return zeroed records that carry the fingerprint."""
        found = np.zeros(rows, self.record)
        found["schema"] = self.schema_number
        return found

    def set_nulls(self, records: np.ndarray[Any, Any], nulls: np.ndarray[Any, Any]) -> None:
        """Set the NULL bits from a matrix of rows x slots; floats become NaN, so that the slots are the model's matrix."""
        if not self.fixed:
            return
        records["nulls"] = np.packbits(nulls, axis=1, bitorder="little")
        records["slots"][nulls] = np.nan

    def packed(self, records: np.ndarray[Any, Any], sides: Sequence[bytes] | None) -> list[bytes]:
        """Return one value per row: record, then side."""
        raw, size = records.tobytes(), self.record.itemsize
        rows = [raw[at : at + size] for at in range(0, len(raw), size)]
        return rows if sides is None else [row + side for row, side in zip(rows, sides, strict=True)]


def layout_of(fields: Iterable[Any]) -> Layout:
    """Return the layout of a view's fields, by name: the order of a view's fields is of no meaning to Feast."""
    fields = sorted(fields, key=lambda field: str(field.name))
    return Layout(tuple(f.name for f in fields), tuple(f.dtype.to_value_type() for f in fields))


def side_text(values: Sequence[Any]) -> bytes:
    """Return the values that have no slot as one JSON array."""
    return json.dumps(values, ensure_ascii=False, separators=(",", ":")).encode()


def to_side(kind: ValueType, value: Value) -> Any:
    """Return a protobuf value as what JSON holds of it."""
    if value.WhichOneof("val") is None:
        return None
    if kind is ValueType.STRING and value.HasField("string_val"):
        return value.string_val
    if kind is ValueType.STRING_LIST and value.HasField("string_list_val"):
        return list(value.string_list_val.val)
    return base64.b64encode(value.SerializeToString()).decode()


def from_side(kind: ValueType, stored: Any) -> Value:
    """Return the protobuf value of what the JSON array holds."""
    if stored is None:
        return Value()
    if kind is ValueType.STRING:
        return Value(string_val=stored)
    if kind is ValueType.STRING_LIST:
        return Value(string_list_val=StringList(val=stored))
    return Value.FromString(base64.b64decode(stored))


def pack_values(layout: Layout, rows: Sequence[tuple[Mapping[str, Value], dt.datetime, dt.datetime | None]]) -> list[bytes]:
    """Return the packed rows of Feast's own values; a field without a value, or of another type than the view's, is NULL."""
    records = layout.records(len(rows))
    nulls = np.zeros((len(rows), len(layout.fixed)), bool)
    integers = records["slots"].view("<i8")
    empty = Value()
    sides: list[bytes] | None = [] if layout.side else None
    for at, (values, event, created) in enumerate(rows):
        records["event"][at], records["created"][at] = microseconds(event), microseconds(created)
        for slot, position in enumerate(layout.fixed):
            kind = layout.types[position]
            value = values.get(layout.names[position], empty)
            if value.WhichOneof("val") != SLOTS[kind]:
                nulls[at, slot] = True
            elif kind in FLOATS:
                records["slots"][at, slot] = getattr(value, SLOTS[kind])
            else:
                integers[at, slot] = getattr(value, SLOTS[kind])
        if sides is not None:
            sides.append(side_text([to_side(layout.types[i], values.get(layout.names[i], empty)) for i in layout.side]))
    layout.set_nulls(records, nulls)
    return layout.packed(records, sides)
