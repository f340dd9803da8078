"""The feature repository holds what the catalogue says, once, whichever way it is imported."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from feature_repo.entities import game, player
from feature_repo.feature_services import FEATURE_SERVICES
from feature_repo.feature_views import FEATURE_VIEWS, TTL
from feature_repo.sources import store_rows
from schemas.catalogue import load_catalogue
from schemas.contracts import contract
from schemas.rules import STORE_TABLE
from schemas.settings import default_home, load_settings
from tests.house.tree import ROOT

CATALOGUE = load_catalogue()
VIEWS = {view.name: view for view in FEATURE_VIEWS}
SERVICES = {service.name: service for service in FEATURE_SERVICES}


def test_there_is_a_view_per_category_and_two_more() -> None:
    assert list(VIEWS) == [*(c.name for c in CATALOGUE.categories), "breakout", "row_quality"]


@pytest.mark.parametrize("category", [c.name for c in CATALOGUE.categories])
def test_a_view_holds_exactly_its_category(category: str) -> None:
    fields = {field.name: field for field in VIEWS[category].features}
    expected = {feature.name: feature for feature in CATALOGUE.category(category).features}
    assert set(fields) == set(expected)
    for name, feature in expected.items():
        tags = fields[name].tags
        assert tags["index"] == str(feature.index)
        assert tags["category"] == category
        assert tags["unit"] == feature.unit
        assert tags["range"] == f"{feature.min} to {feature.max}"
        assert tags["default"] == ("none" if feature.default is None else str(feature.default))
        assert tags["definition_version"] == str(feature.version)


def test_online_columns_of_the_contract_are_in_exactly_one_view() -> None:
    in_views = [field.name for view in FEATURE_VIEWS for field in view.features]
    online = [column.name for column in contract(STORE_TABLE).columns if column.online]
    assert sorted(in_views) == sorted(online)


@pytest.mark.parametrize("view", FEATURE_VIEWS, ids=lambda view: view.name)
def test_a_row_answers_for_one_player_in_one_game(view: object) -> None:
    assert view.join_keys == ["player_lookup", "game_id"]  # type: ignore[attr-defined]
    assert view.ttl == TTL  # type: ignore[attr-defined]
    assert 0 < TTL.days <= 7
    assert view.batch_source == store_rows  # type: ignore[attr-defined]


@pytest.mark.parametrize("service", CATALOGUE.services, ids=lambda service: service.name)
def test_FM59_a_service_holds_exactly_the_models_features(service: object) -> None:
    found = SERVICES[service.name]  # type: ignore[attr-defined]
    names = [feature.name for projection in found.feature_view_projections for feature in projection.features]
    assert sorted(names) == sorted(service.features)  # type: ignore[attr-defined]
    assert found.tags["order"].split(",") == list(service.features)  # type: ignore[attr-defined]


def test_the_quality_of_a_row_has_a_service_of_its_own() -> None:
    (projection,) = SERVICES["row_quality"].feature_view_projections
    assert {"quality_tier", "quality_alert_level", "is_quality_ready", "quality_alerts"} <= {f.name for f in projection.features}
    assert set(SERVICES) == {service.name for service in CATALOGUE.services} | {"row_quality"}


def test_no_partition_column_is_compared_with_utc_dates() -> None:
    assert not store_rows.date_partition_column
    assert store_rows.timestamp_field == "event_timestamp"
    assert store_rows.created_timestamp_column == "created_timestamp"


def test_every_line_of_the_configuration_says_why() -> None:
    lines = (ROOT / "feature_repo" / "feature_store.yaml").read_text(encoding="utf-8").splitlines()
    settings = [number for number, line in enumerate(lines) if line.strip() and not line.strip().startswith("#") and not line.endswith(":")]
    assert len(settings) >= 9
    assert [lines[number] for number in settings if not lines[number - 1].strip().startswith("#")] == []
    assert yaml.safe_load("\n".join(lines))["entity_key_serialization_version"] == 3


SAME = """
import sys
sys.path[:0] = sys.argv[1:]
import {module} as views
print(";".join(sorted(str(v.to_proto().spec) for v in views.FEATURE_VIEWS)))
print("feature_repo" in sys.modules, "feature_views" in sys.modules)
"""


def _printed(module: str, *folders: Path) -> list[str]:
    run = subprocess.run(
        [sys.executable, "-c", SAME.format(module=module), *map(str, folders)], capture_output=True, text=True, check=True, cwd="/"
    )
    # When an object was made differs from process to process.
    return [line for line in run.stdout.splitlines() if not line.strip().startswith(("seconds:", "nanos:"))]


@pytest.mark.slow
def test_files_define_the_same_objects_by_either_import() -> None:
    inside = _printed("feature_views", ROOT / "feature_repo", ROOT)
    package = _printed("feature_repo.feature_views", ROOT)
    assert inside[:-1] == package[:-1]
    assert (inside[-1], package[-1]) == ("False True", "True False")


def test_the_home_is_the_same_from_the_root_and_from_the_repository_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "feature_repo" / "deeper").mkdir(parents=True)
    (tmp_path / "feature_repo" / "feature_store.yaml").touch()
    expected = tmp_path / ".nba_features"
    assert {default_home(tmp_path / part) for part in ("", "feature_repo", "feature_repo/deeper")} == {expected}
    monkeypatch.chdir(tmp_path / "feature_repo")
    assert load_settings({}).home == expected
    assert load_settings({"NBA_FEATURES_HOME": str(tmp_path / "other")}).home == tmp_path / "other"
    assert default_home(tmp_path.parent) == tmp_path.parent / ".nba_features"


def test_entities_are_strings_of_one_key_each() -> None:
    assert [(e.name, e.join_key, e.value_type.name) for e in (player, game)] == [
        ("player", "player_lookup", "STRING"),
        ("game", "game_id", "STRING"),
    ]
