"""Entities: a row answers for one player in one game, so both are in the key."""

from __future__ import annotations

from feast import Entity, ValueType

player = Entity(
    name="player",
    join_keys=["player_lookup"],
    value_type=ValueType.STRING,
    description="A player, by his normalised name",
)

# The game is part of the key so that yesterday's row can never answer for tonight's opponent. Always ten characters:
# BigQuery's template joins the key parts without a separator.
game = Entity(
    name="game",
    join_keys=["game_id"],
    value_type=ValueType.STRING,
    description="A game, by its ten-character id",
)
