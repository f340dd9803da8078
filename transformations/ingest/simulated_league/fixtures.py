"""Fixtures as arrays: one entry per game, with when and in which form the league has announced it."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

EASTERN = ZoneInfo("America/New_York")
SEASON_TYPES = ("preseason", "regular", "all_star", "play_in", "playoffs", "cup_final")
PRESEASON, REGULAR, ALL_STAR, PLAY_IN, PLAYOFFS, CUP_FINAL = range(6)
COUNTED = (REGULAR, PLAY_IN, PLAYOFFS, CUP_FINAL)
PREFIXES = ("001", "002", "003", "005", "004", "006")
NOON = 12 * 60
DAY = np.timedelta64(1, "D")
NEVER = np.datetime64("NaT", "D")
Array = NDArray[Any]


@dataclass(frozen=True)
class Fixtures:
    """Games in arrays of one length.

    `tip` is minutes after midnight US Eastern. `postponed` marks an entry that was never played. `known_from` is the
    last played date from which the entry is announced; a game that moved was announced for `first_date` until `moved_on`.
    """

    number: Array
    kind: Array
    date: Array
    home: Array
    away: Array
    neutral: Array
    tip: Array
    tip_known: Array
    postponed: Array
    known_from: Array
    first_date: Array
    moved_on: Array

    def __len__(self) -> int:
        return len(self.number)

    def take(self, index: Array) -> Fixtures:
        """Return the entries at the positions or under the mask."""
        return Fixtures(**{field.name: getattr(self, field.name)[index] for field in fields(self)})

    def tipoff(self) -> Array:
        """Return the UTC instants of tip-off, noon US Eastern where it is unknown."""
        return eastern(self.date, np.where(self.tip_known, self.tip, NOON))

    @property
    def counted(self) -> Array:
        """TRUE where the game is of a type that counts and was played on its date."""
        return np.isin(self.kind, COUNTED) & ~self.postponed

    def as_announced(self, through: np.datetime64) -> Fixtures:
        """Return the fixture list as it stood when the games of `through` were over."""
        held_back = ~np.isnat(self.moved_on) & (self.moved_on > through)
        seen = replace(
            self,
            date=np.where(held_back, self.first_date, self.date),
            postponed=self.postponed & (self.date <= through),
        )
        return seen.take(np.isnat(self.known_from) | (self.known_from <= through))


def fixtures(kind: int, number: Array, date: Array, home: Array, away: Array, tip: Array, **others: Array) -> Fixtures:
    """Return fixtures of one kind; whatever is not given has its ordinary value."""
    count = len(number)
    ordinary = {
        "neutral": np.zeros(count, bool),
        "tip_known": np.ones(count, bool),
        "postponed": np.zeros(count, bool),
        "known_from": np.full(count, NEVER),
        "first_date": np.asarray(date, "datetime64[D]"),
        "moved_on": np.full(count, NEVER),
    }
    return Fixtures(
        number=np.asarray(number, np.int64),
        kind=np.full(count, kind, np.int8),
        date=np.asarray(date, "datetime64[D]"),
        home=np.asarray(home, np.int64),
        away=np.asarray(away, np.int64),
        tip=np.asarray(tip, np.int64),
        **{**ordinary, **others},
    )


def joined(parts: list[Fixtures]) -> Fixtures:
    """Return the fixtures one after the other."""
    return Fixtures(**{field.name: np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(Fixtures)})


def game_ids(games: Fixtures, year: int) -> list[str]:
    """Return the ten-character ids of games of the season that starts in `year`."""
    return [f"{PREFIXES[kind]}{year % 100:02d}{number:05d}" for kind, number in zip(games.kind, games.number, strict=True)]


def eastern(date: Array, minutes: Array) -> Array:
    """Return UTC instants (microseconds) of wall-clock minutes after midnight US Eastern."""
    local = date.astype("datetime64[m]") + np.asarray(minutes).astype("timedelta64[m]")
    distinct, where = np.unique(local, return_inverse=True)
    offsets = [value.replace(tzinfo=EASTERN).utcoffset() for value in distinct.astype(object)]
    shift = np.array([int(offset.total_seconds()) // 60 if offset else 0 for offset in offsets], np.int64).astype("timedelta64[m]")
    return (distinct - shift)[where].astype("datetime64[us]")
