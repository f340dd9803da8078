"""How complete the history behind a row is: found, expected, available, and what is a gap."""

from __future__ import annotations

import datetime as dt

import pytest

from backfill.completeness import completeness
from orchestration.build import build_table
from schemas.rules import STORE_TABLE
from tests.backfill.site import Site, with_values

CACHE = "nba_precompute.player_daily_cache"
YEAR = dt.timedelta(days=365)


def played(site: Site) -> dict[str, list[dt.date]]:
    """Return the dates on which each player played, oldest first."""
    found: dict[str, list[dt.date]] = {}
    sql = """
SELECT b.player_lookup, b.game_date FROM nba_raw.player_boxscores AS b
JOIN nba_raw.schedule AS s ON s.game_id = b.game_id
WHERE b.points IS NOT NULL AND b.minutes IS NOT NULL AND s.season_type IN ('regular', 'play_in', 'playoffs', 'cup_final')
ORDER BY b.game_date
"""
    for row in site.warehouse.query(sql).to_pylist():
        found.setdefault(row["player_lookup"], []).append(row["game_date"])
    return found


def test_FM36_games_are_counted_over_365_days_and_a_veteran_who_was_away_is_no_gap(site: Site) -> None:
    games = played(site)
    rows = site.store_rows()
    veterans = bootstraps = 0
    for (player, date), row in rows.items():
        past = [day for day in games.get(player, []) if date - YEAR <= day < date]
        found = row["historical_completeness"]
        assert found["games_available"] == len(past)
        assert found["games_expected"] == min(10, len(past))
        assert found["games_found"] == min(10, len(past))
        assert (found["contributing_game_dates"] or []) == past[-10:][::-1]
        assert found["is_complete"]
        assert found["is_bootstrap"] == (len(past) < 10)
        if past and (date - past[-1]).days > 90:
            veterans += len(past) >= 10
            bootstraps += len(past) < 10
    assert veterans
    assert bootstraps
    measured = completeness(site.warehouse, min(date for _, date in rows), max(date for _, date in rows))
    assert measured.totals()["rows"] == measured.totals()["complete"] == len(rows)
    assert measured.gaps == ()


def test_a_row_whose_cache_lacks_two_of_ten_games_is_a_gap_and_not_production_ready(site: Site) -> None:
    date = site.dates()[-3]
    victims: list[str] = []

    def lose_two(cache):  # type: ignore[no-untyped-def]
        row = cache["games_last_10"].to_pylist().index(10)
        victims.append(cache["player_lookup"][row].as_py())
        kept = cache["contributing_game_dates"][row].as_py()[:8]
        return with_values(with_values(cache, "games_last_10", {row: 8}), "contributing_game_dates", {row: kept})

    site.replace(CACHE, date, lose_two)
    built = build_table(site.warehouse, STORE_TABLE, [date], site.run())
    assert built.published == (date,)
    row = site.store_rows()[victims[0], date]
    found = row["historical_completeness"]
    assert (found["games_found"], found["games_expected"], found["is_complete"], found["is_bootstrap"]) == (8, 10, False, False)
    assert len(found["contributing_game_dates"]) == 8
    assert not row["is_production_ready"]
    measured = completeness(site.warehouse, date, date)
    assert measured.players == tuple(victims)
    assert (measured.days[0].gaps, measured.days[0].rows) == (1, built.rows)
    listed = site.warehouse.query(
        "SELECT player_lookup, games_missing FROM nba_predictions.v_incomplete_features WHERE game_date = @date AND games_missing > 0",
        {"date": date},
    ).to_pylist()
    assert listed == [{"player_lookup": victims[0], "games_missing": 2}]


MONITORING = {
    "by month": """
SELECT
  FORMAT_DATE("%Y-%m", game_date) as month,
  COUNT(*) as records,
  COUNTIF(historical_completeness.is_complete IS NOT NULL) as has_completeness,
  ROUND(COUNTIF(historical_completeness.is_complete IS NOT NULL) / COUNT(*) * 100, 1) as pct
FROM `nba_predictions.ml_feature_store_v2`
WHERE game_date >= "2023-10-01"
GROUP BY 1
ORDER BY 1
""",
    "missing": """
SELECT
  COUNTIF(historical_completeness.is_complete IS NULL) as missing,
  COUNT(*) as total,
  ROUND(COUNTIF(historical_completeness.is_complete IS NULL) / COUNT(*) * 100, 2) as pct_missing
FROM `nba_predictions.ml_feature_store_v2`
WHERE game_date >= "2023-10-01"
""",
    "gaps": """
SELECT
  game_date,
  COUNT(*) as total,
  COUNTIF(historical_completeness.is_complete = true) as complete,
  COUNTIF(NOT historical_completeness.is_complete AND NOT historical_completeness.is_bootstrap) as data_gaps,
  COUNTIF(historical_completeness.is_bootstrap) as bootstrap
FROM `nba_predictions.ml_feature_store_v2`
WHERE game_date >= "2023-10-01"
GROUP BY 1
HAVING data_gaps > 0
ORDER BY 1
""",
    "contributing dates": """
SELECT
  game_date,
  player_lookup,
  historical_completeness.games_found,
  ARRAY_LENGTH(historical_completeness.contributing_game_dates) as num_dates
FROM `nba_predictions.ml_feature_store_v2`
WHERE game_date = "2024-11-08"
""",
    "by season": """
SELECT
  CASE
    WHEN game_date >= '2024-10-01' THEN '2024-25'
    WHEN game_date >= '2023-10-01' THEN '2023-24'
  END as season,
  COUNT(*) as total,
  COUNTIF(quality_alert_level IS NOT NULL) as backfilled,
  ROUND(COUNTIF(quality_alert_level IS NOT NULL) * 100.0 / COUNT(*), 1) as pct
FROM `nba_predictions.ml_feature_store_v2`
WHERE game_date >= '2023-10-01'
GROUP BY 1 ORDER BY 1
""",
    "unfilled dates": """
SELECT game_date, COUNT(*) as total,
       COUNTIF(quality_alert_level IS NULL) as missing
FROM `nba_predictions.ml_feature_store_v2`
WHERE game_date BETWEEN '2023-11-01' AND '2024-06-30'
  AND quality_alert_level IS NULL
GROUP BY 1
ORDER BY missing DESC
LIMIT 20
""",
    "quality": """
SELECT quality_tier, quality_alert_level,
       COUNT(*) as records,
       ROUND(AVG(feature_quality_score), 1) as avg_score,
       ROUND(AVG(matchup_quality_pct), 1) as avg_matchup
FROM `nba_predictions.ml_feature_store_v2`
WHERE game_date >= '2023-11-01' AND quality_alert_level IS NOT NULL
GROUP BY 1, 2 ORDER BY 1, 2
""",
    "detection": """
SELECT game_date, COUNT(*) as records,
       COUNTIF(quality_alert_level = 'red') as red_alerts,
       COUNTIF(matchup_quality_pct < 50) as bad_matchup
FROM `nba_predictions.ml_feature_store_v2`
WHERE game_date >= '2023-11-01' AND quality_alert_level IS NOT NULL
GROUP BY 1
HAVING red_alerts > 0
ORDER BY 1 DESC LIMIT 10
""",
}


def test_FM45_the_operators_queries_run_as_written_and_find_every_row_filled(site: Site) -> None:
    found = {name: site.warehouse.query(sql).to_pylist() for name, sql in MONITORING.items()}
    assert [row["pct"] for row in found["by month"]] == [100.0] * len(found["by month"])
    assert len(found["by month"]) == len({date.strftime("%Y-%m") for date in site.dates()})
    assert found["missing"][0]["missing"] == 0
    assert found["missing"][0]["total"] == len(site.store_rows())
    assert found["gaps"] == []
    assert [(row["season"], row["pct"]) for row in found["by season"]] == [("2023-24", 100.0), ("2024-25", 100.0)]
    assert found["unfilled dates"] == []
    assert sum(row["records"] for row in found["quality"]) > 0
    assert all(row["red_alerts"] > 0 for row in found["detection"])
    assert found["contributing dates"]
    for row in found["contributing dates"]:
        assert (row["num_dates"] or 0) == row["games_found"]


@pytest.mark.parametrize("column", ["game_date", "gaps"])
def test_a_day_knows_its_figures(site: Site, column: str) -> None:
    date = site.dates()[-1]
    day = completeness(site.warehouse, date, date).days[0]
    assert getattr(day, column) == {"game_date": date, "gaps": 0}[column]
