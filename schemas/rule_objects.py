"""What the quality rules are made of: source types, reasons, tiers, penalties, thresholds. Plain frozen objects."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

CANONICAL_DEFAULT = "default"


@dataclass(frozen=True)
class SourceType:
    """A raw source type: base quality 0-100 and the canonical type stored in `feature_N_source`."""

    name: str
    weight: int
    canonical: str
    description: str

    @property
    def is_default(self) -> bool:
        """TRUE when a value of this type counts as default."""
        return self.canonical == CANONICAL_DEFAULT


@dataclass(frozen=True)
class FallbackReason:
    """Why a value is not the primary one; `structural` is normal, `failure` means something broke."""

    name: str
    reason_class: str
    description: str

    @property
    def is_failure(self) -> bool:
        """TRUE when a value should exist and does not."""
        return self.reason_class == "failure"


@dataclass(frozen=True)
class Tier:
    """A band of quality with its lower bound, included."""

    name: str
    lower: float


@dataclass(frozen=True)
class Penalties:
    """Points taken off the base weight (never below 0), and the cap of a clamped value."""

    stale_points: int
    stale_lag_hours: int
    thin_points: int
    thin_window_share: float
    range_cap: int


@dataclass(frozen=True)
class TrainingQuality:
    """Bounds of `is_training_quality` of one feature."""

    min_quality: float
    min_sample: int


@dataclass(frozen=True)
class RedRules:
    """A row is red when one of these holds."""

    matchup_quality_pct_below: float
    feature_quality_score_below: float
    failure_defaults_from: int
    whole_category_exempt: tuple[str, ...]


@dataclass(frozen=True)
class YellowRules:
    """A row that is not red is yellow when one of these holds."""

    matchup_quality_pct_below: float
    feature_quality_score_below: float
    failure_defaults_from: int
    phase3_fallbacks_from: int


@dataclass(frozen=True)
class AlertThresholds:
    """Bounds of the alerts that have one."""

    high_default_rate_above: float
    matchup_quality_pct_below: float
    game_context_quality_pct_below: float


@dataclass(frozen=True)
class QualityReady:
    """What `is_quality_ready` asks for."""

    tiers: tuple[str, ...]
    min_score: float
    min_matchup_quality_pct: float
    forbidden_alert_levels: tuple[str, ...]


@dataclass(frozen=True)
class TrainingReady:
    """What `is_training_ready` asks for."""

    tiers: tuple[str, ...]
    min_matchup_quality_pct: float
    min_player_history_quality_pct: float
    max_critical_defaults: int


@dataclass(frozen=True)
class ProductionReady:
    """What `is_production_ready` asks for: completeness, not quality."""

    min_completeness_pct: float
    window_games: int
    all_phase4_inputs: bool


@dataclass(frozen=True)
class SeverityRule:
    """Bounds of one severity of a date; None where the severity has no such bound."""

    name: str
    score_below: float
    row_completeness_below: float | None = None
    fallback_above: float | None = None


@dataclass(frozen=True)
class BatchRules:
    """How a date is scored: components that sum to 100, bands and severities, worst severity first."""

    components: Mapping[str, int]
    freshness_points: tuple[int, ...]
    row_completeness_points: tuple[tuple[float, int], ...]
    bands: tuple[Tier, ...]
    prediction_min: float
    severities: tuple[SeverityRule, ...]


@dataclass(frozen=True)
class GateRules:
    """Thresholds of the gate over a date, and what a failed check of each severity does."""

    red_share_max: float
    matchup_mean_min: float
    spread_min_values: int
    std_floors: Mapping[int, float]
    zero_variance_exempt: tuple[int, ...]
    team_level_indices: tuple[int, ...]
    spread_min_teams: int
    zero_variance_min_sample: Mapping[int, int]
    fatigue_index: int
    fatigue_mean_min: float
    fatigue_mean_max: float
    shares_sum_tolerance: float
    home_away_index: int
    home_away_mean: float
    home_away_roster_difference: float
    home_away_standard_errors: float
    positive_indices: tuple[int, ...]
    nullable_when_default: tuple[int, ...]
    whole_category_exempt: tuple[str, ...]
    trailing_days: int
    coverage_drop_max: float
    mean_shift_max_standard_errors: float
    mean_shift_team_indices: tuple[int, ...]
    ready_share_drop_max: float
    constant_min_dates: int
    constant_window_days: int
    fates: Mapping[str, str]
    event_severities: Mapping[str, str]
    error_event_severity: str
