"""Entity frames: from what the caller hands over to Arrow, with a row number and one UTC instant per row."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc
from feast.infra.offline_stores.offline_utils import infer_event_timestamp_from_entity_df

from schemas.errors import UsageError
from serving.point_in_time import INSTANT, ROW

if TYPE_CHECKING:
    import pandas as pd

    from warehouse.protocol import Warehouse

INSTANT_TYPE = pa.timestamp("us", tz="UTC")
NAMES = "an entity frame needs the join keys and one timestamp, best named event_timestamp"


@dataclass(frozen=True)
class EntityFrame:
    """The caller's rows in their order, and the column that holds the instant of each."""

    rows: pa.Table
    timestamp_column: str

    @property
    def instants(self) -> pa.ChunkedArray:
        """UTC microseconds, one per row."""
        return self.rows.column(self.timestamp_column)

    def keyed(self, keys: list[str]) -> pa.Table:
        """Return row number, instant and keys: all that the join needs."""
        missing = [key for key in keys if key not in self.rows.column_names]
        if missing:
            raise UsageError("the entity frame lacks join keys", missing, NAMES)
        columns = {ROW: pa.array(range(self.rows.num_rows), pa.int64()), INSTANT: self.instants}
        return pa.table({**columns, **{key: _typed(self.rows.column(key)) for key in keys}})


def _typed(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Give a key column without a single value a type that compares with text."""
    return column.cast(pa.string()) if pa.types.is_null(column.type) else column


def _instants(column: Any) -> Any:
    """Return a pandas column as UTC timestamps; text is parsed, a naive instant is UTC."""
    import pandas as pd

    column = column.infer_objects()
    if not pd.api.types.is_datetime64_any_dtype(column):
        try:
            return pd.to_datetime(column, utc=True)
        except (ValueError, TypeError) as error:
            raise UsageError("the entity frame holds no instants", [str(error).splitlines()[0]], NAMES) from None
    return column.dt.tz_localize("UTC") if column.dt.tz is None else column.dt.tz_convert("UTC")


def _from_pandas(frame: pd.DataFrame) -> EntityFrame:
    name = infer_event_timestamp_from_entity_df(dict(zip(frame.columns, frame.dtypes, strict=True)))
    # Nanoseconds are cut, never rounded up: a row may not see a feature of a later microsecond.
    instants = _instants(frame[name]).dt.floor("us")
    rows = pa.Table.from_pandas(frame.drop(columns=[name]), preserve_index=False).replace_schema_metadata()
    column = pa.chunked_array([pa.Array.from_pandas(instants, type=INSTANT_TYPE)])
    return EntityFrame(rows.add_column(frame.columns.get_loc(name), name, column), name)


def _from_arrow(rows: pa.Table) -> EntityFrame:
    stamps = [field.name for field in rows.schema if pa.types.is_timestamp(field.type)]
    name = "event_timestamp" if "event_timestamp" in rows.column_names else stamps[0] if len(stamps) == 1 else None
    if name is None:
        raise UsageError("the entity query returns no column that can be the timestamp", rows.column_names, NAMES)
    column = rows.column(name)
    column = column.cast(INSTANT_TYPE) if pa.types.is_timestamp(column.type) else pc.cast(column, INSTANT_TYPE)
    return EntityFrame(rows.set_column(rows.column_names.index(name), name, column), name)


def entity_frame(entities: pd.DataFrame | str | None, warehouse: Warehouse) -> EntityFrame:
    """Return the frame of pandas rows or of a GoogleSQL query; raise `UsageError` when neither is given."""
    if isinstance(entities, str):
        return _from_arrow(warehouse.query(entities))
    if entities is None:
        raise UsageError("historical features are retrieved for an entity frame or a query", hint=NAMES)
    return _from_pandas(entities)
