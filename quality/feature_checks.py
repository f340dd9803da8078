"""Row checks of the 37 features: value, range, label and quality of each, from the catalogue and the rules."""

from __future__ import annotations

from collections.abc import Iterator

from quality.checks import RowCheck, in_list
from schemas.catalogue import Catalogue, Feature
from schemas.rules import Rules

SAME = 1e-6
"""Values are written with six decimals: nearer than this is the same value."""


def legal_sources(feature: Feature, rules: Rules) -> tuple[str, ...]:
    """Return the canonical sources the feature can have: that of its primary type, default, and phase3 when it falls back to it."""
    sources = [rules.source_type(feature.primary_type).canonical, "default"]
    if feature.has_phase3_fallback:
        sources.append("phase3")
    return tuple(dict.fromkeys(sources))


def _most(feature: Feature, source: str, rules: Rules) -> int:
    """Return the best quality a value of that label can have."""
    if source == "default":
        return rules.source_type(rules.miss_type(feature)).weight
    if source == "phase3":
        return rules.source_type("phase3").weight
    return rules.source_type(feature.primary_type).weight


def _missing(feature: Feature, rules: Rules) -> RowCheck:
    name, source = feature.name, f"feature_{feature.index}_source"
    gone = f"({name} IS NULL OR isnan({name}))"
    if feature.has_default:
        return RowCheck(f"missing:{name}", name, gone)
    unexplained = f"{source} IS DISTINCT FROM 'default'"
    if feature.index in rules.gate.nullable_when_default:
        unexplained += f" OR (reason_mask & {1 << feature.index}) = 0"
    return RowCheck(f"missing:{name}", name, f"isnan({name}) IS TRUE OR ({name} IS NULL AND ({unexplained}))")


def _label(feature: Feature, catalogue: Catalogue, rules: Rules) -> RowCheck:
    name, source = feature.name, f"feature_{feature.index}_source"
    illegal = f"{source} NOT IN {in_list(legal_sources(feature, rules))}"
    if not feature.has_default:
        wrong = f"{name} IS NOT NULL"
    else:
        wrong = f"ABS({name} - {feature.default}) > {SAME}"
        if feature.fallback in catalogue.by_name:
            wrong = f"({wrong} AND COALESCE(ABS({name} - {feature.fallback}) > {SAME}, TRUE))"
    return RowCheck(f"label:{name}", source, f"{illegal} OR ({source} = 'default' AND {wrong})")


def _quality(feature: Feature, rules: Rules) -> RowCheck:
    column, source = f"feature_{feature.index}_quality", f"feature_{feature.index}_source"
    most = " ".join(f"WHEN '{label}' THEN {_most(feature, label, rules)}" for label in legal_sources(feature, rules))
    in_bounds = f"{column} BETWEEN 0 AND CASE {source} {most} ELSE 100 END"
    capped = f"({column} > {rules.penalties.range_cap} AND (out_of_range_mask & {1 << feature.index}) <> 0)"
    return RowCheck(f"quality:{feature.name}", column, f"NOT ({in_bounds}) OR {capped}")


def feature_checks(catalogue: Catalogue, rules: Rules) -> Iterator[RowCheck]:
    """Yield the checks of every feature.

    `missing` is a NULL or NaN that nothing explains, `out_of_range` a value outside the catalogue's range (infinite ones
    included), `label` a source the feature cannot have or a default that is not the default value, `quality` a quality
    above what its label allows.
    """
    for feature in catalogue.features:
        name = feature.name
        yield _missing(feature, rules)
        yield RowCheck(f"out_of_range:{name}", name, f"{name} IS NOT NULL AND NOT ({name} BETWEEN {feature.min} AND {feature.max})")
        yield _label(feature, catalogue, rules)
        yield _quality(feature, rules)
        if feature.index in rules.gate.positive_indices:
            yield RowCheck(f"zero_line:{name}", name, f"{name} IS NOT NULL AND {name} <= 0")
    for name in catalogue.breakout_inputs:
        yield RowCheck(f"out_of_range:{name}", name, f"{name} IS NOT NULL AND NOT isfinite({name})")
    yield _shares(catalogue, rules)
    flag, line = "has_vegas_line", "vegas_points_line"
    yield RowCheck(f"recount:{flag}", flag, f"{flag} <> CASE WHEN {line} IS NULL THEN 0 ELSE 1 END")


def _shares(catalogue: Catalogue, rules: Rules) -> RowCheck:
    names = [catalogue.features[index].name for index in rules.shares_indices]
    absent = " AND ".join(f"{name} IS NULL" for name in names)
    off = f"ABS({' + '.join(names)} - 1) > {rules.gate.shares_sum_tolerance + SAME}"
    return RowCheck("shares_sum", ",".join(names), f"NOT ({absent}) AND COALESCE({off}, TRUE)")
