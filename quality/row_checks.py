"""Row checks of the quality columns: contract, vocabularies and a recount of every counter and flag."""

from __future__ import annotations

from collections.abc import Iterator

from quality.checks import RowCheck, in_list, mask, quoted
from quality.feature_checks import feature_checks
from schemas.catalogue import Catalogue, load_catalogue
from schemas.contracts import TableContract, load_contracts
from schemas.rule_objects import Tier
from schemas.rules import STORE_TABLE, Rules, load_rules

HALF_CENT = 0.0050001
HALF_TENTH = 0.0500001


def tier_sql(column: str, tiers: tuple[Tier, ...]) -> str:
    """Return SQL for the tier of a quality column."""
    return "CASE " + " ".join(f"WHEN {column} >= {tier.lower} THEN '{tier.name}'" for tier in tiers) + " END"


def _category_masks(catalogue: Catalogue) -> dict[str, int]:
    return {category.name: mask(tuple(f.index for f in category.features)) for category in catalogue.categories}


def contract_checks(contract: TableContract, skip: frozenset[str]) -> Iterator[RowCheck]:
    """Yield what the contract promises of its columns: required, vocabulary, bounds; `skip` are judged elsewhere."""
    for column in contract.columns:
        if column.name in skip:
            continue
        name = column.name
        if column.required:
            yield RowCheck(f"null:{name}", name, f"{name} IS NULL")
        if column.values and not column.is_array:
            yield RowCheck(f"vocabulary:{name}", name, f"{name} IS NOT NULL AND {name} NOT IN {in_list(column.values)}")
        bounds = [f"{name} >= {column.min}"] * (column.min is not None) + [f"{name} <= {column.max}"] * (column.max is not None)
        if bounds:
            yield RowCheck(f"out_of_range:{name}", name, f"{name} IS NOT NULL AND NOT ({' AND '.join(bounds)})")


def _whole(category: int) -> str:
    return f"(default_mask & {category}) = {category}"


def _fallbacks(catalogue: Catalogue) -> str:
    return f"bit_count(phase3_mask & {mask(tuple(f.index for f in catalogue.where(primary_type='phase4')))})"


def alert_level_sql(catalogue: Catalogue, rules: Rules) -> str:
    """Return SQL for the alert level a row should have."""
    masks, red, yellow = _category_masks(catalogue), rules.red, rules.yellow
    reds = [
        f"matchup_quality_pct < {red.matchup_quality_pct_below}",
        f"feature_quality_score < {red.feature_quality_score_below}",
        f"bit_count(failed_mask) >= {red.failure_defaults_from}",
        *(_whole(masks[name]) for name in rules.critical_categories),
    ]
    yellows = [
        f"bit_count(failed_mask) >= {yellow.failure_defaults_from}",
        f"{_fallbacks(catalogue)} >= {yellow.phase3_fallbacks_from}",
        f"matchup_quality_pct < {yellow.matchup_quality_pct_below}",
        f"feature_quality_score < {yellow.feature_quality_score_below}",
    ]
    return f"CASE WHEN {' OR '.join(reds)} THEN 'red' WHEN {' OR '.join(yellows)} THEN 'yellow' ELSE 'green' END"


def structurally_red_sql(catalogue: Catalogue, rules: Rules) -> str:
    """Return SQL that is TRUE for a red row none of whose causes rests on a default of class failure."""
    masks, red = _category_masks(catalogue), rules.red
    failures = [
        f"bit_count(failed_mask) >= {red.failure_defaults_from}",
        f"(matchup_quality_pct < {red.matchup_quality_pct_below} AND (failed_mask & {masks['matchup']}) <> 0)",
        f"(feature_quality_score < {red.feature_quality_score_below} AND failed_mask <> 0)",
        *(f"({_whole(masks[name])} AND (failed_mask & {masks[name]}) <> 0)" for name in rules.critical_categories),
    ]
    return f"quality_alert_level = 'red' AND NOT ({' OR '.join(failures)})"


def _alerts_sql(catalogue: Catalogue, rules: Rules) -> str:
    """Return SQL for the alerts a row must carry, `stale_upstream` apart, whose penalty the row does not show."""
    masks, bounds = _category_masks(catalogue), rules.alert_thresholds
    required = len(catalogue.where(required=True))
    rate = f"(bit_count(required_default_mask) / {required}.0)"
    conditions = {
        **{quoted(f"all_{name}_features_defaulted"): _whole(masks[name]) for name in rules.category_names},
        "'composite_factors_missing'": f"(default_mask & {mask(rules.composite_indices)}) <> 0",
        "'opponent_defense_missing'": f"(default_mask & {mask(rules.opponent_defense_indices)}) <> 0",
        f"'high_default_rate_' || ROUND(100 * {rate})::INTEGER || 'pct'": f"{rate} > {bounds.high_default_rate_above}",
        "'critical_features_missing'": f"(default_mask & {mask(tuple(f.index for f in catalogue.where(critical=True)))}) <> 0",
        "'matchup_quality_critical'": f"matchup_quality_pct < {bounds.matchup_quality_pct_below}",
        "'game_context_quality_critical'": f"game_context_quality_pct < {bounds.game_context_quality_pct_below}",
        "'range_violation'": "out_of_range_mask <> 0",
    }
    items = ", ".join(f"CASE WHEN {condition} THEN {word} END" for word, condition in conditions.items())
    return f"list_sort(list_filter([{items}], lambda word: word IS NOT NULL))"


def _counts(catalogue: Catalogue, rules: Rules) -> Iterator[tuple[str, str]]:
    critical = mask(tuple(f.index for f in catalogue.where(critical=True)))
    optional = mask(tuple(f.index for f in catalogue.where(required=False)))
    for source in rules.canonical_sources:
        yield f"{source}_feature_count", f"bit_count({source}_mask)"
    yield "phase3_fallback_count", _fallbacks(catalogue)
    for name, bits in _category_masks(catalogue).items():
        yield f"{name}_default_count", f"bit_count(default_mask & {bits})"
    yield "required_default_count", "bit_count(required_default_mask)"
    yield "failure_default_count", "bit_count(failed_mask)"
    yield "critical_feature_count", f"{critical.bit_count()} - bit_count(default_mask & {critical})"
    yield "optional_feature_count", f"{optional.bit_count()} - bit_count(default_mask & {optional})"
    yield "training_quality_feature_count", "bit_count(training_mask)"
    yield "critical_features_training_quality", f"(training_mask & {critical}) = {critical}"
    yield "has_composite_factors", f"(default_mask & {mask(rules.composite_indices)}) = 0"
    yield "has_opponent_defense", f"(default_mask & {mask(rules.opponent_defense_indices)}) = 0"
    yield "quality_tier", tier_sql("feature_quality_score", rules.tiers)
    yield "matchup_quality_tier", tier_sql("matchup_quality_pct", rules.tiers)
    yield "game_context_quality_tier", tier_sql("game_context_quality_pct", rules.tiers)
    yield "quality_alert_level", alert_level_sql(catalogue, rules)
    yield "quality_schema_version", quoted(rules.quality_schema_version)
    yield "feature_schema_version", quoted(catalogue.schema_version)
    yield from _readiness(critical, rules)


def _readiness(critical: int, rules: Rules) -> Iterator[tuple[str, str]]:
    ready, training = rules.quality_ready, rules.training_ready
    yield (
        "is_quality_ready",
        f"quality_tier IN {in_list(ready.tiers)} AND feature_quality_score >= {ready.min_score} AND matchup_quality_pct >= "
        f"{ready.min_matchup_quality_pct} AND quality_alert_level NOT IN {in_list(ready.forbidden_alert_levels)}",
    )
    yield (
        "is_training_ready",
        f"quality_tier IN {in_list(training.tiers)} AND matchup_quality_pct >= {training.min_matchup_quality_pct} AND "
        f"player_history_quality_pct >= {training.min_player_history_quality_pct} AND "
        f"bit_count(default_mask & {critical}) <= {training.max_critical_defaults}",
    )


def recount_checks(catalogue: Catalogue, rules: Rules) -> Iterator[RowCheck]:
    """Yield one check per counter, percentage, tier, level and flag: it equals a recount of the per-feature columns."""
    for column, expected in _counts(catalogue, rules):
        yield RowCheck(f"recount:{column}", column, f"{column} IS DISTINCT FROM ({expected})")
    yield RowCheck("recount:feature_quality_score", "feature_quality_score", f"ABS(feature_quality_score - mean_quality) > {HALF_CENT}")
    for category in catalogue.categories:
        column = f"{category.name}_quality_pct"
        total = " + ".join(
            f"CASE WHEN (default_mask & {1 << f.index}) <> 0 THEN 0 ELSE feature_{f.index}_quality END" for f in category.features
        )
        yield RowCheck(f"recount:{column}", column, f"ABS({column} - ({total}) / {len(category.features)}.0) > {HALF_TENTH}")
    indices = f"list_filter(range(0, {len(catalogue.features)}), lambda i: (default_mask >> i) & 1 = 1)"
    stored = "list_sort(COALESCE(default_feature_indices, []))"
    yield RowCheck("recount:default_feature_indices", "default_feature_indices", f"{stored} IS DISTINCT FROM {indices}")
    others = "list_sort(list_filter(COALESCE(quality_alerts, []), lambda word: word <> 'stale_upstream'))"
    told = "(stale_mask = 0 OR list_contains(quality_alerts, 'stale_upstream'))"
    wrong = f"{others} IS DISTINCT FROM {_alerts_sql(catalogue, rules)} OR NOT {told}"
    yield RowCheck("recount:quality_alerts", "quality_alerts", wrong)
    games = "historical_completeness.games_expected = 0 OR 100.0 * historical_completeness.games_found"
    least = rules.production_ready.min_completeness_pct
    incomplete = f"NOT ({games} / historical_completeness.games_expected >= {least}) OR missing_processors <> ''"
    yield RowCheck("recount:is_production_ready", "is_production_ready", f"is_production_ready AND ({incomplete})")


def other_checks() -> Iterator[RowCheck]:
    """Yield the checks that belong to no single column: reasons, readable JSON, cutoff before tip-off."""
    reasons = "feature_fallback_reasons_json"
    yield RowCheck("unknown_reason", reasons, "reasons_bad")
    yield RowCheck("default_without_reason", reasons, "(default_mask & ~reason_mask) <> 0")
    yield RowCheck("unreadable:feature_value_ranges_valid_json", "feature_value_ranges_valid_json", "ranges_bad")
    yield RowCheck("unreadable:feature_sample_sizes_json", "feature_sample_sizes_json", "samples_bad")
    yield RowCheck("cutoff_after_tipoff", "event_timestamp", "event_timestamp >= tipoff_time")


def row_checks(catalogue: Catalogue | None = None, rules: Rules | None = None) -> tuple[RowCheck, ...]:
    """Return every check of a store row, built from catalogue, contract and rules."""
    catalogue, rules = catalogue or load_catalogue(), rules or load_rules()
    contract = load_contracts()[STORE_TABLE]
    per_feature = frozenset(f"feature_{f.index}_{part}" for f in catalogue.features for part in ("quality", "source"))
    recounts = tuple(recount_checks(catalogue, rules))
    # A recount refuses NULL and every word and figure but the right one.
    judged = per_feature | {check.column for check in recounts if check.column != "is_production_ready"}
    return (*contract_checks(contract, judged), *feature_checks(catalogue, rules), *recounts, *other_checks())
