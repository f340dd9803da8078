"""The readings of the canaries that look at rows of the store: one statement over the date and the days before it."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from quality.canaries import Canary, Reading, Watch, judged
from schemas.catalogue import Feature, load_catalogue
from schemas.rules import STORE_TABLE, load_rules
from warehouse.protocol import Warehouse

ALL_ROWS = "nba_predictions.v_ml_feature_store_v2_all"
SPREAD = "STDDEV_SAMP({value})"


def _value(feature: Feature) -> str:
    # Neither NaN nor an infinity is below the bound.
    return f"CASE WHEN feature_{feature.index}_source != 'default' AND ABS({feature.name}) < 1e300 THEN {feature.name} END"


def _filled(template: str, feature: Feature) -> str:
    return template.replace("{value}", _value(feature)).replace("{source}", f"feature_{feature.index}_source")


def watched_features(canary: Canary) -> tuple[Feature, ...]:
    """Return the features a canary looks at: all for their coverage, continuous ones and fatigue for their mean, those that must vary.

    Flags and counts of games follow the schedule: the first day of the playoffs is no drift.
    """
    features, gate = load_catalogue().features, load_rules().gate
    if canary.bad == "zero":
        return tuple(f for f in features if f.continuous and f.index not in gate.zero_variance_exempt)
    return tuple(f for f in features if not canary.count or f.continuous or f.index == gate.fatigue_index)


def figures_sql(watch: Watch) -> str:
    """Return the query of every reading of every date and fate, GoogleSQL; columns are named by canary and feature index."""
    columns = [f"{canary.measure} AS {canary.name}" for canary in watch.by_source("rows")]
    for canary in watch.by_source("features"):
        for feature in watched_features(canary):
            columns.append(f"{_filled(canary.measure, feature)} AS {canary.name}_{feature.index}")
    for feature in load_catalogue().features:
        columns.append(f"{_filled('COUNT({value})', feature)} AS n_{feature.index}")
        columns.append(f"{_filled(SPREAD, feature)} AS spread_{feature.index}")
    listed = ",\n  ".join(columns)
    return f"""SELECT
  game_date,
  is_blocked,
  COUNT(*) AS row_count,
  {listed}
FROM {ALL_ROWS}
WHERE game_date BETWEEN @start_date AND @end_date
GROUP BY game_date, is_blocked
ORDER BY game_date, is_blocked"""


def _number(value: Any) -> float | None:
    return float(value) if value is not None and math.isfinite(value) else None


def _past(days: Sequence[Mapping[str, Any]], column: str, counted: str | None, enough: int) -> list[float]:
    usable = [day for day in days if counted is None or (day[counted] or 0) >= enough]
    return [number for day in usable if (number := _number(day[column])) is not None]


def row_readings(warehouse: Warehouse, watch: Watch, game_date: dt.date) -> Iterator[Reading]:
    """Yield the readings over the rows of a date, blocked ones where it has no others, held against published dates before it.

    A feature with too few values on the date is not read.
    """
    first = game_date - dt.timedelta(days=watch.trailing_days)
    days = warehouse.query(figures_sql(watch), {"start_date": first, "end_date": game_date}).to_pylist()
    before = [day for day in days if day["game_date"] < game_date and not day["is_blocked"]]
    # Blocked rows of a later build are what is wrong with the date now.
    tonight = [day for day in days if day["game_date"] == game_date]
    if not tonight:
        return
    today, enough = tonight[-1], watch.min_values
    for canary in watch.by_source("rows"):
        value = _number(today[canary.name])
        if value is not None:
            yield judged(canary, value, _past(before, canary.name, None, 0), watch.min_dates, table=STORE_TABLE)
    for canary in watch.by_source("features"):
        for feature in watched_features(canary):
            counted = f"n_{feature.index}" if canary.count else None
            column = f"{canary.name}_{feature.index}"
            value = _number(today[column])
            if value is None or (counted and (today[counted] or 0) < enough):
                continue
            past = _past(before, column, counted, enough)
            spread = _number(today[f"spread_{feature.index}"])
            usual = _past(before, f"spread_{feature.index}", counted, enough)
            within = sum(usual) / len(usual) if usual else spread
            yield judged(canary, value, past, watch.min_dates, feature.name, STORE_TABLE, within)
