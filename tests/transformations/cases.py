"""Cases an analyst can read: rows given, rows expected, and the faults that must make the case fail.

A case is `tests/transformations/<dataset>/<table>/<case>/case.yaml`:

    what: one sentence
    plants: [FM23]                     failure modes the case is about
    date: 2024-01-20                   or `dates: [first, last]`
    as_of: 2024-01-20 18:00            optional, US Eastern; long after the date when left out
    given:                             rows by table, columns between bars; an empty cell is NULL
      nba_raw.schedule: |
        game_id    | game_date  | home_team | away_team
        0022300001 | 2024-01-18 | AAA       | BBB
    expect: |                          the columns that matter, at least the key; no other rows may be there
      player_lookup | points
      ann           | 0
    breaks_if:                         the statement with this text replaced must not give the expected rows
      - {text: "p.points IS NOT NULL", becomes: "p.points > 0"}

Columns that are not given take the value of `defaults.yaml`, times without a date lie on the row's game date in US
Eastern, and `times` in a table of shots repeats a row. A derived table that is not given is built from what is.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from schemas.arrow_types import arrow_schema
from schemas.clock import EASTERN, UTC
from schemas.contracts import Column, contract
from schemas.yaml_files import read_yaml
from tests.transformations.workbench import LONG_AFTER, SUMMARIES, days, parameters
from transformations.render import statement
from warehouse.googlesql import prepare_connection, to_duckdb

FOLDER = Path(__file__).parent
KEYS = {"what", "plants", "date", "dates", "as_of", "given", "expect", "breaks_if"}
Row = dict[str, Any]


@dataclass(frozen=True)
class Case:
    """One case: `rows` and `expected` as text by column, typed when they are used."""

    table: str
    name: str
    what: str
    plants: tuple[str, ...]
    start: dt.date
    end: dt.date
    as_of: dt.datetime
    given: Mapping[str, list[dict[str, str]]]
    expected: list[dict[str, str]]
    breaks_if: tuple[Mapping[str, str], ...]

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns the case expects."""
        return tuple(self.expected[0])


def _table(text: str) -> list[dict[str, str]]:
    """Read rows between bars."""
    lines = [[cell.strip() for cell in line.split("|")] for line in text.strip().splitlines()]
    return [dict(zip(lines[0], line, strict=True)) for line in lines[1:]]


def _eastern(text: str, day: dt.date | None = None) -> dt.datetime:
    """Return the instant of `HH:MM` on a day, or of `YYYY-MM-DD HH:MM[:SS]`, US Eastern."""
    value = dt.datetime.fromisoformat(text if len(text) > 8 else f"{day} {text}")
    return value.replace(tzinfo=EASTERN).astimezone(UTC)


def load_case(path: Path) -> Case:
    """Read a case file; unknown keys are errors."""
    row = read_yaml(path)
    unknown = set(row) - KEYS
    assert not unknown, f"{path}: unknown keys {sorted(unknown)}"
    start, end = row["dates"] if "dates" in row else (row["date"], row["date"])
    return Case(
        f"{path.parents[2].name}.{path.parents[1].name}",
        path.parent.name,
        row["what"],
        tuple(row.get("plants", ())),
        start,
        end,
        _eastern(str(row["as_of"])) if "as_of" in row else LONG_AFTER,
        {name: _table(text) for name, text in row["given"].items()},
        _table(row["expect"]),
        tuple(row.get("breaks_if", ())),
    )


@cache
def all_cases() -> tuple[Case, ...]:
    """Return every case, in order of table and name."""
    return tuple(load_case(path) for path in sorted(FOLDER.glob("nba_*/*/*/case.yaml")))


@cache
def _defaults() -> Mapping[str, Mapping[str, str]]:
    return {table: {name: str(value) for name, value in row.items()} for table, row in read_yaml(FOLDER / "defaults.yaml").items()}


def _value(column: Column, text: str, day: dt.date | None = None) -> Any:
    """Return the value a cell stands for."""
    if column.is_array:
        return [_value(Column(column.name, column.element_type, ""), part, day) for part in text.split()]
    if text == "":
        return None
    if column.type == "INT64":
        return int(text)
    if column.type == "FLOAT64":
        return float(text)
    if column.type == "BOOL":
        return {"TRUE": True, "FALSE": False}[text.upper()]
    if column.type == "DATE":
        return dt.date.fromisoformat(text)
    if column.type == "TIMESTAMP":
        return _eastern(text, day)
    return text


def _points_made(row: Row) -> None:
    """Fill in makes that add up to the points: twos, and a free throw for an odd number; nothing for an absence."""
    if "points" not in row or "fgm" in row:
        return
    if row["points"] == "":
        row.update(dict.fromkeys(("minutes", "fgm", "fga", "fg3m", "fg3a", "ftm", "fta", "tov"), ""))
    else:
        made, odd = divmod(int(row["points"]), 2)
        row.update(fgm=str(made), ftm=str(odd))


def _rows(case: Case, table: str) -> pa.Table:
    """Return the given rows of a table with every column of its contract."""
    spec, dates = contract(table), {row["game_id"]: row["game_date"] for row in case.given.get("nba_raw.schedule", ()) if "game_id" in row}
    made: list[Row] = []
    for given in case.given.get(table, ()):
        row = dict(given)
        if table.endswith(("player_boxscores", "player_game_summary")):
            _points_made(row)
        unknown = set(row) - set(spec.column_names) - {"times"}
        assert not unknown, f"{case.name}: {table} has no columns {sorted(unknown)}"
        row = {**_defaults().get(table, {}), **row}
        if "game_date" in spec.by_name and "game_date" not in row:
            row["game_date"] = dates.get(row.get("game_id", ""), str(case.start))
        day = dt.date.fromisoformat(row["game_date"]) if row.get("game_date") else None
        values = {column.name: _value(column, row[column.name], day) if column.name in row else None for column in spec.columns}
        made += [values] * int(row.get("times", 1))
    if table == "nba_raw.shots":
        made = [{**row, "shot_number": number} for number, row in enumerate(made, 1)]
    return pa.Table.from_pylist(made, schema=arrow_schema(spec))


class Bench:
    """A DuckDB connection that holds the rows of one case."""

    def __init__(self, case: Case) -> None:
        self.case = case
        self.connection = duckdb.connect()
        prepare_connection(self.connection)
        self._ready: set[str] = set()

    def provide(self, table: str) -> None:
        """Have a table: the rows given, or built from the tables it reads, or empty."""
        if table in self._ready:
            return
        self._ready.add(table)
        self.connection.execute(f"CREATE SCHEMA IF NOT EXISTS {table.split('.')[0]}")
        if table not in self.case.given and contract(table).built_by == "sql":
            start = self.case.start - days(365) if table in SUMMARIES else self.case.start
            self.connection.register("made", self.make(table, start))
        else:
            self.connection.register("made", _rows(self.case, table))
        self.connection.execute(f"CREATE TABLE {table} AS SELECT * FROM made")
        self.connection.unregister("made")

    def make(self, table: str, start: dt.date, sql: str | None = None) -> pa.Table:
        """Return the rows the table's statement, or another, makes up to the last date of the case."""
        for read in contract(table).reads:
            self.provide(read)
        text = to_duckdb(sql or statement(table))
        named = set(re.findall(r"\$(\w+)", text))
        values = {name: value for name, value in parameters(start, self.case.end, self.case.as_of).items() if name in named}
        return self.connection.execute(text, values).to_arrow_table()

    def close(self) -> None:
        """Release the connection."""
        self.connection.close()


def _comparable(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, 6)
    return tuple(value) if isinstance(value, list) else value


def _picture(case: Case, rows: list[Row]) -> list[tuple[Any, ...]]:
    return sorted((tuple(_comparable(row[name]) for name in case.columns) for row in rows), key=str)


def expected_rows(case: Case) -> list[tuple[Any, ...]]:
    """Return the expected cells, typed by the contract, in a fixed order."""
    spec = contract(case.table)
    rows = [{name: _value(spec.by_name[name], text, case.end) for name, text in row.items()} for row in case.expected]
    return _picture(case, rows)


def made_rows(case: Case, bench: Bench, sql: str | None = None) -> list[tuple[Any, ...]]:
    """Return the cells the statement makes, in the same order."""
    start = case.start
    return _picture(case, bench.make(case.table, start, sql).to_pylist())


def mutants(case: Case) -> list[str]:
    """Return the statements of the table with each fault of the case put in; a text that is not there is an error."""
    sound = statement(case.table)
    missing = [fault["text"] for fault in case.breaks_if if fault["text"] not in sound]
    assert not missing, f"{case.table} no longer holds {missing}"
    return [sound.replace(fault["text"], fault["becomes"]) for fault in case.breaks_if]
