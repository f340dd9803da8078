"""The questions people ask of a finished backfill, in the SQL they ask them in, find every row filled."""

from __future__ import annotations

import datetime as dt

import pytest

from schemas.rules import STORE_TABLE
from tests.backfill.site import Site

SEASONS = """
SELECT
  CASE
    WHEN game_date >= '2025-10-01' THEN '2025-26'
    WHEN game_date >= '2024-10-01' THEN '2024-25'
    WHEN game_date >= '2023-10-01' THEN '2023-24'
    WHEN game_date >= '2022-10-01' THEN '2022-23'
    WHEN game_date >= '2021-10-01' THEN '2021-22'
  END as season,
  COUNT(*) as total,
  COUNTIF(quality_alert_level IS NOT NULL) as backfilled,
  ROUND(COUNTIF(quality_alert_level IS NOT NULL) * 100.0 / COUNT(*), 1) as pct
FROM `nba_predictions.ml_feature_store_v2`
WHERE game_date >= '2021-10-01'
GROUP BY 1 ORDER BY 1
"""
NOT_BACKFILLED = """
SELECT game_date, COUNT(*) as total,
       COUNTIF(quality_alert_level IS NULL) as missing
FROM `nba_predictions.ml_feature_store_v2`
WHERE game_date BETWEEN '2021-11-01' AND '2026-06-30'
  AND quality_alert_level IS NULL
GROUP BY 1
ORDER BY missing DESC
LIMIT 20
"""
TIERS = """
SELECT quality_tier, quality_alert_level,
       COUNT(*) as records,
       ROUND(AVG(feature_quality_score), 1) as avg_score,
       ROUND(AVG(matchup_quality_pct), 1) as avg_matchup
FROM `nba_predictions.ml_feature_store_v2`
WHERE game_date >= '2021-11-01' AND quality_alert_level IS NOT NULL
GROUP BY 1, 2 ORDER BY 1, 2
"""
RED = """
SELECT game_date, COUNT(*) as records,
       COUNTIF(quality_alert_level = 'red') as red_alerts,
       COUNTIF(matchup_quality_pct < 50) as bad_matchup
FROM `nba_predictions.ml_feature_store_v2`
WHERE game_date >= '2021-11-01' AND quality_alert_level IS NOT NULL
GROUP BY 1
HAVING red_alerts > 0
ORDER BY 1 DESC LIMIT 10
"""
BY_MONTH = """
SELECT
  FORMAT_DATE("%Y-%m", game_date) as month,
  COUNT(*) as records,
  COUNTIF(historical_completeness.is_complete IS NOT NULL) as has_completeness,
  ROUND(COUNTIF(historical_completeness.is_complete IS NOT NULL) / COUNT(*) * 100, 1) as pct
FROM `nba_predictions.ml_feature_store_v2`
WHERE game_date >= "2021-11-01"
GROUP BY 1
ORDER BY 1
"""
MISSING = """
SELECT
  COUNTIF(historical_completeness.is_complete IS NULL) as missing,
  COUNT(*) as total,
  ROUND(COUNTIF(historical_completeness.is_complete IS NULL) / COUNT(*) * 100, 2) as pct_missing
FROM `nba_predictions.ml_feature_store_v2`
WHERE game_date >= "2021-11-01"
"""
GAPS = """
SELECT
  game_date,
  COUNT(*) as total,
  COUNTIF(historical_completeness.is_complete = true) as complete,
  COUNTIF(NOT historical_completeness.is_complete AND NOT historical_completeness.is_bootstrap) as data_gaps,
  COUNTIF(historical_completeness.is_bootstrap) as bootstrap
FROM `nba_predictions.ml_feature_store_v2`
WHERE game_date >= "2021-11-01"
GROUP BY 1
HAVING data_gaps > 0
ORDER BY 1
"""
CONTRIBUTING = """
SELECT
  game_date,
  player_lookup,
  historical_completeness.games_found,
  ARRAY_LENGTH(historical_completeness.contributing_game_dates) as num_dates
FROM `nba_predictions.ml_feature_store_v2`
WHERE game_date = "{date}"
LIMIT 500
"""


def test_FM45_every_question_finds_every_row_filled(site: Site) -> None:
    rows = site.warehouse.query(f"SELECT COUNT(*) AS n, MAX(game_date) AS newest FROM {STORE_TABLE}").to_pylist()[0]
    seasons, months = site.warehouse.query(SEASONS).to_pylist(), site.warehouse.query(BY_MONTH).to_pylist()
    assert {row["season"] for row in seasons} == {"2023-24", "2024-25"}
    assert sum(row["total"] for row in seasons) == rows["n"] > 0
    assert {row["pct"] for row in (*seasons, *months)} == {100.0}
    assert [row["month"] for row in months] == sorted({f"{date:%Y-%m}" for date in site.dates()})
    assert site.warehouse.query(NOT_BACKFILLED).num_rows == 0
    assert sum(row["records"] for row in site.warehouse.query(TIERS).to_pylist()) <= rows["n"]
    assert all(row["red_alerts"] for row in site.warehouse.query(RED).to_pylist())
    (found,) = site.warehouse.query(MISSING).to_pylist()
    assert (found["missing"], found["pct_missing"]) == (0, 0.0) and found["total"] > 0
    assert site.warehouse.query(GAPS).to_pylist() == []
    contributing = site.warehouse.query(CONTRIBUTING.format(date=rows["newest"])).to_pylist()
    assert contributing
    assert all(row["games_found"] == row["num_dates"] for row in contributing)
    assert max(row["num_dates"] for row in contributing) > 0


@pytest.mark.parametrize("column", ["quality_alert_level", "historical_completeness"])
def test_a_row_that_was_not_filled_is_found(site: Site, column: str) -> None:
    """The same questions of rows in which the column was left empty."""
    import pyarrow as pa

    day = site.warehouse.query(f"SELECT MAX(game_date) AS day FROM {STORE_TABLE}").to_pylist()[0]["day"]
    assert isinstance(day, dt.date)

    def emptied(rows: pa.Table) -> pa.Table:
        place = rows.column_names.index(column)
        return rows.set_column(place, column, pa.nulls(rows.num_rows, rows.schema.field(column).type))

    site.replace(STORE_TABLE, day, emptied)
    if column == "quality_alert_level":
        assert [row["game_date"] for row in site.warehouse.query(NOT_BACKFILLED).to_pylist()] == [day]
    else:
        assert site.warehouse.query(MISSING).to_pylist()[0]["missing"] > 0
