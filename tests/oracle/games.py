"""Windows over the games of players and teams, and what a single game says: possessions, pace, ratings, usage."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from fractions import Fraction
from functools import cache
from zoneinfo import ZoneInfo

from .arithmetic import mean
from .raw import PlayerLine, RawData, TeamLine

EASTERN = ZoneInfo("America/New_York")
WINDOW_DAYS = 365
LEAGUE_DAYS = 60
LEAGUE_GAMES = 150
MOST_REST = 7


def days(number: int) -> timedelta:
    """Return so many calendar days."""
    return timedelta(days=number)


class Games:
    """What was known of past games at the as-of instant. All lists run from the newest game to the oldest."""

    def __init__(self, raw: RawData, as_of: datetime) -> None:
        self.raw = raw
        self.as_of = as_of
        self.first_unknown_day = as_of.astimezone(EASTERN).date()
        # One instance lives for a whole comparison, so each list is made once.
        self.of_player = cache(self._of_player)
        self.of_team = cache(self._of_team)
        self.league_pace = cache(self._league_pace)
        self._paces: dict[tuple[str, str], Fraction | None] = {}

    def known_dates(self, day: date) -> tuple[date, date]:
        """Return the first date of the window before the day and the one after its last known date."""
        return day - days(WINDOW_DAYS), min(day, self.first_unknown_day)

    def is_before(self, game_date: date, day: date) -> bool:
        """Tell whether a box score of that date lies in the window before the day and was known."""
        first, end = self.known_dates(day)
        return first <= game_date < end

    def _of_player(self, player: str, day: date) -> list[PlayerLine]:
        """Return the played games of a player in the window, for any team."""
        first, end = self.known_dates(day)
        lines = [line for line in self.raw.played_of.get(player, []) if first <= line.game.date < end]
        return lines[::-1]

    def last(self, player: str, day: date, n: int) -> list[PlayerLine]:
        """Return the player's last n played games."""
        return self.of_player(player, day)[:n]

    def of_season(self, player: str, day: date, season: str) -> list[PlayerLine]:
        """Return the player's played games of the season before the day."""
        return [line for line in self.of_player(player, day) if line.game.season == season]

    def of_days(self, player: str, day: date, number: int) -> list[PlayerLine]:
        """Return the player's played games on the calendar days before the day."""
        return [line for line in self.of_player(player, day) if line.game.date >= day - days(number)]

    def last_for(self, player: str, team: str, day: date, n: int) -> list[PlayerLine]:
        """Return the player's last n played games for the team."""
        return [line for line in self.of_player(player, day) if line.team == team][:n]

    def _of_team(self, team: str, day: date) -> list[TeamLine]:
        """Return the games of a team with team boxes of both sides in the window."""
        first, end = self.known_dates(day)
        lines = [line for line in self.raw.team_lines_of.get(team, []) if first <= line.game.date < end and self.other_side(line)]
        return lines[::-1]

    def last_of_team(self, team: str, day: date, n: int) -> list[TeamLine]:
        """Return the team's last n games with a team box."""
        return self.of_team(team, day)[:n]

    def days_of_rest(self, team: str, day: date) -> int:
        """Return the calendar days between the team's previous scheduled game and the day, minus 1, at most 7."""
        earlier = [g.date for g in self.raw.schedule_of.get(team, []) if day - days(WINDOW_DAYS) <= g.date < day]
        if not earlier:
            return MOST_REST
        return min((day - max(earlier)).days - 1, MOST_REST)

    def other_side(self, line: TeamLine) -> TeamLine | None:
        """Return the box of the other team in the same game."""
        return self.raw.team_lines.get((line.game.game_id, line.game.opponent_of(line.team)))

    def pace(self, line: TeamLine) -> Fraction | None:
        """Return possessions per 48 minutes, worked out once for each game; None without the other team's box."""
        key = line.game.game_id, line.team
        if key not in self._paces:
            possessions = self.game_possessions(line)
            self._paces[key] = None if possessions is None else 48 * possessions / (Fraction(team_minutes(line)) / 5)
        return self._paces[key]

    def game_possessions(self, line: TeamLine) -> Fraction | None:
        """Return the mean of both teams' possessions."""
        other = self.other_side(line)
        if other is None:
            return None
        return (possessions_of(line) + possessions_of(other)) / 2

    def offensive_rating(self, line: TeamLine) -> Fraction | None:
        """Return points per 100 possessions."""
        possessions = self.game_possessions(line)
        return None if possessions is None else 100 * line.points / possessions

    def defensive_rating(self, line: TeamLine) -> Fraction | None:
        """Return points allowed per 100 possessions."""
        possessions, other = self.game_possessions(line), self.other_side(line)
        return None if possessions is None or other is None else 100 * other.points / possessions

    def won(self, line: TeamLine) -> bool | None:
        """Tell whether the team won; None without the other team's box."""
        other = self.other_side(line)
        return None if other is None else line.points > other.points

    def usage(self, line: PlayerLine) -> Fraction | None:
        """Return the usage rate of a player-game; None with minutes 0 or without the team's box."""
        team = self.raw.team_lines.get((line.game.game_id, line.team))
        if team is None or line.minutes == 0 or line.fga is None or line.fta is None or line.tov is None:
            return None
        own = line.fga + Fraction(44, 100) * line.fta + line.tov
        all_of_team = team.fga + Fraction(44, 100) * team.fta + team.tov
        if all_of_team == 0:
            return None
        return 100 * own * (Fraction(team_minutes(team)) / 5) / (line.minutes * all_of_team)

    def usages(self, lines: list[PlayerLine]) -> list[Fraction]:
        """Return the usage rates of those games that have one."""
        return [usage for line in lines if (usage := self.usage(line)) is not None]

    def is_complete(self, game_id: str) -> bool:
        """Tell whether both sides of the game have a team box."""
        game = self.raw.games[game_id]
        return all((game_id, team) in self.raw.team_lines for team in (game.home, game.away))

    def league_window(self, day: date, game_ids: list[str]) -> list[str]:
        """Return the games of the 60 days before the day, of 365 days when those are fewer than 150."""
        known = [i for i in game_ids if self.is_before(self.raw.games[i].date, day)]
        recent = [i for i in known if self.raw.games[i].date >= day - days(LEAGUE_DAYS)]
        return known if len(recent) < LEAGUE_GAMES else recent

    def _league_pace(self, day: date) -> Fraction | None:
        """Return the mean pace of the league window's games that have both team boxes."""
        boxes = self.raw.team_lines
        complete = [game_id for game_id in self.raw.games if self.is_complete(game_id)]
        paces: list[Fraction | int] = []
        for game_id in self.league_window(day, complete):
            game = self.raw.games[game_id]
            sides = [self.pace(boxes[game_id, team]) for team in (game.home, game.away)]
            both = mean([side for side in sides if side is not None])
            if both is not None:
                paces.append(both)
        return mean(paces)


def overtimes(line: TeamLine) -> int:
    """Return the overtimes whose team minutes lie nearest the box's own."""
    return max(0, round(Fraction(line.minutes - 240, 25)))


def team_minutes(line: TeamLine) -> int:
    """Return 240 minutes and 25 more for each overtime."""
    return 240 + 25 * overtimes(line)


def possessions_of(line: TeamLine) -> Fraction:
    """Return FGA + 0.40 FTA - OREB + TOV."""
    return line.fga + Fraction(40, 100) * line.fta - line.oreb + line.tov
