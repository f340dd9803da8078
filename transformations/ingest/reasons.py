"""Why a source row was refused: a closed vocabulary."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

REASONS: Mapping[str, str] = MappingProxyType(
    {
        "missing_value": "a required value is NULL or NaN",
        "bad_value": "a value is outside its vocabulary or contradicts another value of the row",
        "out_of_range": "a number is infinite or outside the limits of the contract",
        "duplicate_key": "an earlier row of the delivery has the same key",
        "unparsable": "a value cannot be read as the type of its column",
        "unknown_game": "no game of the schedule fits the row's id, or its date and teams",
        "unknown_team": "the team is none of the league's, or none of the two of the game",
        "unknown_player": "no player of the box scores has that name or id",
        "no_player_named": "the row names nobody",
        "unpaired_game": "the game does not have exactly two teams",
        "unfinished_game": "the row belongs to a game without a result",
        "incomplete_game": "the rows of the game are plainly cut off, so no share may be computed from them",
    }
)
