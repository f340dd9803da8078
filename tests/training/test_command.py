"""`nba-features training-set`: make, look before, make again, compare; one line and a status for whatever is wrong."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from serving.training_set_manifest import manifest_path
from tests.cli.calling import Answer, call
from tests.feast.conftest import WEEK, Site
from tests.feast.store_rows import block, publish, store_table

RANGE = ("--start", str(WEEK[0]), "--end", str(WEEK[-1]))


def ask(site: Site, *words: str) -> Answer:
    return call(site.settings.home, "training-set", *words)


@pytest.fixture
def made(season: Site, tmp_path: Path) -> Path:
    path = tmp_path / "set.parquet"
    answer = ask(season, *RANGE, "--out", str(path)).assert_done()
    assert "considered" in answer.out and f"{manifest_path(path)}" in answer.out
    return path


def test_json_holds_counts_hash_and_request(season: Site, made: Path) -> None:
    told = ask(season, *RANGE, "--out", str(made), "--no-structural", "--json").assert_done().json
    assert told["rows"] == told["rows_considered"] == pq.read_table(made).num_rows == 20
    assert told["refused"] == {} and told["out"] == str(made)
    assert told["request"]["structural_defaults"] is False
    assert told["result"] == json.loads(manifest_path(made).read_text())["result"]
    assert told["partitions"]["nba_predictions.ml_feature_store_v2"] == 5


def test_a_dry_run_counts_and_writes_nothing(season: Site, tmp_path: Path) -> None:
    block(season.warehouse, WEEK[0])
    before = sorted(tmp_path.iterdir())
    told = ask(season, *RANGE, "--dry-run", "--json").assert_done().json
    assert (told["rows"], told["rows_considered"], told["refused"]) == (16, 20, {"date_blocked": 4})
    words = ask(season, *RANGE, "--out", str(tmp_path / "no.parquet"), "--dry-run").assert_done().out
    assert "would be written" in words and "16" in words
    assert sorted(tmp_path.iterdir()) == before


def test_overrides_are_recorded(season: Site, tmp_path: Path) -> None:
    publish(season.warehouse, store_table(WEEK, is_training_ready=[False] * 20, failure_default_count=[3] * 20))
    words = (*RANGE, "--out", str(tmp_path / "x.parquet"))
    ask(season, *words).assert_one_line(2, "usage", "20 not_training_ready")
    told = ask(season, *words, "--override-not-training-ready", "--override-failure-defaults", "3", "--json").assert_done().json
    assert told["rows"] == 20
    assert (told["request"]["training_ready"], told["request"]["max_failure_defaults"]) == (False, 3)


def test_known_by_is_recorded_and_may_not_lie_ahead(season: Site, tmp_path: Path) -> None:
    words = (*RANGE, "--out", str(tmp_path / "x.parquet"), "--json")
    told = ask(season, *words, "--known-by", "2025-02-01T12:00:00Z").assert_done().json
    assert told["request"]["known_by"] == "2025-02-01T12:00:00+00:00"
    ask(season, *words, "--known-by", "2025-02-01T11:59:59Z").assert_one_line(2, "usage", "20 written_after_known_by")
    ask(season, *words, "--known-by", "2999-01-01T00:00:00Z").assert_one_line(2, "usage", "lies ahead")
    ask(season, *words, "--known-by", "2025-02-01").assert_one_line(2, "usage", "not an instant")


def test_a_replay_is_the_same_until_something_changes(season: Site, made: Path, tmp_path: Path) -> None:
    manifest = str(manifest_path(made))
    assert "the same rows in the same bytes" in ask(season, "--replay", manifest).assert_done().out
    assert ask(season, "--replay", manifest, "--json").assert_done().json["same"] is True
    publish(season.warehouse, store_table(WEEK[2:3], seed=50))
    answer = ask(season, "--replay", manifest, "--out", str(tmp_path / "again.parquet"))
    answer.assert_one_line(1, "replay_mismatch", "ml_feature_store_v2 changed", str(WEEK[2]), "result sha256")
    assert str(WEEK[2]) in answer.out and "result sha256" in answer.out
    told = ask(season, "--replay", manifest, "--json")
    assert told.status == 1 and told.json["error"] == "replay_mismatch" and len(told.json["values"]) >= 2
    other = str(manifest_path(tmp_path / "again.parquet"))
    ask(season, "--compare", manifest, other).assert_one_line(1, "replay_mismatch", "result sha256")
    same = ask(season, "--compare", manifest, manifest, "--json").assert_done().json
    assert same == {"same": True, "differences": []}
    # A file changed behind its manifest's back is no longer what the manifest says.
    pq.write_table(pq.read_table(made).slice(1), made)
    ask(season, "--compare", manifest, manifest).assert_one_line(1, "replay_mismatch", "beside the manifest")


WRONG = [
    ((), "missing options: --end, --out, --start"),
    (("--start", "2025-01-06", "--out", "x"), "missing options: --end"),
    (("--start", "2025-01-06", "--end", "x", "--out", "x"), "not a date"),
    (("--replay", "{m}", "--compare", "{m}", "{m}"), "one job at a time"),
    (("--replay", "{m}", "--start", "2025-01-06"), "says all of this itself: --start"),
    (("--replay", "{m}", "--service", "points_v3_37features", "--dry-run"), "--dry-run, --service"),
    (("--compare", "{m}", "{m}", "--out", "x"), "says all of this itself: --out"),
    (("--replay", "nowhere.json"), "cannot be read"),
    (("--compare", "{m}", "{s}"), "is no manifest of a training set"),
    (("--replay", "{m}", "--out", "{s}"), "write over"),
]


@pytest.mark.parametrize(("words", "told"), WRONG, ids=[told for _, told in WRONG])
def test_what_cannot_be_meant_is_one_line(season: Site, made: Path, words: tuple[str, ...], told: str) -> None:
    before = made.read_bytes()
    spelled = [word.format(m=manifest_path(made), s=made) for word in words]
    ask(season, *spelled).assert_one_line(2, "usage", told)
    assert made.read_bytes() == before
