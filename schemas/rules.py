"""The quality rules, loaded from `quality_rules.yaml` into frozen, validated objects.

Weights, vocabularies and thresholds in SQL and in Python all derive from this module.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

from schemas.catalogue import Catalogue, Feature, load_catalogue
from schemas.contracts import load_contracts
from schemas.errors import DefinitionError, UnknownNameError
from schemas.rule_objects import (
    CANONICAL_DEFAULT,
    AlertThresholds,
    BatchRules,
    FallbackReason,
    GateRules,
    Penalties,
    ProductionReady,
    QualityReady,
    RedRules,
    SeverityRule,
    SourceType,
    Tier,
    TrainingQuality,
    TrainingReady,
    YellowRules,
)
from schemas.yaml_files import read_yaml

RULES_FILE = Path(__file__).with_name("quality_rules.yaml")
STORE_TABLE = "nba_predictions.ml_feature_store_v2"
REASON_CLASSES = ("structural", "failure")
ALERT_LEVELS = ("green", "yellow", "red")


@dataclass(frozen=True)
class Rules:
    """All quality rules. Tiers and bands come highest first; vocabularies keep the order of the file."""

    quality_schema_version: str
    detail_version: str
    source_types: tuple[SourceType, ...]
    fallback_reasons: tuple[FallbackReason, ...]
    tiers: tuple[Tier, ...]
    penalties: Penalties
    training_quality: TrainingQuality
    composite_indices: tuple[int, ...]
    opponent_defense_indices: tuple[int, ...]
    shares_indices: tuple[int, ...]
    red: RedRules
    yellow: YellowRules
    alert_templates: tuple[str, ...]
    alert_thresholds: AlertThresholds
    quality_ready: QualityReady
    training_ready: TrainingReady
    production_ready: ProductionReady
    batch: BatchRules
    gate: GateRules
    phase4_jobs: tuple[str, ...]
    category_names: tuple[str, ...]

    @property
    def alert_levels(self) -> tuple[str, ...]:
        """Vocabulary of `quality_alert_level`, best first."""
        return ALERT_LEVELS

    @property
    def tier_names(self) -> tuple[str, ...]:
        """Vocabulary of the tiers, best first."""
        return tuple(tier.name for tier in self.tiers)

    @property
    def canonical_sources(self) -> tuple[str, ...]:
        """Vocabulary of `feature_N_source`."""
        return tuple(dict.fromkeys(source.canonical for source in self.source_types))

    @property
    def failure_reasons(self) -> tuple[str, ...]:
        """Reasons that mean something broke."""
        return tuple(reason.name for reason in self.fallback_reasons if reason.is_failure)

    @property
    def structural_reasons(self) -> tuple[str, ...]:
        """Reasons that are normal."""
        return tuple(reason.name for reason in self.fallback_reasons if not reason.is_failure)

    @property
    def alert_pattern(self) -> str:
        """Regular expression, anchored at both ends, of every legal alert."""
        categories = "(?:" + "|".join(self.category_names) + ")"
        parts = [re.escape(text).replace(r"\{category\}", categories).replace(r"\{percent\}", "[0-9]+") for text in self.alert_templates]
        return "^(?:" + "|".join(parts) + ")$"

    @property
    def critical_categories(self) -> tuple[str, ...]:
        """Categories whose loss makes a row red."""
        return tuple(name for name in self.category_names if name not in self.red.whole_category_exempt)

    def source_type(self, name: str) -> SourceType:
        """Return the raw source type of that name or raise `UnknownNameError`: an unknown type is never guessed."""
        for source in self.source_types:
            if source.name == name:
                return source
        raise UnknownNameError("unknown source type", [name], "known: " + ", ".join(s.name for s in self.source_types))

    def reason(self, name: str) -> FallbackReason:
        """Return the fallback reason of that name or raise `UnknownNameError`."""
        for reason in self.fallback_reasons:
            if reason.name == name:
                return reason
        raise UnknownNameError("unknown fallback reason", [name], "known: " + ", ".join(r.name for r in self.fallback_reasons))

    def tier(self, quality: float) -> str:
        """Return the tier of a quality between 0 and 100."""
        return _band(self.tiers, quality)

    def batch_band(self, score: float) -> str:
        """Return the band of a date's score between 0 and 100."""
        return _band(self.batch.bands, score)

    def miss_type(self, feature: Feature) -> str:
        """Return the raw type of the feature when nothing was found for it."""
        return CANONICAL_DEFAULT if feature.has_default else "missing"


def _band(bands: tuple[Tier, ...], value: float) -> str:
    for band in bands:
        if value >= band.lower:
            return band.name
    raise DefinitionError("a quality is below every band or not a number", [value])


def _build(cls: type[Any], row: Mapping[str, Any], what: str) -> Any:
    known = {f.name for f in fields(cls)}
    if unknown := set(row) - known:
        raise DefinitionError(f"unknown keys in {what} of quality_rules.yaml", unknown)
    frozen = {
        key: tuple(value) if isinstance(value, list) else MappingProxyType(dict(value)) if isinstance(value, dict) else value
        for key, value in row.items()
    }
    try:
        return cls(**frozen)
    except TypeError as error:
        raise DefinitionError(f"{what} of quality_rules.yaml lacks keys", [error]) from None


def _tiers(row: Mapping[str, float]) -> tuple[Tier, ...]:
    return tuple(sorted((Tier(name, float(lower)) for name, lower in row.items()), key=lambda tier: -tier.lower))


def _penalties(row: Mapping[str, Any]) -> Penalties:
    stale, thin, beyond = row["stale_data_48h"], row["thin_sample"], row["range_violation"]
    return Penalties(stale["points"], stale["lag_hours"], thin["points"], thin["window_share"], beyond["cap"])


def _batch(row: Mapping[str, Any]) -> BatchRules:
    return BatchRules(
        components=MappingProxyType(dict(row["components"])),
        freshness_points=tuple(row["freshness_points"]),
        row_completeness_points=tuple(sorted(row["row_completeness_points"].items(), reverse=True)),
        bands=_tiers(row["bands"]),
        prediction_min=row["prediction_min"],
        severities=tuple(_build(SeverityRule, {"name": name, **bounds}, "severities") for name, bounds in row["severities"].items()),
    )


def _rules(row: Mapping[str, Any], catalogue: Catalogue, phase4_jobs: tuple[str, ...]) -> Rules:
    reasons = row["fallback_reasons"].items()
    ready = row["readiness"]
    return Rules(
        quality_schema_version=row["quality_schema_version"],
        detail_version=row["detail_version"],
        source_types=tuple(_build(SourceType, {"name": name, **item}, "source_types") for name, item in row["source_types"].items()),
        fallback_reasons=tuple(FallbackReason(name, item["class"], item["description"]) for name, item in reasons),
        tiers=_tiers(row["tiers"]),
        penalties=_penalties(row["penalties"]),
        training_quality=_build(TrainingQuality, row["training_quality"], "training_quality"),
        composite_indices=tuple(row["composite_indices"]),
        opponent_defense_indices=tuple(row["opponent_defense_indices"]),
        shares_indices=tuple(row["shares_indices"]),
        red=_build(RedRules, row["alert_levels"]["red"], "red"),
        yellow=_build(YellowRules, row["alert_levels"]["yellow"], "yellow"),
        alert_templates=tuple(row["alerts"]),
        alert_thresholds=_build(AlertThresholds, row["alert_thresholds"], "alert_thresholds"),
        quality_ready=_build(QualityReady, ready["quality"], "readiness.quality"),
        training_ready=_build(TrainingReady, ready["training"], "readiness.training"),
        production_ready=_build(ProductionReady, ready["production"], "readiness.production"),
        batch=_batch(row["batch_score"]),
        gate=_build(GateRules, row["gate"], "gate"),
        phase4_jobs=phase4_jobs,
        category_names=tuple(category.name for category in catalogue.categories),
    )


def _problems(rules: Rules, catalogue: Catalogue) -> list[str]:
    store = load_contracts()[STORE_TABLE].by_name
    sources = {source.name for source in rules.source_types}
    reasons = {reason.name for reason in rules.fallback_reasons}
    indices = {feature.index for feature in catalogue.features}
    used = {
        *rules.composite_indices,
        *rules.opponent_defense_indices,
        *rules.shares_indices,
        *rules.gate.std_floors,
        *rules.gate.zero_variance_exempt,
        *rules.gate.team_level_indices,
        *rules.gate.mean_shift_team_indices,
        *rules.gate.zero_variance_min_sample,
        *rules.gate.nullable_when_default,
        rules.gate.fatigue_index,
        rules.gate.home_away_index,
    }
    problems = [f"weight of {s.name} is not 0 to 100" for s in rules.source_types if not 0 <= s.weight <= 100]
    problems += [f"unknown class of reason {r.name}" for r in rules.fallback_reasons if r.reason_class not in REASON_CLASSES]
    problems += [f"{f.name}: unknown primary_type {f.primary_type}" for f in catalogue.features if f.primary_type not in sources]
    problems += [f"{f.name}: unknown missing_reason {f.missing_reason}" for f in catalogue.features if f.missing_reason not in reasons]
    problems += [f"no feature has index {index}" for index in sorted(used - indices)]
    banded = (("tiers", rules.tiers), ("bands", rules.batch.bands))
    problems += [f"{name} has no band from 0" for name, bands in banded if bands[-1].lower != 0]
    if sum(rules.batch.components.values()) != 100:
        problems.append("the components of the batch score do not sum to 100")
    if len({feature.missing_reason for feature in catalogue.features} & set(rules.failure_reasons)) == 0:
        problems.append("no feature can fail")
    for column, words in (
        ("quality_tier", rules.tier_names),
        ("quality_alert_level", rules.alert_levels),
        ("feature_0_source", rules.canonical_sources),
    ):
        if set(store[column].values) != set(words):
            problems.append(f"{column} of the store's contract and the rules have different vocabularies")
    return problems


@lru_cache(maxsize=4)
def load_rules(path: Path = RULES_FILE) -> Rules:
    """Load and validate the rules; raise `DefinitionError` with every contradiction at once."""
    catalogue = load_catalogue()
    jobs = tuple(sorted(name for name, contract in load_contracts().items() if contract.phase == 4))
    try:
        rules = _rules(read_yaml(path), catalogue, jobs)
    except (KeyError, AttributeError) as error:
        raise DefinitionError("quality_rules.yaml lacks a section or key", [error]) from None
    if problems := _problems(rules, catalogue):
        raise DefinitionError("the quality rules are inconsistent", problems)
    return rules
