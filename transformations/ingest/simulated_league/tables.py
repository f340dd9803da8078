"""Turn arrays into Arrow tables by the table contracts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from schemas.arrow_types import arrow_schema
from schemas.contracts import contract
from transformations.ingest.simulated_league.fixtures import Array

RAW = "nba_raw"
UTC = pa.timestamp("us", tz="UTC")


def named(index: Array, names: Sequence[str] | Array, absent: Array | None = None) -> pa.Array:
    """Return the strings at the positions, NULL where `absent`."""
    codes = pa.array(np.asarray(index, np.int32), mask=absent)
    return pa.DictionaryArray.from_arrays(codes, pa.array(list(names), pa.string())).cast(pa.string())


def column(values: Any, kind: pa.DataType, absent: Array | None = None) -> pa.Array:
    """Return values as one Arrow type, NULL where `absent`; times are taken as UTC."""
    if isinstance(values, pa.Array):
        return values
    if pa.types.is_timestamp(kind):
        return pa.array(np.asarray(values, "datetime64[us]"), mask=absent).cast(kind)
    if pa.types.is_string(kind):
        return pa.array(list(values), pa.string())
    return pa.array(np.asarray(values), mask=absent).cast(kind)


def table(name: str, columns: Mapping[str, Any], absent: Mapping[str, Array] | None = None) -> pa.Table:
    """Return the table of that contract; every column of it must be given. `absent` masks values to NULL by column."""
    schema = arrow_schema(contract(f"{RAW}.{name}"))
    masks = absent or {}
    return pa.table([column(columns[field.name], field.type, masks.get(field.name)) for field in schema], schema=schema)
