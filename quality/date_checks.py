"""Date checks: figures of a whole slate, judged relative to what the slate calls for.

Values that count are those that are not default; statistics are judged only where enough of them exist.
"""

from __future__ import annotations

from collections.abc import Iterator

from quality.checks import WARNING, DateCheck
from schemas.catalogue import Catalogue, Feature, load_catalogue
from schemas.rules import Rules, load_rules

NOT_COLD = "rows > 0 AND NOT cold_start"
ASKED = "rows > 0 AND asked"


def aggregates(catalogue: Catalogue, rules: Rules, structurally_red: str) -> dict[str, str]:
    """Return the aggregates over the enriched rows of one date that the date checks speak of: SQL by alias."""
    columns = {
        "rows": "COUNT(*)",
        "players": "COUNT(DISTINCT player_lookup)",
        "games": "COUNT(DISTINCT game_id)",
        "sides": "COUNT(DISTINCT (game_id, team_abbr))",
        "red": "COUNT_IF(quality_alert_level = 'red')::BIGINT",
        "structurally_red": f"COUNT_IF({structurally_red})::BIGINT",
        "ready": "COUNT_IF(is_quality_ready)::BIGINT",
        "levels": "COUNT(quality_alert_level)",
        "readiness": "COUNT(is_quality_ready)",
        "matchup": "AVG(matchup_quality_pct)",
    }
    for category in catalogue.categories:
        columns[f"filled_{category.name}"] = f"COUNT_IF({category.name}_default_count < {len(category.features)})::BIGINT"
    for feature in catalogue.features:
        used = f"FILTER (feature_{feature.index}_source <> 'default' AND isfinite({feature.name}))"
        columns[f"n_{feature.index}"] = f"COUNT({feature.name}) {used}"
        columns[f"mean_{feature.index}"] = f"AVG({feature.name}) {used}"
        columns[f"std_{feature.index}"] = f"STDDEV_SAMP({feature.name}) {used}"
        if sample := rules.gate.zero_variance_min_sample.get(feature.index):
            used = f'{used[:-1]} AND samples."{feature.index}" >= {sample})'
        columns[f"span_{feature.index}"] = f"MAX({feature.name}) {used} - MIN({feature.name}) {used}"
        columns[f"spread_n_{feature.index}"] = f"COUNT({feature.name}) {used}"
        columns[f"teams_{feature.index}"] = f"COUNT(DISTINCT team_abbr) {used}"
    return columns


def _enough(feature: Feature, rules: Rules) -> str:
    return f"n_{feature.index} >= {rules.gate.spread_min_values}"


def _enough_to_vary(feature: Feature, rules: Rules) -> str:
    """Return the condition under which equal or close values are no coincidence."""
    condition = f"spread_n_{feature.index} >= {rules.gate.spread_min_values}"
    if feature.index in rules.gate.team_level_indices:
        condition += f" AND teams_{feature.index} >= {rules.gate.spread_min_teams}"
    return condition


def _slate(rules: Rules) -> Iterator[DateCheck]:
    yield DateCheck("no_rows", "player_lookup", "rows", "rows", low=1, applies="TRUE")
    difference = "rows - expected_rows"
    shown, limit = "rows", "expected_rows"
    yield DateCheck("rows_missing", "player_lookup", "rows_minus_expected", difference, low=0, applies=ASKED, shown=shown, limit=limit)
    yield DateCheck("rows_unexpected", "player_lookup", "rows_minus_expected", difference, high=0, applies=ASKED, shown=shown, limit=limit)
    yield DateCheck(
        "games_differ",
        "game_id",
        "games_minus_expected",
        "ABS(games - expected_games)",
        high=0,
        applies=ASKED,
        shown="games",
        limit="expected_games",
    )
    yield DateCheck("duplicate_key", "player_lookup,game_date", "repeated_keys", "rows - players", high=0)


def _readiness(catalogue: Catalogue, rules: Rules) -> Iterator[DateCheck]:
    gate = rules.gate
    yield DateCheck("red_share", "quality_alert_level", "red_share", "red / levels", high=gate.red_share_max, applies=NOT_COLD)
    yield DateCheck("matchup_mean", "matchup_quality_pct", "matchup_mean", "matchup", low=gate.matchup_mean_min, applies=NOT_COLD)
    for category in catalogue.categories:
        if category.name not in gate.whole_category_exempt:
            name = category.name
            value = f"filled_{name} / rows"
            column = f"{name}_default_count"
            yield DateCheck(f"category_defaulted:{name}", column, "share_with_a_value", value, low=0, above=True, applies=NOT_COLD)


def _spread(catalogue: Catalogue, rules: Rules) -> Iterator[DateCheck]:
    for feature in catalogue.features:
        span, std, code = f"span_{feature.index}", f"std_{feature.index}", feature.name
        if feature.continuous and feature.index not in rules.gate.zero_variance_exempt:
            yield DateCheck(
                f"zero_variance:{code}", code, "range_of_values", span, low=0, above=True, applies=_enough_to_vary(feature, rules)
            )
        if floor := rules.gate.std_floors.get(feature.index):
            yield DateCheck(f"low_spread:{code}", code, "standard_deviation", std, low=floor, applies=_enough_to_vary(feature, rules))


def _fatigue(catalogue: Catalogue, rules: Rules) -> Iterator[DateCheck]:
    feature, gate = catalogue.features[rules.gate.fatigue_index], rules.gate
    mean, applies = f"mean_{feature.index}", _enough(feature, rules)
    yield DateCheck(f"mean_too_low:{feature.name}", feature.name, "mean", mean, low=gate.fatigue_mean_min, applies=applies)
    yield DateCheck(f"mean_too_high:{feature.name}", feature.name, "mean", mean, high=gate.fatigue_mean_max, applies=applies)
    yield DateCheck(
        f"zero_variance:{feature.name}",
        feature.name,
        "range_of_values",
        f"span_{feature.index}",
        low=0,
        above=True,
        applies=applies,
        severity=WARNING,
    )


def _home_away(catalogue: Catalogue, rules: Rules) -> DateCheck:
    """Build the check of the home share, in units of its tolerance.

    With complete rosters the home share of a slate differs from one half only through the sizes of the two rosters of each
    game. If these differ by d rows (one standard deviation), the share of G games and N rows has the standard error
    d x sqrt(G) / 2N. A flag stuck at 0 or 1 is off by one half, far outside for any slate with enough rows. Games at a
    neutral site have no home side and lower the share to be expected.
    """
    feature, gate = catalogue.features[rules.gate.home_away_index], rules.gate
    expected = f"{gate.home_away_mean} * (expected_games - neutral_games) / expected_games"
    error = f"{gate.home_away_roster_difference} * SQRT(expected_games) / (2 * rows)"
    complete = "rows = expected_rows AND games = expected_games AND sides = 2 * expected_games"
    return DateCheck(
        f"home_share:{feature.name}",
        feature.name,
        "standard_errors_from_even",
        f"ABS(mean_{feature.index} - {expected}) / ({error})",
        high=gate.home_away_standard_errors,
        applies=f"{_enough(feature, rules)} AND {complete}",
        shown=f"mean_{feature.index}",
        limit=expected,
    )


def trailing_checks(catalogue: Catalogue, rules: Rules) -> Iterator[DateCheck]:
    """Yield the warnings against the trailing days; they apply where the baseline of the date has the figure."""
    gate, line = rules.gate, catalogue.features[min(rules.gate.positive_indices)]
    coverage = f"n_{line.index} / rows"
    yield DateCheck(
        f"coverage_drop:{line.name}",
        line.name,
        "drop_of_coverage",
        f"past_coverage - {coverage}",
        high=gate.coverage_drop_max,
        applies="rows > 0 AND past_coverage IS NOT NULL",
        shown=coverage,
        limit=f"past_coverage - {gate.coverage_drop_max}",
        severity=WARNING,
    )
    yield DateCheck(
        "ready_share_drop",
        "is_quality_ready",
        "drop_of_ready_share",
        "past_ready_share - ready / readiness",
        high=gate.ready_share_drop_max,
        applies="rows > 0 AND past_ready_share IS NOT NULL",
        shown="ready / readiness",
        limit=f"past_ready_share - {gate.ready_share_drop_max}",
        severity=WARNING,
    )
    for feature in catalogue.features:
        n, mean, past, std = (f"{part}_{feature.index}" for part in ("n", "mean", "past_mean", "past_std"))
        independent = f"teams_{feature.index}" if feature.index in gate.mean_shift_team_indices else n
        yield DateCheck(
            f"mean_shift:{feature.name}",
            feature.name,
            "standard_errors_from_trailing_mean",
            f"ABS({mean} - {past}) / ({std} / SQRT({independent}))",
            high=gate.mean_shift_max_standard_errors,
            applies=f"{_enough(feature, rules)} AND {std} > 0",
            shown=mean,
            limit=past,
            severity=WARNING,
        )


def date_checks(catalogue: Catalogue | None = None, rules: Rules | None = None, trailing: bool = False) -> tuple[DateCheck, ...]:
    """Return every check of a date; with `trailing` also the warnings against the trailing days."""
    catalogue, rules = catalogue or load_catalogue(), rules or load_rules()
    return (
        *_slate(rules),
        *_readiness(catalogue, rules),
        *_spread(catalogue, rules),
        *_fatigue(catalogue, rules),
        _home_away(catalogue, rules),
        *(trailing_checks(catalogue, rules) if trailing else ()),
    )
