"""The season's calendar: game days, breaks and the fixture list before any result is known."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, replace

import numpy as np

from schemas.errors import UsageError
from transformations.ingest.simulated_league.fixtures import DAY, PRESEASON, REGULAR, Array, Fixtures, fixtures, joined

EVENING_TIPS = np.array([19 * 60, 19 * 60 + 30, 20 * 60, 21 * 60, 22 * 60, 22 * 60 + 30])
EVENING_WEIGHTS = np.array([0.48, 0.18, 0.15, 0.05, 0.10, 0.04])
MATINEES = np.array([13 * 60, 15 * 60 + 30])
MATINEE_SHARE = 0.25
FULL_SEASON_GAMES = 72
DAYS_PER_GAME = 2.02
SEARCH_DAYS = 45


@dataclass(frozen=True)
class SeasonDates:
    """First and last day of the regular season, its days off, the cup final and the All-Star Sunday."""

    year: int
    opening: np.datetime64
    end: np.datetime64
    off: tuple[np.datetime64, ...]
    cup_final: np.datetime64
    all_star: np.datetime64

    def game_days(self) -> Array:
        """Return the days on which regular-season games may be played."""
        days = np.arange(self.opening, self.end + DAY)
        return days[~np.isin(days, np.array(self.off))]


def first_year(season: str) -> int:
    """Return the year a season such as 2024-25 starts in; raise `UsageError` for any other text."""
    start, _, end = season.partition("-")
    if not (start.isdigit() and end.isdigit() and len(start) == 4 and len(end) == 2 and (int(start) + 1) % 100 == int(end)):
        raise UsageError("not a season", [season], "write for example 2024-25")
    return int(start)


def _on_or_after(year: int, month: int, day: int, weekday: int) -> np.datetime64:
    date = dt.date(year, month, day)
    return np.datetime64(date + dt.timedelta((weekday - date.weekday()) % 7), "D")


def season_dates(season: str, games_per_team: int) -> SeasonDates:
    """Return the calendar of a season.

    A season of 72 games or more runs from October to April, with the cup final in December and the break in
    mid-February. A shorter one starts on the same day, keeps the rhythm of play and has both at the same share of it.
    """
    year = first_year(season)
    opening = _on_or_after(year, 10, 19, 1)
    if games_per_team >= FULL_SEASON_GAMES:
        cup, all_star, before, after = _on_or_after(year, 12, 14, 1), _on_or_after(year + 1, 2, 14, 6), 2, 3
        end = _on_or_after(year + 1, 4, 9, 6)
        holidays = [_on_or_after(year, 11, 22, 3), np.datetime64(f"{year}-12-24")]
    else:
        length = int(np.ceil(DAYS_PER_GAME * games_per_team)) + 6
        cup, all_star, before, after = opening + int(0.4 * length) * DAY, opening + int(0.67 * length) * DAY, 1, 1
        end, holidays = opening + (length - 1) * DAY, []
    off = [*holidays, *np.arange(cup - DAY, cup + 2 * DAY), *np.arange(all_star - before * DAY, all_star + (after + 1) * DAY)]
    return SeasonDates(year, opening, end, tuple(off), cup, all_star)


def rounds(rng: np.random.Generator, teams: int, count: int) -> list[Array]:
    """Return `count` rounds in which every team plays once: arrays of pairs, shape (teams / 2, 2)."""
    found: list[Array] = []
    while len(found) < count:
        label, wheel = rng.permutation(teams), np.arange(1, teams)
        cycle = []
        for step in range(teams - 1):
            line = np.concatenate([[0], np.roll(wheel, step)])
            cycle.append(np.stack([label[line[: teams // 2]], label[line[: teams // 2 - 1 : -1]]], axis=1))
        found += [cycle[i] for i in rng.permutation(teams - 1)]
    return found[:count]


def _blocks(rng: np.random.Generator, days: Array, count: int) -> list[Array]:
    """Cut the days into `count` blocks of one to three days; one-day blocks are never neighbours."""
    spare = len(days) - 2 * count
    ones = max(count // 10, -spare)
    length = np.full(count, 2)
    length[rng.permutation(np.arange(0, count, 2))[:ones]] = 1
    odd = rng.permutation(np.arange(1, count, 2))
    extra = spare + int((length == 1).sum())
    length[odd[: max(extra, 0)]] = 3
    return np.split(days, np.cumsum(length))[:count]


def _place(rng: np.random.Generator, pairs: list[Array], blocks: list[Array], teams: int) -> tuple[Array, Array, Array]:
    played: list[set[int]] = [set() for _ in range(teams)]
    at_home = np.zeros(teams, int)
    rows: list[tuple[int, int, int]] = []
    for round_pairs, block in zip(pairs, blocks, strict=True):
        days = block.astype(int)
        for (one, other), first in zip(round_pairs, rng.permutation(np.arange(len(round_pairs))) % len(days), strict=True):
            order = np.roll(days, -first)
            free = [d for d in order if not any({d - 1, d - 2} <= played[t] or d in played[t] for t in (one, other))]
            day = int(free[0] if free else order[0])
            swap = at_home[one] > at_home[other] or (at_home[one] == at_home[other] and rng.random() < 0.5)
            home, away = (other, one) if swap else (one, other)
            at_home[home] += 1
            played[one].add(day)
            played[other].add(day)
            rows.append((day, home, away))
    table = np.array(sorted(rows), int)
    return table[:, 0].astype("datetime64[D]"), table[:, 1], table[:, 2]


def tip_offs(rng: np.random.Generator, date: Array) -> Array:
    """Return tip-off minutes: evenings, and on weekends some matinees."""
    tip = rng.choice(EVENING_TIPS, len(date), p=EVENING_WEIGHTS)
    weekend = np.isin((date.astype(int) + 3) % 7, (5, 6))
    early = weekend & (rng.random(len(date)) < MATINEE_SHARE)
    tip = np.where(early, rng.choice(MATINEES, len(date)), tip)
    forced = np.flatnonzero(weekend)[: len(MATINEES)]
    tip[forced] = MATINEES[: len(forced)]
    return tip


def _free_date(games: Fixtures, at: int, last: np.datetime64, off: tuple[np.datetime64, ...]) -> np.datetime64 | None:
    pair = (games.home[at], games.away[at])
    busy = set(games.date[np.isin(games.home, pair) | np.isin(games.away, pair)].astype(int))
    closed = busy | {int(day.astype(int)) for day in off}
    start = int(games.date[at].astype(int))
    for day in range(start + 5, min(start + SEARCH_DAYS, int(last.astype(int))) + 1):
        if day not in closed and not ({day - 1, day - 2} <= busy or {day + 1, day + 2} <= busy or {day - 1, day + 1} <= busy):
            return np.datetime64(day, "D")
    return None


def _disturbed(games: Fixtures, dates: SeasonDates) -> Fixtures:
    """Postpone one game (replayed under a new id), move another (same id), play one abroad, and lose one tip-off time."""
    count = len(games)
    neutral, known = games.neutral.copy(), games.tip_known.copy()
    neutral[int(count * 0.45)] = True
    known[int(count * 0.30)] = False
    games = replace(games, neutral=neutral, tip_known=known)
    replay: list[Fixtures] = []
    for at in range(int(count * 0.25), count):
        if (free := _free_date(games, at, dates.end, dates.off)) is not None:
            postponed = games.postponed.copy()
            postponed[at] = True
            again = replace(games.take(np.array([at])), number=np.array([count + 1]), date=np.array([free]), first_date=np.array([free]))
            replay = [replace(again, known_from=games.date[[at]])]
            games = joined([replace(games, postponed=postponed), *replay])
            break
    for at in range(int(count * 0.35), count):
        free = _free_date(games, at, dates.end, dates.off)
        if free is not None and not games.postponed[at] and not games.neutral[at] and games.tip_known[at]:
            date, moved_on = games.date.copy(), games.moved_on.copy()
            moved_on[at], date[at] = games.date[at] - 3 * DAY, free
            return replace(games, date=date, moved_on=moved_on)
    return games


def regular_season(rng: np.random.Generator, dates: SeasonDates, teams: int, games_per_team: int) -> Fixtures:
    """Return the regular season: every team plays `games_per_team` games, never three days running."""
    blocks = _blocks(rng, dates.game_days(), games_per_team)
    date, home, away = _place(rng, rounds(rng, teams, games_per_team), blocks, teams)
    games = fixtures(REGULAR, np.arange(1, len(date) + 1), date, home, away, tip_offs(rng, date))
    return _disturbed(games, dates)


def preseason(rng: np.random.Generator, dates: SeasonDates, teams: int) -> Fixtures:
    """Return two preseason games per team in the fortnight before the opening."""
    pairs = rounds(rng, teams, 2)
    days = [dates.opening - 13 * DAY, dates.opening - 8 * DAY]
    spread = [day + (np.arange(len(pair)) % 3) * DAY for day, pair in zip(days, pairs, strict=True)]
    table, date = np.concatenate(pairs), np.concatenate(spread)
    return fixtures(PRESEASON, np.arange(1, len(table) + 1), date, table[:, 0], table[:, 1], np.full(len(table), 19 * 60))
