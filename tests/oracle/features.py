"""All features of a row by name, with default, range and label applied."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from schemas.catalogue import Feature, load_catalogue

from . import history, matchup, vegas
from .arithmetic import clamp, round_half_away
from .computed import Computed, Row
from .zones import ZoneTables, shot_share

STORED_DECIMALS = 6
FORMULAS: dict[str, Callable[[Row], Computed]] = {
    "points_avg_last_5": history.points_avg_last_5,
    "points_avg_last_10": history.points_avg_last_10,
    "points_avg_season": history.points_avg_season,
    "points_std_last_10": history.points_std_last_10,
    "games_in_last_7_days": history.games_in_last_7_days,
    "fatigue_score": matchup.fatigue_score,
    "pace_score": matchup.pace_score,
    "usage_spike_score": matchup.usage_spike_score,
    "rest_advantage": matchup.rest_advantage,
    "injury_risk": matchup.injury_risk,
    "recent_trend": history.recent_trend,
    "minutes_change": history.minutes_change,
    "opponent_def_rating": matchup.opponent_def_rating,
    "opponent_pace": matchup.opponent_pace,
    "home_away": matchup.home_away,
    "back_to_back": matchup.back_to_back,
    "playoff_game": matchup.playoff_game,
    "pct_paint": lambda row: shot_share(row, "paint"),
    "pct_mid_range": lambda row: shot_share(row, "mid_range"),
    "pct_three": lambda row: shot_share(row, "three"),
    "pct_free_throw": history.pct_free_throw,
    "team_pace": matchup.team_pace,
    "team_off_rating": matchup.team_off_rating,
    "team_win_pct": matchup.team_win_pct,
    "vegas_points_line": vegas.points_line,
    "vegas_opening_line": vegas.opening_line,
    "vegas_line_move": vegas.line_move,
    "has_vegas_line": vegas.has_line,
    "avg_points_vs_opponent": history.avg_points_vs_opponent,
    "games_vs_opponent": history.games_vs_opponent,
    "minutes_avg_last_10": history.minutes_avg_last_10,
    "ppm_avg_last_10": history.ppm_avg_last_10,
    "dnp_rate": history.dnp_rate,
    "pts_slope_10g": history.pts_slope_10g,
    "pts_vs_season_zscore": history.pts_vs_season_zscore,
    "breakout_flag": history.breakout_flag,
}


@dataclass(frozen=True)
class FeatureValue:
    """A feature as it should be stored.

    `value` is final (default or clamp applied, 6 decimals); `raw` is what the formula gave, its own clamp included, or
    None; `raw_type` says where the value came from and `reason` why it is not the primary one.
    """

    value: float | None
    raw: float | None
    raw_type: str
    reason: str | None
    sample_size: int | None


def all_features(row: Row, zones: ZoneTables) -> dict[str, FeatureValue]:
    """Return every feature of the catalogue, in its order."""
    formulas = {**FORMULAS, "shot_zone_mismatch_score": zones.mismatch}
    return {feature.name: finish(feature, formulas[feature.name](row)) for feature in load_catalogue().features}


def finish(feature: Feature, computed: Computed) -> FeatureValue:
    """Apply default, range, rounding and label to what the formula gave."""
    if computed.value is None:
        raw_type = "default" if feature.has_default else "missing"
        return FeatureValue(feature.default, None, raw_type, computed.reason, computed.sample_size)
    value = clamp(computed.value, feature.min, feature.max) if feature.clamped else computed.value
    return FeatureValue(
        float(round_half_away(value, STORED_DECIMALS)),
        float(computed.value),
        computed.raw_type or feature.primary_type,
        computed.reason,
        computed.sample_size,
    )
