"""What the betting market said before the cutoff: features 25-28."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime
from fractions import Fraction

from .arithmetic import median
from .computed import NO_LINE, Computed, Row, known, missing
from .raw import PointsLine

STANDARD_PRICE = -110
STANDARD_DFS_PRICE = -137


def points_line(row: Row) -> Computed:
    """25: median over books of each book's latest line."""
    return _consensus([book[-1] for book in _by_book(row)])


def opening_line(row: Row) -> Computed:
    """26: median over books of each book's earliest line; missing with a single observation time."""
    if len({snapshot.observed_at for snapshot in _usable(row)}) < 2:
        return missing(NO_LINE)
    return _consensus([book[0] for book in _by_book(row)])


def line_move(row: Row) -> Computed:
    """27: latest minus opening."""
    now, opening = points_line(row).value, opening_line(row).value
    return missing(NO_LINE) if now is None or opening is None else known(now - opening)


def has_line(row: Row) -> Computed:
    """28: 1 when there is a latest line, else a true 0."""
    return known(int(points_line(row).value is not None))


def _usable(row: Row) -> list[PointsLine]:
    """Return the snapshots on the player's game seen at or before the cutoff."""
    cutoff = row.availability.cutoff(row.game)
    snapshots = row.games.raw.lines_for.get((row.game.game_id, row.player), [])
    return [snapshot for snapshot in snapshots if snapshot.observed_at <= cutoff]


def _by_book(row: Row) -> list[list[Fraction]]:
    """Return each book's lines in order of time, one per time."""
    books: dict[str, dict[datetime, list[PointsLine]]] = defaultdict(lambda: defaultdict(list))
    for snapshot in _usable(row):
        books[snapshot.bookmaker][snapshot.observed_at].append(snapshot)
    return [[_main_line(times[when]) for when in sorted(times)] for times in books.values()]


def _main_line(snapshots: list[PointsLine]) -> Fraction:
    """Return the line with the price nearest the standard one, a missing price last, then the lowest line."""
    return min(snapshots, key=lambda s: (s.price is None, _distance(s), s.line)).line


def _distance(snapshot: PointsLine) -> int:
    standard = STANDARD_DFS_PRICE if snapshot.is_dfs else STANDARD_PRICE
    return 0 if snapshot.price is None else abs(snapshot.price - standard)


def _consensus(lines: list[Fraction]) -> Computed:
    middle = median(lines)
    return missing(NO_LINE) if middle is None else known(middle)
