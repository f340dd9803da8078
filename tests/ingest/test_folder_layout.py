"""What is wrong with a folder is said at once, and in words."""

from __future__ import annotations

import re
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from schemas.errors import SourceError
from tests.ingest.folder import Folder, write
from transformations.ingest.box_score_folder import BoxScoreFolder
from transformations.ingest.folder_layout import COLUMNS, find_files
from transformations.ingest.teams import teams


def problems(path: Path, seasons: tuple[str, ...] | None = None) -> list[str]:
    with pytest.raises(SourceError) as caught:
        BoxScoreFolder(path, seasons).deliver()
    assert caught.value.hint
    return list(caught.value.values)


def test_a_folder_that_does_not_exist_is_named(tmp_path: Path) -> None:
    assert problems(tmp_path / "nowhere") == [str(tmp_path / "nowhere")]


def test_an_empty_folder_says_what_was_expected(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"team_game_logs/team_game_logs_2023-24\.parquet"):
        BoxScoreFolder(tmp_path).deliver()


def test_every_problem_is_named_in_one_run(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    for row in folder.team_rows:
        del row["OREB"], row["SEASON"]
    folder.write()
    write(tmp_path, "injury_transactions", [{"Date": "2023-11-01", "Team": "Hawks"}])
    write(tmp_path, "shots", [{"SHOT_ZONE_BASIC": "Mid-Range", "GAME_ID": "0022300001"}], suffix="_partial")
    write(tmp_path, "player_game_logs", [dict.fromkeys(COLUMNS["player_game_logs"], 1)], season="2022-23")
    (tmp_path / "player_positions").mkdir()
    (tmp_path / "player_positions" / "player_positions_2023-24.parquet").write_text("not parquet", encoding="utf-8")
    (tmp_path / "player_positions" / "positions.parquet").write_text("", encoding="utf-8")
    (tmp_path / "loose.parquet").write_text("", encoding="utf-8")
    found = "\n".join(problems(tmp_path))
    for text in (
        r"team_game_logs/team_game_logs_2023-24\.parquet lacks the columns SEASON, OREB",
        r"injury_transactions_2023-24\.parquet lacks the columns Acquired, Relinquished, Notes",
        r"shots_2023-24_partial\.parquet lacks the columns PLAYER_ID, TEAM_ID, PERIOD",
        r"team_game_logs_2022-23\.parquet is missing",
        r"player_positions_2023-24\.parquet is not a readable Parquet file",
        r"positions\.parquet is not named player_positions_<season>\.parquet",
        r"loose\.parquet is not in the folder of its kind",
    ):
        assert re.search(text, found), text
    assert len(found.splitlines()) == 7


def test_two_files_of_one_season_are_refused(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    folder.add("player_positions", [{"PLAYER_ID": 1, "POSITION": "G"}])
    folder.write()
    write(tmp_path, "player_positions", folder.others["player_positions"], suffix="_partial")
    assert problems(tmp_path) == [
        "two files of one kind and season: player_positions/player_positions_2023-24.parquet and "
        "player_positions/player_positions_2023-24_partial.parquet"
    ]


def test_a_season_that_is_not_there_or_none_is_named(tmp_path: Path) -> None:
    Folder(tmp_path).write()
    found = problems(tmp_path, ("2019-20", "2024", "2023-25"))
    assert "2023-25 is not a season; write for example 2023-24" in found
    assert "team_game_logs/team_game_logs_2019-20.parquet is missing" in found
    assert "2024 is not a season; write for example 2023-24" in found


def test_only_the_seasons_asked_for_are_read(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    path = folder.write()
    (path / "team_game_logs" / "team_game_logs_2024-25.parquet").write_text("not even parquet", encoding="utf-8")
    delivery = BoxScoreFolder(path, ["2023-24"]).deliver()
    assert {count.source.rpartition("_")[2] for count in delivery.counts} == {"2023-24.parquet"}
    assert delivery.tables["nba_raw.schedule"].num_rows == 1


def test_FM63_files_of_an_unknown_kind_are_counted(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    folder.add("referee_assignments", [{"referee": "A"}, {"referee": "B"}])
    counts = {count.source: count for count in folder.deliver().counts}
    count = counts["referee_assignments/referee_assignments_2023-24.parquet"]
    assert (count.rows_in, count.rows_not_wanted, count.why) == (2, 2, "no raw table is made of this kind of file")


def test_a_column_of_another_type_is_an_error_not_a_traceback(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    folder.add("schedule_events", [{"id": "e", "commence_time": "soon", "home_team": "x", "away_team": "y", "snapshot_timestamp": "now"}])
    with pytest.raises(SourceError, match="the schedule cannot be read"):
        folder.deliver()


def test_progress_is_reported_to_the_end(tmp_path: Path) -> None:
    seen: list[tuple[str, int, int]] = []
    BoxScoreFolder(Folder(tmp_path).write()).deliver(lambda *step: seen.append(step))
    assert [done for _, done, _ in seen] == list(range(len(seen)))
    assert all(total == len(seen) - 1 for _, _, total in seen)


def test_a_path_with_a_quote_is_read(tmp_path: Path) -> None:
    assert Folder(tmp_path / "it's here").deliver().tables["nba_raw.schedule"].num_rows == 1


def test_files_are_found_in_a_fixed_order(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    folder.add("player_positions", [{"PLAYER_ID": 1, "POSITION": "G"}])
    found = find_files(folder.write(), None)
    assert [file.kind for file in found.files] == ["player_game_logs", "team_game_logs", "player_positions"]
    assert all(pq.read_metadata(file.path).num_rows == file.rows for file in found.files)


def test_there_are_thirty_teams_and_each_name_is_one_teams() -> None:
    assert len(teams()) == 30
    for name in ("team_id", "abbr", "lines_code", "nickname", "name"):
        assert len({getattr(team, name) for team in teams()}) == 30
