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


@pytest.mark.parametrize("column", ["game_date", "gaps"])
def test_a_day_knows_its_figures(site: Site, column: str) -> None:
    date = site.dates()[-1]
    day = completeness(site.warehouse, date, date).days[0]
    assert getattr(day, column) == {"game_date": date, "gaps": 0}[column]
