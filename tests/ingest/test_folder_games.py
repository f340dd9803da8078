"""Games, boxes, players and start times."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.ingest.folder import SQUAD, Folder, event, player_row, reasons, rows_of, team_row, utc, write
from transformations.ingest.box_score_folder import BoxScoreFolder


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


def test_a_game_has_its_home_team_and_the_stand_in_start(folder: Folder) -> None:
    (game,) = rows_of(folder.deliver(), "schedule")
    assert (game["home_team"], game["away_team"], game["is_neutral_site"]) == ("ATL", "BOS", False)
    assert (game["season"], game["season_type"], game["status"]) == ("2023-24", "regular", "final")
    # 12:00 in New York in summer time.
    assert (game["tipoff_time"], game["tipoff_known"]) == (utc("2023-11-01T16:00"), False)


@pytest.mark.parametrize(
    ("game_id", "season_type"),
    [("0042300101", "playoffs"), ("0052300101", "play_in"), ("0062300001", "cup_final"), ("0012300009", "preseason")],
)
def test_FM33_the_kind_of_a_game_comes_with_the_game(folder: Folder, game_id: str, season_type: str) -> None:
    folder.game(game_id, "2024-04-20", "DEN", "MIA")
    delivery = folder.deliver()
    game = next(row for row in rows_of(delivery, "schedule") if row["game_id"] == game_id)
    assert game["season_type"] == season_type
    boxes = [row for row in rows_of(delivery, "team_boxscores") if row["game_id"] == game_id]
    assert len(boxes) == (0 if season_type == "preseason" else 2)


def test_FM32_a_neutral_game_has_the_nominal_home_team_and_the_flag(folder: Folder) -> None:
    folder.team_rows += [team_row("0022300147", "2023-11-02", team, "MIA @ DEN") for team in ("DEN", "MIA")]
    folder.player_rows += [player_row("0022300147", "2023-11-02", t, 0, f"{t} @ {o}") for t, o in (("DEN", "MIA"), ("MIA", "DEN"))]
    games = {row["game_id"]: row for row in rows_of(folder.deliver(), "schedule")}
    game = games["0022300147"]
    assert (game["home_team"], game["away_team"], game["is_neutral_site"]) == ("DEN", "MIA", True)
    assert games[folder.game_id]["is_neutral_site"] is False


def test_a_cup_final_is_neutral_whatever_the_row_calls_home(folder: Folder) -> None:
    folder.game("0062300001", "2023-12-09", "DEN", "MIA")
    assert [row["is_neutral_site"] for row in rows_of(folder.deliver(), "schedule")] == [False, True]


@pytest.mark.parametrize(
    ("texts", "dates"),
    [
        (("DEN vs. MIA", "MIA vs. DEN"), ("2023-11-02", "2023-11-02")),
        (("DEN @ MIA", "MIA @ DEN"), ("2023-11-02", "2023-11-02")),
        (("DEN vs. MIA", "MIA @ DEN"), ("2023-11-02", "2023-11-03")),
    ],
)
def test_FM32_rows_that_disagree_on_home_or_date_are_refused(folder: Folder, texts: tuple[str, str], dates: tuple[str, str]) -> None:
    folder.team_rows += [team_row("0022300002", dates[n], team, texts[n]) for n, team in enumerate(("DEN", "MIA"))]
    delivery = folder.deliver()
    assert [row["game_id"] for row in rows_of(delivery, "schedule")] == [folder.game_id]
    assert reasons(delivery, "schedule") == ["bad_value", "bad_value"]
    assert reasons(delivery, "team_boxscores") == ["unknown_game", "unknown_game"]


def test_a_game_of_one_team_is_refused(folder: Folder) -> None:
    folder.team_rows.append(team_row("0022300002", "2023-11-02", "DEN", "DEN vs. MIA"))
    delivery = folder.deliver()
    assert reasons(delivery, "schedule") == ["unpaired_game"]
    assert len(rows_of(delivery, "schedule")) == 1


def test_preseason_games_against_other_leagues_are_not_wanted(folder: Folder) -> None:
    folder.game("0012300008", "2023-10-08", "ATL", "NZB")
    delivery = folder.deliver()
    assert len(rows_of(delivery, "schedule")) == 1
    assert not delivery.rejections
    (count,) = [c for c in delivery.counts if c.table == "nba_raw.schedule"]
    assert (count.rows_in, count.rows_loaded, count.rows_merged, count.rows_not_wanted) == (4, 1, 1, 2)
    assert "other leagues" in count.why


def test_all_star_games_are_listed_and_have_no_boxes(folder: Folder) -> None:
    rows = [team_row("0032300001", "2024-02-18", team, text) for team, text in (("EST", "EST vs. WST"), ("WST", "WST @ EST"))]
    folder.team_rows += [{**row, "TEAM_ID": 1610616833 + n} for n, row in enumerate(rows)]
    delivery = folder.deliver()
    game = rows_of(delivery, "schedule")[-1]
    assert (game["season_type"], game["home_team"], game["is_neutral_site"]) == ("all_star", "EST", True)
    assert {row["game_id"] for row in rows_of(delivery, "team_boxscores")} == {folder.game_id}


def test_an_unknown_team_of_a_counted_game_is_refused(folder: Folder) -> None:
    folder.game("0022300002", "2023-11-02", "DEN", "MIA")
    folder.team_rows[-1]["TEAM_ID"] = 99
    delivery = folder.deliver()
    assert sorted(reasons(delivery, "schedule")) == ["unknown_team", "unpaired_game"]
    assert sorted(reasons(delivery, "team_boxscores")) == ["unknown_game", "unknown_team"]


def test_of_a_doubled_team_row_the_incomplete_copy_is_refused(folder: Folder) -> None:
    folder.game("0012300036", "2023-10-14", "MIA", "DEN")
    folder.team_rows.insert(0, team_row("0012300036", "2023-10-14", "MIA", "MIA vs. DEN", WL=None, MIN=3, PTS=0))
    delivery = folder.deliver()
    assert len(rows_of(delivery, "schedule")) == 2
    (refused,) = delivery.rejections
    assert (refused.reason_code, refused.row_ref) == ("duplicate_key", "1")
    assert json.loads(refused.raw_row_json)["PTS"] == 0


def test_FM56_an_unfinished_game_is_refused_and_the_night_goes_on(folder: Folder) -> None:
    folder.game("0022300002", "2023-11-01", "DEN", "MIA", WL=None, MIN=120, PTS=48)
    delivery = folder.deliver()
    status = {row["game_id"]: row["status"] for row in rows_of(delivery, "schedule")}
    assert status == {folder.game_id: "final", "0022300002": "scheduled"}
    assert set(reasons(delivery, "team_boxscores")) == set(reasons(delivery, "player_boxscores")) == {"unfinished_game"}
    for table in ("team_boxscores", "player_boxscores"):
        assert {row["game_id"] for row in rows_of(delivery, table)} == {folder.game_id}


def test_FM56_one_bad_box_is_refused_alone(folder: Folder) -> None:
    folder.team_rows[0]["PTS"] = 3
    folder.player_rows[0]["FGA"] = -1
    delivery = folder.deliver()
    assert reasons(delivery, "team_boxscores") == reasons(delivery, "player_boxscores") == ["out_of_range"]
    assert (len(rows_of(delivery, "team_boxscores")), len(rows_of(delivery, "player_boxscores"))) == (1, 3)


def test_the_start_is_that_of_the_latest_reading_of_the_latest_event(folder: Folder) -> None:
    folder.add(
        "schedule_events",
        [
            event("old", "2023-11-01T23:00", "ATL", "BOS", "2023-10-24T11:55"),
            event("new", "2023-11-02T00:30", "BOS", "ATL", "2023-11-01T11:55"),
            event("new", "2023-11-02T00:10", "BOS", "ATL", "2023-10-31T11:55"),
            event("gone", "2023-11-05T00:10", "BOS", "ATL", "2023-11-01T11:55"),
            {**event("odd", "2023-11-05T00:10", "BOS", "ATL", "2023-11-01T11:55"), "home_team": "Seattle"},
        ],
    )
    delivery = folder.deliver()
    (game,) = rows_of(delivery, "schedule")
    assert (game["tipoff_time"], game["tipoff_known"]) == (utc("2023-11-02T00:30"), True)
    assert (game["home_team"], str(game["game_date"])) == ("ATL", "2023-11-01")
    (count,) = [c for c in delivery.counts if "schedule_events" in c.source]
    assert (count.rows_in, count.rows_merged, count.rows_not_wanted, count.rows_quarantined) == (5, 3, 1, 1)
    assert [(r.reason_code, json.loads(r.raw_row_json)["home_team"]) for r in delivery.rejections] == [("unknown_team", "Seattle")]


def test_FM23_a_few_seconds_of_play_are_an_appearance_with_zero_minutes(folder: Folder) -> None:
    folder.player_rows[0].update(MIN=0, PTS=0)
    row = next(r for r in rows_of(folder.deliver(), "player_boxscores") if r["player_lookup"] == "traeyoung")
    assert (row["minutes"], row["points"], row["fga"]) == (0.0, 0, 42)


def playoff_row(player: int, **changes: object) -> dict[str, object]:
    row = player_row("0042300101", "2024-04-20", "DEN", player, "DEN vs. MIA")
    return {**row, "START_POSITION": None, "COMMENT": None, **changes}


def test_FM23_a_noted_absence_has_no_numbers_and_a_bench_player_did_not_start(folder: Folder) -> None:
    folder.game("0042300101", "2024-04-20", "DEN", "MIA")
    absent = dict.fromkeys(("MIN", "PTS", "FGA", "FGM", "PLUS_MINUS"), 0)
    folder.add("playoff_player_box", [playoff_row(0, START_POSITION="C"), playoff_row(1, COMMENT="DNP - Coach's Decision", **absent)])
    rows = {(r["game_id"], r["player_lookup"]): r for r in rows_of(folder.deliver(), "player_boxscores")}
    starter, listed = rows["0042300101", "nikolajokic"], rows["0042300101", "michaelporterjr"]
    assert (starter["started"], starter["points"]) == (True, 55)
    assert (listed["started"], listed["points"], listed["minutes"], listed["fga"], listed["plus_minus"]) == (False, None, None, None, None)
    assert rows[folder.game_id, "traeyoung"]["started"] is None


def test_FM24_minutes_as_a_clock_are_read_and_unreadable_ones_refused(folder: Folder) -> None:
    for row, minutes in zip(folder.player_rows, ("34:30", "12:00", "n/a", "0:00"), strict=True):
        row["MIN"] = minutes
    delivery = folder.deliver()
    assert sorted(r["minutes"] for r in rows_of(delivery, "player_boxscores")) == [0.0, 12.0, 34.5]
    assert reasons(delivery, "player_boxscores") == ["unparsable"]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"GAME_ID": "0022309999"}, "unknown_game"),
        ({"TEAM_ID": 1610612743}, "unknown_team"),
        ({"GAME_DATE": "2023-11-02"}, "bad_value"),
        ({"PLAYER_NAME": None, "PLAYER_ID": None}, "no_player_named"),
    ],
)
def test_a_box_that_fits_no_game_team_or_player_is_refused(folder: Folder, changes: dict[str, object], reason: str) -> None:
    folder.player_rows[0].update(changes)
    delivery = folder.deliver()
    assert reasons(delivery, "player_boxscores") == [reason]
    assert len(rows_of(delivery, "player_boxscores")) == 3


def test_a_player_has_one_key_in_all_files_and_his_latest_position(folder: Folder) -> None:
    folder.game("0022300002", "2023-11-03", "DEN", "MIA")
    next(row for row in folder.player_rows if row["PLAYER_ID"] == 5)["PLAYER_NAME"] = "Nikola Jokic"
    folder.add("player_positions", [{"PLAYER_ID": 5, "POSITION": "C"}, {"PLAYER_ID": 77, "POSITION": "G"}])
    write(folder.path, "player_positions", [{"PLAYER_ID": 5, "POSITION": "F"}], season="2022-23")
    for kind, rows in (("team_game_logs", folder.team_rows[:2]), ("player_game_logs", folder.player_rows[:4])):
        write(
            folder.path,
            kind,
            [{**row, "GAME_ID": "0022200001", "GAME_DATE": "2022-11-01", "SEASON_ID": "22022"} for row in rows],
            "2022-23",
        )
    delivery = folder.deliver()
    players = {row["player_lookup"]: row for row in rows_of(delivery, "players")}
    assert len(players) == sum(len(squad) for squad in SQUAD.values())
    assert (players["nikolajokic"]["position"], players["nikolajokic"]["player_id"]) == ("C", 5)
    assert (players["traeyoung"]["position"], players["traeyoung"]["birth_date"]) == (None, None)
    positions = {c.source: (c.rows_merged, c.rows_not_wanted) for c in delivery.counts if "positions" in c.source}
    assert sorted(positions.values()) == [(0, 1), (1, 1)]


def test_namesakes_get_keys_of_their_own(folder: Folder) -> None:
    folder.player_rows[3]["PLAYER_NAME"] = "Trae Young"
    keys = {row["player_id"]: row["player_lookup"] for row in rows_of(folder.deliver(), "players")}
    assert (keys[1], keys[4]) == ("traeyoung", "traeyoung4")


def test_a_doubled_box_is_refused(folder: Folder) -> None:
    folder.player_rows.append(dict(folder.player_rows[0]))
    delivery = folder.deliver()
    assert reasons(delivery, "player_boxscores") == ["duplicate_key"]
    assert len(rows_of(delivery, "player_boxscores")) == 4


def test_two_readings_of_a_folder_are_equal(folder: Folder) -> None:
    folder.game("0022300002", "2023-11-03", "DEN", "MIA")
    first, second = folder.deliver(), BoxScoreFolder(folder.path).deliver()
    assert all(first.tables[name].equals(second.tables[name]) for name in first.tables)
    assert (first.rejections, first.counts) == (second.rejections, second.counts)
