"""Players: who they are, how they play, and how they change from season to season."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import numpy as np

from transformations.ingest.names import player_key
from transformations.ingest.simulated_league.fixtures import Array
from transformations.ingest.simulated_league.teams import player_names

POSITIONS = ("G", "G-F", "F", "F-C", "C")
ZONES = ("restricted_area", "paint_non_ra", "mid_range", "left_corner_3", "right_corner_3", "above_break_3", "backcourt")
ZONE_VALUE = np.array([2, 2, 2, 3, 3, 3, 3])
ZONE_GROUP = np.array([0, 0, 1, 2, 2, 2, 2])
# Where each position shoots from, and how often a shot from there goes in.
ZONE_SHARE = np.array(
    [
        [0.20, 0.17, 0.13, 0.045, 0.045, 0.408, 0.002],
        [0.22, 0.16, 0.11, 0.07, 0.07, 0.368, 0.002],
        [0.27, 0.17, 0.10, 0.07, 0.07, 0.318, 0.002],
        [0.36, 0.22, 0.09, 0.05, 0.05, 0.229, 0.001],
        [0.48, 0.27, 0.07, 0.02, 0.02, 0.139, 0.001],
    ]
)
ZONE_MAKE = np.array([0.655, 0.435, 0.415, 0.385, 0.385, 0.352, 0.03])
SHARE_CONCENTRATION = 14.0
ROOKIE_TALENT = -0.45
FIRST_PLAYER_ID = 1_600_000


@dataclass(frozen=True)
class People:
    """Players in arrays of one length; rates are per minute and relative to the league's mean player."""

    player_id: Array
    name: Array
    lookup: Array
    birth: Array
    birth_known: Array
    position: Array
    position_known: Array
    talent: Array
    shooting: Array
    zone_share: Array
    zone_make: Array
    fouls_drawn: Array
    free_throw: Array
    offensive_rebounds: Array
    defensive_rebounds: Array
    assists: Array
    steals: Array
    blocks: Array
    fouls: Array
    endurance: Array
    frailty: Array

    def __len__(self) -> int:
        return len(self.player_id)

    def age(self, day: np.datetime64) -> Array:
        """Return ages in years on a day, by the true birth date, known to the sources or not."""
        return (day - self.birth).astype(int) / 365.25

    def joined(self, others: People) -> People:
        """Return these players followed by the others."""
        return People(**{f.name: np.concatenate([getattr(self, f.name), getattr(others, f.name)]) for f in fields(People)})

    def a_season_older(self, rng: np.random.Generator, opening: np.datetime64) -> People:
        """Return the players a season on: the young gain, the old lose."""
        drift = np.clip((27.5 - self.age(opening)) * 0.03, -0.2, 0.2) + rng.normal(0, 0.12, len(self))
        return replace(self, talent=self.talent + drift, shooting=self.shooting * np.exp(0.2 * drift))


def new_people(rng: np.random.Generator, seed: int, count: int, taken: int, opening: np.datetime64, rookies: bool) -> People:
    """Draw `count` players; `taken` of the league's names and ids are in use already."""
    names = player_names(np.random.default_rng([seed, 1]), count, taken)
    age = rng.uniform(19, 23, count) if rookies else np.clip(19.5 + rng.gamma(3.2, 2.2, count), 19, 40)
    position = rng.integers(0, len(POSITIONS), count)
    talent = rng.normal(ROOKIE_TALENT if rookies else 0.0, 0.8 if rookies else 1.0, count) - 0.12 * np.clip(age - 34, 0, None)
    big = position / (len(POSITIONS) - 1)

    def around(scale: float) -> Array:
        return np.exp(rng.normal(0, scale, count))

    share = rng.standard_gamma(ZONE_SHARE[position] * SHARE_CONCENTRATION) + 1e-9
    make = ZONE_MAKE + 0.012 * talent[:, None] + rng.normal(0, 0.018, (count, len(ZONES)))
    make[:, -1] = ZONE_MAKE[-1]
    known = np.ones(count, bool)
    known[rng.permutation(count)[: max(1, count // 100)]] = False
    placed = np.ones(count, bool)
    placed[rng.permutation(count)[: max(1, count // 100)]] = False
    return People(
        player_id=FIRST_PLAYER_ID + taken + np.arange(count),
        name=np.array(names, object),
        lookup=np.array([player_key(name) for name in names], object),
        birth=opening - np.round(age * 365.25).astype("timedelta64[D]"),
        birth_known=known,
        position=position,
        position_known=placed,
        talent=talent,
        shooting=np.exp(0.22 * talent) * around(0.14),
        zone_share=share / share.sum(axis=1, keepdims=True),
        zone_make=make,
        fouls_drawn=np.exp(0.32 * talent) * around(0.3),
        free_throw=np.clip(rng.normal(0.80 - 0.10 * big, 0.07), 0.45, 0.95),
        offensive_rebounds=(0.35 + 2.2 * big**2) * around(0.25),
        defensive_rebounds=(0.7 + 1.1 * big) * around(0.2),
        assists=(1.6 - 1.1 * big) * np.exp(0.25 * talent) * around(0.3),
        steals=around(0.3),
        blocks=(0.4 + 2.0 * big**2) * around(0.3),
        fouls=(0.8 + 0.5 * big) * around(0.2),
        endurance=around(0.06),
        frailty=around(0.5),
    )
