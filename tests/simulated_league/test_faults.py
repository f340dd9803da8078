"""A planted fault shows in the delivery: refused with its reason, or in the tables for the guards behind ingest."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Callable, Iterable

import pytest

from schemas.errors import UnknownNameError, UsageError
from tests.simulated_league.conftest import SMALL, query_over
from transformations.ingest.delivery import Delivery, SourceCount
from transformations.ingest.simulated_league import (
    BothSpreadSides,
    ConstantColumn,
    DuplicateBox,
    Fault,
    LateDecoyInjuries,
    LateDecoyOdds,
    MissingDay,
    NaNPoints,
    SimulatedLeague,
    UnfinishedGame,
    ZeroLine,
)

Spoiled = Callable[[Iterable[Fault]], Delivery]


def _count(delivery: Delivery, table: str) -> SourceCount:
    (count,) = [count for count in delivery.counts if count.table == f"nba_raw.{table}"]
    return count


def _refused(delivery: Delivery) -> Counter[tuple[str, str]]:
    return Counter((r.table_name.removeprefix("nba_raw."), r.reason_code) for r in delivery.rejections)


def _untouched(delivery: Delivery, clean: Delivery, *but: str) -> bool:
    return all(delivery.tables[n].equals(t) for n, t in clean.tables.items() if n.removeprefix("nba_raw.") not in but)


def test_FM14_nan_points_are_loaded_as_missing(spoiled: Spoiled, small_delivery: Delivery, a_date: dt.date) -> None:
    delivery = spoiled([NaNPoints(a_date)])
    sql = f"SELECT COUNT(*) FROM player_boxscores WHERE minutes IS NOT NULL AND points IS NULL AND game_date = DATE '{a_date}'"
    ((before,),), ((after,),) = query_over(small_delivery)(sql), query_over(delivery)(sql)
    assert before == 0 and after > 5
    assert delivery.rejections == () and _untouched(delivery, small_delivery, "player_boxscores")


def test_a_duplicated_box_is_refused_and_counted(spoiled: Spoiled, small_delivery: Delivery, a_date: dt.date) -> None:
    delivery = spoiled([DuplicateBox(a_date)])
    rows = _refused(delivery)[("player_boxscores", "duplicate_key")]
    assert rows >= 16 and _refused(delivery).total() == rows
    assert _count(delivery, "player_boxscores").rows_quarantined == rows
    assert _count(delivery, "player_boxscores").rows_in == _count(small_delivery, "player_boxscores").rows_in + rows
    assert _untouched(delivery, small_delivery)


def test_late_lines_arrive_as_any_others(spoiled: Spoiled, small_delivery: Delivery, a_date: dt.date) -> None:
    delivery = spoiled([LateDecoyOdds(a_date)])
    for table, absurd in (("odds_player_points", "line = 55.5"), ("odds_game_lines", "home_spread = 25 AND total = 300")):
        sql = f"""SELECT COUNT(*) FILTER (observed_at > tipoff_time), COUNT(*) FILTER (observed_at < tipoff_time
                  AND observed_at > tipoff_time - INTERVAL 60 MINUTE), COUNT(DISTINCT game_date)
                  FROM {table} JOIN schedule USING (game_id, game_date) WHERE {absurd}"""
        ((during, before, dates),) = query_over(delivery)(sql)
        assert during == before > 0 and dates == 1
        assert query_over(small_delivery)(sql)[0][:2] == (0, 0)
    assert delivery.rejections == () and _untouched(delivery, small_delivery, "odds_player_points", "odds_game_lines")


def test_late_reports_arrive_as_any_others(spoiled: Spoiled, small_delivery: Delivery, a_date: dt.date) -> None:
    delivery = spoiled([LateDecoyInjuries(a_date)])
    sql = f"""SELECT COUNT(DISTINCT r.player_lookup) FROM injury_reports r JOIN schedule s USING (game_id)
              JOIN player_boxscores b USING (game_id, player_lookup)
              WHERE r.status = 'out' AND b.points IS NOT NULL AND s.game_date = DATE '{a_date}' AND reported_at > tipoff_time"""
    ((late,),) = query_over(delivery)(sql)
    played = f"SELECT COUNT(*) FROM player_boxscores WHERE points IS NOT NULL AND game_date = DATE '{a_date}'"
    assert [(late,)] == query_over(delivery)(played) and query_over(small_delivery)(sql) == [(0,)]
    assert delivery.rejections == () and _untouched(delivery, small_delivery, "injury_reports")


def test_late_reports_can_be_planted_on_the_upcoming_date(spoiled: Spoiled, small: SimulatedLeague) -> None:
    upcoming = small.upcoming_date()
    ((late,),) = query_over(spoiled([LateDecoyInjuries(upcoming), LateDecoyOdds(upcoming)]))(
        f"SELECT COUNT(*) FROM injury_reports WHERE reason = 'left the game' AND report_date = DATE '{upcoming}'"
    )
    assert late > 0


def test_a_constant_column_passes_the_contract(spoiled: Spoiled, small_delivery: Delivery, a_date: dt.date) -> None:
    delivery = spoiled([ConstantColumn("team_boxscores", "fta", 22, a_date)])
    sql = f"SELECT COUNT(DISTINCT fta) FROM team_boxscores WHERE game_date {{}} DATE '{a_date}'"
    assert query_over(delivery)(sql.format(">=")) == [(1,)]
    assert query_over(delivery)(sql.format("<"))[0][0] > 5
    assert delivery.rejections == () and _untouched(delivery, small_delivery, "team_boxscores")


@pytest.mark.parametrize("table", ["shots", "odds_player_points", "player_boxscores", "injury_reports", "team_boxscores"])
def test_a_missing_day_is_missing_and_nothing_else(spoiled: Spoiled, small_delivery: Delivery, a_date: dt.date, table: str) -> None:
    delivery = spoiled([MissingDay(table, a_date)])
    column = "report_date" if table == "injury_reports" else "game_date"
    gone = f"SELECT COUNT(*) FROM {table} WHERE {column} = DATE '{a_date}'"
    ((rows,),) = query_over(small_delivery)(gone)
    assert rows > 0 and query_over(delivery)(gone) == [(0,)]
    assert _count(delivery, table).rows_in == _count(small_delivery, table).rows_in - rows
    assert _untouched(delivery, small_delivery, table)


def test_FM38_the_second_side_of_a_spread_is_refused(spoiled: Spoiled, small_delivery: Delivery, a_date: dt.date) -> None:
    delivery = spoiled([BothSpreadSides(a_date)])
    ((rows,),) = query_over(small_delivery)(f"SELECT COUNT(*) FROM odds_game_lines WHERE game_date = DATE '{a_date}'")
    assert _refused(delivery) == {("odds_game_lines", "duplicate_key"): rows}
    assert _count(delivery, "odds_game_lines").rows_quarantined == rows and _untouched(delivery, small_delivery)


def test_FM16_a_line_of_zero_is_refused(spoiled: Spoiled, small_delivery: Delivery, a_date: dt.date) -> None:
    delivery = spoiled([ZeroLine(a_date)])
    refused = _refused(delivery)[("odds_player_points", "out_of_range")]
    assert refused > 0 and _refused(delivery).total() == refused
    count = _count(delivery, "odds_player_points")
    assert (count.rows_quarantined, count.rows_in) == (refused, _count(small_delivery, "odds_player_points").rows_in)
    assert query_over(delivery)("SELECT MIN(line) > 0 FROM odds_player_points") == [(True,)]
    assert _untouched(delivery, small_delivery, "odds_player_points")


def test_FM56_an_unfinished_game_costs_its_own_boxes_only(spoiled: Spoiled, small_delivery: Delivery, a_date: dt.date) -> None:
    delivery = spoiled([UnfinishedGame(a_date)])
    assert {(table, reason) for table, reason in _refused(delivery)} == {("team_boxscores", "missing_value")}
    assert _count(delivery, "team_boxscores").rows_quarantined == 2
    ((halves, games),) = query_over(delivery)(
        "SELECT COUNT(*), COUNT(DISTINCT game_id) FROM player_boxscores WHERE minutes IS NOT NULL AND points IS NULL"
    )
    assert halves >= 7 and games == 1
    assert _untouched(delivery, small_delivery, "team_boxscores", "player_boxscores")


def test_faults_add_up(spoiled: Spoiled, a_date: dt.date) -> None:
    both = spoiled([ZeroLine(a_date), BothSpreadSides(a_date), NaNPoints(a_date), MissingDay("shots", a_date)])
    apart = [spoiled([fault]) for fault in (ZeroLine(a_date), BothSpreadSides(a_date))]
    assert len(both.rejections) == sum(len(delivery.rejections) for delivery in apart) > 0


@pytest.mark.parametrize(
    "fault",
    [
        NaNPoints(dt.date(2030, 1, 1)),
        ZeroLine(dt.date(2030, 1, 1)),
        MissingDay("shots", dt.date(2030, 1, 1)),
        LateDecoyInjuries(dt.date(2030, 1, 1)),
        ConstantColumn("shots", "made", True, dt.date(2030, 1, 1)),
        MissingDay("players", dt.date(2024, 12, 1)),
    ],
)
def test_a_fault_that_would_plant_nothing_is_an_error(fault: Fault) -> None:
    with pytest.raises(UsageError):
        SimulatedLeague(**SMALL, faults=(fault,)).deliver()


@pytest.mark.parametrize("fault", [MissingDay("box", dt.date(2024, 12, 1)), ConstantColumn("shots", "x", 1, dt.date(2024, 12, 1))])
def test_a_fault_of_an_unknown_table_or_column_is_an_error(fault: Fault) -> None:
    with pytest.raises(UnknownNameError):
        SimulatedLeague(**SMALL, faults=(fault,)).deliver()
