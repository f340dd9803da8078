"""The trailing days a date is compared with: coverage, ready share and the means of the features before it."""

from __future__ import annotations

import datetime as dt
import math
from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from schemas.catalogue import load_catalogue
from schemas.rules import STORE_TABLE, Rules, load_rules
from warehouse.protocol import Staged, Warehouse

if TYPE_CHECKING:
    import duckdb


@dataclass(frozen=True)
class Trailing:
    """Figures of the days before a date; None where there is nothing to compare with.

    `coverage` is the share of rows with a points line, `ready_share` that of rows ready to serve, both means over dates.
    `means` and `stds` are over the rows that are not default, by feature index.
    """

    coverage: float | None = None
    ready_share: float | None = None
    means: Mapping[int, float] = field(default_factory=dict)
    stds: Mapping[int, float] = field(default_factory=dict)

    def as_row(self) -> dict[str, float | None]:
        """Return the figures by the column name the checks use."""
        row: dict[str, float | None] = {"past_coverage": self.coverage, "past_ready_share": self.ready_share}
        row |= {f"past_mean_{index}": value for index, value in self.means.items()}
        return row | {f"past_std_{index}": value for index, value in self.stds.items()}


def past_columns() -> tuple[str, ...]:
    """Return the names of all columns of `Trailing.as_row`."""
    indices = [feature.index for feature in load_catalogue().features]
    return ("past_coverage", "past_ready_share", *(f"past_{part}_{index}" for part in ("mean", "std") for index in indices))


def daily_sql(relation: str) -> str:
    """Return the query of the sums of each date, in words that GoogleSQL and DuckDB read alike."""
    catalogue, rules = load_catalogue(), load_rules()
    line = catalogue.features[min(rules.gate.positive_indices)]
    sums = []
    for feature in catalogue.features:
        i, name = feature.index, feature.name
        # Neither NaN nor an infinity is below the bound.
        used = f"CASE WHEN feature_{i}_source <> 'default' AND ABS({name}) < 1e300 THEN {name} END"
        sums.append(f"COUNT({used}) AS n_{i}, SUM({used}) AS s_{i}, SUM({used} * {used}) AS q_{i}")
    ready = "SUM(CASE WHEN is_quality_ready THEN 1 ELSE 0 END) / COUNT(*) AS ready_share"
    return f"SELECT game_date, COUNT({line.name}) / COUNT(*) AS coverage, {ready}, {', '.join(sums)} FROM {relation} GROUP BY game_date"


def _summed(rows: Sequence[Mapping[str, Any]], name: str) -> float:
    return float(sum(row[name] or 0 for row in rows))


def _trailing(rows: Sequence[Mapping[str, Any]]) -> Trailing:
    means, stds = {}, {}
    for feature in load_catalogue().features:
        i = feature.index
        n = _summed(rows, f"n_{i}")
        if n:
            means[i] = _summed(rows, f"s_{i}") / n
            stds[i] = math.sqrt(max(_summed(rows, f"q_{i}") / n - means[i] ** 2, 0.0))
    return Trailing(_summed(rows, "coverage") / len(rows), _summed(rows, "ready_share") / len(rows), means, stds)


def trailing_of(daily: Iterable[Mapping[str, Any]], dates: Iterable[dt.date], rules: Rules | None = None) -> dict[dt.date, Trailing]:
    """Return the figures of the trailing days of each date from the sums of each day; a date without any is left out."""
    days = dt.timedelta(days=(rules or load_rules()).gate.trailing_days)
    by_date = sorted((row["game_date"], row) for row in daily)
    keys = [key for key, _ in by_date]
    figures = {}
    for date in sorted(set(dates)):
        rows = [row for _, row in by_date[bisect_left(keys, date - days) : bisect_left(keys, date)]]
        if rows:
            figures[date] = _trailing(rows)
    return figures


def trailing_figures(
    connection: duckdb.DuckDBPyConnection, relation: str, dates: Iterable[dt.date], rules: Rules | None = None
) -> dict[dt.date, Trailing]:
    """Return the figures of the trailing days of each date from a relation of store rows.

    The days before a date are those of the rules, the date itself excluded; a date without any is left out.
    """
    return trailing_of(connection.execute(daily_sql(relation)).to_arrow_table().to_pylist(), dates, rules)


def warehouse_trailing(warehouse: Warehouse, staged: Staged | None, dates: Sequence[dt.date]) -> dict[dt.date, Trailing]:
    """Return the trailing figures of each date from the published rows before the range and the rows of the range itself."""
    first, last = min(dates), max(dates)
    span = f"(SELECT * FROM {STORE_TABLE} WHERE game_date BETWEEN @start_date AND @end_date) AS spanned"
    before = {"start_date": first - dt.timedelta(days=load_rules().gate.trailing_days), "end_date": first - dt.timedelta(days=1)}
    daily = warehouse.query(daily_sql(span), before).to_pylist()
    daily += warehouse.query(daily_sql(span), {"start_date": first, "end_date": last}, [staged] if staged else []).to_pylist()
    return trailing_of(daily, dates)
