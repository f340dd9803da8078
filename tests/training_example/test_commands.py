"""The whole example by its commands on simulated seasons: evaluate, train, predict tonight, write the page."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from examples.points_model import MODEL_ID, experiment
from examples.points_model.__main__ import main
from schemas.rules import STORE_TABLE
from serving.model_registry import find_model, read_models
from serving.predictions import PREDICTIONS
from serving.training_set_manifest import manifest_path, read_manifest
from tests.training_example.conftest import League
from tests.training_example.test_evaluation import leaked
from warehouse import open_warehouse

pytestmark = pytest.mark.slow


def call(*words: str) -> Result:
    result = CliRunner().invoke(main, list(words), prog_name="points_model")
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def ask(league: League, sql: str) -> list[dict[str, Any]]:
    warehouse = open_warehouse(league.settings)
    try:
        found: list[dict[str, Any]] = warehouse.query(sql).to_pylist()
        return found
    finally:
        warehouse.close()


def test_evaluation_trains_on_the_earlier_season_alone(league: League, home: Path, tmp_path: Path) -> None:
    result = call("evaluate", "--json", "--keep", str(tmp_path))
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    earlier, later = (read_manifest(manifest_path(tmp_path / f"{name}.parquet")) for name in ("train", "later"))
    assert earlier["request"]["end"] < later["request"]["start"]
    assert {score["who"] for score in told["scores"]} == {"model", "season mean", "last-ten mean", "betting line"}
    assert all(0 < score["mean_absolute_error"] < 15 for score in told["scores"])
    assert told["ratio"] >= 0.95 and told["lines"] >= 300, told
    assert told["version"] == earlier["result"]["sha256"][:12]


def test_FM01_a_planted_leak_is_not_kept(league: League, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make = experiment.make

    def leaking(*args: Any) -> Any:
        made = make(*args)
        return type(made)(leaked(made.rows, "points_avg_last_5", 0.5), made.manifest)

    monkeypatch.setattr(experiment, "make", leaking)
    before = ask(league, "SELECT COUNT(*) AS n FROM nba_orchestration.model_registry")
    result = call("train", "--serve")
    assert result.exit_code == 1
    assert result.stderr.startswith("leak_suspected: ") and len(result.stderr.splitlines()) == 1
    assert ask(league, "SELECT COUNT(*) AS n FROM nba_orchestration.model_registry") == before
    assert not (home / "models").exists()


def test_a_served_model_predicts_tonight_beside_the_quality_of_each_vector(league: League, home: Path) -> None:
    date = str(league.tonight)
    nobody = call("tonight", "--date", date)
    assert nobody.exit_code == 2 and nobody.stderr.startswith("unknown_name: ")
    trained = call("train", "--serve")
    assert trained.exit_code == 0, trained.output
    warehouse = open_warehouse(league.settings)
    version = find_model(warehouse, MODEL_ID)
    assert version.is_production and (home / str(version.artifact_uri)).is_file()
    assert version.training_end_date is not None and version.training_end_date < league.tonight
    assert json.loads(version.metrics_json or "")["ratio"] >= 0.95
    warehouse.close()
    again = call("train")
    assert again.exit_code == 2 and "registered already" in again.stderr
    result = call("tonight", "--date", date, "--json")
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    assert len(told["written"]) == told["verdicts"]["ready"] > 10
    joined = ask(
        league,
        f"SELECT p.predicted_value, s.quality_tier, s.points_avg_season FROM {PREDICTIONS} p JOIN {STORE_TABLE} s"
        " ON s.player_lookup = p.player_lookup AND s.game_id = p.game_id AND s.feature_quality_score = p.feature_quality_score"
        " AND s.is_quality_ready",
    )
    assert len(joined) == len(told["written"])
    assert all(0 <= row["predicted_value"] <= 60 for row in joined)
    assert "predictions written" in call("tonight", "--date", date).output


def test_a_model_file_that_was_changed_predicts_nothing(league: League, home: Path) -> None:
    if not (home / "models").exists():
        assert call("train", "--serve").exit_code == 0
    (path,) = (home / "models").rglob("*.joblib")
    kept = path.read_bytes()
    path.write_bytes(kept + b"x")
    try:
        result = call("tonight", "--date", str(league.tonight))
        assert result.exit_code == 2 and "not the one that was registered" in result.stderr
    finally:
        path.write_bytes(kept)


def test_a_date_without_vectors_is_one_line(league: League, home: Path) -> None:
    if not (home / "models").exists():
        assert call("train", "--serve").exit_code == 0
    result = call("tonight", "--date", "2024-01-10")
    assert result.exit_code == 2 and result.stderr.startswith("usage: no vector of 2024-01-10 is ready")


def test_the_page_holds_the_figures(league: League, home: Path, tmp_path: Path) -> None:
    out = tmp_path / "example.md"
    assert call("page", "--out", str(out)).exit_code == 0
    text = out.read_text(encoding="utf-8")
    for words in ("| player-games with a line | betting line |", "leak detector", "| trained on | 2023-24 |", "no sign of a leak"):
        assert words in text
    assert "NBA_DATA_DIR" not in text
    assert call("page", "--out", str(out), "--build").exit_code == 2


def test_unknown_seasons_and_the_first_one_are_told(league: League, home: Path, tmp_path: Path) -> None:
    assert "no such season" in call("evaluate", "--season", "1999-00").stderr
    told = json.loads(call("evaluate", "--season", "2023-24", "--json", "--keep", str(tmp_path)).stdout)
    earlier, later = (read_manifest(manifest_path(tmp_path / f"{name}.parquet")) for name in ("train", "later"))
    assert earlier["request"]["end"] < later["request"]["start"] < "2024-08-01"
    assert told["scores"]


def test_an_empty_store_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NBA_FEATURES_HOME", str(tmp_path / "empty"))
    result = call("evaluate")
    assert result.exit_code == 2 and result.stderr.startswith("usage: the store is empty")
    assert not read_models(open_warehouse(experiment_settings(tmp_path)), MODEL_ID)


def experiment_settings(tmp_path: Path) -> Any:
    from schemas.settings import load_settings

    return load_settings({"NBA_FEATURES_HOME": str(tmp_path / "empty")})
