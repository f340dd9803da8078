"""A made-up box-score folder of a few games, written as the real layout writes it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from transformations.ingest.box_score_folder import BoxScoreFolder
from transformations.ingest.delivery import Delivery
from transformations.ingest.teams import teams

TEAM = {team.abbr: team for team in teams()}
SQUAD = {
    "ATL": ((1, "Trae Young"), (2, "Jalen Johnson")),
    "BOS": ((3, "Jayson Tatum"), (4, "Jaylen Brown")),
    "DEN": ((5, "Nikola Jokić"), (6, "Michael Porter Jr.")),
    "MIA": ((7, "Bam Adebayo"), (8, "Kevin Huerter")),
}
SHARE = {
    "FGM": 20,
    "FGA": 42,
    "FG3M": 6,
    "FG3A": 18,
    "FTM": 9,
    "FTA": 11,
    "OREB": 5,
    "DREB": 17,
    "AST": 12,
    "STL": 4,
    "BLK": 2,
    "TOV": 6,
    "PF": 10,
}
SEASON = "2023-24"
Row = dict[str, Any]


def utc(text: str) -> dt.datetime:
    """Return the UTC instant."""
    return dt.datetime.fromisoformat(text).replace(tzinfo=dt.UTC)


def team_row(game_id: str, date: str, team: str, matchup: str, **changes: Any) -> Row:
    """Return one row of the team logs: two players' shares, 55 points each."""
    row: Row = {
        "SEASON_ID": f"{game_id[2]}2023", "TEAM_ID": TEAM[team].team_id if team in TEAM else 50009, "TEAM_ABBREVIATION": team,
        "GAME_ID": game_id, "GAME_DATE": date, "MATCHUP": matchup, "WL": "W", "MIN": 240, "PTS": 110, "SEASON": SEASON,
        **{name: 2 * value for name, value in SHARE.items()},
    }  # fmt: skip
    return {**row, **changes}


def player_row(game_id: str, date: str, team: str, player: int, matchup: str, **changes: Any) -> Row:
    """Return one row of the player logs."""
    player_id, name = SQUAD[team][player]
    row: Row = {
        "SEASON_ID": f"{game_id[2]}2023", "PLAYER_ID": player_id, "PLAYER_NAME": name, "TEAM_ID": TEAM[team].team_id, "GAME_ID": game_id,
        "GAME_DATE": date, "MATCHUP": matchup, "WL": "W", "MIN": 34, "PTS": 55, "PLUS_MINUS": 3, **SHARE,
    }  # fmt: skip
    return {**row, **changes}


def event(event_id: str, starts: str, home: str, away: str, read: str) -> Row:
    """Return one reading of an event."""
    return {"id": event_id, "commence_time": utc(starts), "home_team": TEAM[home].name, "away_team": TEAM[away].name,
            "snapshot_timestamp": utc(read)}  # fmt: skip


def quote(starts: str, home: str, away: str, market: str, outcome: str, point: float | None, price: int = -110, **changes: Any) -> Row:
    """Return one outcome of a bookmaker's line; `outcome` is a team, Over or Under."""
    row: Row = {
        "snapshot_timestamp": utc("2023-11-01T11:55"), "event_id": "e1", "home_team": TEAM[home].name, "away_team": TEAM[away].name,
        "commence_time": utc(starts), "bookmaker_key": "betmgm", "market_key": market,
        "outcome_name": TEAM[outcome].name if outcome in TEAM else outcome, "outcome_price": price, "outcome_point": point,
        "last_update": utc("2023-11-01T11:50"), "game_date": "1999-01-01",
    }  # fmt: skip
    return {**row, **changes}


def closing(date: str, home: str, away: str, favoured: str, spread: float | None, total: float = 220.5, **changes: Any) -> Row:
    """Return one row of the closing-line table."""
    row: Row = {"date": date, "home": TEAM[home].lines_code, "away": TEAM[away].lines_code, "whos_favored": favoured, "spread": spread,
                "total": total, "moneyline_home": -150.0, "moneyline_away": 130.0}  # fmt: skip
    return {**row, **changes}


def points_line(player: str, side: str, line: float, price: int = -137, **changes: Any) -> Row:
    """Return one side of a daily-fantasy points line for ATL - BOS on 2023-11-01."""
    row: Row = {"player": player, "market": "player_points", "bookmaker": "PrizePicks", "side": side, "line": line, "price": price,
                "home_team": TEAM["ATL"].name, "away_team": TEAM["BOS"].name, "commence_time": utc("2023-11-02T00:10"),
                "source_file": "11_01_2023.csv"}  # fmt: skip
    return {**row, **changes}


def court_shot(game_id: int, date: str, home: str, away: str, team: str, **changes: Any) -> Row:
    """Return one shot in the full-season form; the date is written MM-DD-YYYY."""
    row: Row = {"TEAM_ID": TEAM[team].team_id, "PLAYER_ID": SQUAD[team][0][0], "GAME_DATE": date, "GAME_ID": game_id, "HOME_TEAM": home,
                "AWAY_TEAM": away, "SHOT_MADE": True, "SHOT_TYPE": "2PT Field Goal", "BASIC_ZONE": "Restricted Area", "LOC_X": 0.5,
                "LOC_Y": 6.5, "SHOT_DISTANCE": 1, "QUARTER": 1, "MINS_LEFT": 10, "SECS_LEFT": 5}  # fmt: skip
    return {**row, **changes}


class Folder:
    """A folder being put together; starts with one whole game, BOS at ATL on 2023-11-01."""

    game_id = "0022300001"
    date = "2023-11-01"

    def __init__(self, path: Path) -> None:
        self.path = path
        self.team_rows: list[Row] = []
        self.player_rows: list[Row] = []
        self.others: dict[str, list[Row]] = {}
        self.game(self.game_id, self.date, "ATL", "BOS")

    def game(self, game_id: str, date: str, home: str, away: str, **changes: Any) -> None:
        """Add a game: the rows of both teams and, of the regular season, of their players."""
        for team, other, sign in ((home, away, "vs."), (away, home, "@")):
            self.team_rows.append(team_row(game_id, date, team, f"{team} {sign} {other}", **changes))
            if game_id[2] == "2":
                self.player_rows += [
                    player_row(game_id, date, team, n, f"{team} {sign} {other}", WL=self.team_rows[-1]["WL"]) for n in (0, 1)
                ]

    def add(self, kind: str, rows: Iterable[Mapping[str, Any]]) -> None:
        """Add rows of another kind."""
        self.others.setdefault(kind, []).extend(dict(row) for row in rows)

    def write(self) -> Path:
        """Write one file per kind."""
        write(self.path, "team_game_logs", self.team_rows)
        write(self.path, "player_game_logs", self.player_rows)
        for kind, rows in self.others.items():
            write(self.path, kind, rows)
        return self.path

    def deliver(self) -> Delivery:
        """Write and read the folder."""
        return BoxScoreFolder(self.write()).deliver()


def write(root: Path, kind: str, rows: list[Row], season: str = SEASON, suffix: str = "") -> Path:
    """Write rows as the file of a kind and season."""
    path = root / kind / f"{kind}_{season}{suffix}.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(rows), path)
    return path


def rows_of(delivery: Delivery, table: str) -> list[Row]:
    """Return the rows of a raw table as dictionaries."""
    return delivery.tables[f"nba_raw.{table}"].to_pylist()


def reasons(delivery: Delivery, table: str) -> list[str]:
    """Return the reasons of the rows refused for a raw table."""
    return [r.reason_code for r in delivery.rejections if r.table_name == f"nba_raw.{table}"]
