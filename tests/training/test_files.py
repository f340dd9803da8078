"""The file and its manifest: the same bytes for the same request, replayed and compared to the very thing that differs."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from schemas.catalogue import load_catalogue
from schemas.errors import StorageUnavailableError, UsageError
from serving import training_set_manifest
from serving.labels import BLOCKED_TABLE, LABELS, POINTS_TABLE
from serving.training_set_file import read_head, replay, write_training_set
from serving.training_set_manifest import differences, manifest_path, read_manifest, same_result
from tests.feast.conftest import WEEK, Site
from tests.feast.store_rows import block, publish, store_table, summary_table
from tests.training.conftest import KNOWN_BY, V3, made


def written(site: Site, path: Path, **changed: Any) -> dict[str, Any]:
    return write_training_set(made(site, **changed), path)


def whats(site: Site, path: Path) -> dict[str, tuple[str, str]]:
    """Replay a manifest; return what differs by name."""
    return {d.what: (d.before, d.after) for d in replay(site.warehouse, site.store, manifest_path(path))[1]}


def test_the_same_request_gives_the_same_bytes(season: Site, tmp_path: Path) -> None:
    first, second = (tmp_path / name / "set.parquet" for name in "ab")
    told = [written(season, path) for path in (first, second)]
    assert first.read_bytes() == second.read_bytes()
    assert manifest_path(first).read_bytes() == manifest_path(second).read_bytes()
    assert told[0] == told[1]
    assert told[0]["result"]["sha256"] == hashlib.sha256(first.read_bytes()).hexdigest()
    assert told[0]["result"]["bytes"] == first.stat().st_size


def test_the_same_rows_of_a_later_instant_are_the_same_bytes(season: Site, tmp_path: Path) -> None:
    later = KNOWN_BY.replace(year=2026)
    first, second = written(season, tmp_path / "a.parquet"), written(season, tmp_path / "b.parquet", known_by=later)
    assert (tmp_path / "a.parquet").read_bytes() == (tmp_path / "b.parquet").read_bytes()
    found = differences(first, second)
    assert [d.what for d in found] == ["request known_by"] and same_result(found)


def test_publishing_in_another_order_changes_no_byte(season: Site, tmp_path: Path) -> None:
    """Files of the warehouse are laid out by the order of publishing; a training set is not."""
    written(season, tmp_path / "a.parquet")
    for date in reversed(WEEK):
        publish(season.warehouse, store_table([date], seed=1))
    publish(season.warehouse, store_table(WEEK).take(list(reversed(range(20)))))
    written(season, tmp_path / "b.parquet")
    assert (tmp_path / "a.parquet").read_bytes() == (tmp_path / "b.parquet").read_bytes()


def test_the_manifest_says_how_it_was_made(season: Site, tmp_path: Path) -> None:
    path = tmp_path / "set.parquet"
    told = written(season, path)
    assert read_manifest(manifest_path(path)) == told
    assert told["request"]["known_by"] == KNOWN_BY.isoformat() and told["request"]["max_failure_defaults"] == 0
    assert [name for name, _ in told["definition"]["features"]] == list(load_catalogue().service(V3).features)
    assert told["counts"] == {"rows_considered": 20, "rows": 20, "refused": {}}
    store = told["partitions"]["nba_predictions.ml_feature_store_v2"]
    kept = season.warehouse.partitions("nba_predictions.ml_feature_store_v2")
    assert store == {date.isoformat(): part.fingerprint for date, part in kept.items()} and len(store) == 5
    assert told["columns"] == [[field.name, str(field.type)] for field in pq.read_schema(path)]
    head = read_head(path)
    assert head["rows"] == told["counts"]["rows"] and "counts" not in head
    assert head["labels"] == list(LABELS) and "known_by" not in head["request"]


def test_the_file_holds_the_rows(season: Site, tmp_path: Path) -> None:
    found = made(season)
    write_training_set(found, tmp_path / "set.parquet")
    assert pq.read_table(tmp_path / "set.parquet").replace_schema_metadata().equals(found.rows)


def test_a_replay_on_the_same_data_is_the_same(season: Site, tmp_path: Path) -> None:
    path = tmp_path / "set.parquet"
    written(season, path)
    assert whats(season, path) == {}
    after, found = replay(season.warehouse, season.store, manifest_path(path), tmp_path / "again.parquet")
    assert not found and (tmp_path / "again.parquet").read_bytes() == path.read_bytes()
    assert after["result"]["file"] == "again.parquet"


def test_a_replay_names_the_partition_and_the_hash_that_differ(season: Site, tmp_path: Path) -> None:
    path = tmp_path / "set.parquet"
    written(season, path)
    publish(season.warehouse, store_table(WEEK[2:3], seed=50))
    found = whats(season, path)
    assert set(found) == {"partitions of nba_predictions.ml_feature_store_v2 changed", "result sha256"} | (set(found) & {"result bytes"})
    assert str(WEEK[2]) in found["partitions of nba_predictions.ml_feature_store_v2 changed"][1]


def test_a_replay_names_counts_and_reasons(season: Site, tmp_path: Path) -> None:
    path = tmp_path / "set.parquet"
    written(season, path)
    block(season.warehouse, WEEK[0])
    found = whats(season, path)
    assert found["count of rows"] == ("20", "16") and found["count of refused as date_blocked"] == ("nothing", "4")
    assert "count of rows_considered" not in found and "result sha256" in found


def test_rows_that_were_refused_change_neither_bytes_nor_result(season: Site, tmp_path: Path) -> None:
    path, again = tmp_path / "set.parquet", tmp_path / "again.parquet"
    before = written(season, path)
    publish(season.warehouse, store_table([WEEK[-1]], players=6, seed=9).slice(4), BLOCKED_TABLE)
    after, found = replay(season.warehouse, season.store, manifest_path(path), again)
    assert after["counts"]["refused"] == {"date_blocked": 2} != before["counts"]["refused"]
    assert after["result"]["sha256"] == before["result"]["sha256"] and same_result(found)


def test_a_replay_names_the_definition(season: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "set.parquet"
    written(season, path)
    features = training_set_manifest.current_features(V3)
    changed = tuple((name, version + (name == "fatigue_score")) for name, version in features)
    monkeypatch.setattr(training_set_manifest, "current_features", lambda service: changed)
    found = whats(season, path)
    assert found["definition of fatigue_score"] == ("1", "2")
    monkeypatch.setattr("serving.training_set_file.definition_version", lambda: "other")
    assert "definition definition_version" in whats(season, path)


def test_a_definition_that_changed_no_byte_is_told_and_still_the_same(season: Site, tmp_path: Path) -> None:
    before = written(season, tmp_path / "a.parquet")
    after = json.loads(json.dumps(before))
    after["definition"]["definition_version"] = after["code_version"] = after["writer"] = "other"
    after["definition"]["features"] = list(reversed(after["definition"]["features"]))
    found = differences(before, after)
    told = {"order of the features", "definition definition_version", "code version", "file written by library"}
    assert {d.what for d in found} == told and same_result(found)


def test_a_file_that_was_touched_is_noticed(season: Site, tmp_path: Path) -> None:
    path = tmp_path / "set.parquet"
    written(season, path)
    pq.write_table(pq.read_table(path).slice(1), path)
    found = replay(season.warehouse, season.store, manifest_path(path))[1]
    assert [d.what for d in found] == ["file set.parquet beside the manifest"] and not same_result(found)
    path.unlink()
    assert whats(season, path) == {}


def test_a_replay_does_not_write_over_its_own_file(season: Site, tmp_path: Path) -> None:
    path = tmp_path / "set.parquet"
    written(season, path)
    with pytest.raises(UsageError, match="write over"):
        replay(season.warehouse, season.store, manifest_path(path), path)


BROKEN = [
    "no json",
    "[]",
    "{}",
    {"format": 2},
    {"request": {}},
    {"request": "x"},
    {"partitions": []},
    {"partitions": {"t": 1}},
    {"columns": 1},
    {"columns": [["a"]]},
    {"counts": {}},
    {"definition": {}},
    {"definition": {"features": [1]}},
    {"result": {}},
    {"result": {"file": 1, "bytes": 2, "sha256": "x"}},
    {"result": {"file": "../other.parquet", "bytes": 2, "sha256": "x"}},
    {"result": {"file": "", "bytes": 2, "sha256": "x"}},
    "[" * 100_000,
]


@pytest.mark.parametrize("wrong", BROKEN, ids=range(len(BROKEN)))
def test_what_is_no_manifest_is_refused(season: Site, tmp_path: Path, wrong: str | dict[str, Any]) -> None:
    told = written(season, tmp_path / "set.parquet")
    path = tmp_path / "broken.json"
    path.write_text(wrong if isinstance(wrong, str) else json.dumps({**told, **wrong}), encoding="utf-8")
    with pytest.raises(UsageError):
        read_manifest(path)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("start", 5),
        ("start", "yesterday"),
        ("training_ready", "yes"),
        ("max_failure_defaults", True),
        ("cutoff_minutes", 0),
        ("service", "x"),
    ],
)
def test_a_manifest_with_a_request_that_cannot_be_meant_is_refused(season: Site, tmp_path: Path, field: str, value: object) -> None:
    told = written(season, tmp_path / "set.parquet")
    path = tmp_path / "broken.json"
    path.write_text(json.dumps({**told, "request": {**told["request"], field: value}}), encoding="utf-8")
    with pytest.raises(UsageError):
        read_manifest(path)


def test_a_manifest_that_is_not_there_or_not_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "bytes").write_bytes(b"\xff\xfe\x00")
    for name, said in (("missing", "cannot be read"), ("bytes", "is no manifest")):
        with pytest.raises(UsageError, match=said):
            read_manifest(tmp_path / name)


def test_a_file_that_is_no_training_set_is_refused(season: Site, tmp_path: Path) -> None:
    pq.write_table(made(season).rows, tmp_path / "plain.parquet")
    (tmp_path / "text.parquet").write_text("x")
    for name in ("plain", "text", "missing"):
        with pytest.raises(UsageError):
            read_head(tmp_path / f"{name}.parquet")


def test_a_file_that_cannot_be_written_leaves_the_old_one(season: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "v3.parquet"
    written(season, path)
    before = {file.name: file.read_bytes() for file in tmp_path.iterdir() if file.is_file()}

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pyarrow.parquet.write_table", full)
    with pytest.raises(StorageUnavailableError):
        written(season, path, end=WEEK[0])
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir() if file.is_file()} == before


def test_a_folder_in_the_place_of_the_file_is_an_error(season: Site, tmp_path: Path) -> None:
    with pytest.raises(StorageUnavailableError):
        written(season, tmp_path)


def test_labels_differ_where_box_scores_were_corrected(season: Site, tmp_path: Path) -> None:
    path = tmp_path / "set.parquet"
    written(season, path)
    publish(season.warehouse, summary_table(store_table(WEEK[:1]), [True, True, True, False]), POINTS_TABLE)
    found = whats(season, path)
    assert found["count of refused as not_played"] == ("nothing", "1")
    assert str(WEEK[0]) in found[f"partitions of {POINTS_TABLE} changed"][1]
