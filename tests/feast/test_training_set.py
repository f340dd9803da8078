"""Training sets: clean rows, nothing lost, the features of the row itself in the model's order."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from schemas.catalogue import load_catalogue
from schemas.errors import StorageUnavailableError, UnknownNameError, UsageError
from serving.training_set import LABEL_TABLE, manifest, training_set, write_training_set
from tests.feast.conftest import WEEK, Site
from tests.feast.store_rows import publish, store_table, summary_table

V3 = "points_v3_37features"


@pytest.fixture
def season(week: Site) -> Site:
    """The week with a box-score line for every row."""
    publish(week.warehouse, summary_table(store_table(WEEK)), LABEL_TABLE)
    return week


@pytest.mark.parametrize("service", [s.name for s in load_catalogue().services])
def test_rows_features_and_label_are_those_of_the_store(season: Site, service: str) -> None:
    features = load_catalogue().service(service).features
    table = training_set(season.warehouse, season.store, service, WEEK[0], WEEK[-1])
    assert table.column_names == ["player_lookup", "game_id", "game_date", "event_timestamp", *features, "points"]
    expected = store_table(WEEK).select(["player_lookup", "game_id", "game_date", "event_timestamp", *features])
    assert table.drop_columns(["points"]).to_pylist() == expected.to_pylist()
    assert table.column("points").to_pylist() == list(range(20))


def test_the_range_is_kept(season: Site) -> None:
    table = training_set(season.warehouse, season.store, V3, WEEK[1], WEEK[2])
    assert set(table.column("game_date").to_pylist()) == {WEEK[1], WEEK[2]}
    assert table.column("points").to_pylist() == list(range(4, 12))


def test_FM17_each_refused_row_is_counted_for_one_reason(week: Site) -> None:
    rows = store_table(WEEK[:2], is_training_ready=[True, False, True, True] * 2, failure_default_count=[0, 1, 1, 0] * 2)
    publish(week.warehouse, rows)
    played = [True, True, True, False, True, True, True, True]
    publish(week.warehouse, summary_table(rows, played).slice(0, 7), LABEL_TABLE)
    table = training_set(week.warehouse, week.store, V3, WEEK[0], WEEK[1])
    told = manifest(table)
    assert told["refused"] == {"failure_defaults": 2, "no_box_score": 1, "not_played": 1, "not_training_ready": 2}
    assert told["rows_considered"] == told["rows"] + sum(told["refused"].values()) == 8
    assert table.column("points").to_pylist() == [0, 4]
    every = manifest(training_set(week.warehouse, week.store, V3, WEEK[0], WEEK[1], training_ready=False, max_failure_defaults=37))
    assert every["refused"] == {"no_box_score": 1, "not_played": 1}


def test_FM23_a_game_without_a_point_is_kept_and_one_not_played_is_not(week: Site) -> None:
    rows = store_table(WEEK[:1])
    publish(week.warehouse, rows)
    publish(week.warehouse, summary_table(rows, [True, False, True, True]), LABEL_TABLE)
    table = training_set(week.warehouse, week.store, V3, WEEK[0], WEEK[0])
    assert table.column("points").to_pylist() == [0, 2, 3]


def test_FM16_null_features_stay_null(week: Site) -> None:
    rows = store_table(WEEK[:1], vegas_points_line=[None, 0.0, None, 20.5])
    publish(week.warehouse, rows)
    publish(week.warehouse, summary_table(rows), LABEL_TABLE)
    table = training_set(week.warehouse, week.store, V3, WEEK[0], WEEK[0])
    assert table.column("vegas_points_line").to_pylist() == [None, 0.0, None, 20.5]


def test_FM59_an_unknown_service_is_an_error(season: Site) -> None:
    with pytest.raises(UnknownNameError):
        training_set(season.warehouse, season.store, "points_v9", WEEK[0], WEEK[-1])


def test_nothing_to_train_on_is_an_error_with_the_reasons(week: Site) -> None:
    with pytest.raises(UsageError, match="20 no_box_score"):
        training_set(week.warehouse, week.store, V3, WEEK[0], WEEK[-1])
    with pytest.raises(UsageError, match="holds no row"):
        training_set(week.warehouse, week.store, V3, dt.date(2020, 1, 1), dt.date(2020, 2, 1))
    with pytest.raises(UsageError, match="ends before it starts"):
        training_set(week.warehouse, week.store, V3, WEEK[-1], WEEK[0])


def test_the_file_holds_the_rows_and_how_they_were_made(season: Site, tmp_path: Path) -> None:
    table = training_set(season.warehouse, season.store, V3, WEEK[0], WEEK[-1])
    path = tmp_path / "sets" / "v3.parquet"
    write_training_set(table, path)
    read = pq.read_table(path)
    assert read.equals(table)
    assert manifest(read) == manifest(table)
    assert manifest(read)["features"] == list(load_catalogue().service(V3).features)
    with pytest.raises(UsageError):
        manifest(read.replace_schema_metadata())


def test_a_file_that_cannot_be_written_leaves_the_old_one(season: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table = training_set(season.warehouse, season.store, V3, WEEK[0], WEEK[-1])
    path = tmp_path / "v3.parquet"
    write_training_set(table, path)

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pyarrow.parquet.write_table", full)
    with pytest.raises(StorageUnavailableError):
        write_training_set(table.slice(0, 1), path)
    assert pq.read_table(path).num_rows == 20
    assert [found.name for found in tmp_path.glob("*.parquet*")] == ["v3.parquet"]
