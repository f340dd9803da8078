"""Moves and notes of the transaction list as injury reports."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.ingest.folder import Folder, Row, reasons, rows_of, utc


def note(notes: str, gone: str = "", back: str = "", team: str = "Hawks", date: str = "2023-11-01") -> Row:
    return {"Date": date, "Team": team, "Acquired": back, "Relinquished": gone, "Notes": notes}


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


@pytest.mark.parametrize(
    ("notes", "status", "days"),
    [
        ("placed on IL with sprained left ankle", "out", None),
        ("placed on IL with left wrist injury (DTD)", "out", None),
        ("torn ACL in left knee (out for season)", "out", None),
        ("sore right knee (out indefinitely)", "out", None),
        ("surgery on right knee (date approximate)", "out", None),
        ("COVID-19 protocols", "out", None),
        ("illness (DTD)", "questionable", 3),
        ("bruised ribcage DTD)", "questionable", 3),
        ("NBA health and safety protocols (DTD)", "questionable", 3),
    ],
)
def test_who_goes_out_is_out_or_questionable(folder: Folder, notes: str, status: str, days: int | None) -> None:
    folder.add("injury_transactions", [note(notes, gone="• Trae Young")])
    (report,) = rows_of(folder.deliver(), "injury_reports")
    assert (report["player_lookup"], report["status"], report["valid_days"]) == ("traeyoung", status, days)
    assert (report["team_abbr"], report["reason"], report["game_id"]) == ("ATL", notes, None)


@pytest.mark.parametrize("notes", ["activated from IL", "returned to lineup", "returned to lineup (date approximate)"])
def test_who_comes_back_is_available(folder: Folder, notes: str) -> None:
    folder.add("injury_transactions", [note(notes, back="• Trae Young")])
    assert [row["status"] for row in rows_of(folder.deliver(), "injury_reports")] == ["available"]


def test_FM06_a_dated_move_is_knowable_from_the_following_day(folder: Folder) -> None:
    folder.add("injury_transactions", [note("illness (DTD)", "• Trae Young"), note("illness (DTD)", "• Trae Young", date="2023-11-04")])
    reports = rows_of(folder.deliver(), "injury_reports")
    # Midnight in New York: in summer time, then (from 5 November) in winter time.
    assert [row["reported_at"] for row in reports] == [utc("2023-11-02T04:00"), utc("2023-11-05T04:00")]
    assert [str(row["report_date"]) for row in reports] == ["2023-11-01", "2023-11-04"]


def test_of_two_moves_of_a_day_the_later_in_the_file_has_the_higher_number(folder: Folder) -> None:
    moves = [
        note("activated from IL", back="• Trae Young"),
        note("placed on IL with illness", "• Trae Young"),
        note("illness (DTD)", "• Jalen Johnson"),
    ]
    folder.add("injury_transactions", moves)
    found = {(row["player_lookup"], row["report_seq"]): row["status"] for row in rows_of(folder.deliver(), "injury_reports")}
    assert found == {("traeyoung", 1): "available", ("traeyoung", 2): "out", ("jalenjohnson", 1): "questionable"}


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (note("collapsed right lung (out indefinitely)"), "no_player_named"),
        (note("activated from IL", back="• illness (DTD)"), "no_player_named"),
        (note("activated from IL", back="• 2/14/2024"), "no_player_named"),
        (note("activated from IL", back="• placed on IL with sore right knee"), "no_player_named"),
        (note("illness (DTD)", gone="• Omari Spellman"), "unknown_player"),
        (note("illness (DTD)", gone="• Trae Young", team="Sonics"), "unknown_team"),
        (note("player became a free agent", gone="• Trae Young"), "bad_value"),
        (note("activated from IL", gone="• Trae Young"), "bad_value"),
        (note("illness (DTD)", back="• Trae Young"), "bad_value"),
        (note("illness (DTD)", gone="• Trae Young", back="• Jalen Johnson"), "bad_value"),
        (note("illness (DTD)", gone="• Trae Young• Jalen Johnson"), "bad_value"),
        (note("illness (DTD)", gone="• Trae Young", date="soon"), "missing_value"),
    ],
)
def test_a_row_that_says_nothing_certain_is_refused(folder: Folder, row: Row, reason: str) -> None:
    folder.add("injury_transactions", [row])
    delivery = folder.deliver()
    assert set(reasons(delivery, "injury_reports")) == {reason}
    assert not rows_of(delivery, "injury_reports")


def test_names_are_found_in_the_team_and_without_a_team(folder: Folder) -> None:
    rows = [note("illness (DTD)", "• Rayford Young / Trae Young"), note("illness (DTD)", "• Jaylen Brown", team="")]
    folder.add("injury_transactions", rows)
    found = [(row["player_lookup"], row["team_abbr"]) for row in rows_of(folder.deliver(), "injury_reports")]
    assert sorted(found) == [("jaylenbrown", None), ("traeyoung", "ATL")]


def test_without_a_list_the_table_is_empty(folder: Folder) -> None:
    assert folder.deliver().tables["nba_raw.injury_reports"].num_rows == 0
