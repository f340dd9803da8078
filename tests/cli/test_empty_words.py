"""A word with nothing in it, as an unset shell variable leaves it, never widens a request to everything; nor do odd dates."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from schemas.clock import UTC, parse_date, parse_instant
from schemas.errors import UsageError
from tests.cli.calling import call

COMMANDS = {
    ("backfill", "--only-columns", ""): "--only-columns",
    ("backfill", "--only-columns="): "--only-columns",
    ("backfill", "--dates", " "): "--dates",
    ("backfill", "--season", "", "--dry-run"): "--season",
    ("quality", "--player", ""): "--player",
    ("lookup", "--date", ""): "--date",
    ("lookup", "--date", "2025-01-01", "--players", ""): "--players",
    ("training-set", "--start", "2025-01-01", "--end", "2025-01-02", "--out", ""): "--out",
    ("run", "--date", "2025-01-01", "--as-of", ""): "--as-of",
    ("models", "show", ""): "an argument is empty",
}


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_an_empty_word_is_refused(words: tuple[str, ...], tmp_path: Path) -> None:
    call(tmp_path / "home", *words).assert_one_line(2, "usage", "an argument is empty", COMMANDS[words])
    assert not (tmp_path / "home").exists()


@pytest.mark.parametrize("option", ["--dates", "--cascade-from", "--only-columns"])
def test_a_list_of_nothing_is_refused(option: str, tmp_path: Path) -> None:
    call(tmp_path / "home", "backfill", option, " , ,").assert_one_line(2, "usage", "is named:")


@pytest.mark.parametrize(
    "words",
    [
        ("backfill", "--start-date", "0001-01-01"),
        ("backfill", "--end-date", "9999-12-31"),
        ("backfill", "--as-of", "0001-01-01T00:00:00Z"),
        ("run", "--date", "2025-01-01", "--as-of", "9999-12-31T23:59:59-12:00"),
    ],
)
def test_a_year_beyond_all_calendars_is_refused(words: tuple[str, ...], tmp_path: Path) -> None:
    call(tmp_path / "home", *words).assert_one_line(2, "usage", "the year is out of range", "1901 to 2999")


@pytest.mark.parametrize("text", ["20250101", "2025-W01-3", "2025-1-1", "٢٠٢٥-01-01", "2025-01-01 ", "2025-02-29"])
def test_a_date_is_written_in_one_way(text: str) -> None:
    with pytest.raises(UsageError, match="write YYYY-MM-DD"):
        parse_date(text)


def test_first_and_last_year() -> None:
    assert (parse_date("1901-01-01"), parse_date("2999-12-31")) == (dt.date(1901, 1, 1), dt.date(2999, 12, 31))
    assert parse_instant("2999-12-31T23:59:59-12:00") == dt.datetime(3000, 1, 1, 11, 59, 59, tzinfo=UTC)
