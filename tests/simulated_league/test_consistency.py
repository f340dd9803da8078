"""Whatever the league delivers fits its contracts and adds up."""

from __future__ import annotations

import datetime as dt

import pytest

from schemas.contracts import contract, load_contracts
from schemas.errors import NoGamesError, UsageError
from tests.simulated_league.conftest import SMALL, Query, query_over
from transformations.ingest.delivery import Delivery
from transformations.ingest.simulated_league import SimulatedLeague

FIGURES = ("fgm", "fga", "fg3m", "fg3a", "ftm", "fta", "oreb", "dreb", "ast", "stl", "blk", "tov", "pf", "points")
INGESTED = sorted(c.name for c in load_contracts().values() if c.dataset == "nba_raw" and c.built_by == "ingest")


def test_every_raw_table_is_delivered_and_accounted_for(delivery: Delivery) -> None:
    assert sorted(delivery.tables) == INGESTED
    assert sorted(count.table for count in delivery.counts) == INGESTED
    assert delivery.check() is delivery
    assert delivery.rejections == ()
    assert all(table.num_rows for table in delivery.tables.values())


@pytest.mark.parametrize("name", INGESTED)
def test_keys_are_unique(delivery: Delivery, name: str) -> None:
    table = delivery.tables[name]
    assert table.group_by(list(contract(name).keys)).aggregate([]).num_rows == table.num_rows


def test_every_box_row_belongs_to_a_played_game_and_one_of_its_teams(query: Query) -> None:
    for table in ("player_boxscores", "team_boxscores", "shots"):
        assert not query(
            f"""SELECT b.game_id, b.team_abbr FROM {table} b LEFT JOIN schedule s
                ON s.game_id = b.game_id AND s.game_date = b.game_date AND s.status = 'final'
                AND b.team_abbr IN (s.home_team, s.away_team) WHERE s.game_id IS NULL"""
        )


def test_every_final_game_has_both_boxes_and_no_other_game_has_any(query: Query) -> None:
    assert not query(
        """SELECT s.game_id, s.status, COUNT(t.game_id) FROM schedule s LEFT JOIN team_boxscores t USING (game_id)
           GROUP BY ALL HAVING COUNT(t.game_id) != IF(s.status = 'final', 2, 0)"""
    )


def test_every_row_speaks_of_a_known_player_and_game(query: Query) -> None:
    for table in ("player_boxscores", "shots", "odds_player_points", "injury_reports"):
        assert not query(f"SELECT player_lookup FROM {table} ANTI JOIN players USING (player_lookup)")
    for table in ("odds_player_points", "odds_game_lines"):
        assert not query(f"SELECT game_id FROM {table} ANTI JOIN schedule USING (game_id, game_date)")
    assert not query("SELECT game_id FROM injury_reports ANTI JOIN schedule USING (game_id) WHERE game_id IS NOT NULL")


def test_player_lines_sum_to_the_team_box(query: Query) -> None:
    sums = ", ".join(f"SUM({name}) AS {name}" for name in (*FIGURES, "minutes"))
    unequal = " OR ".join(f"t.{name} != p.{name}" for name in (*FIGURES, "minutes"))
    assert not query(
        f"""SELECT * FROM team_boxscores t JOIN (SELECT game_id, team_abbr, {sums} FROM player_boxscores GROUP BY ALL) p
            USING (game_id, team_abbr) WHERE {unequal}"""
    )


def test_points_follow_from_the_shots_made(query: Query) -> None:
    for table in ("player_boxscores", "team_boxscores"):
        assert not query(
            f"""SELECT * FROM {table} WHERE points IS NOT NULL
                AND (points != 2 * (fgm - fg3m) + 3 * fg3m + ftm OR fgm > fga OR fg3m > fg3a OR ftm > fta OR fg3a > fga)"""
        )


def test_shots_equal_the_box(query: Query) -> None:
    assert not query(
        """SELECT * FROM (SELECT game_id, player_lookup, COUNT(*) AS fga, COUNT_IF(made) AS fgm, COUNT_IF(shot_value = 3) AS fg3a,
             COUNT_IF(made AND shot_value = 3) AS fg3m FROM shots GROUP BY ALL) s
           FULL JOIN (SELECT b.* FROM player_boxscores b JOIN schedule USING (game_id)
                      WHERE b.fga > 0 AND season_type NOT IN ('preseason', 'all_star')) b
           USING (game_id, player_lookup)
           WHERE (s.fga, s.fgm, s.fg3a, s.fg3m) IS DISTINCT FROM (b.fga, b.fgm, b.fg3a, b.fg3m)"""
    )


def test_the_value_of_a_shot_follows_from_its_zone(query: Query) -> None:
    assert not query("SELECT * FROM shots WHERE (zone LIKE '%3' OR zone = 'backcourt') != (shot_value = 3)")


def test_shot_numbers_run_from_one(query: Query) -> None:
    assert not query("SELECT game_id FROM shots GROUP BY 1 HAVING MIN(shot_number) != 1 OR MAX(shot_number) != COUNT(*)")


def test_no_game_is_tied(query: Query) -> None:
    assert not query("SELECT game_id FROM team_boxscores GROUP BY 1 HAVING COUNT(DISTINCT points) != 2")


def test_plus_minus_adds_up_to_five_times_the_margin(query: Query) -> None:
    assert not query(
        """SELECT a.game_id FROM (SELECT game_id, team_abbr, SUM(plus_minus) AS pm, SUM(points) AS pts FROM player_boxscores GROUP BY ALL) a
           JOIN (SELECT game_id, team_abbr, points FROM team_boxscores) b ON a.game_id = b.game_id AND a.team_abbr != b.team_abbr
           WHERE a.pm != 5 * (a.pts - b.points)"""
    )


def test_no_player_is_with_two_teams_on_one_date(query: Query) -> None:
    assert not query("SELECT player_lookup, game_date FROM player_boxscores GROUP BY ALL HAVING COUNT(*) > 1")


def test_no_team_plays_twice_a_day_or_three_days_running(query: Query) -> None:
    days = """(SELECT game_date, UNNEST([home_team, away_team]) AS team FROM schedule WHERE status != 'postponed')"""
    assert not query(f"SELECT team, game_date FROM {days} GROUP BY ALL HAVING COUNT(*) > 1")
    assert not query(
        f"""SELECT a.team, a.game_date FROM {days} a JOIN {days} b ON b.team = a.team AND b.game_date = a.game_date + 1
            JOIN {days} c ON c.team = a.team AND c.game_date = a.game_date + 2"""
    )


def test_every_team_plays_all_its_games(query: Query) -> None:
    games = query(
        """SELECT team, COUNT(*) FROM (SELECT UNNEST([home_team, away_team]) AS team FROM schedule
           WHERE season_type = 'regular' AND status = 'final') GROUP BY 1"""
    )
    assert len(games) == 30 and {count for _, count in games} == {82}


def test_nobody_ruled_out_at_the_last_report_plays(query: Query) -> None:
    assert not query(
        """SELECT r.player_lookup, r.game_id FROM
             (SELECT player_lookup, game_id, ARG_MAX(status, (reported_at, report_seq)) AS status FROM injury_reports
              WHERE game_id IS NOT NULL GROUP BY ALL) r
           JOIN player_boxscores b USING (player_lookup, game_id) WHERE r.status = 'out' AND b.minutes > 0"""
    )


def test_two_deliveries_are_equal_and_another_seed_differs(small_delivery: Delivery) -> None:
    again = SimulatedLeague(**SMALL).deliver()
    assert all(again.tables[name].equals(table) for name, table in small_delivery.tables.items())
    other = SimulatedLeague(**SMALL, seed=8).deliver()
    assert not any(other.tables[name].equals(table) for name, table in small_delivery.tables.items())


def test_an_earlier_end_only_takes_away(small: SimulatedLeague, small_delivery: Delivery, a_date: dt.date) -> None:
    early = SimulatedLeague(**SMALL, played_through=a_date).deliver()
    whole, part = query_over(small_delivery), query_over(early)
    columns = {name: ", ".join(contract(f"nba_raw.{name}").column_names) for name in ("player_boxscores", "team_boxscores", "shots")}
    for name, listed in columns.items():
        rows = f"SELECT {listed} FROM {name} WHERE game_date <= DATE '{a_date}' ORDER BY ALL"
        assert part(f"SELECT {listed} FROM {name} ORDER BY ALL") == whole(rows)
    end = f"< TIMESTAMPTZ '{a_date} 23:00:00'"
    for sql in (
        f"SELECT COUNT(*), SUM(line) FROM odds_player_points WHERE observed_at {end} AND game_date <= DATE '{a_date}'",
        f"SELECT COUNT(*), SUM(report_seq) FROM injury_reports WHERE reported_at {end}",
    ):
        assert part(sql) == whole(sql)


def test_a_later_season_leaves_the_earlier_one_as_it_was() -> None:
    one = SimulatedLeague(**SMALL, seasons=("2023-24",), played_through=dt.date(2024, 6, 30)).deliver()
    two = SimulatedLeague(**SMALL, seasons=("2023-24", "2024-25"))
    both = two.deliver()
    for name in ("player_boxscores", "shots", "team_boxscores"):
        table = one.tables[f"nba_raw.{name}"]
        assert both.tables[f"nba_raw.{name}"].slice(0, table.num_rows).equals(table)
    ask = query_over(both)
    assert (
        ask("SELECT COUNT(*) FROM (SELECT player_lookup FROM player_boxscores GROUP BY 1 HAVING MIN(game_date) > '2024-09-01')")[0][0] > 3
    )
    assert not ask("SELECT player_lookup FROM players GROUP BY 1 HAVING COUNT(*) > 1")


@pytest.mark.parametrize("teams", [4, 6, 8, 10, 16, 18])
@pytest.mark.parametrize("games", [4, 20, 82])
def test_leagues_of_every_size_deliver(teams: int, games: int) -> None:
    league = SimulatedLeague(teams=teams, games_per_team=games)
    delivery = league.deliver()
    assert delivery.rejections == ()
    ask = query_over(delivery)
    kinds = {kind for (kind,) in ask("SELECT DISTINCT season_type FROM schedule")}
    assert {"preseason", "regular", "cup_final", "play_in", "playoffs"} <= kinds
    assert ("all_star" in kinds) == (teams >= 16)
    played = ask("SELECT COUNT(*) FROM schedule WHERE season_type = 'regular' AND status = 'final'")
    assert played == [(teams * games // 2,)]


def test_the_end_of_the_schedule_is_still_to_come(league: SimulatedLeague, query: Query) -> None:
    upcoming = league.upcoming_date()
    first = "SELECT MIN(game_date) FROM schedule WHERE status = 'scheduled'"
    assert query(first) == [(upcoming,)]
    assert upcoming > league.played_through() == league.played_dates()[-1]
    assert query(f"SELECT COUNT(*) FROM player_boxscores WHERE game_date > DATE '{league.played_through()}'") == [(0,)]


def test_an_evening_in_season_has_a_whole_slate_with_odds_and_reports() -> None:
    league = SimulatedLeague(teams=16, games_per_team=30, played_through=dt.date(2024, 11, 12))
    ask = query_over(league.deliver())
    day = f"DATE '{league.upcoming_date()}'"
    ((games,),) = ask(f"SELECT COUNT(*) FROM schedule WHERE game_date = {day} AND status = 'scheduled'")
    assert games >= 2
    assert ask(f"SELECT COUNT(DISTINCT game_id) FROM odds_player_points WHERE game_date = {day}") == [(games,)]
    assert ask(f"SELECT COUNT(DISTINCT game_id), COUNT_IF(bookmaker = 'close') FROM odds_game_lines WHERE game_date = {day}") == [
        (games, 0)
    ]
    assert ask(f"SELECT COUNT(*) > 0 FROM injury_reports JOIN schedule USING (game_id) WHERE game_date = {day}") == [(True,)]
    assert ask(f"SELECT COUNT(*) FROM odds_player_points WHERE game_date > {day}") == [(0,)]
    assert ask("SELECT COUNT(*) > 50 FROM schedule WHERE status = 'scheduled'") == [(True,)]
    assert ask("SELECT COUNT(*) FROM schedule WHERE season_type IN ('playoffs', 'play_in')") == [(0,)]


@pytest.mark.parametrize("nth", [0, 1, 8, 13, 14, 15, 20, 25, 30, 39, 41, 44, 48, 52, 56])
def test_on_whatever_day_it_stops_every_row_has_its_game(small: SimulatedLeague, nth: int) -> None:
    league = SimulatedLeague(**SMALL, played_through=small.played_dates()[nth])
    ask = query_over(league.deliver())
    assert league.upcoming_date() == small.played_dates()[nth + 1]
    for table in ("odds_player_points", "odds_game_lines", "player_boxscores", "team_boxscores"):
        assert not ask(f"SELECT game_id FROM {table} ANTI JOIN schedule USING (game_id, game_date)")
    assert not ask("SELECT game_id FROM injury_reports ANTI JOIN schedule USING (game_id) WHERE game_id IS NOT NULL")
    assert not ask("SELECT game_id FROM schedule GROUP BY 1 HAVING COUNT(*) > 1")
    assert ask(f"SELECT COUNT(*) FROM odds_game_lines WHERE game_date = DATE '{league.upcoming_date()}'")[0][0] > 0


def test_a_league_that_is_over_has_no_upcoming_date() -> None:
    league = SimulatedLeague(**SMALL, played_through=dt.date(2025, 9, 1))
    assert league.deliver().rejections == ()
    with pytest.raises(NoGamesError):
        league.upcoming_date()


@pytest.mark.parametrize(
    "arguments",
    [
        {"teams": 7},
        {"teams": 32},
        {"games_per_team": 0},
        {"seasons": ()},
        {"seasons": ("2023-24", "2025-26")},
        {"seasons": ("2024",)},
        {"seed": -1},
    ],
)
def test_a_league_that_cannot_be_is_refused(arguments: dict[str, object]) -> None:
    with pytest.raises(UsageError):
        SimulatedLeague(**arguments)  # type: ignore[arg-type]


def test_progress_is_told_for_every_table() -> None:
    told: list[tuple[str, int, int]] = []
    SimulatedLeague(**SMALL).deliver(lambda what, done, of: told.append((what, done, of)))
    assert [done for _, done, _ in told] == list(range(1, len(INGESTED) + 1)) and {what for what, _, _ in told} == set(INGESTED)
