"""Who belongs to which team on which day, and who is hurt: trades, late signings, injuries."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from transformations.ingest.simulated_league.fixtures import DAY, Array
from transformations.ingest.simulated_league.people import People

ROSTER_SIZE = 17
MATRIX_WIDTH = 20
SPELLS_PER_SEASON = 1.15
VETERAN_SPELL_DAYS = 105
VETERAN_FROM_DAY = 30
NOBODY = -1


@dataclass(frozen=True)
class Stints:
    """Memberships: player, team, first and last day (both inside)."""

    player: Array
    team: Array
    start: Array
    end: Array

    def members(self, day: Array, team: Array, talent: Array, teams: int) -> Array:
        """Return the members of each team on each day, best first: player indices, -1 where a place is empty.

        Shape (entries, 20).
        """
        cuts = np.unique(np.concatenate([self.start, self.end + DAY]))
        table = np.full((len(cuts), teams, MATRIX_WIDTH), NOBODY)
        for at, cut in enumerate(cuts):
            here = np.flatnonzero((self.start <= cut) & (cut <= self.end))
            here = here[np.lexsort([self.player[here], -talent[self.player[here]], self.team[here]])]
            owner = self.team[here]
            place = np.arange(len(here)) - np.searchsorted(owner, owner)
            table[at, owner, place] = self.player[here]
        return table[np.searchsorted(cuts, day, side="right") - 1, team]


@dataclass(frozen=True)
class Spells:
    """Injuries: player, first and last day missed."""

    player: Array
    start: Array
    end: Array

    def by_day(self, players: int, first: np.datetime64, days: int) -> Array:
        """Return a table of who is hurt when, shape (players, days)."""
        hurt = np.zeros((players, days), bool)
        low = np.clip((self.start - first).astype(int), 0, days)
        high = np.clip((self.end - first).astype(int) + 1, 0, days)
        for player, start, end in zip(self.player, low, high, strict=True):
            hurt[player, start:end] = True
        return hurt


def _swap(at: int, other: int, day: np.datetime64, rows: list[list[Any]]) -> None:
    """Let two open stints end the day before and go on at each other's team."""
    (one, one_team, _, one_end), (two, two_team, _, two_end) = rows[at], rows[other]
    rows[at][3] = rows[other][3] = day - DAY
    rows += [[one, two_team, day, one_end], [two, one_team, day, two_end]]


def draw_stints(
    rng: np.random.Generator, squads: list[Array], late: Array, first: np.datetime64, opening: np.datetime64, days: int, last: np.datetime64
) -> Stints:
    """Return the season's memberships.

    `squads` holds each team's players, best first, from `first` on. The `late` players sign during the season, one team each. Trades swap
    players of like standing at 20 % and at 60 % of the regular season's `days`; a few last men are waived in January.
    """
    teams = len(squads)
    rows: list[list[Any]] = [[player, team, first, last] for team, squad in enumerate(squads) for player in squad]
    at = {player: number for number, (player, *_) in enumerate(rows)}
    traded: set[int] = set()
    for share, pairs in ((0.2, max(1, teams // 10)), (0.6, max(1, teams // 4))):
        day = opening + int(share * days) * DAY
        order = rng.permutation(teams)
        for pair in range(min(pairs, teams // 2)):
            one, other = squads[order[2 * pair]], squads[order[2 * pair + 1]]
            standing = int(rng.integers(2, 8))
            pair_of_players = {one[standing], other[standing]}
            if not pair_of_players & traded:
                _swap(at[one[standing]], at[other[standing]], day, rows)
                traded |= pair_of_players
    for team in rng.permutation(teams)[: max(1, teams // 5)]:
        rows[at[squads[team][-1]]][3] = opening + int(rng.uniform(0.3, 0.7) * days) * DAY
    for player, team in zip(late, rng.permutation(teams), strict=False):
        rows.append([player, int(team), opening + int(rng.uniform(0.35, 0.75) * days) * DAY, last])
    player, team, start, end = zip(*rows, strict=True)
    return Stints(np.array(player, int), np.array(team, int), np.array(start, "datetime64[D]"), np.array(end, "datetime64[D]"))


def draw_spells(rng: np.random.Generator, people: People, stints: Stints, opening: np.datetime64, days: int) -> Spells:
    """Return the season's injuries; in a season of 160 days or more one good veteran misses 105 days and comes back."""
    count = rng.poisson(SPELLS_PER_SEASON * np.clip(people.frailty, 0.2, 3.0) * days / 174)
    player = np.repeat(np.arange(len(people)), count)
    start = opening + rng.integers(0, days, len(player)).astype("timedelta64[D]")
    length = np.clip(np.round(np.exp(rng.normal(2.1, 0.95, len(player)))), 2, 140).astype("timedelta64[D]")
    spells = Spells(player, start, start + length - DAY)
    whole_season = stints.player[stints.end - stints.start >= (days - 1) * DAY]
    veterans = whole_season[people.age(opening)[whole_season] >= 30]
    if days < 160 or not len(veterans):
        return spells
    veteran = veterans[np.argmax(people.talent[veterans])]
    others = spells.player != veteran
    begin = opening + VETERAN_FROM_DAY * DAY
    return Spells(
        np.append(spells.player[others], veteran),
        np.append(spells.start[others], begin),
        np.append(spells.end[others], begin + (VETERAN_SPELL_DAYS - 1) * DAY),
    )
