"""Every visibility column is in the contract, described, and counted: the 121 of the design and the 23 of the detail."""

from __future__ import annotations

from schemas.catalogue import load_catalogue
from schemas.contracts import contract
from schemas.rules import STORE_TABLE

CATEGORIES = ("matchup", "player_history", "team_context", "vegas", "game_context")
FEATURES = range(37)
GROUPS = {
    "aggregate": (
        "quality_tier", "quality_alert_level", "quality_alerts", "default_feature_count", "phase4_feature_count", "phase3_feature_count",
        "calculated_feature_count", "is_training_ready", "training_quality_feature_count",
    ),
    "category": (
        *(f"{name}_quality_pct" for name in CATEGORIES), *(f"{name}_default_count" for name in CATEGORIES),
        "has_composite_factors", "has_opponent_defense", "has_vegas_line", "critical_features_training_quality",
        "critical_feature_count", "optional_feature_count", "matchup_quality_tier", "game_context_quality_tier",
    ),
    "quality": tuple(f"feature_{n}_quality" for n in FEATURES),
    "source": tuple(f"feature_{n}_source" for n in FEATURES),
    "json": tuple(
        f"feature_{name}_json"
        for name in ("fallback_reasons", "sample_sizes", "expected_values", "value_ranges_valid", "upstream_tables", "last_updated")
    ),
    "model": ("feature_schema_version", "available_feature_names", "breakout_model_compatible", "breakout_v3_features_available"),
    "trace": (
        "upstream_processors_ran", "missing_processors", "feature_store_age_hours", "upstream_data_freshness_hours",
        "quality_computed_at", "quality_schema_version",
    ),
    "legacy": ("feature_sources", "primary_data_source", "matchup_data_status"),
    "ready": ("is_quality_ready",),
}  # fmt: skip
OURS = (
    "feature_quality_score", "is_production_ready", "required_default_count", "failure_default_count", "default_feature_indices",
    "upstream_pipeline_run_id", "predecessor_processors_completed", "feature_quality_detail_version", "feature_definition_version",
    "phase3_fallback_count", "feature_original_values_json",
)  # fmt: skip
DETAIL = (
    "feature_index", "feature_name", "feature_category", "feature_value", "expected_value", "original_value", "value_range_valid",
    "validation_status", "source_type", "upstream_table", "upstream_data_hash", "last_updated", "quality_score", "feature_quality_tier",
    "confidence_pct", "is_default", "fallback_reason", "sample_size", "contributing_game_ids", "is_training_quality", "triggered_alert",
    "feature_definition_version", "computation_duration_ms",
)  # fmt: skip


def test_the_groups_hold_121_columns() -> None:
    assert {name: len(columns) for name, columns in GROUPS.items()} == {
        "aggregate": 9, "category": 18, "quality": 37, "source": 37, "json": 6, "model": 4, "trace": 6, "legacy": 3, "ready": 1,
    }  # fmt: skip
    every = [name for columns in GROUPS.values() for name in columns]
    assert len(every) == len(set(every)) == 121


def test_each_visibility_column_is_in_the_contract_with_a_description() -> None:
    store = contract(STORE_TABLE).by_name
    wanted = {name for columns in GROUPS.values() for name in columns} | set(OURS)
    assert wanted <= set(store)
    assert all(len(store[name].description) > 5 for name in wanted)


def test_the_legacy_columns_are_marked_deprecated() -> None:
    store = contract(STORE_TABLE).by_name
    assert {name for name, column in store.items() if column.role == "legacy"} == set(GROUPS["legacy"])
    assert all(store[name].description.startswith("Deprecated") for name in GROUPS["legacy"])


def test_the_detail_has_23_fields_per_feature() -> None:
    spec = contract("nba_predictions.feature_quality_detail")
    assert len(DETAIL) == 23
    assert set(spec.column_names) == {*DETAIL, "player_lookup", "game_date", "game_id", "run_id"}
    assert len(load_catalogue().features) == len(FEATURES)
