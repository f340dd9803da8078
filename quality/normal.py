"""What is normal for a date: the days before it in its season, or the same days of earlier seasons; a rookie is no fault."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from statistics import median

TRAILING = dt.timedelta(days=30)
TRAILING_MIN = 8
"""With fewer game dates behind it in its season a date is held against the same days of earlier seasons."""
STAGE_WIDTH = 3
STAGE_MIN = 4
MAD_TO_DEVIATION = 1.4826
DEVIATIONS = 4
LEAST_EXCESS = 0.05


@dataclass(frozen=True)
class Comparison:
    """The dates that a date is compared with, and what they are in words."""

    dates: tuple[dt.date, ...] = ()
    basis: str = ""


@dataclass(frozen=True)
class Expected:
    """Share of rows that is typical, and the largest that still is normal; `days` is 0 where there is nothing to compare with."""

    typical: float = 0.0
    most: float = 1.0
    days: int = 0

    def is_unusual(self, share: float) -> bool:
        """TRUE when the share is beyond what the compared dates explain."""
        return self.days > 0 and share > self.most


def compared_with(date: dt.date, calendar: Mapping[str, Sequence[dt.date]]) -> Comparison:
    """Return what a date is compared with; `calendar` holds the game dates of each season that have rows, in order.

    The dates of the 30 days before it in its own season; where these are too few, the dates at the same place of
    earlier seasons; else nothing, and the rules alone say what is normal.
    """
    own = next((name for name, dates in calendar.items() if dates and dates[0] <= date <= dates[-1]), None)
    if own is None:
        own = max((name for name, dates in calendar.items() if dates and dates[0] <= date), default=None)
    if own is None:
        return Comparison()
    trailing = tuple(other for other in calendar[own] if date - TRAILING <= other < date)
    if len(trailing) >= TRAILING_MIN:
        return Comparison(trailing, f"the {len(trailing)} game dates before it")
    place = sum(other < date for other in calendar[own])
    earlier = [dates for name, dates in calendar.items() if dates and name < own]
    same = tuple(sorted(chain.from_iterable(dates[max(place - STAGE_WIDTH, 0) : place + STAGE_WIDTH + 1] for dates in earlier)))
    if len(same) >= STAGE_MIN:
        return Comparison(same, f"the same days of {len(earlier)} earlier season{'s' if len(earlier) > 1 else ''}")
    return Comparison()


def expected_share(found: Sequence[tuple[int, int]], rows: int) -> Expected:
    """Return what share is normal by (count, rows) of the compared dates, for a date of so many rows.

    The middle share and four deviations: of the dates among themselves, of a sample of that many rows, or five points, whichever
    is more. Middle and spread are medians, so a few broken dates do not make breaking normal.
    """
    shares = [count / total for count, total in found if total]
    if not shares:
        return Expected()
    typical = median(shares)
    among = DEVIATIONS * MAD_TO_DEVIATION * median(abs(share - typical) for share in shares)
    by_chance = DEVIATIONS * (typical * (1 - typical) / max(rows, 1)) ** 0.5
    return Expected(typical, min(1.0, typical + max(among, by_chance, LEAST_EXCESS)), len(shares))
