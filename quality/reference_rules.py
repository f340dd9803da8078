"""The row rules in a few lines of plain Python: the second writing, independent of the SQL, that tests compare with it.

It takes for each feature what the value was made from, and nothing that the SQL computed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

from schemas.catalogue import Catalogue, Feature, load_catalogue
from schemas.errors import DefinitionError
from schemas.rules import Rules, load_rules


@dataclass(frozen=True)
class FeatureInput:
    """What one value was made from: raw source type, reason when it is not the primary one, sample, stale or clamped."""

    raw_type: str
    reason: str | None = None
    sample_size: int | None = None
    stale: bool = False
    clamped: bool = False


@dataclass(frozen=True)
class RowVerdict:
    """The quality columns of one row; tuples are in index order, mappings keyed by category."""

    qualities: tuple[float, ...]
    sources: tuple[str, ...]
    feature_quality_score: float
    quality_tier: str
    quality_alert_level: str
    quality_alerts: tuple[str, ...]
    category_quality_pct: Mapping[str, float]
    category_default_count: Mapping[str, int]
    source_counts: Mapping[str, int]
    default_feature_indices: tuple[int, ...]
    required_default_count: int
    failure_default_count: int
    phase3_fallback_count: int
    training_quality_feature_count: int
    has_composite_factors: bool
    has_opponent_defense: bool
    critical_features_training_quality: bool
    critical_feature_count: int
    optional_feature_count: int
    is_quality_ready: bool
    is_training_ready: bool


@dataclass(frozen=True)
class _Judged:
    """One feature with its quality and label."""

    feature: Feature
    given: FeatureInput
    quality: int
    source: str
    training: bool

    @property
    def is_default(self) -> bool:
        return self.source == "default"


def _rounded(total: int, count: int, places: str) -> float:
    return float((Decimal(total) / Decimal(count)).quantize(Decimal(places), ROUND_HALF_UP))


def _judge(feature: Feature, given: FeatureInput, rules: Rules) -> _Judged:
    raw = rules.source_type(given.raw_type)
    if given.reason is not None:
        rules.reason(given.reason)
    if raw.is_default and given.reason is None:
        raise DefinitionError("a default needs a reason", [feature.name])
    quality, window, sample = raw.weight, feature.window_games, given.sample_size
    if not raw.is_default:
        # A default has no game day and no sample behind it: only its base weight counts.
        if given.stale:
            quality -= rules.penalties.stale_points
        if window and sample is not None and sample < window * rules.penalties.thin_window_share:
            quality -= rules.penalties.thin_points
        if given.clamped:
            quality = min(quality, rules.penalties.range_cap)
    quality = max(quality, 0)
    enough = not window or (sample or 0) >= min(rules.training_quality.min_sample, window)
    good = quality >= rules.training_quality.min_quality and not raw.is_default and not given.clamped
    return _Judged(feature, given, quality, raw.canonical, good and enough)


def _alerts(judged: Iterable[_Judged], pct: Mapping[str, float], gone: Mapping[str, bool], rules: Rules) -> Iterable[str]:
    judged = tuple(judged)
    lost = {one.feature.index for one in judged if one.is_default}
    required = [one for one in judged if one.feature.required]
    share = Decimal(sum(one.is_default for one in required)) / len(required)
    yield from (f"all_{name}_features_defaulted" for name in rules.category_names if gone[name])
    if lost & set(rules.composite_indices):
        yield "composite_factors_missing"
    if lost & set(rules.opponent_defense_indices):
        yield "opponent_defense_missing"
    if share > Decimal(str(rules.alert_thresholds.high_default_rate_above)):
        yield f"high_default_rate_{(share * 100).quantize(Decimal(1), ROUND_HALF_UP)}pct"
    if any(one.is_default and one.feature.critical for one in judged):
        yield "critical_features_missing"
    if pct["matchup"] < rules.alert_thresholds.matchup_quality_pct_below:
        yield "matchup_quality_critical"
    if pct["game_context"] < rules.alert_thresholds.game_context_quality_pct_below:
        yield "game_context_quality_critical"
    if any(one.given.stale or one.given.reason == "stale_data" for one in judged):
        yield "stale_upstream"
    if any(one.given.clamped for one in judged):
        yield "range_violation"


def _alert_level(score: float, matchup: float, gone: Mapping[str, bool], failures: int, fallbacks: int, rules: Rules) -> str:
    red, yellow = rules.red, rules.yellow
    whole = any(lost for name, lost in gone.items() if name not in red.whole_category_exempt)
    if matchup < red.matchup_quality_pct_below or score < red.feature_quality_score_below or whole or failures >= red.failure_defaults_from:
        return "red"
    if failures >= yellow.failure_defaults_from or fallbacks >= yellow.phase3_fallbacks_from:
        return "yellow"
    if matchup < yellow.matchup_quality_pct_below or score < yellow.feature_quality_score_below:
        return "yellow"
    return "green"


def judge_row(features: Mapping[int, FeatureInput], catalogue: Catalogue | None = None, rules: Rules | None = None) -> RowVerdict:
    """Judge one row from what each of its features was made from.

    Tiers, levels and flags are judged on the rounded score and percentages, the figures a reader sees.

    Raises:
        UnknownNameError: an unknown source type or reason.
        DefinitionError: a feature is absent, or a default has no reason.
    """
    catalogue, rules = catalogue or load_catalogue(), rules or load_rules()
    if set(features) != {feature.index for feature in catalogue.features}:
        raise DefinitionError("a row has each feature once", set(features) ^ {feature.index for feature in catalogue.features})
    judged = tuple(_judge(feature, features[feature.index], rules) for feature in catalogue.features)
    members = {name: [one for one in judged if one.feature.category == name] for name in rules.category_names}
    pct = {name: _rounded(sum(0 if one.is_default else one.quality for one in group), len(group), "0.1") for name, group in members.items()}
    gone = {name: all(one.is_default for one in group) for name, group in members.items()}
    score = _rounded(sum(one.quality for one in judged), len(judged), "0.01")
    tier = rules.tier(score)
    required = [one for one in judged if one.feature.required and one.is_default]
    failures = sum(rules.reason(one.given.reason or "").is_failure for one in required)
    fallbacks = sum(one.feature.primary_type == "phase4" and one.given.raw_type == "phase3" for one in judged)
    level = _alert_level(score, pct["matchup"], gone, failures, fallbacks, rules)
    critical = [one for one in judged if one.feature.critical]
    lost = tuple(one.feature.index for one in judged if one.is_default)
    ready, training = rules.quality_ready, rules.training_ready
    return RowVerdict(
        qualities=tuple(float(one.quality) for one in judged),
        sources=tuple(one.source for one in judged),
        feature_quality_score=score,
        quality_tier=tier,
        quality_alert_level=level,
        quality_alerts=tuple(_alerts(judged, pct, gone, rules)),
        category_quality_pct=pct,
        category_default_count={name: sum(one.is_default for one in group) for name, group in members.items()},
        source_counts={name: sum(one.source == name for one in judged) for name in rules.canonical_sources},
        default_feature_indices=lost,
        required_default_count=len(required),
        failure_default_count=failures,
        phase3_fallback_count=fallbacks,
        training_quality_feature_count=sum(one.training for one in judged),
        has_composite_factors=not set(lost) & set(rules.composite_indices),
        has_opponent_defense=not set(lost) & set(rules.opponent_defense_indices),
        critical_features_training_quality=all(one.training for one in critical),
        critical_feature_count=sum(not one.is_default for one in critical),
        optional_feature_count=sum(not one.is_default for one in judged if not one.feature.required),
        is_quality_ready=(
            tier in ready.tiers
            and score >= ready.min_score
            and pct["matchup"] >= ready.min_matchup_quality_pct
            and level not in ready.forbidden_alert_levels
        ),
        is_training_ready=(
            tier in training.tiers
            and pct["matchup"] >= training.min_matchup_quality_pct
            and pct["player_history"] >= training.min_player_history_quality_pct
            and sum(one.is_default for one in critical) <= training.max_critical_defaults
        ),
    )
