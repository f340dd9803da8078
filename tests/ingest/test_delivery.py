"""A delivery adds up, or it is none."""

from __future__ import annotations

import pyarrow as pa
import pytest

from schemas.arrow_types import arrow_schema, arrow_type
from schemas.contracts import Column, contract, load_contracts
from schemas.errors import SourceError
from transformations.ingest.delivery import Delivery, Rejection, SourceCount

PLAYERS = "nba_raw.players"


def players(number: int) -> pa.Table:
    rows = [{"player_lookup": f"p{n}", "player_id": n, "player_name": f"P {n}"} for n in range(number)]
    return pa.Table.from_pylist(rows, schema=arrow_schema(contract(PLAYERS)))


def refusal(row: str = "4", reason: str = "missing_value") -> Rejection:
    return Rejection(PLAYERS, "file", row, reason, "player_id is missing", "{}")


def test_a_delivery_that_adds_up_is_returned() -> None:
    count = SourceCount("file", PLAYERS, 6, 3, 1, 1, 1, "a spare row")
    delivery = Delivery({PLAYERS: players(3)}, (refusal(), refusal(reason="bad_value")), (count,))
    assert delivery.check() is delivery
    assert count.unaccounted == 0


@pytest.mark.parametrize(
    ("count", "said"),
    [
        (SourceCount("file", PLAYERS, 7, 3, 1, 1, 1, "why"), "1 of 7 rows unaccounted for"),
        (SourceCount("file", PLAYERS, 5, 3, 1, 1, 1, "why"), "-1 of 5 rows unaccounted for"),
        (SourceCount("file", PLAYERS, 6, 3, 1, 1, 1), "without a reason"),
        (SourceCount("file", PLAYERS, 6, 2, 1, 2, 1, "why"), "3 rows, but the counts say 2"),
        (SourceCount("file", PLAYERS, 6, 3, 2, 1, 0), "1 rows refused, but 2 counted"),
        (SourceCount("file", PLAYERS, 4, 3, 1, 1, -1, "why"), "a count is negative"),
        (SourceCount("other", PLAYERS, 4, 3, 0, 1), "1 rows refused and no count"),
    ],
)
def test_FM63_rows_that_arrived_and_were_not_loaded_are_named(count: SourceCount, said: str) -> None:
    with pytest.raises(SourceError, match=said):
        Delivery({PLAYERS: players(3)}, (refusal(),), (count,)).check()


def test_all_that_is_wrong_is_said_at_once() -> None:
    counts = (SourceCount("file", PLAYERS, 9, 3, 0), SourceCount("second", PLAYERS, 2, 0, 0))
    with pytest.raises(SourceError) as caught:
        Delivery({PLAYERS: players(3)}, (), counts).check()
    assert len(caught.value.values) == 2


def test_columns_and_types_are_the_contracts() -> None:
    table = players(1)
    for wrong in (
        table.drop_columns(["birth_date"]),
        table.select(list(reversed(table.column_names))),
        table.set_column(1, "player_id", pa.array([1.0])),
    ):
        with pytest.raises(SourceError, match=r"nba_raw\.players"):
            Delivery({PLAYERS: wrong}, (), (SourceCount("file", PLAYERS, 1, 1, 0),)).check()


def test_every_contract_has_an_arrow_schema() -> None:
    for name, definition in load_contracts().items():
        schema = arrow_schema(definition)
        assert schema.names == list(definition.column_names), name
        assert schema.empty_table().num_rows == 0


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        (Column("c", "STRING", "c"), pa.string()),
        (Column("c", "INT64", "c"), pa.int64()),
        (Column("c", "FLOAT64", "c"), pa.float64()),
        (Column("c", "BOOL", "c"), pa.bool_()),
        (Column("c", "DATE", "c"), pa.date32()),
        (Column("c", "TIMESTAMP", "c"), pa.timestamp("us", tz="UTC")),
        (Column("c", "ARRAY<DATE>", "c"), pa.list_(pa.date32())),
        (Column("c", "STRUCT", "c", fields=(Column("a", "INT64", "a"),)), pa.struct([("a", pa.int64())])),
        (
            Column("c", "ARRAY<STRUCT>", "c", fields=(Column("a", "STRING", "a"), Column("b", "ARRAY<INT64>", "b"))),
            pa.list_(pa.struct([("a", pa.string()), ("b", pa.list_(pa.int64()))])),
        ),
    ],
)
def test_arrow_types(column: Column, expected: pa.DataType) -> None:
    assert arrow_type(column) == expected
