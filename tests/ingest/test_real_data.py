"""The real folder, read whole: nothing lost, nothing invented, every quirk in its place."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import duckdb
import pytest

from transformations.ingest.box_score_folder import BoxScoreFolder
from transformations.ingest.delivery import Delivery
from transformations.ingest.folder_games import BOX_COLUMNS, load_schedule, load_team_boxes
from transformations.ingest.folder_layout import find_files
from transformations.ingest.folder_players import known_names, load_player_boxes, load_players, squads
from transformations.ingest.workspace import Workspace

pytestmark = pytest.mark.slow
RAW = "schedule team_boxscores player_boxscores players shots odds_game_lines odds_player_points injury_reports".split()


@pytest.fixture(scope="module")
def delivery(data_dir: Path) -> Delivery:
    return BoxScoreFolder(data_dir).deliver()


@pytest.fixture(scope="module")
def raw(delivery: Delivery) -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    for name in RAW:
        connection.register(name, delivery.tables[f"nba_raw.{name}"])
    return connection


def one(raw: duckdb.DuckDBPyConnection, query: str) -> Any:
    row = raw.execute(query).fetchone()
    assert row is not None
    return row[0] if len(row) == 1 else row


def test_every_game_is_there_once(raw: duckdb.DuckDBPyConnection) -> None:
    counts = dict(raw.execute("SELECT season_type, count(*) FROM schedule GROUP BY 1").fetchall())
    assert (counts["regular"], counts["playoffs"], counts["play_in"], counts["cup_final"]) == (6000, 422, 30, 2)
    assert one(raw, "SELECT count(*) FROM schedule WHERE status <> 'final'") == 0
    games = dict(raw.execute("SELECT season, count(*) FROM schedule WHERE season_type = 'regular' GROUP BY 1").fetchall())
    assert games == {"2020-21": 1080, "2021-22": 1230, "2022-23": 1230, "2023-24": 1230, "2024-25": 1230}


def test_FM32_every_game_has_one_home_and_one_away_of_the_league(raw: duckdb.DuckDBPyConnection) -> None:
    assert one(raw, "SELECT count(*) FROM schedule WHERE home_team = away_team OR home_team IS NULL OR away_team IS NULL") == 0
    teams = "SELECT count(DISTINCT t) FROM (SELECT unnest([home_team, away_team]) AS t FROM schedule WHERE season_type <> 'all_star')"
    assert one(raw, teams) == 30
    unequal = """
    SELECT count(*) FROM schedule AS s WHERE s.season_type NOT IN ('preseason', 'all_star') AND (
      SELECT list_sort(list(team_abbr)) FROM team_boxscores AS b WHERE b.game_id = s.game_id
    ) IS DISTINCT FROM list_sort([s.home_team, s.away_team])
    """
    assert one(raw, unequal) == 0


def test_FM32_the_five_neutral_games_are_neutral(raw: duckdb.DuckDBPyConnection) -> None:
    found = raw.execute("SELECT game_id FROM schedule WHERE is_neutral_site AND season_type = 'regular' ORDER BY 1").fetchall()
    assert [row[0] for row in found] == ["0022400147", "0022400621", "0022400633", "0022401229", "0022401230"]


def test_starts_are_known_from_2021_22_on_and_lie_on_the_games_date(raw: duckdb.DuckDBPyConnection) -> None:
    unknown = raw.execute(
        "SELECT game_id FROM schedule WHERE NOT tipoff_known AND season_type = 'regular' AND season > '2020-21'"
    ).fetchall()
    assert len(unknown) == 2
    assert one(raw, "SELECT count(*) FROM schedule WHERE tipoff_known AND season = '2020-21'") == 0
    moved = "SELECT count(*) FROM schedule WHERE CAST(timezone('America/New_York', tipoff_time) AS DATE) <> game_date"
    assert one(raw, moved) == 0
    noon = "SELECT count(*) FROM schedule WHERE NOT tipoff_known AND hour(timezone('America/New_York', tipoff_time)) <> 12"
    assert one(raw, noon) == 0


def test_player_sums_equal_the_team_box_for_every_statistic(raw: duckdb.DuckDBPyConnection) -> None:
    names = ["points", *BOX_COLUMNS]
    sums = ", ".join(f"sum({name}) AS {name}" for name in names)
    wrong = " OR ".join(f"p.{name} IS DISTINCT FROM t.{name}" for name in names)
    query = f"""
    WITH p AS (SELECT game_id, team_abbr, {sums} FROM player_boxscores GROUP BY ALL)
    SELECT count(*), count(*) FILTER ({wrong})
    FROM team_boxscores AS t JOIN schedule AS s USING (game_id) LEFT JOIN p USING (game_id, team_abbr)
    WHERE s.season_type IN ('regular', 'playoffs')
    """
    assert one(raw, query) == (2 * 6422, 0)


def test_FM23_appearances_of_zero_minutes_are_kept_and_the_one_absence_is_marked(raw: duckdb.DuckDBPyConnection) -> None:
    regular = "FROM player_boxscores JOIN schedule USING (game_id) WHERE season_type = 'regular'"
    assert one(raw, f"SELECT count(*) {regular} AND minutes = 0 AND points IS NOT NULL") == 463
    assert one(raw, f"SELECT count(*) {regular} AND (minutes IS NULL OR points IS NULL OR started IS NOT NULL)") == 0
    assert one(raw, "SELECT count(*) FROM player_boxscores WHERE points IS NULL AND minutes IS NULL AND fga IS NULL") == 1


def test_starters_are_five_a_side_in_the_playoffs(raw: duckdb.DuckDBPyConnection) -> None:
    query = "SELECT count(*) FILTER (n <> 5), count(*) FROM (SELECT count_if(started) AS n FROM playoff GROUP BY game_id, team_abbr)"
    playoff = "CREATE OR REPLACE TEMP VIEW playoff AS SELECT b.* FROM player_boxscores AS b SEMI JOIN "
    raw.execute(playoff + "(SELECT game_id FROM schedule WHERE season_type = 'playoffs') AS s USING (game_id)")
    assert one(raw, query) == (0, 844)


def test_FM63_every_row_of_every_file_is_accounted_for(data_dir: Path, delivery: Delivery) -> None:
    files = find_files(data_dir, None)
    assert {file.source for file in files.files} == {path.relative_to(data_dir).as_posix() for path in data_dir.glob("*/*.parquet")}
    rows = {file.source: file.rows for file in files.files}
    assert {count.source for count in delivery.counts} == set(rows)
    for count in delivery.counts:
        assert count.rows_in == rows[count.source]
        assert count.unaccounted == 0
        assert bool(count.why) == bool(count.rows_not_wanted)
    refused = Counter((r.table_name, r.source) for r in {(r.table_name, r.source, r.row_ref): r for r in delivery.rejections}.values())
    assert {(c.table, c.source): c.rows_quarantined for c in delivery.counts if c.rows_quarantined} == dict(refused)


def test_keys_are_unique_and_required_values_present(delivery: Delivery) -> None:
    from schemas.contracts import contract

    for name, table in delivery.tables.items():
        definition = contract(name)
        distinct = table.select(list(definition.keys)).group_by(list(definition.keys)).aggregate([])
        assert distinct.num_rows == table.num_rows, name
        assert all(table[c.name].null_count == 0 for c in definition.columns if c.required), name


def test_the_incomplete_copy_of_a_preseason_row_is_the_only_game_row_refused(delivery: Delivery) -> None:
    games = [r for r in delivery.rejections if r.table_name in ("nba_raw.schedule", "nba_raw.team_boxscores", "nba_raw.player_boxscores")]
    assert [(r.reason_code, "0012300036" in r.raw_row_json, '"PTS": 0' in r.raw_row_json) for r in games] == [("duplicate_key", True, True)]


def test_closing_lines_match_every_regular_season_game(raw: duckdb.DuckDBPyConnection) -> None:
    matched = """
    SELECT count(*), count(home_spread), count(total) FROM odds_game_lines JOIN schedule USING (game_id)
    WHERE bookmaker = 'close' AND season_type = 'regular' AND observed_at = tipoff_time
    """
    assert one(raw, matched) == (6000, 5998, 6000)


def test_closing_spreads_point_the_right_way(raw: duckdb.DuckDBPyConnection) -> None:
    margin = """
    SELECT corr(l.home_spread, h.points - a.points), avg(l.home_spread + h.points - a.points), avg(l.total - h.points - a.points)
    FROM odds_game_lines AS l JOIN schedule AS s USING (game_id)
    JOIN team_boxscores AS h ON h.game_id = s.game_id AND h.team_abbr = s.home_team
    JOIN team_boxscores AS a ON a.game_id = s.game_id AND a.team_abbr = s.away_team
    WHERE l.bookmaker = 'close'
    """
    correlation, bias, total_bias = one(raw, margin)
    assert correlation < -0.4
    assert abs(bias) < 1
    assert abs(total_bias) < 1


def test_FM38_one_side_is_kept_and_the_median_spread_is_not_zero(data_dir: Path, raw: duckdb.DuckDBPyConnection) -> None:
    assert one(raw, "SELECT median(home_spread) FROM odds_game_lines WHERE bookmaker = 'close'") < 0
    assert one(raw, "SELECT median(home_spread) FROM odds_game_lines WHERE bookmaker <> 'close'") < 0
    away = f"""
    SELECT count(*), count(*) FILTER (l.home_spread + o.outcome_point <> 0)
    FROM read_parquet('{data_dir}/game_odds_snapshots/*.parquet') AS o
    JOIN odds_game_lines AS l ON l.bookmaker = o.bookmaker_key AND l.observed_at = o.snapshot_timestamp
    JOIN schedule AS s ON s.game_id = l.game_id AND s.game_date = CAST(timezone('America/New_York', o.commence_time) AS DATE)
    JOIN (SELECT DISTINCT TEAM_ABBREVIATION AS abbr, replace(TEAM_NAME, 'LA Clippers', 'Los Angeles Clippers') AS name
          FROM read_parquet('{data_dir}/team_game_logs/*.parquet')) AS t ON t.name = o.outcome_name AND t.abbr = s.away_team
    WHERE o.market_key = 'spreads'
    """
    compared, wrong = one(raw, away)
    assert compared > 60_000
    assert wrong == 0


def test_FM16_no_line_is_zero_or_less(raw: duckdb.DuckDBPyConnection) -> None:
    assert one(raw, "SELECT min(line) FROM odds_player_points") > 0
    assert one(raw, "SELECT min(total) FROM odds_game_lines") > 100


def test_points_lines_lie_near_what_is_scored(raw: duckdb.DuckDBPyConnection) -> None:
    near = "SELECT corr(line, points), count(*) FROM odds_player_points JOIN player_boxscores USING (game_id, player_lookup)"
    correlation, matched = one(raw, near)
    assert correlation > 0.6
    assert matched > 10_000
    seen = "SELECT count(*) FROM odds_player_points WHERE hour(timezone('America/New_York', observed_at)) <> 12"
    assert one(raw, seen) == 0


def test_shots_equal_the_attempts_of_the_box_score(raw: duckdb.DuckDBPyConnection) -> None:
    differing = """
    WITH s AS (SELECT game_id, player_lookup, count(*) AS shots, count_if(made) AS made FROM shots GROUP BY ALL),
    b AS (SELECT * FROM player_boxscores SEMI JOIN (SELECT DISTINCT game_id FROM shots) AS g USING (game_id) WHERE fga > 0)
    SELECT count(*), count(*) FILTER (s.shots IS DISTINCT FROM b.fga)
    FROM b FULL JOIN s USING (game_id, player_lookup)
    """
    compared, different = one(raw, differing)
    assert compared > 100_000
    assert different == 6


def test_shots_of_the_broken_id_are_recovered_and_of_the_cut_off_game_refused(delivery: Delivery, raw: duckdb.DuckDBPyConnection) -> None:
    first_days = "game_date BETWEEN DATE '2020-12-22' AND DATE '2020-12-25'"
    played = one(raw, f"SELECT count(*) FROM schedule WHERE {first_days} AND season_type = 'regular'")
    assert one(raw, f"SELECT count(DISTINCT game_id) FROM shots WHERE {first_days}") == played > 5
    per_season = dict(raw.execute("SELECT season, count(DISTINCT game_id) FROM shots JOIN schedule USING (game_id) GROUP BY 1").fetchall())
    assert per_season == {"2020-21": 1080, "2021-22": 580, "2022-23": 1230, "2023-24": 1230, "2024-25": 1230}
    refused = [r for r in delivery.rejections if r.table_name == "nba_raw.shots"]
    assert {(r.reason_code, "0022100581" in r.raw_row_json) for r in refused} == {("incomplete_game", True)}


def test_shots_of_all_seasons_are_on_one_scale_and_one_sign(raw: duckdb.DuckDBPyConnection) -> None:
    rows = raw.execute(
        """
        SELECT season, avg(loc_x) FILTER (zone = 'left_corner_3'), avg(loc_x) FILTER (zone = 'right_corner_3'),
          avg(loc_y) FILTER (zone = 'restricted_area'), avg(abs(sqrt(loc_x * loc_x + (loc_y - 5.25) * (loc_y - 5.25)) - distance_ft))
        FROM shots JOIN schedule USING (game_id) GROUP BY season ORDER BY season
        """
    ).fetchall()
    assert len(rows) == 5
    for season, left, right, restricted, error in rows:
        assert (left, right, restricted) == (pytest.approx(-23.1, abs=0.2), pytest.approx(23.1, abs=0.2), pytest.approx(6.4, abs=0.1)), (
            season
        )
        assert error < 0.7, season


def test_injury_reports_follow_their_day_and_names_are_found(raw: duckdb.DuckDBPyConnection, delivery: Delivery) -> None:
    wrong = "SELECT count(*) FROM injury_reports WHERE timezone('America/New_York', reported_at) <> CAST(report_date + 1 AS TIMESTAMP)"
    assert one(raw, wrong) == 0
    assert one(raw, "SELECT count(*) FROM injury_reports WHERE (status = 'questionable') <> (valid_days IS NOT NULL)") == 0
    counts = [count for count in delivery.counts if count.table == "nba_raw.injury_reports"]
    assert sum(c.rows_loaded for c in counts) / sum(c.rows_in for c in counts) > 0.99


def test_points_lines_find_their_players(delivery: Delivery) -> None:
    (count,) = [c for c in delivery.counts if "player_props_dfs" in c.source]
    unknown = sum(r.reason_code == "unknown_player" for r in delivery.rejections if r.table_name == "nba_raw.odds_player_points")
    assert unknown / (count.rows_in - count.rows_not_wanted) < 0.01


def test_spellings_of_the_combined_lines_find_their_players(data_dir: Path) -> None:
    space = Workspace(find_files(data_dir, ["2023-24", "2024-25"]))
    for load in (load_schedule, load_team_boxes, load_players, load_player_boxes):
        load(space)
    rows = space.rows(
        """
        SELECT p.player_name, g.season, g.home_team, g.away_team, count(*)
        FROM source_player_props_pra AS p
        JOIN team_names AS h ON h.name = p.home_team
        JOIN team_names AS a ON a.name = p.away_team
        JOIN games AS g ON g.game_date = CAST(timezone('America/New_York', p.timestamp) AS DATE)
          AND least(g.home_team, g.away_team) = least(h.abbr, a.abbr) AND greatest(g.home_team, g.away_team) = greatest(h.abbr, a.abbr)
        GROUP BY ALL
        """
    )
    names, members = known_names(space), squads(space)
    found = sum(n for name, season, home, away, n in rows if names.find(name, members[season, home] | members[season, away]))
    total = sum(count.rows for count in space.files.of("player_props_pra"))
    assert sum(row[-1] for row in rows) == total
    assert found / total > 0.98


def test_FM33_a_season_alone_gives_the_same_rows_of_its_games(data_dir: Path, raw: duckdb.DuckDBPyConnection) -> None:
    season = BoxScoreFolder(data_dir, ["2021-22"]).deliver()
    for name in ("schedule", "team_boxscores", "player_boxscores", "shots", "odds_game_lines"):
        table = season.tables[f"nba_raw.{name}"]
        raw.register("alone", table)
        whole = f"SELECT x.* FROM {name} AS x SEMI JOIN (SELECT game_id FROM schedule WHERE season = '2021-22') AS s USING (game_id)"
        assert one(raw, f"SELECT count(*) FROM ({whole})") == table.num_rows
        assert one(raw, f"SELECT count(*) FROM (SELECT * FROM alone EXCEPT {whole})") == 0
        raw.unregister("alone")
