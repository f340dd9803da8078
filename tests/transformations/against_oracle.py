"""Rows of the store held against the independent oracle: roster, values, labels, reasons and breakout inputs."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from datetime import date
from typing import Any

from schemas.catalogue import load_catalogue
from tests.oracle.oracle import Oracle

TOLERANCE = 2e-6


def _apart(one: float | None, other: float | None) -> bool:
    if one is None or other is None:
        return one is not other
    return abs(one - other) > TOLERANCE


def roster_differences(rows: Collection[Mapping[str, Any]], oracle: Oracle, day: date) -> list[str]:
    """Return the players whose row, game, team, opponent or basis is not as the oracle says."""
    ours = {(row["player_lookup"], row["game_id"], row["team_abbr"], row["opponent_team_abbr"], row["roster_basis"]) for row in rows}
    its = {(row.player_lookup, row.game_id, row.team, row.opponent, row.basis) for row in oracle.roster(day)}
    return [f"{day}: {key} only in the store" for key in sorted(ours - its)] + [
        f"{day}: {key} only by the oracle" for key in sorted(its - ours)
    ]


def row_differences(row: Mapping[str, Any], oracle: Oracle) -> list[str]:
    """Return one line per value, raw type, reason and breakout input that differs."""
    player, day = row["player_lookup"], row["game_date"]
    found = []
    types, reasons = json.loads(row["feature_sources"]), json.loads(row["feature_fallback_reasons_json"])
    expected = oracle.features(player, day)
    for feature in load_catalogue().features:
        want, index = expected[feature.name], str(feature.index)
        if _apart(row[feature.name], want.value):
            found.append(f"{player} {day} {feature.name}: {row[feature.name]}, oracle {want}")
        if types[index] != want.raw_type:
            found.append(f"{player} {day} {feature.name}: labelled {types[index]}, oracle {want}")
        if reasons.get(index) != want.reason:
            found.append(f"{player} {day} {feature.name}: reason {reasons.get(index)}, oracle {want}")
    for name, value in oracle.breakout(player, day).items():
        if _apart(row[name], value):
            found.append(f"{player} {day} {name}: {row[name]}, oracle {value}")
    return found
