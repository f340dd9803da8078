"""Each situation the store must cope with really occurs in the default season, and the numbers look like basketball."""

from __future__ import annotations

import pytest

from tests.simulated_league.conftest import Query

COUNTED = "s.season_type IN ('regular', 'play_in', 'playoffs', 'cup_final') AND s.status = 'final'"
PLAYED = f"(SELECT b.*, s.season_type FROM player_boxscores b JOIN schedule s USING (game_id) WHERE b.points IS NOT NULL AND {COUNTED})"
TEAM_DAYS = f"(SELECT s.game_id, s.game_date, UNNEST([home_team, away_team]) AS team_abbr FROM schedule s WHERE {COUNTED})"
PACE = """(SELECT game_id, team_abbr, 48 * AVG(fga + 0.4 * fta - oreb + tov) OVER (PARTITION BY game_id)
           / ((240 + 25 * GREATEST(0, ROUND((minutes - 240) / 25))) / 5) AS pace
           FROM team_boxscores WHERE team_abbr NOT IN ('EST', 'WST'))"""

# What occurs, the query that counts it, and the fewest and the most that may be found.
SCENARIOS = {
    "regular season from October": (
        "SELECT COUNT(*) FROM schedule WHERE season_type = 'regular' AND month(game_date) = 10",
        20,
        120,
    ),
    "regular season to April": ("SELECT COUNT(*) FROM schedule WHERE season_type = 'regular' AND month(game_date) = 4", 30, 130),
    "play-in": ("SELECT COUNT(*) FROM schedule WHERE season_type = 'play_in'", 6, 6),
    "playoffs": ("SELECT COUNT(*) FROM schedule WHERE season_type = 'playoffs'", 60, 105),
    "playoffs in June": ("SELECT COUNT(*) FROM schedule WHERE season_type = 'playoffs' AND month(game_date) = 6", 1, 7),
    "cup final in December": (
        "SELECT COUNT(*) FROM schedule WHERE season_type = 'cup_final' AND is_neutral_site AND month(game_date) = 12",
        1,
        1,
    ),
    "preseason": ("SELECT COUNT(*) FROM schedule WHERE season_type = 'preseason'", 10, 60),
    "All-Star game": ("SELECT COUNT(*) FROM schedule WHERE season_type = 'all_star' AND month(game_date) = 2", 1, 1),
    "days without counted games in the break": (
        """SELECT MAX(gap) FROM (SELECT game_date - LAG(game_date) OVER (ORDER BY game_date) - 1 AS gap
           FROM (SELECT DISTINCT game_date FROM schedule WHERE season_type = 'regular') WHERE month(game_date) = 2)""",
        5,
        8,
    ),
    "neutral site in the regular season": ("SELECT COUNT(*) FROM schedule WHERE season_type = 'regular' AND is_neutral_site", 1, 3),
    "postponed": ("SELECT COUNT(*) FROM schedule WHERE status = 'postponed'", 1, 3),
    "postponed and played later under a new id": (
        """SELECT COUNT(*) FROM schedule p JOIN schedule n ON (n.home_team, n.away_team) = (p.home_team, p.away_team)
           AND n.status = 'final' AND n.game_date > p.game_date AND n.game_id > p.game_id AND n.season_type = 'regular'
           WHERE p.status = 'postponed' AND substr(n.game_id, 4) > '2401230'""",
        1,
        1,
    ),
    "moved under the same id, so ids are not in date order": (
        """SELECT COUNT(*) FROM (SELECT game_id, game_date < MAX(game_date) OVER (ORDER BY game_id
           ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS back FROM schedule WHERE season_type = 'regular') WHERE back""",
        1,
        400,
    ),
    "tip-off unknown": (
        "SELECT COUNT(*) FROM schedule WHERE NOT tipoff_known AND hour(tipoff_time) = 12 AND minute(tipoff_time) = 0",
        1,
        1,
    ),
    "13:00 matinee": ("SELECT COUNT(*) FROM schedule WHERE tipoff_known AND hour(tipoff_time) = 13", 5, 120),
    "15:30 matinee": ("SELECT COUNT(*) FROM schedule WHERE tipoff_known AND hour(tipoff_time) = 15", 5, 120),
    "tip-off in the evening": ("SELECT COUNT(*) FROM schedule WHERE hour(tipoff_time) BETWEEN 19 AND 22", 1000, 1400),
    "22:30 tip-off, on the next UTC day": (
        "SELECT COUNT(*) FROM schedule WHERE hour(tipoff_time) = 22 AND minute(tipoff_time) = 30",
        10,
        150,
    ),
    "scheduled and not played": ("SELECT COUNT(*) FROM schedule WHERE status = 'scheduled'", 1, 4),
    "back-to-back": (
        f"SELECT COUNT(*) FROM {TEAM_DAYS} a JOIN {TEAM_DAYS} b ON b.team_abbr = a.team_abbr AND b.game_date = a.game_date + 1",
        200,
        800,
    ),
    "four games in seven days": (
        f"""SELECT COUNT(*) FROM (SELECT team_abbr, game_date, COUNT(*) OVER (PARTITION BY team_abbr ORDER BY game_date
            RANGE BETWEEN INTERVAL 7 DAY PRECEDING AND INTERVAL 1 DAY PRECEDING) AS games FROM {TEAM_DAYS}) WHERE games >= 4""",
        30,
        900,
    ),
    "player traded in mid-season": (
        f"""SELECT COUNT(*) FROM (SELECT player_lookup FROM {PLAYED} WHERE season_type = 'regular' GROUP BY 1
            HAVING COUNT(DISTINCT team_abbr) = 2 AND COUNT(*) >= 30)""",
        6,
        60,
    ),
    "rookie whose first game comes in mid-season": (
        f"SELECT COUNT(*) FROM (SELECT player_lookup FROM {PLAYED} GROUP BY 1 HAVING MIN(game_date) > DATE '2024-12-20')",
        3,
        40,
    ),
    "veteran absent 90 days or more, then back": (
        f"""SELECT COUNT(*) FROM (SELECT player_lookup, game_date, team_abbr, game_date - LAG(game_date) OVER p AS gap,
              ROW_NUMBER() OVER p AS game FROM {PLAYED} WINDOW p AS (PARTITION BY player_lookup ORDER BY game_date))
            JOIN players USING (player_lookup) WHERE gap >= 90 AND game > 8 AND date_diff('year', birth_date, game_date) >= 30""",
        1,
        20,
    ),
    "listed absence": ("SELECT COUNT(*) FROM player_boxscores WHERE minutes IS NULL AND points IS NULL", 2000, 20000),
    "absence that is not listed": (
        f"""SELECT COUNT(*) FROM (SELECT player_lookup, team_abbr, MIN(game_date) AS a, MAX(game_date) AS z FROM {PLAYED} GROUP BY ALL) p
            JOIN {TEAM_DAYS} g ON g.team_abbr = p.team_abbr AND g.game_date BETWEEN a AND z
            ANTI JOIN player_boxscores b ON b.game_id = g.game_id AND b.player_lookup = p.player_lookup""",
        2000,
        20000,
    ),
    "played and scored nothing": (f"SELECT COUNT(*) FROM {PLAYED} WHERE points = 0 AND minutes > 0", 300, 4000),
    "appearance of under half a minute": (f"SELECT COUNT(*) FROM {PLAYED} WHERE minutes = 0", 20, 300),
    "points of an appearance of under half a minute": (f"SELECT MAX(points) FROM {PLAYED} WHERE minutes = 0", 0, 0),
    "one overtime": ("SELECT COUNT(*) FROM team_boxscores WHERE minutes = 265", 20, 250),
    "two overtimes": ("SELECT COUNT(*) FROM team_boxscores WHERE minutes = 290", 1, 60),
    "team minutes off by a minute or two": (
        "SELECT COUNT(*) FROM team_boxscores WHERE minutes BETWEEN 238 AND 242 AND minutes != 240",
        300,
        1500,
    ),
    "shot in overtime": ("SELECT COUNT(*) FROM shots WHERE period > 5", 10, 2000),
    "player of 30 or more": ("SELECT COUNT(*) FROM players WHERE date_diff('year', birth_date, DATE '2025-01-01') >= 31", 50, 250),
    "player of 35 or more": ("SELECT COUNT(*) FROM players WHERE date_diff('year', birth_date, DATE '2025-01-01') >= 36", 5, 80),
    "birth date unknown": ("SELECT COUNT(*) FROM players WHERE birth_date IS NULL", 1, 20),
    "position unknown": ("SELECT COUNT(*) FROM players WHERE position IS NULL", 1, 20),
    "accent in a name": ("SELECT COUNT(*) FROM players WHERE player_name != strip_accents(player_name)", 10, 200),
    "suffix in a name": ("SELECT COUNT(*) FROM players WHERE player_lookup LIKE '%jr'", 3, 40),
    "injury of three weeks or more": (
        """SELECT COUNT(*) FROM (SELECT player_lookup, report_date AS a,
             LEAD(report_date) OVER (PARTITION BY player_lookup ORDER BY reported_at) AS z FROM injury_reports
           WHERE reason LIKE '%injured list') WHERE z - a >= 21""",
        20,
        400,
    ),
    "list move without a game, known at midnight": (
        "SELECT COUNT(*) FROM injury_reports WHERE game_id IS NULL AND status = 'out' AND hour(reported_at) = 0 AND valid_days IS NULL",
        100,
        1000,
    ),
    "day-to-day note": ("SELECT COUNT(*) FROM injury_reports WHERE valid_days = 3 AND status = 'questionable'", 20, 1000),
    "report that changes before tip-off": (
        """SELECT COUNT(*) FROM (SELECT player_lookup, game_id FROM injury_reports WHERE game_id IS NOT NULL GROUP BY ALL
           HAVING COUNT(DISTINCT status) > 1)""",
        500,
        5000,
    ),
    "several reports of one instant": ("SELECT COUNT(*) FROM injury_reports WHERE report_seq > 0", 5, 2000),
    "star with points lines who does not play": (
        "SELECT COUNT(DISTINCT (game_id, player_lookup)) FROM odds_player_points o ANTI JOIN "
        + PLAYED
        + " p USING (game_id, player_lookup)",
        50,
        1500,
    ),
    "promotional line": ("SELECT COUNT(*) FROM odds_player_points WHERE ABS(over_price) >= 200", 1000, 20000),
    "daily-fantasy price": (
        "SELECT COUNT(*) FROM odds_player_points WHERE is_dfs AND over_price = -137 AND under_price = -137",
        10000,
        90000,
    ),
    "line without an over price": (
        "SELECT COUNT(*) FROM odds_player_points WHERE over_price IS NULL AND under_price IS NOT NULL",
        500,
        5000,
    ),
    "line without prices": ("SELECT COUNT(*) FROM odds_player_points WHERE over_price IS NULL AND under_price IS NULL", 50, 2000),
    "player-game with a single observation time": (
        "SELECT COUNT(*) FROM (SELECT 1 FROM odds_player_points GROUP BY game_id, player_lookup HAVING COUNT(DISTINCT observed_at) = 1)",
        300,
        3000,
    ),
    "closing line at tip-off": (
        "SELECT COUNT(*) FROM odds_game_lines o JOIN schedule USING (game_id) WHERE bookmaker = 'close' AND observed_at = tipoff_time",
        1200,
        1400,
    ),
    "other game line at or after the cutoff": (
        """SELECT COUNT(*) FROM odds_game_lines JOIN schedule USING (game_id)
           WHERE bookmaker != 'close' AND observed_at > tipoff_time - INTERVAL 60 MINUTE""",
        0,
        0,
    ),
    "points line at or after the cutoff": (
        "SELECT COUNT(*) FROM odds_player_points JOIN schedule USING (game_id) WHERE observed_at > tipoff_time - INTERVAL 60 MINUTE",
        0,
        0,
    ),
    "longest silence of the injury feed in days": (
        """SELECT MAX(d) FROM (SELECT report_date - LAG(report_date) OVER (ORDER BY report_date) AS d
           FROM (SELECT DISTINCT report_date FROM injury_reports))""",
        1,
        1,
    ),
}


@pytest.mark.parametrize("what", SCENARIOS)
def test_it_occurs(query: Query, what: str) -> None:
    sql, fewest, most = SCENARIOS[what]
    ((count,),) = query(sql)
    assert fewest <= count <= most


@pytest.mark.parametrize(
    ("what", "sql", "low", "high"),
    [
        ("team points, mean", "SELECT AVG(points) FROM team_boxscores", 109, 116),
        ("team points, deviation", "SELECT STDDEV_SAMP(points) FROM team_boxscores", 10.5, 13.5),
        ("pace, mean", f"SELECT AVG(pace) FROM {PACE}", 97, 102),
        ("mean pace of the slowest team", f"SELECT MIN(p) FROM (SELECT AVG(pace) AS p FROM {PACE} GROUP BY team_abbr)", 95, 98.5),
        ("mean pace of the fastest team", f"SELECT MAX(p) FROM (SELECT AVG(pace) AS p FROM {PACE} GROUP BY team_abbr)", 100, 104),
        ("points of a player, most", f"SELECT MAX(points) FROM {PLAYED}", 42, 66),
        ("deviation of season means", f"SELECT STDDEV_SAMP(p) FROM (SELECT AVG(points) AS p FROM {PLAYED} GROUP BY player_lookup)", 4, 8),
        ("best season mean", f"SELECT MAX(p) FROM (SELECT AVG(points) AS p FROM {PLAYED} GROUP BY player_lookup)", 25, 37),
        ("players who play per side", f"SELECT COUNT(*) / COUNT(DISTINCT (game_id, team_abbr)) FROM {PLAYED}", 9.5, 11),
        (
            "players on the roster of a team",
            """SELECT AVG(n) FROM (SELECT COUNT(DISTINCT player_lookup) AS n FROM player_boxscores
               WHERE team_abbr NOT IN ('EST', 'WST') GROUP BY team_abbr)""",
            14.5,
            18.5,
        ),
        (
            "longest evening of a player",
            f"SELECT MAX(p.minutes) FROM {PLAYED} p JOIN team_boxscores t USING (game_id, team_abbr) WHERE t.minutes < 245",
            38,
            48,
        ),
        (
            "home wins",
            """SELECT AVG(IF(h.points > a.points, 1, 0)) FROM schedule s
               JOIN team_boxscores h ON h.game_id = s.game_id AND h.team_abbr = home_team
               JOIN team_boxscores a ON a.game_id = s.game_id AND a.team_abbr = away_team WHERE season_type = 'regular'""",
            0.52,
            0.62,
        ),
        (
            "share of players with a line",
            f"""SELECT COUNT(o.game_id) / COUNT(*) FROM {PLAYED} p
                LEFT JOIN (SELECT DISTINCT game_id, player_lookup FROM odds_player_points) o USING (game_id, player_lookup)""",
            0.54,
            0.66,
        ),
        (
            "usage of a star, most over a season",
            f"""SELECT MAX(u) FROM (SELECT 20 * SUM((p.fga + 0.44 * p.fta + p.tov) / t.chances) / SUM(p.minutes) * 240 AS u FROM {PLAYED} p
                JOIN (SELECT game_id, team_abbr, fga + 0.44 * fta + tov AS chances FROM team_boxscores) t USING (game_id, team_abbr)
                GROUP BY player_lookup HAVING COUNT(*) > 20)""",
            26,
            40,
        ),
    ],
)
def test_the_numbers_look_like_basketball(query: Query, what: str, sql: str, low: float, high: float) -> None:
    ((value,),) = query(sql)
    assert low <= float(value) <= high, what


def test_the_line_tells_something_about_the_points(query: Query) -> None:
    ((correlation, bias),) = query(
        f"""SELECT CORR(points, line), AVG(points - line) FROM {PLAYED} JOIN (SELECT game_id, player_lookup, MEDIAN(line) AS line
            FROM odds_player_points GROUP BY ALL) USING (game_id, player_lookup)"""
    )
    assert 0.5 < correlation < 0.85 and abs(bias) < 1.0


def test_opponents_differ_for_good(query: Query) -> None:
    halves = f"""(SELECT b.team_abbr, s.game_date < DATE '2025-01-15' AS first, o.points FROM team_boxscores b
                 JOIN team_boxscores o ON o.game_id = b.game_id AND o.team_abbr != b.team_abbr JOIN schedule s ON s.game_id = b.game_id
                 WHERE {COUNTED})"""
    ((persistence,),) = query(
        f"""SELECT CORR(a, z) FROM (SELECT team_abbr, AVG(points) FILTER (first) AS a, AVG(points) FILTER (NOT first) AS z
            FROM {halves} GROUP BY 1)"""
    )
    assert persistence > 0.3


def test_tired_players_shoot_worse(query: Query) -> None:
    ((tired, fresh),) = query(
        f"""SELECT SUM(fgm) FILTER (gap = 1) / SUM(fga) FILTER (gap = 1), SUM(fgm) FILTER (gap > 1) / SUM(fga) FILTER (gap > 1)
            FROM (SELECT t.*, t.game_date - LAG(t.game_date) OVER (PARTITION BY t.team_abbr ORDER BY t.game_date) AS gap
                  FROM team_boxscores t JOIN schedule s USING (game_id) WHERE {COUNTED})"""
    )
    assert tired < fresh - 0.003
