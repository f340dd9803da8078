"""What the player has done: features 0-4, 11, 12, 21 and 29-36."""

from __future__ import annotations

from fractions import Fraction

from .arithmetic import mean, round9, sample_standard_deviation, slope
from .computed import NEVER_MET, Computed, Row, known, missing, needs


def points_avg_last_5(row: Row) -> Computed:
    """0: mean points of the last 5."""
    points = [line.points for line in row.games.last(row.player, row.day, 5)]
    return needs(1, len(points), mean(points))


def points_avg_last_10(row: Row) -> Computed:
    """1: mean points of the last 10."""
    points = [line.points for line in row.games.last(row.player, row.day, 10)]
    return needs(1, len(points), mean(points))


def points_avg_season(row: Row) -> Computed:
    """2: mean points of this season's games."""
    points = [line.points for line in row.games.of_season(row.player, row.day, row.game.season)]
    return needs(1, len(points), mean(points))


def points_std_last_10(row: Row) -> Computed:
    """3: sample standard deviation of points over the last 10."""
    points = [line.points for line in row.games.last(row.player, row.day, 10)]
    return needs(2, len(points), sample_standard_deviation(points))


def games_in_last_7_days(row: Row) -> Computed:
    """4: games played on the 7 days before."""
    return known(len(row.games.of_days(row.player, row.day, 7)))


def recent_trend(row: Row) -> Computed:
    """11: mean of the 3 newest minus mean of the 2 older of the last 5, in steps; positive = improving."""
    points = [line.points for line in row.games.last(row.player, row.day, 5)]
    if len(points) < 5:
        return needs(5, len(points), None)
    difference = Fraction(sum(points[:3]), 3) - Fraction(sum(points[3:]), 2)
    return known(_step(difference, Fraction(2), Fraction(5)), 5)


def minutes_change(row: Row) -> Computed:
    """12: mean minutes of the last 10 against the season's, in steps of 10 and 20 per cent."""
    recent = [line.minutes for line in row.games.last(row.player, row.day, 10)]
    season = [line.minutes for line in row.games.of_season(row.player, row.day, row.game.season)]
    recent_mean, season_mean = mean(recent), mean(season)
    if len(season) < 5 or recent_mean is None or season_mean is None or season_mean == 0:
        return needs(5, len(recent), None)
    ratio = round9((recent_mean - season_mean) / season_mean)
    return known(_step(ratio, Fraction(10, 100), Fraction(20, 100)), len(recent))


def _step(value: Fraction, small: Fraction, large: Fraction) -> int:
    """Return 2, 1, 0, -1 or -2 for a value beyond, between and within the thresholds on either side of zero."""
    if value >= large:
        return 2
    if value >= small:
        return 1
    if value <= -large:
        return -2
    if value <= -small:
        return -1
    return 0


def pct_free_throw(row: Row) -> Computed:
    """21: free throws made over points, sums of the last 10."""
    last = row.games.last(row.player, row.day, 10)
    points = sum(line.points for line in last)
    made = sum(line.ftm or 0 for line in last)
    return needs(5, len(last), Fraction(made, points) if points > 0 else None)


def avg_points_vs_opponent(row: Row) -> Computed:
    """29: mean points against the opponent; the season mean when they never met."""
    points = _points_against(row)
    if points:
        return known(Fraction(sum(points), len(points)), len(points))
    season = points_avg_season(row)
    if season.value is None:
        return missing(NEVER_MET, 0)
    return Computed(season.value, 0, NEVER_MET, "fallback")


def games_vs_opponent(row: Row) -> Computed:
    """30: number of games against the opponent."""
    return known(len(_points_against(row)))


def _points_against(row: Row) -> list[int]:
    return [line.points for line in row.games.of_player(row.player, row.day) if line.opponent == row.opponent]


def minutes_avg_last_10(row: Row) -> Computed:
    """31: mean minutes of the last 10."""
    minutes = [line.minutes for line in row.games.last(row.player, row.day, 10)]
    return needs(1, len(minutes), mean(minutes))


def ppm_avg_last_10(row: Row) -> Computed:
    """32: sum of points over sum of minutes, of those of the last 10 with minutes above 0."""
    with_minutes = [line for line in row.games.last(row.player, row.day, 10) if line.minutes > 0]
    points = sum(line.points for line in with_minutes)
    minutes = sum((line.minutes for line in with_minutes), Fraction(0))
    return needs(1, len(with_minutes), points / minutes if minutes > 0 else None)


def dnp_rate(row: Row) -> Computed:
    """33: share of the team's last 10 games with player boxes, since he joined, that he did not play for it."""
    games, raw = row.games, row.games.raw
    for_team = [line.game for line in games.of_player(row.player, row.day) if line.team == row.team]
    if not for_team:
        return needs(3, 0, None)
    first = min((game.date, game.game_id) for game in for_team)
    with_boxes = [
        game
        for game in raw.schedule_of[row.team]
        if games.is_before(game.date, row.day)
        and (game.game_id, row.team) in raw.games_with_player_boxes
        and (game.date, game.game_id) >= first
    ]
    last = with_boxes[-10:]
    played = {game.game_id for game in for_team}
    without_him = sum(1 for game in last if game.game_id not in played)
    return needs(3, len(last), Fraction(without_him, len(last)))


def pts_slope_10g(row: Row) -> Computed:
    """34: least-squares slope of points over the last 10, oldest to newest."""
    newest_first = [line.points for line in row.games.last(row.player, row.day, 10)]
    return needs(5, len(newest_first), slope(newest_first[::-1]))


def pts_vs_season_zscore(row: Row) -> Computed:
    """35: last 5 minus season, in standard deviations of the last 10; 0 when these do not vary."""
    recent, season, deviation = (f(row).value for f in (points_avg_last_5, points_avg_season, points_std_last_10))
    sample = len(row.games.last(row.player, row.day, 10))
    if recent is None or season is None or deviation is None:
        return needs(5, sample, None)
    score = Fraction(0) if deviation == 0 else (recent - season) / deviation
    return needs(5, sample, min(max(score, Fraction(-4)), Fraction(4)))


def breakout_flag(row: Row) -> Computed:
    """36: 1 when the last 5 exceed the season by more than 1.5 standard deviations."""
    recent, season, deviation = (f(row).value for f in (points_avg_last_5, points_avg_season, points_std_last_10))
    sample = len(row.games.last(row.player, row.day, 10))
    if recent is None or season is None or deviation is None:
        return needs(5, sample, None)
    return needs(5, sample, int(round9(recent) > round9(season + Fraction(3, 2) * deviation)))
