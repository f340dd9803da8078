"""Translations kept on disk are those the translator makes, and nothing else passes for one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from transformations.render import statement
from warehouse.embedded import translations
from warehouse.embedded.translations import Translations
from warehouse.googlesql import table_names, to_duckdb

TABLE = "nba_precompute.player_daily_cache"
SQL = statement(TABLE)
SUMMARY = "nba_analytics.player_game_summary"
GIVEN = {SUMMARY: "read_parquet('a.parquet')"}


def test_a_kept_translation_is_the_translators_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = (table_names(SQL), to_duckdb(SQL, GIVEN))
    assert Translations(tmp_path).find(SQL, GIVEN) == wanted
    assert len(list(tmp_path.iterdir())) == 1

    def refuse(*_: object) -> str:
        raise AssertionError("translated again")

    monkeypatch.setattr(translations, "translation", refuse)
    assert Translations(tmp_path).find(SQL, GIVEN) == wanted
    other = {SUMMARY: '"staged"'}
    assert Translations(tmp_path).find(SQL, other) == (wanted[0], wanted[1].replace(GIVEN[SUMMARY], other[SUMMARY]))


def test_another_statement_or_another_translator_has_its_own_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Translations(tmp_path).find(SQL)
    Translations(tmp_path).find(SQL, GIVEN)
    Translations(tmp_path).find(SQL + " ")
    assert len(list(tmp_path.iterdir())) == 3
    monkeypatch.setattr(translations, "_translator", lambda: "another")
    Translations(tmp_path).find(SQL)
    assert len(list(tmp_path.iterdir())) == 4


@pytest.mark.parametrize("damage", ["", "{", '{"sha256": "0", "tables": [], "text": "SELECT 1"}', "[]", '{"text": 1}'])
def test_a_damaged_file_is_made_anew(tmp_path: Path, damage: str) -> None:
    wanted = Translations(tmp_path).find(SQL)
    (file,) = tmp_path.iterdir()
    file.write_text(damage)
    assert Translations(tmp_path).find(SQL) == wanted
    assert json.loads(file.read_text())["text"] == wanted[1]


def test_short_statements_leave_no_file_and_a_folder_that_cannot_be_written_no_error(tmp_path: Path) -> None:
    Translations(tmp_path).find("SELECT game_date FROM nba_raw.schedule")
    assert list(tmp_path.iterdir()) == []
    blocked = tmp_path / "file"
    blocked.write_text("")
    assert Translations(blocked / "cache").find(SQL)[1] == to_duckdb(SQL)


def test_old_files_make_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(translations, "MOST_FILES", 2)
    for number in range(5):
        Translations(tmp_path).find(SQL + " " * number)
    assert len(list(tmp_path.iterdir())) <= 3
