"""The quality of one player's rows: each with its score, its level, and which features are not the real thing and why."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import asdict, dataclass
from typing import Any

from schemas.catalogue import load_catalogue
from schemas.errors import UnknownNameError
from schemas.rules import load_rules
from warehouse.protocol import Warehouse

ROWS = """
SELECT
  game_date, opponent_team_abbr, is_blocked, feature_quality_score, quality_tier, quality_alert_level, quality_alerts,
  is_quality_ready, is_training_ready, matchup_quality_pct, player_history_quality_pct, required_default_count,
  failure_default_count, feature_fallback_reasons_json
FROM nba_predictions.v_ml_feature_store_v2_all
WHERE player_lookup = @player AND game_date BETWEEN @start_date AND @end_date
ORDER BY game_date, is_blocked
"""
KNOWN = "SELECT COUNT(*) AS n FROM nba_predictions.v_ml_feature_store_v2_all WHERE player_lookup = @player"


@dataclass(frozen=True)
class PlayerRow:
    """One row of the player."""

    date: dt.date
    opponent: str
    is_blocked: bool
    score: float
    tier: str
    alert_level: str
    alerts: tuple[str, ...]
    is_quality_ready: bool
    is_training_ready: bool
    matchup_pct: float
    player_history_pct: float
    required_defaults: int
    failure_defaults: int
    reasons: tuple[tuple[str, str, str], ...]
    """Feature, reason and class of the reason, in index order."""

    def as_dict(self) -> dict[str, Any]:
        """Return the row for `--json`."""
        return asdict(self)


def _reasons(text: str) -> tuple[tuple[str, str, str], ...]:
    features, rules = load_catalogue().features, load_rules()
    items = sorted((int(index), reason) for index, reason in json.loads(text).items())
    return tuple((features[index].name, reason, rules.reason(reason).reason_class) for index, reason in items)


def player_summary(warehouse: Warehouse, player: str, start: dt.date, end: dt.date) -> tuple[PlayerRow, ...]:
    """Return the rows of a player between two dates, oldest first, published and blocked.

    Raises:
        UnknownNameError: the store holds no row of the player on any date.
    """
    found = warehouse.query(ROWS, {"player": player, "start_date": start, "end_date": end}).to_pylist()
    if not found and not warehouse.query(KNOWN, {"player": player}).to_pylist()[0]["n"]:
        raise UnknownNameError(
            "the store has no row of the player", [player], "player keys are letters and digits only, such as lebronjames"
        )
    return tuple(
        PlayerRow(
            row["game_date"],
            row["opponent_team_abbr"],
            row["is_blocked"],
            row["feature_quality_score"],
            row["quality_tier"],
            row["quality_alert_level"],
            tuple(row["quality_alerts"] or ()),
            row["is_quality_ready"],
            row["is_training_ready"],
            row["matchup_quality_pct"],
            row["player_history_quality_pct"],
            row["required_default_count"],
            row["failure_default_count"],
            _reasons(row["feature_fallback_reasons_json"]),
        )
        for row in found
    )
