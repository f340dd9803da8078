"""The answer to an online request: read from the packed records, protobuf only when somebody asks for it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from feast.online_response import TIMESTAMP_POSTFIX, OnlineResponse
from feast.protos.feast.serving.ServingService_pb2 import FieldStatus, GetOnlineFeaturesResponse
from feast.protos.feast.types.Value_pb2 import Value
from feast.type_map import feast_value_type_to_python_type
from feast.value_type import ValueType
from google.protobuf.timestamp_pb2 import Timestamp

from schemas.errors import UsageError
from serving.packed.layout import NEVER, instant_of
from serving.packed.rows import Block

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa


@dataclass(frozen=True)
class Column:
    """A feature of the answer: its name there, its view's place among the blocks and its name in the view."""

    output: str
    block: int
    name: str


@dataclass(frozen=True)
class Shape:
    """What an answer holds, the same for every request of its kind.

    `order` is the model's own order of output names, empty where the request is no service that has one.
    """

    columns: tuple[Column, ...]
    order: tuple[str, ...] = ()
    places: dict[tuple[str, ...], list[int]] = field(default_factory=dict, compare=False, repr=False)
    """Where features stand among the joined slots of all views, kept by request."""

    @cached_property
    def by_output(self) -> Mapping[str, Column]:
        """Column by its name in the answer."""
        return {column.output: column for column in self.columns}

    @property
    def outputs(self) -> tuple[str, ...]:
        """Names of the features in the answer."""
        return tuple(column.output for column in self.columns)


class PackedResponse(OnlineResponse):
    """Feast's online response over packed records; keys come first, then the features view by view."""

    def __init__(self, keys: Mapping[str, Sequence[str]], shape: Shape, blocks: Sequence[Block], versions: Mapping[str, int] | None = None):
        self.keys = keys
        self.shape = shape
        self.blocks = blocks
        self._versions = versions or {}
        self._proto: GetOnlineFeaturesResponse | None = None
        self._feature_types = {c.output: blocks[c.block].layout.type_of[c.name] for c in shape.columns}

    def _values(self, column: Column) -> list[Any]:
        block = self.blocks[column.block]
        values = block.column(column.name)
        if block.layout.ways[column.name][0] == "proto":
            kind = block.layout.type_of[column.name]
            return [None if value is None else feast_value_type_to_python_type(value, kind) for value in values]
        return values

    def _seconds(self, block: Block) -> list[int]:
        events = block.records["event"]
        return [0 if event == NEVER else event // 1_000_000 for event in events.tolist()]

    def to_dict(self, include_event_timestamps: bool = False) -> dict[str, Any]:
        """Return lists of Python values by name, None for NULL."""
        found: dict[str, Any] = {}
        for name, values in self.keys.items():
            found[name] = list(values)
            if include_event_timestamps:
                found[name + TIMESTAMP_POSTFIX] = [0] * len(values)
        seconds = [self._seconds(block) for block in self.blocks] if include_event_timestamps else []
        for column in self.shape.columns:
            found[column.output] = self._values(column)
            if include_event_timestamps:
                found[column.output + TIMESTAMP_POSTFIX] = seconds[column.block]
        return found

    def to_df(self, include_event_timestamps: bool = False) -> pd.DataFrame:
        """Return a frame with the values of `to_dict`."""
        import pandas as pd

        found: dict[str, Any] = {}
        if include_event_timestamps:
            return pd.DataFrame(self.to_dict(include_event_timestamps=True))
        found.update({name: list(values) for name, values in self.keys.items()})
        for column in self.shape.columns:
            block = self.blocks[column.block]
            way, slot = block.layout.ways[column.name]
            # A column without a value has no type in a frame made of lists; it stays so.
            typed = way == "float" and not block.nulls[:, slot].all()
            found[column.output] = block.records["slots"][:, slot] if typed else self._values(column)
        return pd.DataFrame(found)

    def to_arrow(self, include_event_timestamps: bool = False) -> pa.Table:
        """Return a table with the values of `to_dict`; a number or truth value keeps its type without a value, too."""
        import pyarrow as pa

        types = {ValueType.INT64: pa.int64(), ValueType.INT32: pa.int64(), ValueType.BOOL: pa.bool_()}
        types |= {ValueType.STRING: pa.string(), ValueType.STRING_LIST: pa.list_(pa.string())}
        found: dict[str, Any] = {name: pa.array(list(values), pa.string()) for name, values in self.keys.items()}
        for column in self.shape.columns:
            block = self.blocks[column.block]
            (way, slot), kind = block.layout.ways[column.name], block.layout.type_of[column.name]
            if way == "float":
                values = np.ascontiguousarray(block.records["slots"][:, slot])
                found[column.output] = pa.array(values, pa.float64(), mask=block.nulls[:, slot])
            else:
                found[column.output] = pa.array(self._values(column), types.get(kind))
            if include_event_timestamps:
                found[column.output + TIMESTAMP_POSTFIX] = pa.array(self._seconds(block), pa.int64())
        return pa.table(found)

    def _places(self, wanted: tuple[str, ...]) -> list[int]:
        """Return the columns of the joined slots that hold these features; raise `UsageError` for one that is no number."""
        known = self.shape.places.get(wanted)
        if known is None:
            starts = np.cumsum([0, *(len(block.layout.fixed) for block in self.blocks)])
            place = {
                column.output: int(starts[column.block]) + self.blocks[column.block].layout.slot_of[column.name]
                for column in self.shape.columns
                if column.name in self.blocks[column.block].layout.slot_of
            }
            missing = [name for name in wanted if name not in place]
            if missing:
                raise UsageError("a matrix holds only numbers of the answer", missing, "name the features wanted")
            known = self.shape.places[wanted] = [place[name] for name in wanted]
        return known

    def matrix(self, names: Sequence[str]) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
        """Return rows x features as doubles, NULL and an absent row as NaN, and TRUE where it is one of these."""
        places = self._places(tuple(names))
        values = np.concatenate([block.floats for block in self.blocks], axis=1).take(places, axis=1)
        if any(block.has_nulls for block in self.blocks):
            return values, np.concatenate([block.nulls for block in self.blocks], axis=1).take(places, axis=1)
        return values, np.zeros(values.shape, bool)

    def instants(self) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
        """Return event and created time in microseconds, views x rows; `NEVER` where there is no row."""
        events = np.array([block.records["event"] for block in self.blocks])
        return events, np.array([block.records["created"] for block in self.blocks])

    def values(self, output: str) -> list[Any]:
        """Return one feature as Python values, None for NULL."""
        return self._values(self.shape.by_output[output])

    def to_numpy(self, names: Sequence[str] | None = None) -> np.ndarray[Any, Any]:
        """Return a matrix of doubles, rows x features, NULL and an absent row as NaN.

        The features are those named, else those of the service in the model's own order, else all as they stand in the
        answer. Raises `UsageError` for a feature that is no number or not in the answer.
        """
        wanted = tuple(names) if names is not None else self.shape.order or self.shape.outputs
        return np.concatenate([block.floats for block in self.blocks], axis=1).take(self._places(wanted), axis=1)

    def event_timestamps(self, output: str) -> list[dt.datetime | None]:
        """Return the event time of a feature's row, to the microsecond; None where there is no row."""
        column = next(c for c in self.shape.columns if c.output == output)
        return [instant_of(value) for value in self.blocks[column.block].records["event"].tolist()]

    @property
    def incompatible(self) -> frozenset[int]:
        """Positions of rows that the store holds under another schema of a view."""
        return frozenset(at for block in self.blocks for at in block.incompatible)

    @property
    def proto(self) -> GetOnlineFeaturesResponse:
        """Feast's protobuf of the answer, built on first use."""
        if self._proto is None:
            self._proto = self._build()
        return self._proto

    @proto.setter
    def proto(self, value: GetOnlineFeaturesResponse) -> None:
        self._proto = value

    def _build(self) -> GetOnlineFeaturesResponse:
        answer = GetOnlineFeaturesResponse(results=[])
        vector = GetOnlineFeaturesResponse.FeatureVector
        for name, keys in self.keys.items():
            answer.metadata.feature_names.val.append(name)
            values = [Value(string_val=key) for key in keys]
            answer.results.append(
                vector(values=values, statuses=[FieldStatus.PRESENT] * len(values), event_timestamps=[Timestamp()] * len(values))
            )
        for name, version in self._versions.items():
            metadata = answer.metadata.feature_view_metadata.add()
            metadata.name, metadata.version = name, version
        heads = [(_statuses(block), _timestamps(block)) for block in self.blocks]
        for column in self.shape.columns:
            answer.metadata.feature_names.val.append(column.output)
            statuses, stamps = heads[column.block]
            answer.results.append(vector(values=self.blocks[column.block].protos(column.name), statuses=statuses, event_timestamps=stamps))
        return answer


def _statuses(block: Block) -> list[Any]:
    return [FieldStatus.PRESENT if here else FieldStatus.NOT_FOUND for here in block.present.tolist()]


def _timestamps(block: Block) -> list[Timestamp]:
    stamps = []
    for event in block.records["event"].tolist():
        stamp = Timestamp()
        if event != NEVER:
            stamp.FromMicroseconds(event)
        stamps.append(stamp)
    return stamps
