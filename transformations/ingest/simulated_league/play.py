"""Play games: attempts, shots and box scores of a batch of games, all sides at once."""

from __future__ import annotations

from dataclasses import fields

import numpy as np

from transformations.ingest.simulated_league.fixtures import Array, Fixtures
from transformations.ingest.simulated_league.people import ZONE_GROUP, ZONE_VALUE
from transformations.ingest.simulated_league.played import Played, Shots
from transformations.ingest.simulated_league.rotation import choose, whole_minutes
from transformations.ingest.simulated_league.world import World

REGULATION = 240
OVERTIME = 25
HOME_SHIFT = 0.006
TIRED_SHIFT = -0.010
OLD_AND_TIRED_SHIFT = -0.015
CLOSE_MARGIN = 2
OVERTIME_CHANCE = 0.5
FREE_THROWS = 21.5
EVENED_OUT = 0.45


def _dealt(rng: np.random.Generator, total: Array, weight: Array) -> Array:
    """Deal each side's total to its places by weight."""
    return rng.multinomial(np.maximum(total, 0).astype(int), weight / weight.sum(axis=1, keepdims=True))


def _chance_drawn(rng: np.random.Generator, side: Array) -> Array:
    """Return a uniform draw per attempt, part of them stratified within the side.

    Independent attempts would scatter a team's points more than real games do, where a possession ends the next one's chance.
    """
    draw = rng.random(len(side))
    even = np.flatnonzero(rng.random(len(side)) < EVENED_OUT)
    owner = side[even]
    order = np.lexsort([rng.random(len(even)), owner])
    start = np.searchsorted(owner, owner)
    size = np.searchsorted(owner, owner, side="right") - start
    rank = np.empty(len(even), int)
    rank[order] = np.arange(len(even))
    draw[even] = (rank - start + draw[even]) / size
    return draw


def _shoot(rng: np.random.Generator, people_zone: Array, chance: Array, attempts: Array, members: Array, overtimes: Array) -> Shots:
    """Take every attempt: a zone by the shooter's habit, a make by his chance from there."""
    places = attempts.shape[1]
    owner = np.repeat(np.arange(attempts.size), attempts.ravel())
    side, place = np.divmod(owner, places)
    habit = np.cumsum(people_zone, axis=1)[members.ravel()[owner]]
    habit[:, -1] = 1.0
    zone = (rng.random(len(owner))[:, None] > habit).sum(axis=1)
    made = _chance_drawn(rng, side) < chance.reshape(-1, chance.shape[2])[owner, zone]
    return Shots(side, place, zone, made, overtimes[side])


def _count(shots: Shots, shape: tuple[int, int], where: Array) -> Array:
    flat = shots.side[where] * shape[1] + shots.place[where]
    return np.bincount(flat, minlength=shape[0] * shape[1]).reshape(shape)


def _chances(rng: np.random.Generator, world: World, games: Fixtures, members: Array, rest: Array) -> tuple[Array, Array]:
    """Return the make chance by side, place and zone: with the night's luck, and as expected beforehand."""
    _, team = world.by_side(games)
    opponent = np.minimum(team.reshape(-1, 2)[:, ::-1].ravel(), world.teams - 1)
    home = np.tile([1.0, -1.0], len(games)) * np.repeat(~games.neutral, 2) * HOME_SHIFT
    old = world.people.age(world.first)[members] >= 32
    tired = (rest == 0)[:, None] * (TIRED_SHIFT + OLD_AND_TIRED_SHIFT * old)
    expected = world.people.zone_make[members] + world.defence[opponent][:, None, ZONE_GROUP] + home[:, None, None] + tired[:, :, None]
    luck = rng.normal(0, 0.010, (len(team), 1, 1))
    return np.clip(expected + luck, 0.01, 0.95), np.clip(expected, 0.01, 0.95)


def _overtimes(rng: np.random.Generator, margin: Array) -> Array:
    """Return overtimes by game: half of the close games have one; the two closest have two and one."""
    extra = (np.abs(margin) <= CLOSE_MARGIN) & (rng.random(len(margin)) < OVERTIME_CHANCE)
    overtimes = np.where(extra, 1 + (rng.random(len(margin)) < 0.15) + (rng.random(len(margin)) < 0.02), 0)
    if len(margin) > 20:
        overtimes[np.argsort(np.abs(margin), kind="stable")[:2]] = (2, 1)
    return overtimes


def _settle(rng: np.random.Generator, ftm: Array, fta: Array, points: Array, share: Array) -> None:
    """Break ties in place: one more free throw for the player with the longest minutes of a side drawn by lot."""
    score = points.sum(axis=1).reshape(-1, 2)
    tied = np.flatnonzero(score[:, 0] == score[:, 1])
    sides = 2 * tied + rng.integers(0, 2, len(tied))
    star = share[sides].argmax(axis=1)
    for array in (ftm, fta, points):
        array[sides, star] += 1


def _plus_minus(rng: np.random.Generator, minutes: Array, points: Array, total: Array) -> Array:
    score = points.sum(axis=1).reshape(-1, 2)
    margin = (score - score[:, ::-1]).ravel()
    share = minutes / total[:, None]
    noise = rng.normal(0, 5.0, minutes.shape) * (minutes > 0)
    raw = 5 * margin[:, None] * share + noise - share * noise.sum(axis=1, keepdims=True)
    whole = np.round(raw).astype(int)
    whole[np.arange(len(whole)), minutes.argmax(axis=1)] += 5 * margin - whole.sum(axis=1)
    return np.where(minutes > 0, whole, 0)


def play(rng: np.random.Generator, world: World, games: Fixtures, rest: Array, members: Array | None = None) -> Played:
    """Play the games. `rest` is by side; `members` replaces the squads of the day where given."""
    people = world.people
    date, team = world.by_side(games)
    squad = world.stints.members(date, team, people.talent, world.teams) if members is None else members
    rotation = choose(rng, world, squad, date, rest)
    share, shape = rotation.share, squad.shape
    habit_team = np.minimum(team, world.teams - 1)

    def tempo(mean: Array | float, spread: float) -> Array:
        return mean + rng.normal(0, spread, len(team))

    pace = np.repeat(world.pace[habit_team].reshape(-1, 2).mean(axis=1) + rng.normal(0, 3.0, len(games)), 2)
    turnovers = np.round(np.clip(tempo(world.turnovers[habit_team], 2.7), 4, 28))
    boards = np.round(np.clip(tempo(world.offensive_rebounds[habit_team], 2.5), 2, 24))
    fouls = np.round(np.clip(tempo(FREE_THROWS, 4.3), 5, 45))
    attempts = np.round(np.clip(pace + tempo(0.0, 0.5) - 0.4 * fouls + boards - turnovers, 65, 120))

    usual = share * people.shooting[squad] * world.form[squad, world.day(date)[:, None]]
    weight = usual * np.exp(rng.normal(0, 0.17, shape))
    line = share * people.fouls_drawn[squad]
    chance, expected_chance = _chances(rng, world, games, squad, rest)
    none = np.zeros(len(games), int)

    def period(attempts: Array, fouls: Array, overtime: Array) -> tuple[Shots, Array, Array]:
        shots = _shoot(rng, people.zone_share, chance, _dealt(rng, attempts, weight), squad, np.repeat(overtime, 2))
        fta = _dealt(rng, fouls, line)
        return shots, fta, rng.binomial(fta, people.free_throw[squad])

    first, fta, ftm = period(attempts, fouls, none)
    points = _count(first, shape, first.made) * 2 + _count(first, shape, first.made & (ZONE_VALUE[first.zone] == 3)) + ftm
    score = points.sum(axis=1).reshape(-1, 2)
    overtimes = _overtimes(rng, score[:, 0] - score[:, 1])
    by_side = np.repeat(overtimes, 2)
    second, more_fta, more_ftm = period(np.round(tempo(8.8, 1.0)) * by_side, rng.poisson(2.4, len(team)) * by_side, overtimes)
    shots = Shots(**{f.name: np.concatenate([getattr(first, f.name), getattr(second, f.name)]) for f in fields(Shots)})
    fta, ftm = fta + more_fta, ftm + more_ftm
    turnovers, boards = turnovers + rng.poisson(1.4 * by_side), boards + rng.poisson(1.0 * by_side)

    everything = np.ones(len(shots.side), bool)
    three = ZONE_VALUE[shots.zone] == 3
    fgm, fga = _count(shots, shape, shots.made), _count(shots, shape, everything)
    fg3m, fg3a = _count(shots, shape, shots.made & three), _count(shots, shape, three)
    points = 2 * fgm + fg3m + ftm
    _settle(rng, ftm, fta, points, share)

    jitter = rng.choice([-2, -1, 0, 1, 2], len(team), p=[0.06, 0.14, 0.60, 0.14, 0.06])
    total = REGULATION + OVERTIME * by_side + jitter
    minutes = whole_minutes(share, total, 48 + 5 * by_side)
    missed = (fga - fgm).sum(axis=1).reshape(-1, 2)[:, ::-1].ravel()
    other_boards = boards.reshape(-1, 2)[:, ::-1].ravel()
    box = {
        "fgm": fgm,
        "fga": fga,
        "fg3m": fg3m,
        "fg3a": fg3a,
        "ftm": ftm,
        "fta": fta,
        "oreb": _dealt(rng, boards, share * people.offensive_rebounds[squad]),
        "dreb": _dealt(rng, np.maximum(missed - other_boards - rng.poisson(3, len(team)), 8), share * people.defensive_rebounds[squad]),
        "ast": _dealt(rng, rng.binomial(fgm.sum(axis=1), 0.63), share * people.assists[squad]),
        "stl": _dealt(rng, rng.poisson(7.8, len(team)), share * people.steals[squad]),
        "blk": _dealt(rng, rng.poisson(4.9, len(team)), share * people.blocks[squad]),
        "tov": _dealt(rng, turnovers, usual),
        "pf": np.minimum(_dealt(rng, rng.poisson(19.5, len(team)), share * people.fouls[squad]), 6),
        "points": points,
        "minutes": minutes,
    }
    worth = (people.zone_share[squad] * expected_chance * ZONE_VALUE).sum(axis=2)
    expected_pace = np.repeat(world.pace[habit_team].reshape(-1, 2).mean(axis=1), 2)
    shots_expected = expected_pace - 0.4 * FREE_THROWS + world.offensive_rebounds[habit_team] - world.turnovers[habit_team]
    expected = shots_expected[:, None] * usual / usual.sum(axis=1, keepdims=True) * worth
    expected = expected + FREE_THROWS * line / line.sum(axis=1, keepdims=True) * people.free_throw[squad]
    place = np.argsort(np.argsort(-share, axis=1, kind="stable"), axis=1, kind="stable")
    started = (place < 5) & rotation.playing
    return Played(games, rotation, box, shots, overtimes, expected, _plus_minus(rng, minutes, points, total), started)
