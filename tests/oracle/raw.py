"""The raw tables as plain Python records, indexed once by game, player and team."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from fractions import Fraction
from typing import Any

import pandas as pd

COUNTED = ("regular", "play_in", "playoffs", "cup_final")
ZONE_OF = {
    "restricted_area": "paint",
    "paint_non_ra": "paint",
    "mid_range": "mid_range",
    "left_corner_3": "three",
    "right_corner_3": "three",
    "above_break_3": "three",
    "backcourt": "three",
}


@dataclass(frozen=True)
class Game:
    """A counted game of the schedule."""

    game_id: str
    date: date
    season: str
    season_type: str
    home: str
    away: str
    neutral: bool
    tipoff: datetime

    def opponent_of(self, team: str) -> str:
        """Return the other team."""
        return self.away if team == self.home else self.home


@dataclass(frozen=True)
class PlayerLine:
    """A played game of a player; minutes are exact, absent statistics None."""

    player: str
    game: Game
    team: str
    minutes: Fraction
    points: int
    fgm: int | None
    fga: int | None
    ftm: int | None
    fta: int | None
    tov: int | None

    @property
    def opponent(self) -> str:
        """The team he played against."""
        return self.game.opponent_of(self.team)


@dataclass(frozen=True)
class TeamLine:
    """The box score of a team in a counted game."""

    game: Game
    team: str
    minutes: int
    points: int
    fga: int
    fta: int
    oreb: int
    tov: int


@dataclass(frozen=True)
class Shot:
    """A field-goal attempt, its zone one of paint, mid_range and three."""

    player: str
    team: str
    zone: str
    made: bool


@dataclass(frozen=True)
class PointsLine:
    """A snapshot of a points line."""

    bookmaker: str
    is_dfs: bool
    observed_at: datetime
    line: Fraction
    price: int | None


@dataclass(frozen=True)
class Report:
    """What was said about a player's availability."""

    report_date: date
    reported_at: datetime
    report_seq: int
    status: str
    game_id: str | None
    valid_days: int | None


def _rows(table: pd.DataFrame) -> Iterator[dict[str, Any]]:
    """Yield the rows of a frame with None for every kind of missing value."""
    columns = {name: table[name].astype(object).where(table[name].notna(), None).tolist() for name in table.columns}
    for values in zip(*columns.values(), strict=True):
        yield dict(zip(columns, values, strict=True))


def _day(value: Any) -> date:
    return value.date() if isinstance(value, datetime) else value


def _instant(value: Any) -> datetime:
    instant = value.to_pydatetime() if isinstance(value, pd.Timestamp) else value
    if instant.tzinfo is None:
        raise ValueError(f"a timestamp without a time zone: {value}")
    return instant


def _whole(value: Any) -> int | None:
    return None if value is None else int(value)


class RawData:
    """Every raw record, by the keys the formulas look them up with.

    `tables` holds data frames under the names of the raw tables. Preseason, All-Star and postponed games are left out
    here, once and for all, with everything that happened in them.
    """

    def __init__(self, tables: Mapping[str, pd.DataFrame]) -> None:
        self.games: dict[str, Game] = {}
        self.games_on: dict[date, list[Game]] = defaultdict(list)
        self.schedule_of: dict[str, list[Game]] = defaultdict(list)
        self._read_schedule(tables["schedule"])

        self.played_of: dict[str, list[PlayerLine]] = defaultdict(list)
        self.played_in: dict[tuple[str, str], list[str]] = defaultdict(list)
        self.games_with_player_boxes: set[tuple[str, str]] = set()
        self._read_player_boxes(tables["player_boxscores"])

        self.team_lines: dict[tuple[str, str], TeamLine] = {}
        self.team_lines_of: dict[str, list[TeamLine]] = defaultdict(list)
        self._read_team_boxes(tables["team_boxscores"])

        self.shots_in: dict[str, list[Shot]] = defaultdict(list)
        self._read_shots(tables["shots"])

        self.lines_for: dict[tuple[str, str], list[PointsLine]] = defaultdict(list)
        self._read_lines(tables["odds_player_points"])

        self.reports_on: dict[str, list[Report]] = defaultdict(list)
        self._read_reports(tables["injury_reports"])

        self.birth_dates: dict[str, date | None] = {
            row["player_lookup"]: None if row["birth_date"] is None else _day(row["birth_date"]) for row in _rows(tables["players"])
        }

    def _read_schedule(self, table: pd.DataFrame) -> None:
        for row in _rows(table):
            if row["season_type"] not in COUNTED or row["status"] == "postponed":
                continue
            game = Game(
                row["game_id"],
                _day(row["game_date"]),
                row["season"],
                row["season_type"],
                row["home_team"],
                row["away_team"],
                bool(row["is_neutral_site"]),
                _instant(row["tipoff_time"]),
            )
            self.games[game.game_id] = game
        for game in sorted(self.games.values(), key=lambda g: (g.date, g.game_id)):
            self.games_on[game.date].append(game)
            self.schedule_of[game.home].append(game)
            self.schedule_of[game.away].append(game)

    def _read_player_boxes(self, table: pd.DataFrame) -> None:
        for row in _rows(table):
            game = self.games.get(row["game_id"])
            if game is None:
                continue
            self.games_with_player_boxes.add((game.game_id, row["team_abbr"]))
            if row["points"] is None or row["minutes"] is None:
                continue
            line = PlayerLine(
                row["player_lookup"],
                game,
                row["team_abbr"],
                Fraction(row["minutes"]),
                int(row["points"]),
                *(_whole(row[name]) for name in ("fgm", "fga", "ftm", "fta", "tov")),
            )
            self.played_of[line.player].append(line)
            self.played_in[game.game_id, line.team].append(line.player)
        for lines in self.played_of.values():
            lines.sort(key=lambda line: (line.game.date, line.game.game_id))

    def _read_team_boxes(self, table: pd.DataFrame) -> None:
        for row in _rows(table):
            game = self.games.get(row["game_id"])
            if game is None:
                continue
            numbers = (int(row[name]) for name in ("minutes", "points", "fga", "fta", "oreb", "tov"))
            line = TeamLine(game, row["team_abbr"], *numbers)
            self.team_lines[game.game_id, line.team] = line
            self.team_lines_of[line.team].append(line)
        for lines in self.team_lines_of.values():
            lines.sort(key=lambda line: (line.game.date, line.game.game_id))

    def _read_shots(self, table: pd.DataFrame) -> None:
        for row in _rows(table[["game_id", "player_lookup", "team_abbr", "zone", "made"]]):
            if row["game_id"] in self.games:
                shot = Shot(row["player_lookup"], row["team_abbr"], ZONE_OF[row["zone"]], bool(row["made"]))
                self.shots_in[row["game_id"]].append(shot)

    def _read_lines(self, table: pd.DataFrame) -> None:
        for row in _rows(table):
            price = row["over_price"] if row["over_price"] is not None else row["under_price"]
            line = PointsLine(row["bookmaker"], bool(row["is_dfs"]), _instant(row["observed_at"]), Fraction(row["line"]), _whole(price))
            self.lines_for[row["game_id"], row["player_lookup"]].append(line)

    def _read_reports(self, table: pd.DataFrame) -> None:
        for row in _rows(table):
            report = Report(
                _day(row["report_date"]),
                _instant(row["reported_at"]),
                int(row["report_seq"]),
                row["status"],
                row["game_id"],
                _whole(row["valid_days"]),
            )
            self.reports_on[row["player_lookup"]].append(report)
