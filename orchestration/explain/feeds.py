"""Raw rows that should be there and are not: whole dates, single games, and lines far below what is usual."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from statistics import median

from orchestration.explain.facts import LOOK_BACK, Facts
from schemas.clock import eastern_date
from schemas.rules import load_rules
from warehouse.protocol import Warehouse

BOXES, TEAM_BOXES = "nba_raw.player_boxscores", "nba_raw.team_boxscores"
SHOTS, LINES, GAME_LINES, REPORTS = "nba_raw.shots", "nba_raw.odds_player_points", "nba_raw.odds_game_lines", "nba_raw.injury_reports"
FEED_OF = {"box_scores": BOXES, "shots": SHOTS, "odds": LINES, "injuries": REPORTS, "schedule": "nba_raw.schedule"}
"""Raw table behind each feed that the catalogue's `stale_with` names."""
AFTER_THE_GAME, OF_THE_DAY = (BOXES, TEAM_BOXES, SHOTS), (LINES, GAME_LINES)
LATE = 2
"""Game dates before a date whose rows must be there whatever its own rows look like."""
WORDS = {
    BOXES: "box scores of players",
    TEAM_BOXES: "box scores of teams",
    SHOTS: "shots",
    LINES: "points lines",
    GAME_LINES: "game lines",
    REPORTS: "injury reports",
    "nba_raw.schedule": "the schedule",
}
LIVE_DATES = 3
"""A feed that delivered on fewer of the game dates before is not a feed that broke: it has not been there."""
QUARANTINED = """
SELECT reason_code, COUNT(*) AS row_count
FROM nba_raw.quarantine
WHERE table_name = @table AND raw_row LIKE @text
GROUP BY reason_code
ORDER BY row_count DESC, reason_code
"""


@dataclass(frozen=True)
class Gap:
    """Raw rows of a date that are missing: `found` of `expected` games, or no rows at all."""

    table: str
    date: dt.date
    found: int
    expected: int

    def line(self) -> str:
        """Return the gap in words."""
        what = WORDS[self.table]
        if not self.found:
            return f"the {what} of {self.date} never arrived"
        return f"the {what} of {self.date} are there for {self.found} of {self.expected} games"


def _was_alive(facts: Facts, table: str, date: dt.date) -> bool:
    """TRUE when the feed delivered on most of the game dates just before."""
    before = [other for other in facts.games if date - 2 * LOOK_BACK <= other < date]
    if table in OF_THE_DAY and not before:
        return False
    delivered = sum(other in facts.raw[table] for other in before)
    return delivered >= LIVE_DATES and 2 * delivered >= len(before)


def gaps_behind(facts: Facts, date: dt.date, whole: bool = True) -> Iterator[Gap]:
    """Yield what is missing of the games of the fortnight before a date, and of what is known on the day itself.

    Without `whole` a date that is missing altogether counts only among the last game dates.
    """
    today = eastern_date(facts.now)
    past = [day for day in facts.games if date - LOOK_BACK <= day < min(date, today)]
    for other in past:
        for table in AFTER_THE_GAME:
            if other not in facts.raw[table]:
                if (whole or other in past[-LATE:]) and _was_alive(facts, table, other):
                    yield Gap(table, other, 0, facts.games[other])
            elif table in facts.boxed and facts.boxed[table].get(other, 0) < facts.games[other]:
                yield Gap(table, other, facts.boxed[table].get(other, 0), facts.games[other])
    for table in OF_THE_DAY:
        if date not in facts.raw[table] and _was_alive(facts, table, date):
            yield Gap(table, date, 0, facts.games.get(date, 0))


def lines_far_below(facts: Facts, date: dt.date) -> tuple[float, float] | None:
    """Return the share of rows with a points line and the usual one, when lines are there and far fewer than usual."""
    day = facts.day(date)
    index = next(iter(load_rules().gate.positive_indices))
    if day is None or not day.rows:
        return None
    shares = []
    for other in facts.comparisons[date].dates:
        counts = facts.labels.get((other, False))
        if counts:
            rows = sum(count for (i, _, _), count in counts.items() if i == index)
            absent = sum(count for (i, source, _), count in counts.items() if i == index and source == "default")
            shares.append(1 - absent / rows)
    if len(shares) < LIVE_DATES:
        return None
    usual, found = median(shares), day.lines / day.rows
    return (found, usual) if found < usual - load_rules().gate.coverage_drop_max else None


def silent_since(facts: Facts, table: str, date: dt.date) -> dt.date | None:
    """Return the last date with rows of a feed before the date; None when it has none in the weeks before."""
    return max((other for other in facts.raw[table] if other <= date), default=None)


def quarantined(warehouse: Warehouse, facts: Facts, gap: Gap) -> str:
    """Return in words what of a gap was refused at ingest; empty when nothing of that date was."""
    if (gap.table, gap.date) not in facts.refused:
        facts.refused[gap.table, gap.date] = _refused(warehouse, gap)
    return facts.refused[gap.table, gap.date]


def _refused(warehouse: Warehouse, gap: Gap) -> str:
    rows = warehouse.query(QUARANTINED, {"table": gap.table, "text": f"%{gap.date}%"}).to_pylist()
    if not rows:
        return ""
    total = sum(row["row_count"] for row in rows)
    return f"{total} of its rows were refused at ingest: " + ", ".join(f"{row['reason_code']} ({row['row_count']})" for row in rows[:3])
