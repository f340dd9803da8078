"""The oracle: rows, features and breakout inputs of any date, as known at one instant."""

from __future__ import annotations

from datetime import date, datetime
from functools import cache

from .arithmetic import round_half_away
from .breakout import breakout_inputs
from .computed import Row
from .features import STORED_DECIMALS, FeatureValue, all_features
from .games import Games
from .raw import RawData
from .rosters import RosterRow, Rosters
from .status import Availability
from .zones import ZoneTables


class Oracle:
    """Recompute what the store should hold, seen from the as-of instant (UTC), row by row."""

    def __init__(self, raw: RawData, as_of: datetime, cutoff_minutes: int = 60) -> None:
        self.raw = raw
        self.games = Games(raw, as_of)
        self.rosters = Rosters(self.games)
        self.availability = Availability(self.games, cutoff_minutes)
        self.zones = ZoneTables(self.games)
        self.roster = cache(self._roster)

    def _roster(self, day: date) -> list[RosterRow]:
        """Return the rows of the date in order of player."""
        return self.rosters.rows(day)

    def features(self, player_lookup: str, day: date) -> dict[str, FeatureValue]:
        """Return every feature of the player's row; raise `KeyError` when the date has no row for him."""
        return all_features(self._row(player_lookup, day), self.zones)

    def breakout(self, player_lookup: str, day: date) -> dict[str, float | None]:
        """Return the breakout inputs of the player's row, rounded to 6 decimals."""
        inputs = breakout_inputs(self._row(player_lookup, day))
        return {name: None if value is None else float(round_half_away(value, STORED_DECIMALS)) for name, value in inputs.items()}

    def _row(self, player: str, day: date) -> Row:
        for row in self.roster(day):
            if row.player_lookup == player:
                game = self.raw.games[row.game_id]
                return Row(self.games, self.rosters, self.availability, player, row.team, game)
        raise KeyError(f"no row for {player} on {day}")
