"""What each suite checks is committed, and a change of it shows in a review."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from quality import suite_snapshot, table_suite
from quality.suite_snapshot import FOLDER, drifted, snapshot
from quality.table_suite import suite_hash, suite_tables
from schemas.catalogue import load_catalogue
from schemas.contracts import load_contracts
from schemas.rules import STORE_TABLE, load_rules


def test_the_snapshots_are_up_to_date() -> None:
    assert not drifted(), "run: python -m quality.suite_snapshot"


def test_every_loaded_and_every_built_table_has_a_suite() -> None:
    tables = {name for name, spec in load_contracts().items() if spec.built_by in ("ingest", "sql")}
    assert set(suite_tables()) == tables == {path.stem for path in FOLDER.glob("*.json")}
    assert all(len(json.loads(path.read_text(encoding="utf-8"))["expectations"]) >= 5 for path in FOLDER.glob("*.json"))


def test_no_id_and_no_version_of_the_library_is_in_a_snapshot() -> None:
    for path in FOLDER.glob("*.json"):
        text = path.read_text(encoding="utf-8")
        assert '"id"' not in text and "great_expectations_version" not in text
    assert snapshot("nba_raw.players") == snapshot("nba_raw.players")


def test_FM05_a_planted_drift_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for path in FOLDER.glob("*.json"):
        (tmp_path / path.name).write_text(path.read_text(encoding="utf-8"), encoding="utf-8")
    monkeypatch.setattr(suite_snapshot, "FOLDER", tmp_path)
    assert drifted() == {}
    altered = tmp_path / "nba_raw.players.json"
    altered.write_text(altered.read_text(encoding="utf-8").replace('"max_value": 0.0', '"max_value": 9.0'), encoding="utf-8")
    (tmp_path / "nba_raw.gone.json").write_text("{}", encoding="utf-8")
    assert set(drifted()) == {"nba_raw.players.json", "nba_raw.gone.json"}
    assert suite_snapshot.write() == ["nba_raw.gone.json", "nba_raw.players.json"]
    assert drifted() == {}


def test_a_changed_check_changes_the_hash_and_so_what_is_up_to_date(monkeypatch: pytest.MonkeyPatch) -> None:
    from serving.definitions import partition_definition

    table = "nba_precompute.player_daily_cache"
    before, definition = suite_hash(table), partition_definition(table)
    checks = table_suite.table_suite(table)
    monkeypatch.setattr(table_suite, "table_suite", lambda _: (*checks[:-1], dataclasses.replace(checks[-1], high=7.0)))
    suite_hash.cache_clear()
    partition_definition.cache_clear()
    try:
        assert suite_hash(table) != before
        assert partition_definition(table) != definition
    finally:
        suite_hash.cache_clear()
        partition_definition.cache_clear()


def test_a_raised_feature_version_makes_the_store_out_of_date_and_no_other_table(monkeypatch: pytest.MonkeyPatch) -> None:
    from serving import definitions

    before = [definitions.partition_definition(name) for name in (STORE_TABLE, "nba_precompute.player_daily_cache")]
    catalogue = load_catalogue()
    raised = (dataclasses.replace(catalogue.features[0], version=catalogue.features[0].version + 1), *catalogue.features[1:])
    monkeypatch.setattr(definitions, "load_catalogue", lambda: dataclasses.replace(catalogue, features=raised))
    definitions.partition_definition.cache_clear()
    try:
        after = [definitions.partition_definition(name) for name in (STORE_TABLE, "nba_precompute.player_daily_cache")]
    finally:
        definitions.partition_definition.cache_clear()
    assert [old == new for old, new in zip(before, after, strict=True)] == [False, True]


def test_one_table_says_which_severity_blocks() -> None:
    assert dict(load_rules().gate.fates) == {"critical": "blocked", "warning": "warned"}
    severities = {check.severity for table in suite_tables() if table != STORE_TABLE for check in table_suite.table_suite(table)}
    assert severities <= set(load_rules().gate.fates)
