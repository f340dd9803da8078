"""What the quality of a range is, in one answer: tiers, levels, categories, the worst dates and features with reasons, the trend.

Two scans of flat columns answer it, whatever the range: the sums of each date, and the distinct texts of reasons.
"""

from __future__ import annotations

import datetime as dt
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from schemas.catalogue import Catalogue, load_catalogue
from schemas.rules import Rules, load_rules
from warehouse.protocol import Warehouse

DAILY = "SELECT * FROM nba_predictions.v_quality_daily WHERE game_date BETWEEN @start_date AND @end_date ORDER BY game_date, is_blocked"
REASONS = """
SELECT game_date, is_blocked, feature_fallback_reasons_json AS reasons, COUNT(*) AS row_count
FROM nba_predictions.v_ml_feature_store_v2_all
WHERE game_date BETWEEN @start_date AND @end_date AND (failure_default_count > 0 OR phase3_fallback_count > 0)
GROUP BY game_date, is_blocked, reasons
"""
SHOWN_DATES = 10
MOST_BUCKETS = 14


@dataclass(frozen=True)
class FeatureTrouble:
    """A feature that was not served from its primary source because something broke: how many rows, on how many dates."""

    feature: str
    category: str
    reason: str
    rows: int
    dates: int
    first_date: dt.date
    last_date: dt.date


@dataclass(frozen=True)
class DateTrouble:
    """A date that stands out: its fate, how its rows stand, and which features broke for which reason."""

    date: dt.date
    is_blocked: bool
    rows: int
    red_rows: int
    failure_defaults: int
    lowest_category: str
    lowest_category_pct: float
    alerts: tuple[str, ...]
    features: tuple[tuple[str, str, int], ...]


@dataclass(frozen=True)
class TrendPoint:
    """Means over some dates that follow each other."""

    label: str
    dates: int
    rows: int
    score: float
    matchup_pct: float
    red_share: float
    ready_share: float


@dataclass(frozen=True)
class CategorySummary:
    """Mean quality of a category over all rows, its share of defaults, and the date on which it was lowest."""

    category: str
    quality_pct: float
    default_share: float
    lowest_pct: float
    lowest_date: dt.date


@dataclass(frozen=True)
class QualitySummary:
    """Everything `nba-features quality` says of a range."""

    start: dt.date
    end: dt.date
    dates: int
    rows: int
    blocked_dates: tuple[dt.date, ...]
    tiers: Mapping[str, int]
    alert_levels: Mapping[str, int]
    quality_ready: int
    training_ready: int
    production_ready: int
    score: float
    categories: tuple[CategorySummary, ...]
    worst_dates: tuple[DateTrouble, ...]
    worst_features: tuple[FeatureTrouble, ...]
    trend: tuple[TrendPoint, ...]

    def as_dict(self) -> dict[str, Any]:
        """Return the summary for `--json`."""
        return asdict(self)


def failing_reasons(text: str, rules: Rules) -> dict[int, str]:
    """Return by index the reasons of class failure in a reasons text."""
    failures = set(rules.failure_reasons)
    return {int(index): reason for index, reason in json.loads(text).items() if reason in failures}


def _weighted(days: Sequence[Mapping[str, Any]], column: str) -> float:
    rows = sum(day["row_count"] for day in days)
    return round(sum(day[column] * day["row_count"] for day in days) / rows, 2) if rows else 0.0


def _category(name: str, days: Sequence[Mapping[str, Any]], catalogue: Catalogue) -> CategorySummary:
    column, rows = f"avg_{name}_quality_pct", sum(day["row_count"] for day in days)
    lowest = min(days, key=lambda day: (day[column], day["game_date"]))
    share = sum(day[f"{name}_default_count"] for day in days) / (rows * len(catalogue.category(name).features))
    return CategorySummary(name, _weighted(days, column), round(share, 4), lowest[column], lowest["game_date"])


def _bucket(date: dt.date, dates: int) -> str:
    if dates <= MOST_BUCKETS:
        return date.isoformat()
    return f"{date:%Y-%m}" if dates <= 400 else f"{date:%Y} Q{(date.month + 2) // 3}"


def _trend(days: Sequence[Mapping[str, Any]]) -> tuple[TrendPoint, ...]:
    number = len({day["game_date"] for day in days})
    groups: dict[str, list[Mapping[str, Any]]] = {}
    for day in days:
        groups.setdefault(_bucket(day["game_date"], number), []).append(day)
    points = []
    for label, group in groups.items():
        rows = sum(day["row_count"] for day in group)
        points.append(
            TrendPoint(
                label,
                len({day["game_date"] for day in group}),
                rows,
                _weighted(group, "avg_feature_quality_score"),
                _weighted(group, "avg_matchup_quality_pct"),
                round(sum(day["red_rows"] for day in group) / rows, 4),
                round(sum(day["quality_ready_rows"] for day in group) / rows, 4),
            )
        )
    return tuple(points)


def _alerts(day: Mapping[str, Any], catalogue: Catalogue) -> tuple[str, ...]:
    """Return what the counts of a day say of it, in the words of the row alerts."""
    rows = day["row_count"]
    told = [
        f"all_{category.name}_features_defaulted"
        for category in catalogue.categories
        if day[f"{category.name}_default_count"] == rows * len(category.features)
    ]
    told += ["composite_factors_missing"] * (day["composite_missing_rows"] == rows)
    told += ["opponent_defense_missing"] * (day["opponent_defense_missing_rows"] == rows)
    return tuple(told)


def _rank(day: Mapping[str, Any]) -> tuple[float, ...]:
    """Order the days: what was blocked first, then red rows where something broke, then whatever broke most."""
    rows, broken = day["row_count"], day["failure_default_count"]
    red = day["red_rows"] / rows if broken else 0.0
    return (-int(day["is_blocked"]), -red, -broken / rows, -day["phase3_fallback_count"] / rows)


def _worst_dates(
    days: Sequence[Mapping[str, Any]], broken: Mapping[tuple[dt.date, bool], Counter[tuple[int, str]]], catalogue: Catalogue
) -> tuple[DateTrouble, ...]:
    exempt = set(load_rules().red.whole_category_exempt)
    judged = [category.name for category in catalogue.categories if category.name not in exempt]
    troubled = [day for day in days if day["is_blocked"] or day["failure_default_count"] or day["phase3_fallback_count"]]
    found = []
    for day in sorted(troubled, key=lambda day: (*_rank(day), day["game_date"]))[:SHOWN_DATES]:
        lowest = min(judged, key=lambda name: day[f"avg_{name}_quality_pct"])
        counts = broken.get((day["game_date"], day["is_blocked"]), Counter())
        features = tuple((catalogue.features[index].name, reason, rows) for (index, reason), rows in counts.most_common(8))
        found.append(
            DateTrouble(
                day["game_date"],
                day["is_blocked"],
                day["row_count"],
                day["red_rows"],
                day["failure_default_count"],
                lowest,
                day[f"avg_{lowest}_quality_pct"],
                _alerts(day, catalogue),
                features,
            )
        )
    return tuple(found)


def _worst_features(broken: Mapping[tuple[dt.date, bool], Counter[tuple[int, str]]], catalogue: Catalogue) -> tuple[FeatureTrouble, ...]:
    rows: Counter[tuple[int, str]] = Counter()
    dates: dict[tuple[int, str], set[dt.date]] = {}
    for (date, _), counts in broken.items():
        rows.update(counts)
        for key in counts:
            dates.setdefault(key, set()).add(date)
    return tuple(
        FeatureTrouble(
            catalogue.features[index].name,
            catalogue.features[index].category,
            reason,
            count,
            len(dates[index, reason]),
            min(dates[index, reason]),
            max(dates[index, reason]),
        )
        for (index, reason), count in rows.most_common()
    )


def _broken(found: Iterable[Mapping[str, Any]], rules: Rules) -> dict[tuple[dt.date, bool], Counter[tuple[int, str]]]:
    read: dict[str, dict[int, str]] = {}
    broken: dict[tuple[dt.date, bool], Counter[tuple[int, str]]] = {}
    for row in found:
        text = row["reasons"]
        if text not in read:
            read[text] = failing_reasons(text, rules)
        counts = broken.setdefault((row["game_date"], row["is_blocked"]), Counter())
        for item in read[text].items():
            counts[item] += row["row_count"]
    return broken


def quality_summary(warehouse: Warehouse, start: dt.date, end: dt.date) -> QualitySummary | None:
    """Return the quality of all rows between two dates, published and blocked; None when there are none."""
    catalogue, rules, span = load_catalogue(), load_rules(), {"start_date": start, "end_date": end}
    days = warehouse.query(DAILY, span).to_pylist()
    if not days:
        return None
    broken = _broken(warehouse.query(REASONS, span).to_pylist(), rules)

    def total(column: str) -> int:
        return sum(day[column] for day in days)

    return QualitySummary(
        start=start,
        end=end,
        dates=len({day["game_date"] for day in days}),
        rows=total("row_count"),
        blocked_dates=tuple(day["game_date"] for day in days if day["is_blocked"]),
        tiers={tier: total(f"{tier}_rows") for tier in rules.tier_names},
        alert_levels={level: total(f"{level}_rows") for level in rules.alert_levels},
        quality_ready=total("quality_ready_rows"),
        training_ready=total("training_ready_rows"),
        production_ready=total("production_ready_rows"),
        score=_weighted(days, "avg_feature_quality_score"),
        categories=tuple(_category(category.name, days, catalogue) for category in catalogue.categories),
        worst_dates=_worst_dates(days, broken, catalogue),
        worst_features=_worst_features(broken, catalogue),
        trend=_trend(days),
    )
