"""What changed on a date: the summaries of its games made anew beside the published ones, row against row."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from orchestration.plan import summaries
from orchestration.runs import Run
from schemas.contracts import contract
from transformations.render import dates_statement
from warehouse.protocol import Staged, Warehouse

PLAYERS = "nba_analytics.player_game_summary"
PRESENCE = {
    # What makes a row count as another game of its owner: not a value of it, but that there is one and whom it is for.
    PLAYERS: ("is_played", "team_abbr", "opponent_team_abbr", "season"),
    "nba_analytics.team_offense_game_summary": ("opponent_team_abbr", "season", "has_player_boxes"),
    "nba_analytics.team_defense_game_summary": ("opponent_team_abbr", "season"),
}
DAY_FLAGS = """
SELECT game_date, LOGICAL_OR(is_played) AS loaded, LOGICAL_OR(is_played AND has_shots) AS shots
FROM {table}
WHERE game_date IN UNNEST(@dates)
GROUP BY game_date
"""


@dataclass(frozen=True)
class Change:
    """Players and teams of one date whose rows differ; those that `appeared` (or vanished) are another game, not another value."""

    date: dt.date
    players: frozenset[str] = frozenset()
    appeared: frozenset[str] = frozenset()
    teams: frozenset[str] = frozenset()
    teams_appeared: frozenset[str] = frozenset()
    teams_of_appeared: frozenset[str] = frozenset()
    day_differs: bool = False

    @property
    def is_empty(self) -> bool:
        """TRUE when the summaries come out as they are."""
        return not (self.players or self.appeared or self.teams or self.teams_appeared or self.day_differs)

    def line(self) -> str:
        """Return the change in words."""
        if self.is_empty:
            return f"{self.date}: nothing differs"
        counts = (
            (len(self.players | self.appeared), "players"),
            (len(self.appeared), "of them with another game, not another value"),
            (len(self.teams | self.teams_appeared), "teams"),
        )
        return f"{self.date}: " + ", ".join(f"{count} {what}" for count, what in counts if count)


Rows = Mapping[tuple[dt.date, str, str], tuple[object, ...]]


@dataclass(frozen=True)
class _Differences:
    values: Mapping[dt.date, frozenset[str]] = field(default_factory=dict)
    presence: Mapping[dt.date, frozenset[str]] = field(default_factory=dict)


def _rows(warehouse: Warehouse, table: str, dates: Sequence[dt.date], staged: Sequence[Staged]) -> Rows:
    owner = contract(table).keys[0]
    columns = [owner, "game_date", "game_id", "data_hash", *PRESENCE[table]]
    columns = list(dict.fromkeys(columns))
    sql = f"SELECT {', '.join(columns)} FROM {table} WHERE game_date IN UNNEST(@dates)"
    found = warehouse.query(sql, {"dates": sorted(dates)}, staged).to_pylist()
    return {(row["game_date"], row[owner], row["game_id"]): (row["data_hash"], *(row[name] for name in PRESENCE[table])) for row in found}


def _is_game(table: str, row: tuple[object, ...] | None) -> bool:
    """TRUE for a row that counts as a game: a marked absence does not."""
    return row is not None and (table != PLAYERS or bool(row[1]))


def _differences(table: str, old: Rows, new: Rows) -> _Differences:
    values: dict[dt.date, set[str]] = {}
    presence: dict[dt.date, set[str]] = {}
    for key in {*old, *new}:
        before, after = old.get(key), new.get(key)
        if before == after or not (_is_game(table, before) or _is_game(table, after)):
            continue
        same_game = before is not None and after is not None and before[1:] == after[1:]
        (values if same_game else presence).setdefault(key[0], set()).add(key[1])
    return _Differences({d: frozenset(v) for d, v in values.items()}, {d: frozenset(v) for d, v in presence.items()})


def _flags(warehouse: Warehouse, dates: Sequence[dt.date], staged: Sequence[Staged]) -> dict[dt.date, tuple[bool, bool]]:
    rows = warehouse.query(DAY_FLAGS.format(table=PLAYERS), {"dates": sorted(dates)}, staged).to_pylist()
    return {row["game_date"]: (bool(row["loaded"]), bool(row["shots"])) for row in rows}


def _teams_of(warehouse: Warehouse, players: frozenset[str], date: dt.date, staged: Sequence[Staged]) -> frozenset[str]:
    """Return all teams these players played for within a year of the date, before and after the change."""
    if not players:
        return frozenset()
    sql = (
        f"SELECT DISTINCT team_abbr FROM {PLAYERS} WHERE player_lookup IN UNNEST(@players)"
        " AND game_date BETWEEN DATE_SUB(@date, INTERVAL 365 DAY) AND DATE_ADD(@date, INTERVAL 365 DAY)"
    )
    params = {"players": sorted(players), "date": date}
    rows = warehouse.query(sql, params).to_pylist() + warehouse.query(sql, params, staged).to_pylist()
    return frozenset(row["team_abbr"] for row in rows)


def find_changes(warehouse: Warehouse, dates: Sequence[dt.date], run: Run) -> tuple[Change, ...]:
    """Make the summaries of the dates beside the tables, compare them with what is published, and throw them away again."""
    if not dates:
        return ()
    days = sorted(dates)
    staged: dict[str, Staged] = {}
    try:
        for table in summaries():
            params = {**run.params(days[0], days[-1]), "dates": days}
            staged[table] = warehouse.stage_query(contract(table), dates_statement(table), params, run.run_id)
        found = {
            table: _differences(table, _rows(warehouse, table, days, ()), _rows(warehouse, table, days, [item]))
            for table, item in staged.items()
        }
        flags = _flags(warehouse, days, ()), _flags(warehouse, days, [staged[PLAYERS]])
        teams = [table for table in summaries() if table != PLAYERS]
        result = []
        for date in days:
            appeared = found[PLAYERS].presence.get(date, frozenset())
            result.append(
                Change(
                    date,
                    found[PLAYERS].values.get(date, frozenset()),
                    appeared,
                    frozenset().union(*(found[table].values.get(date, frozenset()) for table in teams)),
                    frozenset().union(*(found[table].presence.get(date, frozenset()) for table in teams)),
                    _teams_of(warehouse, appeared, date, [staged[PLAYERS]]),
                    flags[0].get(date) != flags[1].get(date),
                )
            )
        return tuple(result)
    finally:
        for item in staged.values():
            warehouse.discard(item)


def whole_date(warehouse: Warehouse, date: dt.date) -> Change:
    """Return a change of every value of a date, for one whose summaries were made anew already."""
    names = []
    for table in (PLAYERS, "nba_analytics.team_offense_game_summary"):
        owner = contract(table).keys[0]
        rows = warehouse.query(f"SELECT DISTINCT {owner} AS name FROM {table} WHERE game_date = @date", {"date": date}).to_pylist()
        names.append(frozenset(row["name"] for row in rows))
    return Change(date, players=names[0], teams=names[1])
