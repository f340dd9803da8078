"""Play-in and playoffs: pairings from results, best of seven, rounds a fortnight apart."""

from __future__ import annotations

import numpy as np

from transformations.ingest.simulated_league.fixtures import DAY, PLAY_IN, PLAYOFFS, Array, Fixtures, fixtures
from transformations.ingest.simulated_league.play import play
from transformations.ingest.simulated_league.played import Played
from transformations.ingest.simulated_league.world import World

BEST_OF = 7
WINS_NEEDED = 4
HOME_PATTERN = np.array([True, True, False, False, True, False, True])
DAYS_PER_ROUND = 15
EVENING = 19 * 60 + 30
RESTED = 2


def conferences(teams: int) -> list[Array]:
    """Return the teams of each conference: two from sixteen teams on, else one."""
    return np.array_split(np.arange(teams), 2) if teams >= 16 else [np.arange(teams)]


def bracket_size(members: int) -> int:
    """Return how many of a conference's teams reach the playoffs, two more being in the play-in: 8, 4 or 2."""
    return next(size for size in (8, 4, 2) if members >= size + 2)


def standings(played: Played, teams: int) -> Array:
    """Return the wins of each team."""
    won = played.home_won()
    winner = np.where(won, played.games.home, played.games.away)
    return np.bincount(winner, minlength=teams)


def _seeds(wins: Array, members: Array) -> list[int]:
    return [int(team) for team in members[np.lexsort([members, -wins[members]])]]


def _batch(rng: np.random.Generator, world: World, games: Fixtures) -> Played:
    return play(rng, world, games, np.full(2 * len(games), RESTED))


def _single(
    rng: np.random.Generator, world: World, pairs: list[tuple[int, int]], day: np.datetime64, first: int, known: np.datetime64
) -> Played:
    home, away = np.array(pairs).T
    number = 100 * np.arange(first, first + len(pairs)) + 1
    tips = np.where(np.arange(len(pairs)) % 2 == 0, EVENING, EVENING + 150)
    return _batch(rng, world, fixtures(PLAY_IN, number, np.full(len(pairs), day), home, away, tips, known_from=np.full(len(pairs), known)))


def play_in(rng: np.random.Generator, world: World, wins: Array, end: np.datetime64) -> tuple[list[Played], list[list[int]]]:
    """Play the play-in; return its games and each conference's seeds for the playoffs, best first.

    Places size-1 and size meet for the first, size+1 and size+2 meet for the right to play the loser for the last place.
    """
    tables = [_seeds(wins, members) for members in conferences(world.teams)]
    size = bracket_size(len(tables[0]))
    upper = _single(rng, world, [(t[size - 2], t[size - 1]) for t in tables], end + 2 * DAY, 1, end)
    lower = _single(rng, world, [(t[size], t[size + 1]) for t in tables], end + 3 * DAY, 3, end)
    last_pairs, seeds = [], []
    for at, table in enumerate(tables):
        through, out = (table[size - 2], table[size - 1]) if upper.home_won()[at] else (table[size - 1], table[size - 2])
        challenger = table[size] if lower.home_won()[at] else table[size + 1]
        last_pairs.append((out, challenger))
        seeds.append([*table[: size - 2], through])
    final = _single(rng, world, last_pairs, end + 5 * DAY, 5, end + 3 * DAY)
    for at, (home, away) in enumerate(last_pairs):
        seeds[at].append(home if final.home_won()[at] else away)
    return [upper, lower, final], seeds


def _series(
    rng: np.random.Generator, world: World, pairs: list[tuple[int, int]], number: int, start: np.datetime64, known: np.datetime64
) -> tuple[Played, list[int]]:
    """Play a round of series at once; the games after a fourth win are struck out. Return games and winners."""
    count = len(pairs)
    high, low = np.repeat(np.array(pairs), BEST_OF, axis=0).T
    game, series = np.tile(np.arange(BEST_OF), count), np.repeat(np.arange(count), BEST_OF)
    at_high = HOME_PATTERN[game]
    date = start + (2 * game + series % 2) * DAY
    # The first four games are announced with the pairing, the others when the one before leaves the series open.
    known_from = np.where(game < WINS_NEEDED, known, date - 2 * DAY)
    games = fixtures(
        PLAYOFFS,
        100 * number + 10 * series + game + 1,
        date,
        np.where(at_high, high, low),
        np.where(at_high, low, high),
        np.where(series % 2 == 0, EVENING, EVENING + 150),
        known_from=known_from,
    )
    played = _batch(rng, world, games)
    high_won = (played.home_won() == at_high).reshape(count, BEST_OF)
    open_before = np.maximum(np.cumsum(high_won, axis=1) - high_won, np.cumsum(~high_won, axis=1) - ~high_won) < WINS_NEEDED
    needed = open_before.ravel()
    high_through = (high_won & open_before).sum(axis=1) == WINS_NEEDED
    winners = [int(pair[0] if through else pair[1]) for pair, through in zip(pairs, high_through, strict=True)]
    return played.take(np.flatnonzero(needed)), winners


def playoffs(rng: np.random.Generator, world: World, seeds: list[list[int]], end: np.datetime64, wins: Array) -> list[Played]:
    """Play all rounds, the last one between the conferences; return the games by round."""
    found: list[Played] = []
    number, known, sides = 1, end + 5 * DAY, [list(table) for table in seeds]
    while len(sides) > 1 or len(sides[0]) > 1:
        if len(sides[0]) == 1:
            finalists = sorted((side[0] for side in sides), key=lambda team: (-wins[team], team))
            sides = [finalists]
        pairs = [(side[at], side[-1 - at]) for side in sides for at in range(len(side) // 2)]
        start = end + (6 + (number - 1) * DAYS_PER_ROUND) * DAY
        played, winners = _series(rng, world, pairs, number, start, known)
        found.append(played)
        known, number = played.games.date.max(), number + 1
        width = len(sides[0]) // 2
        # Standing decides home advantage in the next round, so winners keep the order of their regular season.
        sides = [sorted(winners[at * width : (at + 1) * width], key=lambda team: (-wins[team], team)) for at in range(len(sides))]
    return found


def last_day(end: np.datetime64, teams: int) -> np.datetime64:
    """Return the last day a postseason can reach."""
    rounds = int(np.log2(bracket_size(len(conferences(teams)[0])) * len(conferences(teams))))
    return end + (6 + rounds * DAYS_PER_ROUND) * DAY
