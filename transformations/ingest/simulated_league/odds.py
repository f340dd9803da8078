"""Betting lines as time-stamped snapshots: players' points and games."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from transformations.ingest.simulated_league.fixtures import DAY, Array, Fixtures, eastern, game_ids
from transformations.ingest.simulated_league.rotation import HEALTHY, ILL, RESTED
from transformations.ingest.simulated_league.season import Season
from transformations.ingest.simulated_league.tables import named, table

BOOKS = ("draftkings", "fanduel", "betmgm", "williamhill_us", "prizepicks")
IS_DFS = np.array([book == "prizepicks" for book in BOOKS])
GAME_BOOKS = BOOKS[:3]
CLOSE = "close"
DFS_PRICE = -137
EVENING, MORNING, LAST = range(3)
EVENING_MINUTE = 20 * 60
MORNING_MINUTE = 9 * 60 + 35
LAST_BEFORE_TIP = 90
PULL_SPREAD = 20
LINED_PER_SIDE = 7
LINED_CHANCE = 0.9
OFFERED, SEEN, LATE_OPENING = 0.85, 0.95, 0.08
PROMOTIONS = 0.04
DRIFT = np.array([0.9, 0.4, 0.0])
OVER_PRICES = np.array([-122, -118, -115, -112, -110, -110, -108, -105, 100])
UNDER_PRICES = np.array([-102, -106, -109, -112, -110, -110, -116, -119, -124])


def snapshot_times(games: Fixtures) -> Array:
    """Return when lines of each game are read, UTC, shape (games, 3): the evening before, the morning, 90 minutes before tip-off."""
    pull = (games.date.astype(int) * 7) % PULL_SPREAD
    last = games.tipoff() - np.timedelta64(LAST_BEFORE_TIP, "m")
    return np.stack([eastern(games.date - DAY, EVENING_MINUTE + pull), eastern(games.date, MORNING_MINUTE + pull), last], axis=1)


def _half(value: Array) -> Array:
    return np.maximum(np.floor(value) + 0.5, 0.5)


def _lined(season: Season, rng: np.random.Generator) -> tuple[Array, Array, Array]:
    """Return side, place and fair line of the players who get lines: the better scorers expected to play."""
    played, rotation = season.played, season.played.rotation
    player = rotation.members
    sums = np.bincount(player[rotation.playing], played.expected[rotation.playing], minlength=len(season.world.people))
    usual = sums / np.maximum(np.bincount(player[rotation.playing], minlength=len(sums)), 1)
    surprise = np.isin(rotation.absence, (ILL, RESTED))
    worth = np.where(rotation.playing, played.expected, np.where(surprise, usual[player], 0.0))
    worth = np.where(np.repeat(played.games.counted, 2)[:, None], worth, 0.0)
    place = np.argsort(np.argsort(-worth, axis=1, kind="stable"), axis=1, kind="stable")
    chosen = (place < LINED_PER_SIDE) & (worth > 2.0) & (rng.random(worth.shape) < LINED_CHANCE)
    side, seat = np.nonzero(chosen)
    return side, seat, np.maximum(worth[side, seat] * 0.985 + rng.normal(0, 0.7, len(side)), 1.0)


def points_lines(season: Season, rng: np.random.Generator) -> pa.Table:
    """Return snapshots of points lines by book, with a few promotional alternates and missing prices."""
    played = season.played
    side, seat, fair = _lined(season, rng)
    count, books = len(side), len(BOOKS)
    shape = (count, books, 3)
    seen = (rng.random((count, books, 1)) < OFFERED) & (rng.random(shape) < SEEN)
    late = rng.random(count) < LATE_OPENING
    absence = played.rotation.absence[side, seat]
    seen[late, :, :LAST] = False
    # A player ruled out is taken off the board: the rested in the morning, the ill before tip-off.
    seen[absence != HEALTHY, :, LAST] = False
    seen[absence == RESTED, :, MORNING] = False
    market = fair[:, None] + rng.normal(0, 1, (count, 3)) * DRIFT
    line = _half(market[:, None, :] + rng.normal(0, 0.35, shape))
    row, book, moment = np.nonzero(seen)
    line, dfs = line[row, book, moment], IS_DFS[book]
    price = rng.integers(0, len(OVER_PRICES), len(row))
    over, under = np.where(dfs, DFS_PRICE, OVER_PRICES[price]), np.where(dfs, DFS_PRICE, UNDER_PRICES[price])
    promoted = np.flatnonzero(rng.random(len(row)) < PROMOTIONS)
    shift = rng.integers(3, 7, len(promoted))
    origin = np.concatenate([np.arange(len(row)), promoted])
    line = np.concatenate([line, line[promoted] + shift])
    over = np.concatenate([over, np.where(dfs[promoted], 120, 150 + 25 * shift)])
    under = np.concatenate([under, np.where(dfs[promoted], -190, -210 - 30 * shift)])
    row, book, moment = row[origin], book[origin], moment[origin]
    no_price = rng.random(len(row))
    game = side[row] // 2
    order = np.lexsort([line, book, moment, seat[row], side[row]])
    row, book, moment, game, no_price = row[order], book[order], moment[order], game[order], no_price[order]
    return table(
        "odds_player_points",
        {
            "game_id": named(game, game_ids(played.games, season.year)),
            "game_date": played.games.date[game],
            "player_lookup": named(played.rotation.members[side[row], seat[row]], season.world.people.lookup),
            "bookmaker": named(book, BOOKS),
            "is_dfs": IS_DFS[book],
            "observed_at": snapshot_times(played.games)[game, moment],
            "line": line[order],
            "over_price": over[order],
            "under_price": under[order],
        },
        {"over_price": no_price < 0.012, "under_price": no_price < 0.002},
    )


def _american(chance: Array) -> Array:
    """Return American odds of a chance with the book's share put on top."""
    fair = np.clip(chance * 1.024, 0.02, 0.98)
    return np.round(np.where(fair >= 0.5, -100 * fair / (1 - fair), 100 * (1 - fair) / fair)).astype(int)


def game_lines(season: Season, rng: np.random.Generator) -> pa.Table:
    """Return snapshots of game lines by book and the closing line, which is known at tip-off only and has no money line."""
    played = season.played
    at = np.flatnonzero(played.games.counted)
    expected = played.expected.sum(axis=1).reshape(-1, 2)[at]
    home = np.where(played.games.neutral[at], 0.0, 2.2)
    margin = expected[:, 0] - expected[:, 1] + home + rng.normal(0, 1.0, len(at))
    total = expected.sum(axis=1) + rng.normal(0, 1.5, len(at))
    games = played.games.take(at)
    times = np.concatenate([snapshot_times(games), games.tipoff()[:, None]], axis=1)
    drift = np.array([1.2, 0.8, 0.3, 0.0])
    names = (*GAME_BOOKS, CLOSE)
    market = [(book, moment) for moment in range(3) for book in range(len(GAME_BOOKS))] + [(len(GAME_BOOKS), 3)]
    book, moment = (np.tile(values, len(at)) for values in np.array(market).T)
    game = np.repeat(np.arange(len(at)), len(market))
    wander = rng.normal(0, 1, (len(at), 4, 2)) * drift[:, None]
    own = rng.normal(0, 0.4, (len(game), 2)) * (book < len(GAME_BOOKS))[:, None]
    edge = margin[game] + wander[game, moment, 0] + own[:, 0]
    points = total[game] + 1.6 * wander[game, moment, 1] + own[:, 1]
    chance = 1 / (1 + np.exp(-0.145 * edge))
    closing = book == len(GAME_BOOKS)
    return table(
        "odds_game_lines",
        {
            "game_id": named(game, game_ids(games, season.year)),
            "game_date": games.date[game],
            "bookmaker": named(book, names),
            "observed_at": times[game, moment],
            "home_spread": np.clip(-np.round(edge * 2) / 2, -30, 30) + 0.0,
            "total": np.round(points * 2) / 2,
            "home_moneyline": _american(chance),
            "away_moneyline": _american(1 - chance),
        },
        {"home_moneyline": closing, "away_moneyline": closing},
    )
