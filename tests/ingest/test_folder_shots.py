"""Shots of two sources in one form."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.ingest.folder import SQUAD, TEAM, Folder, Row, court_shot, reasons, rows_of

ATTEMPTS = 168  # of the folder's game: two teams, two players, 42 each


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


def court_shots(number: int = ATTEMPTS, game_id: int = 22300001, **changes: Any) -> list[Row]:
    return [court_shot(game_id, "11-01-2023", "ATL", "BOS", "ATL", SECS_LEFT=n % 60, **changes) for n in range(number)]


def league_shots(number: int = ATTEMPTS, **changes: Any) -> list[Row]:
    row = {
        "GAME_ID": "0022300001", "PLAYER_ID": 3, "TEAM_ID": TEAM["BOS"].team_id, "PERIOD": 5, "MINUTES_REMAINING": 1,
        "SECONDS_REMAINING": 7, "SHOT_TYPE": "3PT Field Goal", "SHOT_ZONE_BASIC": "Left Corner 3", "SHOT_DISTANCE": 23, "LOC_X": -231,
        "LOC_Y": 18, "SHOT_MADE_FLAG": 0, "GAME_DATE": "20231101", "HTM": "ATL", "VTM": "BOS",
    }  # fmt: skip
    return [{**row, **changes} for _ in range(number)]


def test_the_full_season_form_is_turned_to_the_leagues_sign_in_feet(folder: Folder) -> None:
    folder.add("shots", court_shots(LOC_X=23.1, LOC_Y=7.0, SHOT_DISTANCE=23, BASIC_ZONE="Left Corner 3", SHOT_TYPE="3PT Field Goal"))
    shot = rows_of(folder.deliver(), "shots")[0]
    assert (shot["loc_x"], shot["loc_y"], shot["distance_ft"]) == (-23.1, 7.0, 23)
    assert (shot["zone"], shot["shot_value"], shot["made"]) == ("left_corner_3", 3, True)
    assert (shot["game_id"], shot["player_lookup"], shot["team_abbr"]) == ("0022300001", "traeyoung", "ATL")
    assert (shot["shot_number"], shot["period"], shot["seconds_left"]) == (1, 1, 659)


def test_the_leagues_form_is_turned_into_feet_from_the_baseline(folder: Folder) -> None:
    folder.add("shots", league_shots())
    shot = rows_of(folder.deliver(), "shots")[0]
    assert (shot["loc_x"], shot["loc_y"], shot["zone"], shot["made"]) == (-23.1, 7.05, "left_corner_3", False)
    assert (shot["period"], shot["seconds_left"], shot["player_lookup"]) == (5, 67, "jaysontatum")


def test_a_file_on_a_tenth_of_the_scale_is_recognised_by_its_distances(folder: Folder) -> None:
    far = court_shots(100, LOC_X=-2.31, LOC_Y=5.955, SHOT_DISTANCE=23, BASIC_ZONE="Left Corner 3")
    folder.add("shots", [*far, *court_shots(68, LOC_X=0.0, LOC_Y=5.775)])
    shots = rows_of(folder.deliver(), "shots")
    assert {(s["loc_x"], s["loc_y"]) for s in shots} == {(-23.1, 7.05), (0.0, 5.25)}


def test_a_broken_game_id_is_recovered_from_date_and_teams(folder: Folder) -> None:
    folder.game("0022300002", "2023-11-03", "ATL", "BOS")
    folder.add("shots", court_shots(game_id=22000000))
    folder.add("shots", [{**row, "GAME_DATE": "11-03-2023"} for row in court_shots(game_id=22000000)])
    delivery = folder.deliver()
    shots = rows_of(delivery, "shots")
    assert not delivery.rejections
    assert [(g, sum(s["game_id"] == g for s in shots)) for g in (folder.game_id, "0022300002")] == [
        (folder.game_id, 168),
        ("0022300002", 168),
    ]
    assert {str(s["game_date"]) for s in shots if s["game_id"] == "0022300002"} == {"2023-11-03"}


def test_identical_rows_are_two_shots_with_two_numbers(folder: Folder) -> None:
    folder.add("shots", league_shots())
    numbers = [s["shot_number"] for s in rows_of(folder.deliver(), "shots")]
    assert sorted(numbers) == list(range(1, ATTEMPTS + 1))


def test_numbers_do_not_depend_on_the_order_of_the_file(tmp_path: Path) -> None:
    rows = [{**row, "PLAYER_ID": SQUAD["ATL"][n % 2][0], "QUARTER": 1 + n % 4} for n, row in enumerate(court_shots())]
    forward, backward = Folder(tmp_path / "a"), Folder(tmp_path / "b")
    forward.add("shots", rows)
    backward.add("shots", reversed(rows))
    assert rows_of(forward.deliver(), "shots") == rows_of(backward.deliver(), "shots")


@pytest.mark.parametrize(("listed", "kept"), [(ATTEMPTS - 3, ATTEMPTS - 3), (ATTEMPTS - 4, 0), (1, 0), (ATTEMPTS + 1, ATTEMPTS + 1)])
def test_a_game_whose_shots_are_cut_off_is_refused_whole(folder: Folder, listed: int, kept: int) -> None:
    folder.add("shots", league_shots(listed))
    delivery = folder.deliver()
    assert len(rows_of(delivery, "shots")) == kept
    assert reasons(delivery, "shots") == ["incomplete_game"] * (listed - kept)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"GAME_ID": 22309999, "GAME_DATE": "11-09-2023"}, "unknown_game"),
        ({"TEAM_ID": TEAM["DEN"].team_id}, "unknown_team"),
        ({"PLAYER_ID": 999}, "unknown_player"),
        ({"BASIC_ZONE": "Moon"}, "bad_value"),
        ({"SHOT_MADE": None}, "missing_value"),
        ({"SHOT_TYPE": "4PT Field Goal"}, "out_of_range"),
    ],
)
def test_a_bad_shot_is_refused_alone(folder: Folder, changes: Row, reason: str) -> None:
    folder.add("shots", [*court_shots(), {**court_shots(1)[0], **changes}])
    delivery = folder.deliver()
    assert [(r.reason_code, r.row_ref) for r in delivery.rejections] == [(reason, str(ATTEMPTS + 1))]
    assert len(rows_of(delivery, "shots")) == ATTEMPTS


def test_without_shots_the_table_is_empty(folder: Folder) -> None:
    assert folder.deliver().tables["nba_raw.shots"].num_rows == 0
