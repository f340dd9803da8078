"""The trailing days a date is compared with: coverage, ready share and the means of the features before it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from schemas.catalogue import load_catalogue
from schemas.rules import Rules, load_rules

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


def trailing_figures(
    connection: duckdb.DuckDBPyConnection, relation: str, dates: Iterable[dt.date], rules: Rules | None = None
) -> dict[dt.date, Trailing]:
    """Return the figures of the trailing days of each date from a relation of store rows.

    The days before a date are those of the rules, the date itself excluded; a date without any is left out.
    """
    catalogue, rules = load_catalogue(), rules or load_rules()
    line = catalogue.features[min(rules.gate.positive_indices)]
    sums, columns = [], []
    for feature in catalogue.features:
        i, used = feature.index, f"FILTER (feature_{feature.index}_source <> 'default' AND isfinite({feature.name}))"
        sums.append(f"COUNT({feature.name}) {used} AS n_{i}, SUM({feature.name}) {used} AS s_{i}, SUM({feature.name} ** 2) {used} AS q_{i}")
        mean = f"SUM(day.s_{i}) / NULLIF(SUM(day.n_{i}), 0)"
        columns.append(
            f"{mean} AS past_mean_{i}, SQRT(GREATEST(SUM(day.q_{i}) / NULLIF(SUM(day.n_{i}), 0) - ({mean}) ** 2, 0)) AS past_std_{i}"
        )
    sql = f"""WITH daily AS (
  SELECT game_date, COUNT({line.name}) / COUNT(*) AS coverage, COUNT_IF(is_quality_ready) / COUNT(*) AS ready_share, {", ".join(sums)}
  FROM {relation} GROUP BY game_date
)
SELECT asked.game_date, AVG(day.coverage) AS past_coverage, AVG(day.ready_share) AS past_ready_share, {", ".join(columns)}
FROM (SELECT UNNEST($dates) AS game_date) AS asked
JOIN daily AS day ON day.game_date < asked.game_date AND day.game_date >= asked.game_date - {rules.gate.trailing_days}
GROUP BY asked.game_date"""
    figures = {}
    for row in connection.execute(sql, {"dates": sorted(dates)}).to_arrow_table().to_pylist():
        means = {f.index: row[f"past_mean_{f.index}"] for f in catalogue.features if row[f"past_mean_{f.index}"] is not None}
        stds = {index: row[f"past_std_{index}"] for index in means}
        figures[row["game_date"]] = Trailing(row["past_coverage"], row["past_ready_share"], means, stds)
    return figures
