"""What the commands of an explanation would touch: the date's own tables, or every row whose windows hold the missing games."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence

from backfill.changes import Change
from backfill.touched_rows import Touched, touched_rows
from orchestration.explain.dates import explain_dates
from orchestration.explain.facts import COUNTED
from orchestration.explain.features import FeatureExplanation, explain_feature
from orchestration.explain.feeds import AFTER_THE_GAME
from orchestration.explain.findings import Cause, DateExplanation
from orchestration.explain.players import PlayerExplanation, explain_player
from orchestration.explain.seasons import SeasonExplanation, explain_season
from orchestration.plan import dated_tables
from schemas.rules import STORE_TABLE
from warehouse.protocol import Warehouse

Explanation = DateExplanation | PlayerExplanation | FeatureExplanation | SeasonExplanation
MOST_GAPS = 3
TEAMS = f"SELECT home_team, away_team FROM nba_raw.schedule WHERE game_date = @date AND {COUNTED}"


def _arrival(warehouse: Warehouse, date: dt.date) -> Change:
    """Return the change that the arrival of all games of a date would be: another game for everybody in them."""
    teams = frozenset(name for row in warehouse.query(TEAMS, {"date": date}).to_pylist() for name in row.values())
    return Change(date, teams_appeared=teams, teams_of_appeared=teams, day_differs=True)


def _of_gap(date: dt.date, found: Touched) -> str:
    reasons = ", ".join(f"{count} through {why}" for why, count in sorted(found.reasons().items(), key=lambda item: -item[1]))
    if not found.dates:
        return f"no row of the store holds games of {date}"
    return f"the games of {date} enter {len(found.rows)} rows of the store on {len(found.dates)} dates ({reasons})"


def _own(dates: Sequence[dt.date], rows: Mapping[dt.date, int]) -> str:
    known = sum(rows.get(date, 0) for date in dates)
    count = f"{len(dates)} dates" if len(dates) > 1 else str(dates[0])
    held = f", {known} rows of the store there now" if known else ", no rows of the store there now"
    return f"{len(dated_tables())} tables of {count} are made again{held}; no other date reads them"


def reach_of(warehouse: Warehouse, causes: Sequence[Cause]) -> tuple[str, ...]:
    """Return in words what following the causes' commands would make again; nothing is changed."""
    gaps = sorted({date for cause in causes if cause.subject in AFTER_THE_GAME and cause.code.startswith("raw") for date in cause.dates})
    lines = [_of_gap(date, touched_rows(warehouse, (_arrival(warehouse, date),))) for date in gaps[-MOST_GAPS:]]
    if len(gaps) > MOST_GAPS:
        lines.append(f"and the games of {len(gaps) - MOST_GAPS} earlier dates likewise")
    builds = any(command.split()[1] == "run" or "--date" in command for cause in causes for command in cause.commands)
    own = sorted({date for cause in causes if cause.subject not in AFTER_THE_GAME for date in cause.dates})
    if own and builds:
        found = warehouse.partitions(STORE_TABLE, own[0], own[-1])
        lines.append(_own(own, {date: part.rows for date, part in found.items()}))
    return tuple(lines)


def explained(
    warehouse: Warehouse,
    now: dt.datetime,
    date: dt.date | None = None,
    player: str | None = None,
    feature: str | None = None,
    season: str | None = None,
) -> tuple[Explanation, tuple[str, ...]]:
    """Explain a date, a player or a feature on it, or a season; the second part says what its commands would touch."""
    found: Explanation
    if season is not None:
        found = explain_season(warehouse, season, now)
    else:
        assert date is not None
        if player is not None:
            found = explain_player(warehouse, player, date, now)
        elif feature is not None:
            found = explain_feature(warehouse, feature, date, now)
        else:
            found = explain_dates(warehouse, (date,), now)[date]
    return found, reach_of(warehouse, found.causes)
