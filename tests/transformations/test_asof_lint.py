"""No statement reads a table without its bounds in time; each kind of forgotten bound is planted and found."""

from __future__ import annotations

import pytest

from tests.transformations.asof_lint import problems
from tests.transformations.workbench import ROSTER, SLATE, SQL_TABLES, STORE
from transformations.render import statement

CACHE = "nba_precompute.player_daily_cache"
FACTORS = "nba_precompute.player_composite_factors"
SUMMARY = "nba_analytics.player_game_summary"
OFFENSE = "nba_analytics.team_offense_game_summary"


def test_FM05_the_lint_reads_every_built_table() -> None:
    assert len(SQL_TABLES) >= 10
    assert {SUMMARY, ROSTER, SLATE, CACHE, FACTORS, STORE} <= set(SQL_TABLES)


@pytest.mark.parametrize("table", SQL_TABLES)
def test_FM04_FM48_every_read_is_bounded_in_time(table: str) -> None:
    assert problems(table, statement(table)) == []


PLANTED = {
    "a box score that is not known yet": (CACHE, "AND game_date < @as_of_date", "", f"{SUMMARY} is not cut at the as-of date"),
    "a box score of the day itself": (
        CACHE,
        "AND game_date < @end_date",
        "AND game_date <= @end_date",
        f"{SUMMARY} has no upper bound < @end_date",
    ),
    "all of history": (
        CACHE,
        "game_date >= DATE_SUB(@start_date, INTERVAL 365 DAY)",
        "TRUE",
        f"{SUMMARY} has no lower bound within 365 days",
    ),
    "a reach beyond the contract": (
        CACHE,
        "DATE_SUB(@start_date, INTERVAL 365 DAY)",
        "DATE_SUB(@start_date, INTERVAL 730 DAY)",
        f"{SUMMARY} has no lower bound within 365 days",
    ),
    "a whole table of the same day": (
        FACTORS,
        "FROM nba_precompute.team_defense_zone_analysis\n  WHERE game_date BETWEEN @start_date AND @end_date",
        "FROM nba_precompute.team_defense_zone_analysis",
        "team_defense_zone_analysis has no lower bound",
    ),
    "an odds source without the cutoff": (
        SLATE,
        "AND o.observed_at <= a.cutoff",
        "",
        "rows are combined before observed_at meets the cutoff",
    ),
    "odds up to tip-off": (SLATE, "o.observed_at <= a.cutoff", "o.observed_at <= a.tipoff_time", "rows are combined before observed_at"),
    "reports without the cutoff": (
        ROSTER,
        "WHERE r.reported_at <= s.cutoff\n    AND r.report_date",
        "WHERE r.report_date",
        "rows are combined before reported_at",
    ),
    "a second odds source that was forgotten": (
        STORE,
        "WITH roster AS (",
        "WITH totals AS (SELECT game_id, MAX(total) AS total FROM nba_raw.odds_game_lines GROUP BY game_id),\nroster AS (",
        "nba_raw.odds_game_lines is not among the tables its contract says it reads",
    ),
    "snapshots handed on and never cut": (
        ROSTER,
        "SELECT DISTINCT report_date, reported_at FROM reports",
        "SELECT report_date, MAX(reported_at) AS reported_at FROM reports GROUP BY report_date",
        "rows are combined before reported_at",
    ),
    "a clock": (STORE, "@processed_at AS created_timestamp", "CURRENT_TIMESTAMP() AS created_timestamp", "reads the clock"),
    "a contract that promises too much": (
        OFFENSE,
        "nba_raw.player_boxscores",
        "nba_raw.team_boxscores",
        "is said to read nba_raw.player_boxscores",
    ),
}


@pytest.mark.parametrize("planted", PLANTED)
def test_FM01_FM02_FM03_FM04_FM05_FM48_a_planted_violation_is_found(planted: str) -> None:
    table, sound, wrong, message = PLANTED[planted]
    sql = statement(table)
    assert sound in sql, f"{table} no longer holds: {sound}"
    found = problems(table, sql.replace(sound, wrong))
    assert any(message in line for line in found), found
