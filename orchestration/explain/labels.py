"""Features that rows do not have from their primary source, held against what is normal for the date."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Mapping
from functools import lru_cache

from orchestration.explain.facts import Facts, Label
from orchestration.explain.feeds import REPORTS
from orchestration.explain.findings import CategoryFinding, FeatureFinding
from quality.normal import Expected, expected_share
from schemas.catalogue import Feature, load_catalogue
from schemas.rules import load_rules

FEW_ROWS, FEW_SHARE = 2, 0.05


@lru_cache(maxsize=1)
def table_of_reason() -> Mapping[str, str]:
    """Return the table that each reason of class failure speaks of: where most features with that reason come from."""
    found: dict[str, Counter[str]] = {}
    for feature in load_catalogue().features:
        found.setdefault(feature.missing_reason, Counter())[feature.tables[0]] += 1
    mixed = ("upstream_row_missing", "stale_data")
    return {reason: counts.most_common(1)[0][0] for reason, counts in found.items() if reason not in mixed}


def table_behind(feature: Feature, reason: str) -> str:
    """Return the table to look at when a feature carries the reason.

    Old box scores and shots cost quality and leave the value; the feed that silences a value is that of injuries.
    """
    if reason == "stale_data":
        return REPORTS
    return table_of_reason().get(reason, feature.tables[0])


def _shares(facts: Facts, date: dt.date, wanted: Label) -> list[tuple[int, int]]:
    found = []
    for other in facts.comparisons[date].dates:
        counts = facts.labels.get((other, False))
        if counts:
            found.append((counts[wanted], sum(count for (index, _, _), count in counts.items() if index == wanted[0])))
    return found


def feature_findings(facts: Facts, date: dt.date) -> tuple[FeatureFinding, ...]:
    """Return every default and fallback of the date with its share and the normal one, faults first, then the most rows."""
    catalogue, rules = load_catalogue(), load_rules()
    day = facts.day(date)
    if day is None:
        return ()
    failures, found = set(rules.failure_reasons), []
    for (index, source, reason), count in facts.label_counts(date).items():
        if not reason:
            continue
        feature = catalogue.features[index]
        is_failure, share = reason in failures, count / day.rows
        compared = _shares(facts, date, (index, source, reason))
        expected = expected_share(compared, day.rows) if compared else Expected()
        # A failure with nothing to compare with is a fault; so is one that the compared dates did not have, however rare it is.
        # One or two rows among many are told with what is known already: nothing as large as a job or a feed fails for them alone.
        few = count <= FEW_ROWS and share <= FEW_SHARE
        unusual = expected.is_unusual(share) or (is_failure and (not expected.days or not expected.typical) and not few)
        table = table_behind(feature, reason)
        found.append(
            FeatureFinding(
                feature.name,
                feature.category,
                source,
                reason,
                rules.reason(reason).description,
                is_failure,
                count,
                round(share, 4),
                round(expected.typical, 4),
                round(expected.most, 4) if expected.days else 0.0,
                unusual,
                table,
            )
        )
    return tuple(sorted(found, key=lambda item: (not item.is_fault, not item.is_failure, -item.rows, item.feature)))


def category_findings(facts: Facts, date: dt.date, features: tuple[FeatureFinding, ...]) -> tuple[CategoryFinding, ...]:
    """Return each category with its quality, the usual one, and the features behind the difference."""
    day = facts.day(date)
    if day is None:
        return ()
    found = []
    for category in load_catalogue().categories:
        mine = tuple(item for item in features if item.category == category.name)
        found.append(
            CategoryFinding(
                category.name,
                day.categories[category.name],
                _usual_quality(facts, date, category.name),
                any(item.is_fault for item in mine),
                mine,
            )
        )
    return tuple(sorted(found, key=lambda item: (not item.is_unusual, item.quality_pct)))


def _usual_quality(facts: Facts, date: dt.date, category: str) -> float | None:
    """Return the mean quality of the category over the rows of the compared dates; None without any."""
    days = [facts.days[other] for other in facts.comparisons[date].dates if other in facts.days]
    rows = sum(day.rows for day in days)
    return round(sum(day.categories[category] * day.rows for day in days) / rows, 2) if rows else None
