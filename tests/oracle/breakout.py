"""The further inputs of the breakout models."""

from __future__ import annotations

from fractions import Fraction

from .arithmetic import mean
from .computed import Row
from .games import WINDOW_DAYS
from .history import points_avg_season


def breakout_inputs(row: Row) -> dict[str, Fraction | None]:
    """Return the eight inputs by name; None where one is missing."""
    return {
        "explosion_ratio": explosion_ratio(row),
        "days_since_breakout": days_since_breakout(row),
        "minutes_increase_pct": minutes_increase_pct(row),
        "usage_rate_trend": usage_rate_trend(row),
        "rest_days_numeric": Fraction(row.games.days_of_rest(row.team, row.day)),
        "fourth_quarter_trust": None,
        "star_teammate_out": star_teammate_out(row),
        "fg_pct_last_game": fg_pct_last_game(row),
    }


def explosion_ratio(row: Row) -> Fraction | None:
    """Best of the last 5 over the season mean; missing when that is missing or 0."""
    points = [line.points for line in row.games.last(row.player, row.day, 5)]
    season = points_avg_season(row).value
    return None if not points or not season else max(points) / season


def days_since_breakout(row: Row) -> Fraction | None:
    """Days since the last game of 1.5 times the season mean; 365 when there is none in the window."""
    season = points_avg_season(row).value
    if season is None:
        return None
    for line in row.games.of_player(row.player, row.day):
        if line.points >= Fraction(3, 2) * season:
            return Fraction((row.day - line.game.date).days)
    return Fraction(WINDOW_DAYS)


def minutes_increase_pct(row: Row) -> Fraction | None:
    """Mean minutes of the last 7 days against the last 10 games, as a share of the latter."""
    week = mean([line.minutes for line in row.games.of_days(row.player, row.day, 7)])
    last = mean([line.minutes for line in row.games.last(row.player, row.day, 10)])
    return None if week is None or not last else (week - last) / last


def usage_rate_trend(row: Row) -> Fraction | None:
    """Mean usage of the last 10 games minus the season's."""
    games = row.games
    last = mean(games.usages(games.last(row.player, row.day, 10)))
    season = mean(games.usages(games.of_season(row.player, row.day, row.game.season)))
    return None if last is None or season is None else last - season


def star_teammate_out(row: Row) -> Fraction | None:
    """Number of team-mates out or doubtful with a season mean of 15 points or more; missing when the feed is silent."""
    if row.availability.is_silent(row.game):
        return None
    stars = 0
    for mate in row.teammates_absent():
        average = mean([line.points for line in row.games.of_season(mate, row.day, row.game.season)])
        if average is not None and average >= 15:
            stars += 1
    return Fraction(stars)


def fg_pct_last_game(row: Row) -> Fraction | None:
    """Field-goal share of the previous played game; missing without attempts."""
    last = row.games.last(row.player, row.day, 1)
    if not last or not last[0].fga or last[0].fgm is None:
        return None
    return Fraction(last[0].fgm, last[0].fga)
