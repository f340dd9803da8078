"""The detail of each value restates the store row, names what it came from, and is published with it or not at all."""

from __future__ import annotations

import datetime as dt
import json
import re
from pathlib import Path
from typing import Any

import pytest

from quality.reference_rules import judge_row
from schemas.contracts import contract
from tests.googlesql import analyser
from tests.visibility.planted import (
    CACHE,
    CATALOGUE,
    COMPOSITE,
    DATE,
    DEFENSE,
    DEFENSE_GAMES,
    RULES,
    SHOTS,
    SUMMARY,
    Case,
    build_store,
    inputs_of,
    open_planted,
    table_rows,
)
from transformations.render import companions, statement
from transformations.views import create_view, view_names, view_statement
from warehouse.embedded import EmbeddedWarehouse

MILLISECONDS = 0.25
CASES = [
    Case("whole"),
    Case("no_line", line=False),
    Case("clamped", {CACHE: {"points_avg_last_5": 80.0, "data_hash": "cache-hash"}}),
    Case("thin", {COMPOSITE: {"shot_zone_mismatch_sample": 4, "data_hash": "composite-hash", "contributing_game_ids": ["c1", "c2"]}}),
    Case("cache_lost", without=(CACHE,)),
    Case("composite_lost", without=(COMPOSITE,)),
    Case("opponent_lost", without=(DEFENSE,), rival="FAR"),
    Case("rookie", without=(CACHE, SHOTS, COMPOSITE), games=0),
]
Detail = dict[tuple[str, int], dict[str, Any]]


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> EmbeddedWarehouse:
    opened = open_planted(tmp_path_factory.mktemp("detail"), table_rows(CASES))
    build_store(opened, MILLISECONDS)
    return opened


@pytest.fixture(scope="module")
def detail(warehouse: EmbeddedWarehouse) -> Detail:
    rows = warehouse.query("SELECT * FROM nba_predictions.feature_quality_detail").to_pylist()
    return {(row["player_lookup"], row["feature_index"]): row for row in rows}


@pytest.fixture(scope="module")
def store(warehouse: EmbeddedWarehouse) -> dict[str, dict[str, Any]]:
    return {row["player_lookup"]: row for row in warehouse.query("SELECT * FROM nba_predictions.ml_feature_store_v2").to_pylist()}


def test_there_is_one_row_per_player_date_and_feature(warehouse: EmbeddedWarehouse, detail: Detail) -> None:
    assert set(detail) == {(case.player, f.index) for case in CASES for f in CATALOGUE.features}
    counted = warehouse.query("SELECT COUNT(*) AS n FROM nba_predictions.feature_quality_detail").to_pylist()
    assert counted == [{"n": 37 * len(CASES)}]


def test_FM51_every_field_equals_the_columns_of_the_store_row(detail: Detail, store: dict[str, dict[str, Any]]) -> None:
    for (player, index), row in detail.items():
        feature, whole = CATALOGUE.features[index], store[player]

        def read(column: str, index: int = index, whole: dict[str, Any] = whole) -> Any:
            return json.loads(whole[column]).get(str(index))

        updated = read("feature_last_updated_json")
        assert row["feature_name"] == feature.name and row["feature_category"] == feature.category
        assert row["feature_value"] == whole[feature.name]
        assert row["quality_score"] == whole[f"feature_{index}_quality"]
        assert row["source_type"] == whole[f"feature_{index}_source"]
        assert row["fallback_reason"] == read("feature_fallback_reasons_json")
        assert row["sample_size"] == read("feature_sample_sizes_json")
        assert row["expected_value"] == read("feature_expected_values_json") == feature.default
        assert row["value_range_valid"] == read("feature_value_ranges_valid_json")
        assert row["upstream_table"] == read("feature_upstream_tables_json")
        assert row["original_value"] == read("feature_original_values_json")
        assert row["last_updated"] == (None if updated is None else dt.datetime.fromtimestamp(updated / 1e6, dt.UTC))
        assert row["is_default"] == (index in whole["default_feature_indices"])
        assert row["feature_quality_tier"] == RULES.tier(row["quality_score"])


def test_training_quality_adds_up_to_the_count_of_the_row(detail: Detail, store: dict[str, dict[str, Any]]) -> None:
    for player, whole in store.items():
        good = sum(detail[player, f.index]["is_training_quality"] for f in CATALOGUE.features)
        assert good == whole["training_quality_feature_count"] == judge_row(inputs_of(whole)).training_quality_feature_count


def test_confidence_follows_the_filled_share_of_the_window(detail: Detail) -> None:
    assert detail["whole", 1]["confidence_pct"] == 100.0
    thin = detail["thin", 6]
    assert (thin["sample_size"], thin["quality_score"], thin["confidence_pct"]) == (4, 90.0, 36.0)
    assert detail["whole", 15]["confidence_pct"] == detail["whole", 15]["quality_score"] == 87.0


@pytest.mark.parametrize(
    ("player", "index", "status", "alert"),
    [
        ("whole", 0, "valid", None),
        ("clamped", 0, "clamped", "range_violation"),
        ("thin", 6, "valid", "thin_sample"),
        ("composite_lost", 5, "defaulted", "default_used"),
        ("cache_lost", 0, "valid", None),
        ("no_line", 25, "defaulted", "default_used"),
    ],
)
def test_validation_status_and_alert(detail: Detail, player: str, index: int, status: str, alert: str | None) -> None:
    assert (detail[player, index]["validation_status"], detail[player, index]["triggered_alert"]) == (status, alert)


def test_the_alert_of_a_silent_feed(tmp_path: Path) -> None:
    tables = table_rows([Case("late")])
    tables[SUMMARY] = [one for one in tables[SUMMARY] if (DATE - one["game_date"]).days >= 6]
    warehouse = open_planted(tmp_path, tables)
    build_store(warehouse)
    rows = warehouse.query("SELECT feature_index, triggered_alert FROM nba_predictions.feature_quality_detail").to_pylist()
    alerts = {row["feature_index"]: row["triggered_alert"] for row in rows}
    assert alerts[0] == "stale_data_48h" and alerts[9] is None


def test_the_upstream_row_is_named_by_its_hash(detail: Detail) -> None:
    assert detail["clamped", 0]["upstream_data_hash"] == "cache-hash"
    assert detail["thin", 6]["upstream_data_hash"] == "composite-hash"
    # Several rows: one hash over theirs, and another one for other games.
    assert (
        detail["whole", 31]["upstream_data_hash"]
        == detail["cache_lost", 1]["upstream_data_hash"]
        != detail["rookie", 31]["upstream_data_hash"]
    )
    assert detail["opponent_lost", 13]["upstream_table"] == DEFENSE_GAMES
    assert len(detail["opponent_lost", 13]["upstream_data_hash"]) == 32
    assert all(row["upstream_data_hash"] is None for row in detail.values() if row["is_default"])


def test_the_games_of_a_window_are_listed_newest_first(detail: Detail) -> None:
    newest = detail["whole", 1]["contributing_game_ids"]
    assert len(newest) == 10 and newest[0] == f"g{DATE - dt.timedelta(days=2):%m%d}"
    assert detail["whole", 0]["contributing_game_ids"] == newest[:5] == detail["whole", 11]["contributing_game_ids"]
    assert detail["whole", 8]["contributing_game_ids"] == newest[:7]
    assert detail["thin", 6]["contributing_game_ids"] == ["c1", "c2"]
    assert detail["cache_lost", 1]["contributing_game_ids"] == newest == detail["cache_lost", 35]["contributing_game_ids"]
    assert len(detail["opponent_lost", 13]["contributing_game_ids"]) == 12
    for (player, index), row in detail.items():
        if row["is_default"] or CATALOGUE.features[index].window_games is None:
            assert row["contributing_game_ids"] == [], (player, index)


def test_the_duration_is_the_measured_share_and_never_invented(detail: Detail) -> None:
    assert {row["computation_duration_ms"] for row in detail.values()} == {MILLISECONDS}
    assert contract("nba_predictions.feature_quality_detail").by_name["computation_duration_ms"].role == "meta"


def test_the_unpivot_view_says_the_same_from_flat_columns_alone(warehouse: EmbeddedWarehouse, detail: Detail) -> None:
    rows = warehouse.query("SELECT * FROM nba_predictions.v_feature_quality_unpivot WHERE game_date = @day", {"day": DATE}).to_pylist()
    assert len(rows) == len(detail)
    shared = (
        "feature_name",
        "feature_category",
        "feature_value",
        "quality_score",
        "feature_quality_tier",
        "source_type",
        "is_default",
        "fallback_reason",
    )
    for row in rows:
        other = detail[row["player_lookup"], row["feature_index"]]
        assert {name: row[name] for name in shared} == {name: other[name] for name in shared}
        assert row["is_required"] == CATALOGUE.features[row["feature_index"]].required
        assert row["reason_class"] == (RULES.reason(row["fallback_reason"]).reason_class if row["fallback_reason"] else None)
    assert warehouse.query("SELECT 1 FROM nba_predictions.v_feature_quality_unpivot WHERE game_date < @day", {"day": DATE}).num_rows == 0


def test_the_views_of_a_date_and_a_season_count_every_row(warehouse: EmbeddedWarehouse, store: dict[str, dict[str, Any]]) -> None:
    for view in ("v_quality_daily", "v_quality_season"):
        (row,) = warehouse.query(f"SELECT * FROM nba_predictions.{view}").to_pylist()
        assert row["row_count"] == len(store) and row["is_blocked"] is False
        for tier in RULES.tier_names:
            assert row[f"{tier}_rows"] == sum(one["quality_tier"] == tier for one in store.values())
        for level in RULES.alert_levels:
            assert row[f"{level}_rows"] == sum(one["quality_alert_level"] == level for one in store.values())
        for name in ("failure_default_count", "required_default_count", "phase3_fallback_count", "matchup_default_count"):
            assert row[name] == sum(one[name] for one in store.values())
        assert row["composite_missing_rows"] == sum(not one["has_composite_factors"] for one in store.values())
        mean = sum(one["matchup_quality_pct"] for one in store.values()) / len(store)
        assert abs(row["avg_matchup_quality_pct"] - mean) < 0.01


def test_the_views_of_history_name_what_is_missing(warehouse: EmbeddedWarehouse, store: dict[str, dict[str, Any]]) -> None:
    (day,) = warehouse.query("SELECT * FROM nba_predictions.v_historical_completeness_daily").to_pylist()
    assert day["row_count"] == len(store)
    assert day["games_expected"] == sum(one["historical_completeness"]["games_expected"] for one in store.values())
    assert day["bootstrap_rows"] == sum(one["historical_completeness"]["is_bootstrap"] for one in store.values()) == 1
    rows = warehouse.query("SELECT player_lookup, failure_default_count FROM nba_predictions.v_incomplete_features").to_pylist()
    broken = {name for name, one in store.items() if one["failure_default_count"] or not one["historical_completeness"]["is_complete"]}
    assert {row["player_lookup"] for row in rows} == broken >= {"composite_lost", "cache_lost"}


needs_analyser = pytest.mark.skipif(analyser.available() is not None, reason=analyser.available() or "")


@needs_analyser
@pytest.mark.parametrize("view", view_names())
def test_bigquery_would_take_the_view(view: str) -> None:
    whole = create_view(view)
    # The analyser does not know descriptions of a view's columns, which BigQuery takes.
    options = re.compile(r" OPTIONS \(description = '(?:[^'\\]|\\.)*'\)")
    assert len(options.findall(whole)) == len(contract(view).columns)
    analyser.analyse(options.sub("", whole))
    assert whole.endswith(view_statement(view))


@needs_analyser
@pytest.mark.parametrize("table", [name for name in companions("nba_predictions.ml_feature_store_v2") if "quality" in name])
def test_bigquery_would_take_the_statement(table: str) -> None:
    analyser.analyse(statement(table))


def test_a_view_that_no_run_has_defined_is_told_in_one_line(tmp_path: Path) -> None:
    from schemas.errors import WarehouseError
    from schemas.settings import Settings

    empty = EmbeddedWarehouse(Settings("embedded", tmp_path, None, threads=1))
    with pytest.raises(WarehouseError, match="v_quality_daily"):
        empty.query("SELECT * FROM nba_predictions.v_quality_daily")


def test_views_are_written_once_and_follow_the_code(warehouse: EmbeddedWarehouse, tmp_path: Path) -> None:
    opened = open_planted(tmp_path, table_rows([CASES[0]]))
    before = (opened.settings.warehouse_dir / "catalog.sqlite").stat().st_mtime_ns
    definitions = {view: view_statement(view) for view in view_names()}
    opened.define_views(definitions)
    assert (opened.settings.warehouse_dir / "catalog.sqlite").stat().st_mtime_ns == before
    view = "nba_predictions.v_historical_completeness_daily"
    assert opened.query(f"SELECT * FROM {view}").num_rows == 0
    opened.define_views({**definitions, view: definitions[view].replace("COUNT(*) AS row_count", "1 + COUNT(*) AS row_count")})
    build_store(opened)
    assert opened.query(f"SELECT row_count FROM {view}").to_pylist() == [{"row_count": 2}]
