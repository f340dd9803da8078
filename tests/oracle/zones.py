"""Where shots are taken and allowed: features 6 and 18-20."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import date
from fractions import Fraction

from .arithmetic import clamp, round9
from .computed import INSUFFICIENT, NO_SHOTS, Computed, Row, known, missing
from .games import Games
from .raw import Shot

ZONES = ("paint", "mid_range", "three")
PRIMARY = (("paint", Fraction(40, 100)), ("three", Fraction(40, 100)), ("mid_range", Fraction(35, 100)))
FEWEST_GAMES = 3


def shot_share(row: Row, zone: str) -> Computed:
    """18-20: share of the attempts of the last 10 played games taken in the zone."""
    played = len(row.games.last(row.player, row.day, 10))
    games, attempts = _attempts(row)
    total = sum(attempts.values())
    if played < FEWEST_GAMES:
        return missing(INSUFFICIENT, games)
    if games < FEWEST_GAMES:
        return missing(NO_SHOTS, games)
    if total == 0:
        return missing(INSUFFICIENT, games)
    return known(Fraction(attempts[zone], total), games)


def _attempts(row: Row) -> tuple[int, Counter[str]]:
    """Return how many of the last 10 played games have shots, and the player's attempts in them by zone."""
    shots_in = row.games.raw.shots_in
    with_shots = [line.game.game_id for line in row.games.last(row.player, row.day, 10) if line.game.game_id in shots_in]
    attempts = Counter(shot.zone for game_id in with_shots for shot in shots_in[game_id] if shot.player == row.player)
    return len(with_shots), attempts


class ZoneTables:
    """Percentages by zone of the league and allowed by a team, each made once per date."""

    def __init__(self, games: Games) -> None:
        self.games = games
        self._league: dict[date, dict[str, Fraction]] = {}
        self._allowed: dict[tuple[str, date], tuple[int, dict[str, Fraction]]] = {}
        self._totals = {game_id: _totals(shots) for game_id, shots in games.raw.shots_in.items()}

    def league(self, day: date) -> Mapping[str, Fraction]:
        """Return the league's percentage by zone over the league window's games with shots."""
        if day not in self._league:
            window = self.games.league_window(day, [game_id for game_id in self._totals if self.games.is_complete(game_id)])
            self._league[day] = _percentages(self._totals[game_id] for game_id in window)
        return self._league[day]

    def allowed(self, team: str, day: date) -> tuple[int, Mapping[str, Fraction]]:
        """Return how many of the team's last 15 games have shots, and the percentages allowed in them."""
        if (team, day) not in self._allowed:
            shots_in = self.games.raw.shots_in
            ids = [line.game.game_id for line in self.games.last_of_team(team, day, 15) if line.game.game_id in shots_in]
            against = [_totals(shot for shot in shots_in[game_id] if shot.team != team) for game_id in ids]
            self._allowed[team, day] = len(ids), _percentages(against)
        return self._allowed[team, day]

    def mismatch(self, row: Row) -> Computed:
        """6: how much weaker or stronger than the league the opponent defends where the player shoots."""
        played = len(row.games.last(row.player, row.day, 10))
        games, attempts = _attempts(row)
        total = sum(attempts.values())
        opponent_played = len(row.games.last_of_team(row.opponent, row.day, 15))
        opponent_games, allowed = self.allowed(row.opponent, row.day)
        league = self.league(row.day)
        if played < FEWEST_GAMES or opponent_played < FEWEST_GAMES:
            return missing(INSUFFICIENT, games)
        if games < FEWEST_GAMES or opponent_games < FEWEST_GAMES:
            return missing(NO_SHOTS, games)
        if total == 0 or any(zone not in allowed or zone not in league for zone in ZONES):
            return missing(INSUFFICIENT, games)
        share = {zone: Fraction(attempts[zone], total) for zone in ZONES}
        difference = {zone: 100 * (allowed[zone] - league[zone]) for zone in ZONES}
        return known(clamp(_score(share, difference), -10, 10), games)


def _score(share: Mapping[str, Fraction], difference: Mapping[str, Fraction]) -> Fraction:
    primary = next((zone for zone, threshold in PRIMARY if round9(share[zone]) >= threshold), None)
    if primary is None:
        raw = sum((share[zone] * difference[zone] for zone in ZONES), Fraction(0))
    else:
        raw = difference[primary] * min(share[primary] / Fraction(1, 2), Fraction(1))
    return raw * Fraction(12, 10) if abs(raw) > 5 else raw


def _totals(shots: Iterable[Shot]) -> tuple[Counter[str], Counter[str]]:
    """Return attempts and makes by zone."""
    attempts: Counter[str] = Counter()
    makes: Counter[str] = Counter()
    for shot in shots:
        attempts[shot.zone] += 1
        makes[shot.zone] += shot.made
    return attempts, makes


def _percentages(totals: Iterable[tuple[Counter[str], Counter[str]]]) -> dict[str, Fraction]:
    """Return pooled makes over attempts of the zones that have attempts."""
    attempts: Counter[str] = Counter()
    makes: Counter[str] = Counter()
    for more_attempts, more_makes in totals:
        attempts.update(more_attempts)
        makes.update(more_makes)
    return {zone: Fraction(makes[zone], attempts[zone]) for zone in ZONES if attempts[zone] > 0}
