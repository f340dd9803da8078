"""Who plays in a game, who is listed and absent, and how the minutes are shared."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from transformations.ingest.simulated_league.fixtures import Array
from transformations.ingest.simulated_league.world import World

HEALTHY, HURT, ILL, RESTED = range(4)
FEWEST = 8
MOST = 13
MEAN_PLAYING = 10.2
MINUTES_BY_RANK = np.array([34.5, 33, 31.5, 30, 28, 23, 20, 16.5, 13, 9, 6, 4.5, 3.5] + [0.0] * 7)
ILLNESS_RATE = 0.02
REST_RATE = 0.18
CAMEO_RATE = 0.05
LISTED_WHEN_HEALTHY = 0.6
LISTED_WHEN_OUT = 0.4
LONGEST_SHARE = 43.0 / 240
SHARE_LIMIT_ROUNDS = 3


@dataclass(frozen=True)
class Rotation:
    """Arrays of shape (sides, places): members of the squad and what they do in the game.

    `share` is the share of the team's minutes, `cameo` an appearance of under half a minute, `absence` why a member could not play.
    """

    members: Array
    absence: Array
    playing: Array
    cameo: Array
    listed: Array
    share: Array
    rank: Array


def _shares(rng: np.random.Generator, world: World, members: Array, playing: Array, rank: Array, rest: Array) -> Array:
    tired = (rest == 0)[:, None] & (rank < 5)
    minutes = MINUTES_BY_RANK[np.minimum(rank, len(MINUTES_BY_RANK) - 1)] * world.people.endurance[members]
    minutes = np.where(playing, minutes * np.exp(rng.normal(0, 0.11, members.shape)) * np.where(tired, 0.96, 1.0), 0.0)
    share = minutes / minutes.sum(axis=1, keepdims=True)
    for _ in range(SHARE_LIMIT_ROUNDS):
        share = np.minimum(share, LONGEST_SHARE)
        share = share / share.sum(axis=1, keepdims=True)
    return share


def choose(rng: np.random.Generator, world: World, members: Array, date: Array, rest: Array) -> Rotation:
    """Return the rotation of every side; a side with too few fit players brings the best of the others back."""
    people, real = world.people, members >= 0
    hurt = world.hurt[members, world.day(date)[:, None]] & real
    ill = (rng.random(members.shape) < ILLNESS_RATE) & real & ~hurt
    old = people.age(world.first)[members] >= 32
    rested = (rng.random(members.shape) < REST_RATE) & old & (rest == 0)[:, None] & real & ~hurt & ~ill
    out = hurt | ill | rested
    worth = people.talent[members] + rng.normal(0, 0.3, members.shape) - 50 * out - 500 * ~real
    order = np.argsort(-worth, axis=1, kind="stable")
    rank = np.argsort(order, axis=1, kind="stable")
    fit = (real & ~out).sum(axis=1)
    number = np.clip(np.round(rng.normal(MEAN_PLAYING, 1.1, len(members))), FEWEST, MOST)
    number = np.maximum(np.minimum(number, fit), FEWEST)[:, None]
    playing = (rank < number) & real
    absence = np.select([playing, hurt, ill, rested], [HEALTHY, HURT, ILL, RESTED], HEALTHY)
    cameo = (rank == number) & real & ~out & (rng.random(len(members)) < CAMEO_RATE)[:, None]
    chance = np.where(out, LISTED_WHEN_OUT, LISTED_WHEN_HEALTHY)
    listed = real & (playing | cameo | (rng.random(members.shape) < chance))
    return Rotation(members, absence, playing, cameo, listed, _shares(rng, world, members, playing, rank, rest), rank)


def whole_minutes(share: Array, total: Array, longest: Array) -> Array:
    """Return whole minutes that sum to each side's total, by largest remainder, none above `longest`."""
    exact = np.minimum(share * total[:, None], longest[:, None])
    whole = np.floor(exact).astype(int)
    missing = total - whole.sum(axis=1)
    room = (share > 0) & (whole < longest[:, None])
    remainder = np.where(room, exact - whole, -1.0)
    place = np.argsort(np.argsort(-remainder, axis=1, kind="stable"), axis=1, kind="stable")
    return whole + ((place < missing[:, None]) & room)
