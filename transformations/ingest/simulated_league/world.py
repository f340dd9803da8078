"""The state of one season: players, memberships, injuries, form and the lasting habits of the teams."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from transformations.ingest.simulated_league.fixtures import DAY, Array, Fixtures
from transformations.ingest.simulated_league.people import People
from transformations.ingest.simulated_league.rosters import Stints

REST_OF_THE_FRESH = 3


@dataclass(frozen=True)
class World:
    """What a game needs to know besides its fixture.

    `hurt` and `form` are tables by player and day from `first`; the team arrays are by team, `defence` by team and zone group (paint,
    mid-range, three) as a shift of the shooting percentage allowed.
    """

    people: People
    stints: Stints
    first: np.datetime64
    hurt: Array
    form: Array
    pace: Array
    defence: Array
    turnovers: Array
    offensive_rebounds: Array
    teams: int

    def day(self, date: Array) -> Array:
        """Return positions of dates in the tables by day."""
        return (date - self.first).astype(int)

    def by_side(self, games: Fixtures) -> tuple[Array, Array]:
        """Return date and team of each side: row 2g is the home side of game g, 2g + 1 the away side."""
        return np.repeat(games.date, 2), np.stack([games.home, games.away], axis=1).ravel()


def team_habits(rng: np.random.Generator, teams: int) -> dict[str, Array]:
    """Draw what stays with a team over a season."""
    overall = rng.normal(0, 0.010, (teams, 1))
    return {
        "pace": rng.normal(99.3, 1.9, teams),
        "defence": overall + rng.normal(0, [[0.012, 0.010, 0.008]], (teams, 3)),
        "turnovers": rng.normal(13.6, 0.8, teams),
        "offensive_rebounds": rng.normal(10.6, 0.9, teams),
    }


def draw_form(rng: np.random.Generator, players: int, days: int) -> Array:
    """Return multipliers of the shooting rate by player and day: a slow wave that a recent average can follow."""
    weeks = days // 7 + 2
    steps = rng.normal(0, 1, (weeks, players))
    wave = np.empty((weeks, players))
    wave[0] = steps[0]
    for week in range(1, weeks):
        wave[week] = 0.85 * wave[week - 1] + np.sqrt(1 - 0.85**2) * steps[week]
    return np.repeat(np.exp(0.13 * wave), 7, axis=0)[:days].T


def rest_days(date: Array, team: Array) -> Array:
    """Return the days between each side's game and its previous one among these, minus 1; 3 without one."""
    order = np.lexsort([date, team])
    gap = np.full(len(date), REST_OF_THE_FRESH)
    same = team[order][1:] == team[order][:-1]
    step = (np.diff(date[order]) / DAY).astype(int) - 1
    gap[order[1:]] = np.where(same, np.clip(step, 0, 7), REST_OF_THE_FRESH)
    return gap
