"""Faults to plant in the simulated feeds before they are checked: each is one way in which real feeds have lied."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from schemas.contracts import contract, load_contracts
from schemas.errors import UnknownNameError, UsageError
from transformations.ingest.simulated_league.fixtures import Array
from transformations.ingest.simulated_league.played import STATS
from transformations.ingest.simulated_league.tables import RAW

Tables = dict[str, pa.Table]
DECOY_POINTS = 55.5
DECOY_SPREAD = 25.0
DECOY_TOTAL = 300.0
# Half an hour before tip-off lies after every row's cutoff; three quarters of an hour after it, the game is under way.
DECOY_MINUTES = (-30, 45)


class Fault(Protocol):
    """Something wrong with a feed."""

    def spoil(self, tables: Mapping[str, pa.Table]) -> Tables:
        """Return the tables with the fault in them; raise `UsageError` when there is nothing to spoil."""


def _on(table: pa.Table, column: str, date: dt.date, fault: object) -> Array:
    mask = pc.fill_null(pc.equal(table[column], pa.scalar(date, pa.date32())), False).to_numpy(zero_copy_only=False)
    if not mask.any():
        raise UsageError("the fault finds no row to spoil", [fault], "choose a date within what the league delivers")
    return mask


def _replaced(table: pa.Table, name: str, values: pa.Array | pa.ChunkedArray) -> pa.Table:
    return table.set_column(table.schema.get_field_index(name), name, values)


def _with(tables: Mapping[str, pa.Table], name: str, table: pa.Table) -> Tables:
    return {**tables, name: table}


def _nulled(table: pa.Table, names: tuple[str, ...], mask: Array) -> pa.Table:
    for name in names:
        table = _replaced(table, name, pc.if_else(pa.array(mask), pa.scalar(None, table[name].type), table[name]))
    return table


def _first_game(table: pa.Table, mask: Array) -> Array:
    games = table["game_id"].to_numpy(zero_copy_only=False)
    return mask & (games == min(games[mask]))


@dataclass(frozen=True)
class NaNPoints:
    """Every second played line of the date arrives with points NaN, which are missing points and not a number."""

    date: dt.date

    def spoil(self, tables: Mapping[str, pa.Table]) -> Tables:
        """Return the tables with the fault in them."""
        table = tables["player_boxscores"]
        played = table["points"].is_valid().to_numpy(zero_copy_only=False)
        at = np.flatnonzero(_on(table, "game_date", self.date, self) & played)[::2]
        mask = np.zeros(table.num_rows, bool)
        mask[at] = True
        points = pc.if_else(pa.array(mask), pa.scalar(float("nan")), table["points"].cast(pa.float64()))
        return _with(tables, "player_boxscores", _replaced(table, "points", points))


@dataclass(frozen=True)
class DuplicateBox:
    """Every player line of the date's first game arrives a second time, at the end of the feed."""

    date: dt.date

    def spoil(self, tables: Mapping[str, pa.Table]) -> Tables:
        """Return the tables with the fault in them."""
        table = tables["player_boxscores"]
        again = table.filter(pa.array(_first_game(table, _on(table, "game_date", self.date, self))))
        return _with(tables, "player_boxscores", pa.concat_tables([table, again]))


def _tipoffs(tables: Mapping[str, pa.Table], games: pa.ChunkedArray) -> pa.Array:
    schedule = tables["schedule"]
    at = pc.index_in(games, value_set=schedule["game_id"].combine_chunks())
    return schedule["tipoff_time"].combine_chunks().take(at.combine_chunks())


def _later(tipoff: pa.Array, minutes: int) -> pa.Array:
    return pc.add(tipoff, pa.scalar(dt.timedelta(minutes=minutes), pa.duration("us")))


def _decoys(tables: Mapping[str, pa.Table], table: pa.Table, keys: list[str], changes: Mapping[str, Any]) -> pa.Table:
    """Return one row per key and decoy time, made from the key's first row."""
    order = pa.array(np.arange(table.num_rows))
    first = table.append_column("_at", order).group_by(keys, use_threads=False).aggregate([("_at", "min")])["_at_min"]
    rows = table.take(first)
    tipoff = _tipoffs(tables, rows["game_id"])
    for name, value in changes.items():
        rows = _replaced(rows, name, pa.array([value] * rows.num_rows, rows[name].type))
    return pa.concat_tables([_replaced(rows, "observed_at", _later(tipoff, minutes)) for minutes in DECOY_MINUTES])


@dataclass(frozen=True)
class LateDecoyOdds:
    """Absurd points and game lines of every book appear half an hour before tip-off and again during the game."""

    date: dt.date

    def spoil(self, tables: Mapping[str, pa.Table]) -> Tables:
        """Return the tables with the fault in them."""
        points, games = tables["odds_player_points"], tables["odds_game_lines"]
        of_players = points.filter(pa.array(_on(points, "game_date", self.date, self)))
        of_games = games.filter(pa.array(_on(games, "game_date", self.date, self)))
        decoy_points = _decoys(tables, of_players, ["game_id", "player_lookup", "bookmaker"], {"line": DECOY_POINTS})
        decoy_games = _decoys(tables, of_games, ["game_id", "bookmaker"], {"home_spread": DECOY_SPREAD, "total": DECOY_TOTAL})
        return {
            **tables,
            "odds_player_points": pa.concat_tables([points, decoy_points]),
            "odds_game_lines": pa.concat_tables([games, decoy_games]),
        }


@dataclass(frozen=True)
class LateDecoyInjuries:
    """Everyone who played, or has a points line for a game to come, is reported out just before tip-off and during the game."""

    date: dt.date

    def spoil(self, tables: Mapping[str, pa.Table]) -> Tables:
        """Return the tables with the fault in them."""
        boxes = tables["player_boxscores"]
        boxes = boxes.filter(pc.and_(boxes["points"].is_valid(), pc.equal(boxes["game_date"], pa.scalar(self.date, pa.date32()))))
        lines = tables["odds_player_points"]
        named = boxes if boxes.num_rows else lines.filter(pa.array(_on(lines, "game_date", self.date, self)))
        rows = named.select(["game_id", "player_lookup"]).group_by(["game_id", "player_lookup"], use_threads=False).aggregate([])
        tipoff, reports = _tipoffs(tables, rows["game_id"]), tables["injury_reports"]
        count = rows.num_rows
        values = {
            "report_date": pa.array([self.date] * count, pa.date32()),
            "player_lookup": rows["player_lookup"].combine_chunks(),
            "report_seq": pa.array([90] * count, pa.int64()),
            "status": pa.array(["out"] * count),
            "game_id": rows["game_id"].combine_chunks(),
            "reason": pa.array(["left the game"] * count),
        }
        late = [
            pa.table(
                [{**values, "reported_at": _later(tipoff, m)}.get(f.name, pa.nulls(count, f.type)) for f in reports.schema],
                schema=reports.schema,
            )
            for m in DECOY_MINUTES
        ]
        return _with(tables, "injury_reports", pa.concat_tables([reports, *late]))


def delivered_tables() -> tuple[str, ...]:
    """Return the raw tables that ingest fills, without their dataset."""
    return tuple(c.table for c in load_contracts().values() if c.dataset == RAW and c.built_by == "ingest")


def _known(name: str) -> str:
    if name not in delivered_tables():
        raise UnknownNameError("unknown raw table", [name], "known: " + ", ".join(delivered_tables()))
    return name


def _date_column(name: str, fault: object) -> str:
    column = contract(f"{RAW}.{_known(name)}").partition
    if column is None:
        raise UsageError("the table has no dates", [fault], "choose a table with a partition column")
    return column


@dataclass(frozen=True)
class ConstantColumn:
    """A column has one value in every row from a date on, as when a feed is filled with a default."""

    table: str
    column: str
    value: Any
    from_date: dt.date

    def spoil(self, tables: Mapping[str, pa.Table]) -> Tables:
        """Return the tables with the fault in them."""
        date_column, table = _date_column(self.table, self), tables[self.table]
        if self.column not in table.column_names:
            raise UnknownNameError("unknown column", [f"{self.table}.{self.column}"], "see docs/tables.md")
        mask = pc.greater_equal(table[date_column], pa.scalar(self.from_date, pa.date32()))
        if not pc.any(mask).as_py():
            raise UsageError("the fault finds no row to spoil", [self], "choose a date within what the league delivers")
        values = pc.if_else(mask, pa.scalar(self.value, table[self.column].type), table[self.column])
        return _with(tables, self.table, _replaced(table, self.column, values))


@dataclass(frozen=True)
class MissingDay:
    """All rows of a table for one date never arrive."""

    table: str
    date: dt.date

    def spoil(self, tables: Mapping[str, pa.Table]) -> Tables:
        """Return the tables with the fault in them."""
        date_column, table = _date_column(self.table, self), tables[self.table]
        gone = _on(table, date_column, self.date, self)
        return _with(tables, self.table, table.filter(pa.array(~gone)))


@dataclass(frozen=True)
class BothSpreadSides:
    """The away side of every spread of the date arrives as a second row, with the sign turned."""

    date: dt.date

    def spoil(self, tables: Mapping[str, pa.Table]) -> Tables:
        """Return the tables with the fault in them."""
        table = tables["odds_game_lines"]
        away = table.filter(pa.array(_on(table, "game_date", self.date, self)))
        away = _replaced(away, "home_spread", pc.negate(away["home_spread"]))
        return _with(tables, "odds_game_lines", pa.concat_tables([table, away]))


@dataclass(frozen=True)
class ZeroLine:
    """The points lines of one book arrive as 0 on the date, a missing line written as a number."""

    date: dt.date

    def spoil(self, tables: Mapping[str, pa.Table]) -> Tables:
        """Return the tables with the fault in them."""
        table = tables["odds_player_points"]
        mask = _on(table, "game_date", self.date, self)
        books = table["bookmaker"].to_numpy(zero_copy_only=False)
        mask = mask & (books == min(books[mask]))
        return _with(tables, "odds_player_points", _replaced(table, "line", pc.if_else(pa.array(mask), 0.0, table["line"])))


@dataclass(frozen=True)
class UnfinishedGame:
    """The date's first game is cut off: its team boxes lack their figures, and every second player who played has minutes only."""

    date: dt.date

    def spoil(self, tables: Mapping[str, pa.Table]) -> Tables:
        """Return the tables with the fault in them."""
        figures = tuple(name for name in STATS if name != "minutes")
        teams, players = tables["team_boxscores"], tables["player_boxscores"]
        teams = _nulled(teams, figures, _first_game(teams, _on(teams, "game_date", self.date, self)))
        of_game = _first_game(players, _on(players, "game_date", self.date, self))
        at = np.flatnonzero(of_game & players["minutes"].is_valid().to_numpy(zero_copy_only=False))[1::2]
        mask = np.zeros(players.num_rows, bool)
        mask[at] = True
        return {**tables, "team_boxscores": teams, "player_boxscores": _nulled(players, (*figures, "plus_minus"), mask)}
