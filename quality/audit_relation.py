"""The audit relation: one row per date with, for each row check, the rows that violate it and, for each date check, its value.

It is computed in one statement over all dates of a range, so that a range costs one scan and every failure is already
attributed to its date.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from quality.checks import DateCheck, RowCheck
from quality.date_checks import aggregates
from quality.enriched_rows import enriched_rows
from quality.row_checks import structurally_red_sql
from quality.trailing import Trailing, past_columns
from schemas.catalogue import Catalogue
from schemas.rules import Rules

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa


@dataclass(frozen=True)
class ExpectedSlate:
    """What the schedule and the rosters call for on a date; a game at a neutral site has no home side."""

    roster_rows: int
    games: int
    neutral_games: int = 0


def _parameters(expected: Mapping[dt.date, ExpectedSlate], trailing: Mapping[dt.date, Trailing] | None) -> dict[str, Any]:
    dates = sorted(expected)
    parameters: dict[str, Any] = {
        "dates": dates,
        "expected_rows": [expected[date].roster_rows for date in dates],
        "expected_games": [expected[date].games for date in dates],
        "neutral_games": [expected[date].neutral_games for date in dates],
    }
    if trailing is not None:
        nothing = Trailing()
        rows = [trailing.get(date, nothing).as_row() for date in dates]
        parameters |= {name: [row.get(name) for row in rows] for name in past_columns()}
    return parameters


def _selected(checks: Sequence[DateCheck]) -> Iterator[str]:
    for check in checks:
        yield f"({check.applies}) IS TRUE AS applies__{check.name}"
        yield f"CASE WHEN {check.applies} THEN ({check.value})::DOUBLE END AS {check.name}"
        yield f"CASE WHEN {check.applies} THEN ({check.shown or check.value})::DOUBLE END AS shown__{check.name}"
        yield f"CASE WHEN {check.applies} THEN ({check.limit or check.bound})::DOUBLE END AS limit__{check.name}"


def _words(checks: Sequence[DateCheck]) -> set[str]:
    """Return the words in the SQL of the checks: an aggregate nobody speaks of is not computed."""
    texts = (text for check in checks for text in (check.value, check.applies, check.shown, check.limit) if text)
    return {word for text in texts for word in re.findall(r"\w+", text)}


def audit_sql(
    relation: str, rows: Sequence[RowCheck], dates: Sequence[DateCheck], asked: Sequence[str], catalogue: Catalogue, rules: Rules
) -> str:
    """Return the statement that computes the audit relation; `asked` names the parameters, one list per column of the slate."""
    counted = [f"COUNT_IF(COALESCE({check.violated}, TRUE))::BIGINT AS {check.name}" for check in rows]
    spoken_of = {"rows", "red", "structurally_red"} | _words(dates)
    figures = aggregates(catalogue, rules, structurally_red_sql(catalogue, rules))
    summed = [f"{sql} AS {alias}" for alias, sql in figures.items() if alias in spoken_of]
    columns = [
        "COALESCE(slate.dates, by_date.game_date) AS game_date",
        "slate.dates IS NOT NULL AS asked",
        "COALESCE(by_date.rows, 0) AS rows",
        "COALESCE(by_date.red > 0 AND by_date.red = by_date.structurally_red, FALSE) AS cold_start",
        *(f"COALESCE({check.name}, 0) AS {check.name}" for check in rows),
        *(f"slate.{name}" for name in asked if name != "dates"),
        "by_date.* EXCLUDE (game_date, rows, " + ", ".join(check.name for check in rows) + ")"
        if rows
        else "by_date.* EXCLUDE (game_date, rows)",
    ]
    kept = ["game_date", "asked", "rows", "cold_start", *(check.name for check in rows), *_selected(dates)]
    separator = ",\n  "
    return f"""WITH {enriched_rows(relation, catalogue, rules)},
by_date AS (
  SELECT
  game_date,
  {separator.join(summed + counted)}
  FROM enriched
  GROUP BY game_date
),
slate AS (
  SELECT {", ".join(f"UNNEST(${name}) AS {name}" for name in asked)}
),
dated AS (
  SELECT
  {separator.join(columns)}
  FROM slate
  FULL OUTER JOIN by_date ON by_date.game_date = slate.dates
)
SELECT
  {separator.join(kept)}
FROM dated
ORDER BY game_date"""


def audit_relation(
    connection: duckdb.DuckDBPyConnection,
    relation: str,
    expected: Mapping[dt.date, ExpectedSlate],
    rows: Sequence[RowCheck],
    dates: Sequence[DateCheck],
    catalogue: Catalogue,
    rules: Rules,
    trailing: Mapping[dt.date, Trailing] | None = None,
) -> pa.Table:
    """Return the audit relation as Arrow: a row per date asked for or found, in date order; NULL date last."""
    parameters = _parameters(expected, trailing)
    sql = audit_sql(relation, rows, dates, tuple(parameters), catalogue, rules)
    return connection.execute(sql, parameters).to_arrow_table()
