"""Game lines and points lines."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.ingest.folder import TEAM, Folder, Row, closing, event, points_line, quote, reasons, rows_of, utc

NIGHT = "2023-11-02T00:10"


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


def book(home_spread: float = -3.5, total: float = 221.5, home: str = "ATL", away: str = "BOS", **changes: Any) -> list[Row]:
    return [
        quote(NIGHT, home, away, "spreads", home, home_spread, **changes),
        quote(NIGHT, home, away, "spreads", away, -home_spread, **changes),
        quote(NIGHT, home, away, "totals", "Over", total, **changes),
        quote(NIGHT, home, away, "totals", "Under", total, **changes),
        quote(NIGHT, home, away, "h2h", home, None, -160, **changes),
        quote(NIGHT, home, away, "h2h", away, None, 140, **changes),
    ]


def test_a_snapshot_is_one_row_of_the_home_side(folder: Folder) -> None:
    folder.add("game_odds_snapshots", [*book(), *book(-4.0, bookmaker_key="fanduel")])
    delivery = folder.deliver()
    line = rows_of(delivery, "odds_game_lines")[0]
    assert (line["bookmaker"], line["home_spread"], line["total"]) == ("betmgm", -3.5, 221.5)
    assert (line["home_moneyline"], line["away_moneyline"], line["observed_at"]) == (-160, 140, utc("2023-11-01T11:55"))
    assert str(line["game_date"]) == "2023-11-01"
    (count,) = [c for c in delivery.counts if c.table == "nba_raw.odds_game_lines"]
    assert (count.rows_in, count.rows_loaded, count.rows_merged) == (12, 2, 10)


def test_FM38_the_two_sides_are_one_row_so_the_median_is_not_zero(folder: Folder) -> None:
    folder.add("game_odds_snapshots", [row for n, name in enumerate("abc") for row in book(-3.0 - n, bookmaker_key=name)])
    spreads = sorted(row["home_spread"] for row in rows_of(folder.deliver(), "odds_game_lines"))
    assert spreads == [-5.0, -4.0, -3.0]


def test_FM38_sides_that_do_not_cancel_are_refused(folder: Folder) -> None:
    rows = book()
    rows[1]["outcome_point"] = -3.5
    folder.add("game_odds_snapshots", [*rows, *book(bookmaker_key="fanduel")])
    delivery = folder.deliver()
    assert reasons(delivery, "odds_game_lines") == ["bad_value"] * 6
    assert [row["bookmaker"] for row in rows_of(delivery, "odds_game_lines")] == ["fanduel"]


def test_FM32_home_is_the_schedules_whatever_the_event_says(folder: Folder) -> None:
    folder.add("game_odds_snapshots", book(home_spread=2.5, home="BOS", away="ATL"))
    (line,) = rows_of(folder.deliver(), "odds_game_lines")
    assert (line["home_spread"], line["home_moneyline"], line["away_moneyline"]) == (-2.5, 140, -160)


def test_the_away_side_alone_gives_the_home_side(folder: Folder) -> None:
    folder.add("game_odds_snapshots", book()[1:2])
    (line,) = rows_of(folder.deliver(), "odds_game_lines")
    assert (line["home_spread"], line["total"], line["home_moneyline"]) == (-3.5, None, None)


def test_a_price_changed_after_the_reading_was_not_knowable_at_it(folder: Folder) -> None:
    rows = book()
    rows[2]["last_update"] = utc("2023-11-01T20:00")
    folder.add("game_odds_snapshots", rows)
    assert rows_of(folder.deliver(), "odds_game_lines")[0]["observed_at"] == utc("2023-11-01T20:00")


def test_markets_on_less_than_the_game_and_lay_prices_are_not_wanted(folder: Folder) -> None:
    odd = [quote(NIGHT, "ATL", "BOS", market, "ATL", -1.5) for market in ("spreads_h1", "h2h_lay")]
    folder.add("game_odds_snapshots", [*book(), *odd])
    delivery = folder.deliver()
    (count,) = [c for c in delivery.counts if c.table == "nba_raw.odds_game_lines"]
    assert (count.rows_in, count.rows_loaded, count.rows_merged, count.rows_not_wanted) == (8, 1, 5, 2)
    assert "spreads_h1" in count.why
    assert "h2h_lay" in count.why


def test_an_event_without_a_game_a_team_or_a_side_is_refused(folder: Folder) -> None:
    moved = book(event_id="e9", commence_time=utc("2023-12-02T00:10"))
    strange = {**book()[0], "bookmaker_key": "x", "home_team": "Seattle"}
    neither = {**book()[0], "bookmaker_key": "y", "outcome_name": "Draw"}
    folder.add("game_odds_snapshots", [*moved, strange, neither])
    delivery = folder.deliver()
    assert sorted(reasons(delivery, "odds_game_lines")) == ["bad_value"] + ["unknown_game"] * 6 + ["unknown_team"]
    assert not rows_of(delivery, "odds_game_lines")


def test_an_event_that_was_moved_is_joined_by_its_listing(folder: Folder) -> None:
    folder.add("schedule_events", [event("e9", NIGHT, "ATL", "BOS", "2023-11-01T11:55")])
    folder.add("game_odds_snapshots", book(event_id="e9", commence_time=utc("2023-10-30T00:10")))
    assert [row["game_id"] for row in rows_of(folder.deliver(), "odds_game_lines")] == [folder.game_id]


def test_of_two_events_of_one_game_the_one_that_starts_right_stays(folder: Folder) -> None:
    folder.add("schedule_events", [event("e1", NIGHT, "ATL", "BOS", "2023-11-01T11:55")])
    wrong = book(-9.5, event_id="e0", commence_time=utc("2023-11-01T23:00"))
    folder.add("game_odds_snapshots", [*wrong, *book()])
    delivery = folder.deliver()
    assert [row["home_spread"] for row in rows_of(delivery, "odds_game_lines")] == [-3.5]
    assert reasons(delivery, "odds_game_lines") == ["duplicate_key"] * 6


@pytest.mark.parametrize(
    ("row", "spread"),
    [
        (closing("2023-11-01", "ATL", "BOS", "home", 4.5), -4.5),
        (closing("2023-11-01", "ATL", "BOS", "away", 4.5), 4.5),
        (closing("2023-11-01", "ATL", "BOS", "home", 0.0), 0.0),
        (closing("2023-11-01", "ATL", "BOS", "away", None), None),
        (closing("2023-11-01", "BOS", "ATL", "home", 4.5), 4.5),
    ],
)
def test_a_closing_line_is_knowable_at_tipoff_and_seen_from_home(folder: Folder, row: Row, spread: float | None) -> None:
    folder.add("schedule_events", [event("e1", NIGHT, "ATL", "BOS", "2023-11-01T11:55")])
    folder.add("game_lines_close", [row])
    (line,) = rows_of(folder.deliver(), "odds_game_lines")
    assert (line["bookmaker"], line["observed_at"], line["total"]) == ("close", utc(NIGHT), 220.5)
    assert str(line["home_spread"]) == str(spread)


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (closing("2023-11-02", "ATL", "BOS", "home", 4.5), "unknown_game"),
        ({**closing("2023-11-01", "ATL", "BOS", "home", 4.5), "home": "sea"}, "unknown_team"),
        (closing("2023-11-01", "ATL", "BOS", "home", -4.5), "bad_value"),
        (closing("2023-11-01", "ATL", "BOS", "nobody", 4.5), "bad_value"),
        (closing("2023-11-01", "ATL", "BOS", "home", 4.5, total=0.0), "out_of_range"),
    ],
)
def test_a_closing_line_that_cannot_be_right_is_refused(folder: Folder, row: Row, reason: str) -> None:
    folder.add("game_lines_close", [row])
    assert reasons(folder.deliver(), "odds_game_lines") == [reason]


def test_over_and_under_are_one_line_seen_at_noon(folder: Folder) -> None:
    folder.add("player_props_dfs", [points_line("Trae Young", "Over", 26.5), points_line("Trae Young", "Under", 26.5, -110)])
    delivery = folder.deliver()
    (line,) = rows_of(delivery, "odds_player_points")
    assert (line["player_lookup"], line["bookmaker"], line["is_dfs"], line["line"]) == ("traeyoung", "prizepicks", True, 26.5)
    assert (line["over_price"], line["under_price"], line["observed_at"]) == (-137, -110, utc("2023-11-01T16:00"))
    (count,) = [c for c in delivery.counts if c.table == "nba_raw.odds_player_points"]
    assert (count.rows_in, count.rows_loaded, count.rows_merged) == (2, 1, 1)


def test_spellings_are_found_among_the_two_teams(folder: Folder) -> None:
    folder.add("player_props_dfs", [points_line(name, "Over", 20.5) for name in ("J. Brown", "Tatum, Jayson", "Nobody", "")])
    delivery = folder.deliver()
    assert [row["player_lookup"] for row in rows_of(delivery, "odds_player_points")] == ["jaylenbrown", "jaysontatum"]
    assert reasons(delivery, "odds_player_points") == ["unknown_player", "no_player_named"]


def test_one_line_in_several_files_keeps_the_price_nearest_the_standard(folder: Folder) -> None:
    prices = (-10000, 100, -130, -144)
    folder.add("player_props_dfs", [points_line("Trae Young", "Over", 26.5, price, source_file=f"{price}.csv") for price in prices])
    folder.add("player_props_dfs", [points_line("Trae Young", "Over", 27.5)])
    lines = rows_of(folder.deliver(), "odds_player_points")
    assert [(line["line"], line["over_price"], line["under_price"]) for line in lines] == [(26.5, -144, None), (27.5, -137, None)]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"commence_time": utc("2023-11-05T00:10")}, "unknown_game"),
        ({"home_team": "Seattle"}, "unknown_team"),
        ({"side": "Both"}, "bad_value"),
        ({"line": None}, "missing_value"),
    ],
)
def test_a_points_line_that_fits_nothing_is_refused(folder: Folder, changes: Row, reason: str) -> None:
    folder.add("player_props_dfs", [{**points_line("Trae Young", "Over", 26.5), **changes}])
    assert reasons(folder.deliver(), "odds_player_points") == [reason]


@pytest.mark.parametrize("line", [0.0, -0.5])
def test_FM16_a_points_line_of_zero_or_less_is_refused_on_both_sides(folder: Folder, line: float) -> None:
    folder.add("player_props_dfs", [points_line("Trae Young", "Over", line), points_line("Trae Young", "Under", line)])
    delivery = folder.deliver()
    assert reasons(delivery, "odds_player_points") == ["out_of_range", "out_of_range"]
    assert not rows_of(delivery, "odds_player_points")


def test_lines_on_other_things_than_points_are_not_wanted(folder: Folder) -> None:
    folder.add("player_props_dfs", [points_line("Trae Young", "Over", 9.5, market="player_assists")])
    folder.add("player_props_pra", [{"player_name": "Trae Young", "event_id": "e", "timestamp": utc(NIGHT), "line": 39.5}])
    delivery = folder.deliver()
    counts = {c.source.split("/")[0]: c for c in delivery.counts if c.table == "nba_raw.odds_player_points"}
    assert {kind: (c.rows_in, c.rows_not_wanted, bool(c.why)) for kind, c in counts.items()} == {
        "player_props_dfs": (1, 1, True),
        "player_props_pra": (1, 1, True),
    }
    assert not delivery.rejections


def test_the_feeds_other_name_of_a_team_is_known(folder: Folder) -> None:
    assert TEAM["LAC"].name == "Los Angeles Clippers"
    for row in (folder.team_rows[0], *folder.player_rows[:2]):
        row.update(TEAM_ID=TEAM["LAC"].team_id)
    for row in folder.team_rows:
        row["MATCHUP"] = row["MATCHUP"].replace("ATL", "LAC")
    folder.add("game_odds_snapshots", [{**row, "home_team": "LA Clippers", "outcome_name": "LA Clippers"} for row in book()[:1]])
    assert [row["home_spread"] for row in rows_of(folder.deliver(), "odds_game_lines")] == [-3.5]
