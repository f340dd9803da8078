"""A league small enough to work out by hand: every game, box, shot, line and report is written down by the test."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from typing import Any

import pandas as pd

from .games import EASTERN
from .raw import RawData

COLUMNS = {
    "schedule": "game_id game_date season season_type home_team away_team is_neutral_site tipoff_time tipoff_known status",
    "player_boxscores": "game_id game_date player_lookup player_id team_abbr minutes points fgm fga ftm fta tov",
    "team_boxscores": "game_id game_date team_abbr minutes points fga fta oreb tov",
    "shots": "game_id game_date shot_number player_lookup team_abbr zone shot_value made",
    "odds_player_points": "game_id game_date player_lookup bookmaker is_dfs observed_at line over_price under_price",
    "injury_reports": "report_date player_lookup reported_at report_seq status game_id valid_days",
    "players": "player_lookup player_id player_name birth_date",
}


def eastern(day: date, hour: int, minute: int = 0) -> datetime:
    """Return the instant of an hour in the east, in UTC."""
    return datetime.combine(day, time(hour, minute), EASTERN).astimezone(UTC)


class MadeUpLeague:
    """Collects rows and turns them into raw data. Games tip off at 19:00 US Eastern."""

    def __init__(self) -> None:
        self.rows: dict[str, list[dict[str, Any]]] = {name: [] for name in COLUMNS}

    def schedule(
        self,
        day: date,
        home: str,
        away: str,
        season: str = "2023-24",
        season_type: str = "regular",
        neutral: bool = False,
        status: str = "final",
    ) -> str:
        """Add a game without boxes; return its id."""
        game_id = f"{len(self.rows['schedule']) + 1:010d}"
        names = COLUMNS["schedule"].split()
        values = (game_id, day, season, season_type, home, away, neutral, eastern(day, 19), True, status)
        self.rows["schedule"].append(dict(zip(names, values, strict=True)))
        return game_id

    def play(self, day: date, home: str, away: str, points: dict[str, int] | None = None, **game: Any) -> str:
        """Add a game with both team boxes (90 possessions each) and the points of players of the home team."""
        game_id = self.schedule(day, home, away, **game)
        for team in (home, away):
            self.team(game_id, team)
        for player, scored in (points or {}).items():
            self.box(game_id, home, player, points=scored)
        return game_id

    def team(self, game_id: str, team: str, **numbers: int) -> None:
        """Add, or replace, a team box: 80 FGA, 20 FTA, 10 OREB, 12 TOV give 90 possessions."""
        self.rows["team_boxscores"] = [row for row in self.rows["team_boxscores"] if (row["game_id"], row["team_abbr"]) != (game_id, team)]
        box = {"minutes": 240, "points": 100, "fga": 80, "fta": 20, "oreb": 10, "tov": 12, **numbers}
        self.rows["team_boxscores"].append({"game_id": game_id, "team_abbr": team, **box})

    def box(self, game_id: str, team: str, player: str, **numbers: float | None) -> None:
        """Add a player's box: 30 minutes unless told otherwise."""
        box = {"minutes": 30.0, "points": 10, "fgm": 4, "fga": 10, "ftm": 2, "fta": 2, "tov": 1, **numbers}
        self.rows["player_boxscores"].append({"game_id": game_id, "team_abbr": team, "player_lookup": player, **box})

    def marked_absent(self, game_id: str, team: str, player: str) -> None:
        """List the player without points and minutes."""
        self.box(game_id, team, player, **dict.fromkeys(("minutes", "points", "fgm", "fga", "ftm", "fta", "tov")))

    def shots(self, game_id: str, team: str, player: str, zone: str, made: int, missed: int) -> None:
        """Add attempts from one zone."""
        for number in range(made + missed):
            self.rows["shots"].append({"game_id": game_id, "team_abbr": team, "player_lookup": player, "zone": zone, "made": number < made})

    def line(self, game_id: str, player: str, book: str, seen: datetime, line: float, price: int | None = -110, dfs: bool = False) -> None:
        """Add a snapshot of a points line."""
        row = {"game_id": game_id, "player_lookup": player, "bookmaker": book, "observed_at": seen, "line": line}
        self.rows["odds_player_points"].append({**row, "over_price": price, "is_dfs": dfs})

    def report(self, player: str, report_date: date, status: str, reported_at: datetime, **more: Any) -> None:
        """Add an injury report."""
        row = {"player_lookup": player, "report_date": report_date, "status": status, "reported_at": reported_at, "report_seq": 1}
        self.rows["injury_reports"].append({**row, **more})

    def born(self, player: str, birth_date: date) -> None:
        """Add a player with a birth date."""
        self.rows["players"].append({"player_lookup": player, "birth_date": birth_date})

    def raw(self) -> RawData:
        """Return the raw data so far."""
        return RawData({name: pd.DataFrame(rows, columns=COLUMNS[name].split()) for name, rows in self.rows.items()})
