"""Rows against their contract."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import replace
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.arrow_types import arrow_schema
from schemas.contracts import Column, TableContract, contract
from schemas.errors import DefinitionError, SourceError
from transformations.ingest.delivery import Rejection
from transformations.ingest.validate import REASONS, parse_minutes, split_by_contract

COLUMNS = (
    Column("game_id", "STRING", "id", required=True),
    Column("seq", "INT64", "number", required=True),
    Column("zone", "STRING", "zone", values=("near", "far")),
    Column("share", "FLOAT64", "share", min=0, max=1),
    Column("line", "FLOAT64", "line", above=0),
    Column("day", "DATE", "day"),
    Column("seen_at", "TIMESTAMP", "time"),
    Column("made", "BOOL", "made"),
    Column("minutes", "FLOAT64", "minutes", min=0, max=75),
)
TABLE = replace(contract("nba_raw.shots"), name="nba_raw.made_up", columns=COLUMNS, keys=("game_id", "seq"))
GOOD = {"game_id": "g", "seq": 1, "zone": "near", "share": 0.5, "line": 21.5, "minutes": 30.0}


def split(*rows: dict[str, Any], table: TableContract = TABLE) -> tuple[list[dict[str, Any]], list[tuple[str, str]]]:
    """Return the good rows and (row number, reason) of the refused."""
    full = [{**GOOD, "seq": number, **row, "_source": "file", "_row": number} for number, row in enumerate(rows, 1)]
    names = list(dict.fromkeys(name for row in full for name in row))
    staged = pa.table({name: pa.array([row.get(name) for row in full]) for name in names})
    good, rejections = split_by_contract(staged, table)
    assert good.schema.remove(len(good.schema) - 1).remove(len(good.schema) - 2) == arrow_schema(table)
    return good.to_pylist(), [(r.row_ref, r.reason_code) for r in rejections]


def test_a_good_row_passes_cast_to_the_contract() -> None:
    good, refused = split({"day": "2024-01-05", "seen_at": "2024-01-05T12:00:00", "made": "true", "share": "0.25"})
    assert not refused
    assert good[0]["day"] == dt.date(2024, 1, 5)
    assert good[0]["seen_at"] == dt.datetime(2024, 1, 5, 12, tzinfo=dt.UTC)
    assert (good[0]["made"], good[0]["share"]) == (True, 0.25)


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ({"game_id": None}, "missing_value"),
        ({"seq": float("nan")}, "missing_value"),
        ({"zone": "middle"}, "bad_value"),
        ({"share": -0.01}, "out_of_range"),
        ({"share": 1.01}, "out_of_range"),
        ({"share": float("inf")}, "out_of_range"),
        ({"line": float("-inf")}, "out_of_range"),
        ({"day": "2024-02-30"}, "unparsable"),
        ({"seen_at": "yesterday"}, "unparsable"),
        ({"made": "perhaps"}, "unparsable"),
        ({"share": "half"}, "unparsable"),
    ],
)
def test_a_fault_is_refused_with_its_reason_and_its_neighbour_stays(fault: dict[str, Any], reason: str) -> None:
    column = next(iter(fault))
    neighbour = {column: str(GOOD[column])} if isinstance(fault[column], str) and column in GOOD and column != "zone" else {}
    good, refused = split(neighbour, fault)
    assert refused == [("2", reason)]
    assert [row["seq"] for row in good] == [1]


@pytest.mark.parametrize("line", [0.0, -0.0, -1.5])
def test_FM16_a_line_of_zero_or_less_is_refused(line: float) -> None:
    good, refused = split({"line": line}, {"line": 0.5})
    assert refused == [("1", "out_of_range")]
    assert [row["line"] for row in good] == [0.5]


def test_FM14_nan_in_an_optional_column_becomes_null() -> None:
    good, refused = split({"share": float("nan")}, {"share": 0.0})
    assert not refused
    assert [row["share"] for row in good] == [None, 0.0]


def test_FM15_a_genuine_zero_stays() -> None:
    good, refused = split({"seq": 0, "share": 0.0, "minutes": 0})
    assert not refused
    assert (good[0]["seq"], good[0]["share"], good[0]["minutes"]) == (0, 0.0, 0.0)


def test_of_one_key_the_first_good_row_stays() -> None:
    good, refused = split({"seq": 7, "share": 3.0}, {"seq": 7, "share": 0.1}, {"seq": 7, "share": 0.1}, {"seq": 7, "share": 0.2})
    assert [row["share"] for row in good] == [0.1]
    assert refused == [("1", "out_of_range"), ("3", "duplicate_key"), ("4", "duplicate_key")]


def test_every_fault_of_a_row_is_named_at_once() -> None:
    _, refused = split({"zone": "middle", "share": 2.0, "line": 0.0, "game_id": None})
    assert sorted(reason for _, reason in refused) == ["bad_value", "missing_value", "out_of_range"]


def test_a_row_the_reading_refused_keeps_that_reason_alone() -> None:
    good, refused = split({"_reason": "unknown_game", "game_id": None, "share": 9.0}, {})
    assert refused == [("1", "unknown_game")]
    assert len(good) == 1


def test_a_row_made_of_several_source_rows_refuses_each() -> None:
    staged = pa.table({"game_id": ["g"], "seq": [1], "share": [2.0], "_source": ["file"], "_row": [[4, 9]]})
    _, rejections = split_by_contract(staged, TABLE)
    assert [(r.row_ref, r.reason_code, r.detail) for r in rejections] == [
        ("4", "out_of_range", "share is 2.0, above the most allowed 1"),
        ("9", "out_of_range", "share is 2.0, above the most allowed 1"),
    ]
    assert json.loads(rejections[0].raw_row_json) == {"game_id": "g", "seq": 1, "share": 2.0}


def test_a_table_without_a_required_column_is_an_error() -> None:
    with pytest.raises(SourceError, match="seq"):
        split_by_contract(pa.table({"game_id": ["g"], "_source": ["file"], "_row": [1]}), TABLE)


def test_no_rows_give_no_rows() -> None:
    empty = arrow_schema(TABLE).empty_table()
    empty = empty.append_column("_source", pa.array([], pa.string())).append_column("_row", pa.array([], pa.int64()))
    good, rejections = split_by_contract(empty, TABLE)
    assert (good.num_rows, rejections) == (0, [])


def test_the_vocabulary_of_reasons_is_closed() -> None:
    assert all(text and not text.endswith(".") for text in REASONS.values())
    with pytest.raises(DefinitionError, match="felt_wrong"):
        Rejection("nba_raw.shots", "file", "1", "felt_wrong", None, "{}")


def test_FM24_minutes_are_read_from_a_clock_and_from_numbers() -> None:
    values, lost = parse_minutes(pa.array(["34:37", "34", " 34.6 ", "0:00", "00:30", "", None, "48:00"]))
    expected = [34 + 37 / 60, 34.0, 34.6, 0.0, 0.5, None, None, 48.0]
    assert values.to_pylist() == pytest.approx(expected)
    assert not any(lost.to_pylist())
    assert parse_minutes(pa.array([34, None]))[0].to_pylist() == [34.0, None]
    assert parse_minutes(pa.array([34.6, float("nan")]))[0].to_pylist() == [34.6, None]


@pytest.mark.parametrize("text", ["34:60", "34:5x", "DNP", "-3", "-3:10", "1:2:3", "34:", ":30", "nan", "inf", "3e1"])
def test_FM24_minutes_that_cannot_be_read_are_counted_not_made_null(text: str) -> None:
    values, lost = parse_minutes(pa.array(["12:30", text]))
    assert values.to_pylist() == [12.5, None]
    assert lost.to_pylist() == [False, True]


def test_FM24_unreadable_minutes_are_refused_row_by_row() -> None:
    staged = pa.table({"game_id": ["g", "g"], "seq": [1, 2], "minutes": ["34:37", "34.37.1"], "_source": ["file"] * 2, "_row": [1, 2]})
    good, rejections = split_by_contract(staged, TABLE, readers=("minutes",))
    assert good["minutes"].to_pylist() == pytest.approx([34 + 37 / 60])
    assert [(r.row_ref, r.reason_code, r.detail) for r in rejections] == [("2", "unparsable", "minutes is 34.37.1, not FLOAT64")]


SHARES = (0.5, 1.5, None, float("nan"), float("inf"))
MADE_UP = st.tuples(st.sampled_from(["g", "h", None]), st.integers(0, 3), st.sampled_from(SHARES), st.sampled_from(["near", "?"]))


@given(st.lists(MADE_UP, max_size=12))
def test_nothing_is_lost_or_kept_twice(rows: list[tuple[Any, ...]]) -> None:
    staged = pa.table(
        {
            "game_id": pa.array([r[0] for r in rows], pa.string()),
            "seq": pa.array([r[1] for r in rows], pa.int64()),
            "share": pa.array([r[2] for r in rows], pa.float64()),
            "zone": pa.array([r[3] for r in rows], pa.string()),
            "_source": pa.array(["file"] * len(rows), pa.string()),
            "_row": pa.array(range(len(rows)), pa.int64()),
        }
    )
    good, rejections = split_by_contract(staged, TABLE)
    kept, refused = set(good["_row"].to_pylist()), {int(r.row_ref) for r in rejections}
    assert kept | refused == set(range(len(rows)))
    assert not kept & refused
    keys = list(zip(good["game_id"].to_pylist(), good["seq"].to_pylist(), strict=True))
    assert len(keys) == len(set(keys))
    sound = {row for row in range(len(rows)) if rows[row][0] and rows[row][3] == "near" and not (rows[row][2] or 0) > 1}
    assert {(rows[row][0], rows[row][1]) for row in sound} == set(keys)
