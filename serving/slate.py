"""The slate of a game date: which players have a published row, and whether the date may be served at all."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from schemas.catalogue import load_catalogue
from schemas.errors import UnknownNameError
from schemas.rules import STORE_TABLE
from serving.definitions import partition_definition
from serving.gate_facts import read_ledger
from serving.materialization_gate import BLOCKED, PUBLISHED
from warehouse.protocol import Warehouse

PLAYERS = "nba_raw.players"
EXPECTED = "nba_analytics.upcoming_player_game_context"
SLATE = f"""
SELECT player_lookup, game_id, team_abbr, opponent_team_abbr, tipoff_time, event_timestamp, created_timestamp, default_feature_indices
FROM {STORE_TABLE}
WHERE game_date = @game_date
ORDER BY player_lookup
"""
GAME = "SELECT game_date FROM nba_raw.schedule WHERE game_id = @game_id"
GAME_DATES = """
SELECT DISTINCT game_date FROM nba_raw.schedule WHERE game_date BETWEEN @first_date AND @last_date AND status != 'postponed'
"""
AROUND = dt.timedelta(days=200)
"""Days in which a schedule that is there at all has a game, the summer included."""
GAME_PLAYERS = f"SELECT player_lookup FROM {EXPECTED} WHERE game_id = @game_id AND game_date = @game_date ORDER BY player_lookup"
DEFINITION_CHANGED = "definition_changed"
"""Reason of rows that were published under another definition of the store than today's."""
EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
MICROSECOND = dt.timedelta(microseconds=1)


def microseconds(instants: Sequence[dt.datetime]) -> np.ndarray[Any, Any]:
    """Return UTC microseconds since 1970."""
    return np.array([(instant - EPOCH) // MICROSECOND for instant in instants], np.int64)


@dataclass(frozen=True)
class Slate:
    """Published rows of the date by player; empty, with the reasons, when the date may not be served.

    `differs` says how the rows differ from what the code of today makes: with anything, none may be used.
    """

    game_date: dt.date
    rows: dict[str, dict[str, Any]]
    reasons: tuple[str, ...]
    differs: tuple[str, ...] = ()

    @cached_property
    def players(self) -> tuple[str, ...]:
        """Everybody with a published row, by name."""
        return tuple(self.rows)

    @cached_property
    def place(self) -> dict[str, int]:
        """Place of each player in the columns."""
        return {player: at for at, player in enumerate(self.rows)}

    @cached_property
    def games(self) -> list[str]:
        """Game of each player."""
        return [row["game_id"] for row in self.rows.values()]

    @cached_property
    def events(self) -> np.ndarray[Any, Any]:
        """Event time of each published row, in microseconds."""
        return microseconds([row["event_timestamp"] for row in self.rows.values()])

    @cached_property
    def created(self) -> np.ndarray[Any, Any]:
        """When each published row was written, in microseconds."""
        return microseconds([row["created_timestamp"] for row in self.rows.values()])

    @cached_property
    def defaults(self) -> np.ndarray[Any, Any]:
        """TRUE where a feature of the catalogue is a default: players x features."""
        found = np.zeros((len(self.rows), len(load_catalogue().features)), bool)
        for at, row in enumerate(self.rows.values()):
            found[at, list(row.get("default_feature_indices") or ())] = True
        return found


def _why_unpublished(warehouse: Warehouse, game_date: dt.date) -> str:
    """Tell a day without games from a date that was not built; of a schedule that knows no game around it nothing is told."""
    around = {"first_date": game_date - AROUND, "last_date": game_date + AROUND}
    played = warehouse.query(GAME_DATES, around).column("game_date").to_pylist()
    return "no_games" if played and game_date not in played else "date_not_published"


def read_slate(warehouse: Warehouse, game_date: dt.date) -> Slate:
    """Return the slate; a date that is not published in the ledger has none."""
    entry = read_ledger(warehouse, STORE_TABLE).get(game_date)
    if entry is None or entry.state != PUBLISHED:
        blocked = entry is not None and entry.state == BLOCKED
        reasons = [reason for reason in (entry.reasons if entry else "").split(",") if reason]
        return Slate(game_date, {}, ("date_blocked", *reasons) if blocked else (_why_unpublished(warehouse, game_date),))
    rows = warehouse.query(SLATE, {"game_date": game_date}).to_pylist()
    differs = () if entry.definition_version == partition_definition(STORE_TABLE) else (DEFINITION_CHANGED,)
    return Slate(game_date, {row["player_lookup"]: row for row in rows}, (), differs)


def game_date_of(warehouse: Warehouse, game_id: str) -> dt.date:
    """Return the US Eastern date of a game; raise `UnknownNameError` when the schedule does not know it."""
    rows = warehouse.query(GAME, {"game_id": game_id}).column("game_date").to_pylist()
    if not rows:
        raise UnknownNameError("unknown game", [game_id], "a game is named by its ten-character game_id")
    date: dt.date = rows[0]
    return date


def expected_players(warehouse: Warehouse, slate: Slate, game_id: str) -> tuple[str, ...]:
    """Return the players expected in a game of the slate, with or without a published row."""
    rows = warehouse.query(GAME_PLAYERS, {"game_id": game_id, "game_date": slate.game_date})
    published = (player for player, row in slate.rows.items() if row["game_id"] == game_id)
    return tuple(sorted({*rows.column("player_lookup").to_pylist(), *published}))


def refuse_unknown_players(warehouse: Warehouse, slate: Slate, players: Sequence[str]) -> None:
    """Raise `UnknownNameError` for players that neither the slate nor the league knows."""
    off_slate = sorted(set(players) - set(slate.rows))
    if not off_slate:
        return
    sql = f"SELECT player_lookup FROM {PLAYERS} WHERE player_lookup IN UNNEST(@players)"
    known = set(warehouse.query(sql, {"players": off_slate}).column("player_lookup").to_pylist())
    unknown = [player for player in off_slate if player not in known]
    if unknown:
        raise UnknownNameError("unknown players", unknown, "a player is named by his player_lookup, for example lebronjames")
