"""Who is expected to play a game, and who did."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from functools import cache

from .games import Games
from .raw import Game

ROSTER_DAYS = 30
ROSTER_GAMES = 15


@dataclass(frozen=True)
class RosterRow:
    """One player's row of a date; basis is expected, played or both."""

    player_lookup: str
    game_id: str
    team: str
    opponent: str
    basis: str


class Rosters:
    """Expected rosters of teams and the rows of a date."""

    def __init__(self, games: Games) -> None:
        self.games = games
        self.raw = games.raw
        self.expected = cache(self._expected)

    def _expected(self, team: str, game: Game) -> list[str]:
        """Return the players expected for the team's game, in order of name."""
        first, end = self.games.known_dates(game.date)
        before = [g for g in self.raw.schedule_of[team] if first <= g.date < game.date]
        last_games = {g.game_id for g in before[-ROSTER_GAMES:] if g.date < end}
        candidates = {player for game_id in last_games for player in self.raw.played_in.get((game_id, team), [])}
        players = []
        for player in sorted(candidates):
            latest = self.games.of_player(player, game.date)[0]
            if latest.team != team or latest.game.game_id not in last_games:
                continue
            back = self.days_back(team, game, latest.game)
            if back is not None and back <= ROSTER_DAYS:
                players.append(player)
        return players

    def days_back(self, team: str, game: Game, latest: Game) -> int | None:
        """Return the days from the latest game to this one without the summer; None when a season lies between."""
        seasons_apart = int(game.season[:4]) - int(latest.season[:4])
        if seasons_apart == 0:
            return (game.date - latest.date).days
        if seasons_apart != 1:
            return None
        first_of_this = min(g.date for g in self.raw.schedule_of[team] if g.season == game.season)
        last_of_that = max(g.date for g in self.raw.schedule_of[team] if g.season == latest.season)
        return (game.date - first_of_this).days + (last_of_that - latest.date).days + 1

    def played(self, team: str, game: Game) -> list[str]:
        """Return who played for the team; nobody before tip-off or before the box score is known."""
        if self.games.as_of <= game.tipoff or game.date >= self.games.first_unknown_day:
            return []
        return sorted(self.raw.played_in.get((game.game_id, team), []))

    def rows(self, day: date) -> list[RosterRow]:
        """Return one row per player of the date; a played row replaces an expected one."""
        by_player: dict[str, RosterRow] = {}
        sides = [(game, team) for game in self.raw.games_on.get(day, []) for team in (game.home, game.away)]
        for game, team in sides:
            for player in self.expected(team, game):
                by_player[player] = RosterRow(player, game.game_id, team, game.opponent_of(team), "expected")
        for game, team in sides:
            for player in self.played(team, game):
                before = by_player.get(player)
                same = before is not None and (before.game_id, before.team) == (game.game_id, team)
                basis = "both" if same else "played"
                by_player[player] = RosterRow(player, game.game_id, team, game.opponent_of(team), basis)
        return [by_player[player] for player in sorted(by_player)]
