"""Arrow types of contract columns: the one form in which rows travel between ingest, warehouse and Feast."""

from __future__ import annotations

from typing import TYPE_CHECKING

from schemas.contracts import Column, TableContract

if TYPE_CHECKING:
    import pyarrow as pa


def _scalar(name: str) -> pa.DataType:
    import pyarrow as pa

    return {
        "STRING": pa.string(),
        "INT64": pa.int64(),
        "FLOAT64": pa.float64(),
        "BOOL": pa.bool_(),
        "DATE": pa.date32(),
        "TIMESTAMP": pa.timestamp("us", tz="UTC"),
    }[name]


def arrow_type(column: Column) -> pa.DataType:
    """Return the Arrow type of one column; arrays become lists, STRUCT the struct of its fields."""
    import pyarrow as pa

    if column.element_type == "STRUCT":
        element = pa.struct([pa.field(inner.name, arrow_type(inner)) for inner in column.fields])
    else:
        element = _scalar(column.element_type)
    return pa.list_(element) if column.is_array else element


def arrow_schema(contract: TableContract) -> pa.Schema:
    """Return the Arrow schema of a table: its columns in table order, all nullable.

    Whether a column must have a value is the contract's business and is checked row by row, so that one bad row
    can be named and refused without refusing its neighbours.
    """
    import pyarrow as pa

    return pa.schema([pa.field(column.name, arrow_type(column)) for column in contract.columns])
