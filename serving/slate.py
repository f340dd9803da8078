"""The slate of a game date: which players have a published row, and whether the date may be served at all."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from schemas.errors import UnknownNameError
from schemas.rules import STORE_TABLE
from serving.gate_facts import read_ledger
from serving.materialization_gate import BLOCKED, PUBLISHED
from warehouse.protocol import Warehouse

PLAYERS = "nba_raw.players"
SLATE = f"""
SELECT player_lookup, game_id, team_abbr, opponent_team_abbr, tipoff_time, event_timestamp, default_feature_indices
FROM {STORE_TABLE}
WHERE game_date = @game_date
ORDER BY player_lookup
"""


@dataclass(frozen=True)
class Slate:
    """Published rows of the date by player; empty, with the reasons, when the date may not be served."""

    game_date: dt.date
    rows: dict[str, dict[str, Any]]
    reasons: tuple[str, ...]


def read_slate(warehouse: Warehouse, game_date: dt.date) -> Slate:
    """Return the slate; a date that is not published in the ledger has none."""
    entry = read_ledger(warehouse, STORE_TABLE).get(game_date)
    if entry is None or entry.state != PUBLISHED:
        blocked = entry is not None and entry.state == BLOCKED
        reasons = [reason for reason in (entry.reasons if entry else "").split(",") if reason]
        return Slate(game_date, {}, ("date_blocked", *reasons) if blocked else ("date_not_published",))
    rows = warehouse.query(SLATE, {"game_date": game_date}).to_pylist()
    return Slate(game_date, {row["player_lookup"]: row for row in rows}, ())


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
