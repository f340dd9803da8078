"""Opponent, teams and the state of both sides: features 5-10, 13-20 and 22-24."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from fractions import Fraction

from .arithmetic import clamp, mean, round9
from .computed import INSUFFICIENT, STALE, Computed, Row, known, missing, needs
from .raw import TeamLine
from .status import RISK


def fatigue_score(row: Row) -> Computed:
    """5: 100 minus what tires; never missing."""
    games, day = row.games, row.day
    score = 100
    rest = games.days_of_rest(row.team, day)
    if rest == 0:
        score -= 15
    elif rest >= 2:
        score += 5
    week = games.of_days(row.player, day, 7)
    minutes = sum((line.minutes for line in week), Fraction(0))
    if len(week) >= 4:
        score -= 10
    if round9(minutes) > 240:
        score -= 10
    if week and round9(minutes / len(week)) > 35:
        score -= 8
    dates = {line.game.date for line in games.of_days(row.player, day, 14)}
    back_to_backs = sum(1 for one in dates for other in dates if (other - one).days == 1)
    if back_to_backs == 1:
        score -= 5
    elif back_to_backs >= 2:
        score -= 12
    age = age_on(games.raw.birth_dates.get(row.player), day)
    if age is not None and age >= 35:
        score -= 10
    elif age is not None and age >= 30:
        score -= 5
    return known(clamp(Fraction(score), 0, 100))


def age_on(birth: date | None, day: date) -> int | None:
    """Return the age in full years; None when the birth date is unknown."""
    if birth is None:
        return None
    had_birthday = (day.month, day.day) >= (birth.month, birth.day)
    return day.year - birth.year - (0 if had_birthday else 1)


def pace_score(row: Row) -> Computed:
    """7: half the difference between the mean pace of both teams and the league's."""
    own, opposing = team_pace(row), opponent_pace(row)
    league = row.games.league_pace(row.day)
    if own.value is None or opposing.value is None or league is None:
        return missing(INSUFFICIENT, own.sample_size)
    return Computed(clamp(((own.value + opposing.value) / 2 - league) / 2, -3, 3), own.sample_size)


def usage_spike_score(row: Row) -> Computed:
    """8: what the player's usage gains from team-mates who are absent, against his last 7 games."""
    games, day = row.games, row.day
    usages = games.usages(games.last(row.player, day, 7))
    if row.availability.is_silent(row.game):
        return missing(STALE, len(usages))
    base = mean(usages)
    recent = mean(games.usages(games.last(row.player, day, 3)))
    if len(usages) < 3 or base is None or recent is None:
        return missing(INSUFFICIENT, len(usages))
    absent = [mate for mate in row.teammates_absent() if is_rotation_player(row, mate)]
    projected = recent
    if absent:
        gained = _gained_usage(row, absent)
        if gained is None:
            return missing(INSUFFICIENT, len(usages))
        projected += gained
    score = (projected - base) * Fraction(3, 10)
    if score > 0 and len(absent) == 1:
        score *= Fraction(115, 100)
    elif score > 0 and len(absent) >= 2:
        score *= Fraction(130, 100)
    return Computed(clamp(score, -3, 3), len(usages))


def is_rotation_player(row: Row, mate: str) -> bool:
    """Tell whether he averaged 25 minutes or 15 points over his last 10 games for the team."""
    lines = row.games.last_for(mate, row.team, row.day, 10)
    minutes, points = mean([line.minutes for line in lines]), mean([line.points for line in lines])
    return minutes is not None and points is not None and (round9(minutes) >= 25 or round9(points) >= 15)


def _gained_usage(row: Row, absent: list[str]) -> Fraction | None:
    """Return the player's part, by minutes, of the usage the absent leave; None when an input is missing."""
    freed = Fraction(0)
    for mate in absent:
        usage = mean(row.games.usages(row.games.last(mate, row.day, 7)))
        minutes = _mean_minutes(row, mate)
        if usage is None or minutes is None:
            return None
        freed += usage * minutes / 48
    own = _mean_minutes(row, row.player)
    available = [_mean_minutes(row, member) for member in row.expected_available()]
    total = sum((minutes for minutes in available if minutes is not None), Fraction(0))
    if own is None or total == 0:
        return None
    return freed * own / total


def _mean_minutes(row: Row, player: str) -> Fraction | None:
    return mean([line.minutes for line in row.games.last(player, row.day, 10)])


def rest_advantage(row: Row) -> Computed:
    """9: own days of rest minus the opponent's."""
    own, opposing = (row.games.days_of_rest(team, row.day) for team in (row.team, row.opponent))
    return known(clamp(Fraction(own - opposing), -3, 3))


def injury_risk(row: Row) -> Computed:
    """10: the status at the cutoff as a number; missing when the feed is silent."""
    status = row.availability.status(row.player, row.game)
    return missing(STALE) if status is None else known(RISK[status])


def _team_mean(row: Row, team: str, n: int, of_game: Callable[[TeamLine], Fraction | None]) -> Computed:
    values = [value for line in row.games.last_of_team(team, row.day, n) if (value := of_game(line)) is not None]
    return needs(3, len(values), mean(values))


def opponent_def_rating(row: Row) -> Computed:
    """13: mean defensive rating of the opponent's last 15 games."""
    return _team_mean(row, row.opponent, 15, row.games.defensive_rating)


def opponent_pace(row: Row) -> Computed:
    """14: mean pace of the opponent's last 15 games."""
    return _team_mean(row, row.opponent, 15, row.games.pace)


def home_away(row: Row) -> Computed:
    """15: 1 at home, 0 away and at a neutral site."""
    return known(int(row.team == row.game.home and not row.game.neutral))


def back_to_back(row: Row) -> Computed:
    """16: 1 when the team played yesterday."""
    return known(int(row.games.days_of_rest(row.team, row.day) == 0))


def playoff_game(row: Row) -> Computed:
    """17: 1 in the playoffs; a play-in game is not one."""
    return known(int(row.game.season_type == "playoffs"))


def team_pace(row: Row) -> Computed:
    """22: mean pace of the own team's last 10 games."""
    return _team_mean(row, row.team, 10, row.games.pace)


def team_off_rating(row: Row) -> Computed:
    """23: mean offensive rating of the own team's last 10 games."""
    return _team_mean(row, row.team, 10, row.games.offensive_rating)


def team_win_pct(row: Row) -> Computed:
    """24: wins over games of the team this season."""
    season = [line for line in row.games.of_team(row.team, row.day) if line.game.season == row.game.season]
    results = [result for line in season if (result := row.games.won(line)) is not None]
    return needs(5, len(results), mean([int(result) for result in results]))
