"""Training sets: clean rows, nothing lost, the features of the row itself in the model's order."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pyarrow as pa
import pytest

from schemas.catalogue import load_catalogue
from schemas.contracts import contract
from schemas.errors import UnknownNameError, UsageError, WarehouseError
from schemas.rules import STORE_TABLE
from serving import training_set as module
from serving.labels import BLOCKED_TABLE, LABELS, POINTS_TABLE, REASONS, candidates_statement
from serving.training_set import KEYS, preview
from tests.feast.conftest import WEEK, Site
from tests.feast.store_rows import LEDGER, block, ledger_row, publish, store_table, summary_table
from tests.training.conftest import asked, made
from warehouse.protocol import Publication, RecordWrite


@pytest.mark.parametrize("service", [s.name for s in load_catalogue().services])
def test_rows_features_and_labels_are_those_of_the_store(season: Site, service: str) -> None:
    features = load_catalogue().service(service).features
    table = made(season, service=service).rows
    assert table.column_names == [*KEYS, *features, *LABELS]
    expected = store_table(WEEK).select([*KEYS, *features])
    assert table.drop_columns(list(LABELS)).to_pylist() == expected.to_pylist()
    assert table.column("points").to_pylist() == list(range(20))


def test_the_range_is_kept(season: Site) -> None:
    table = made(season, WEEK[1], WEEK[2]).rows
    assert set(table.column("game_date").to_pylist()) == {WEEK[1], WEEK[2]}
    assert table.column("points").to_pylist() == list(range(4, 12))


def test_FM17_each_refused_row_is_counted_for_one_reason(week: Site) -> None:
    rows = store_table(WEEK[:2], is_training_ready=[True, False, True, True] * 2, failure_default_count=[0, 1, 1, 0] * 2)
    publish(week.warehouse, rows)
    played = [True, True, True, False, True, True, True, True]
    publish(week.warehouse, summary_table(rows, played).slice(0, 7), POINTS_TABLE)
    found = made(week, WEEK[0], WEEK[1])
    assert found.counts.refused == {"failure_defaults": 2, "no_box_score": 1, "not_played": 1, "not_training_ready": 2}
    assert found.counts.rows_considered == found.counts.rows + sum(found.counts.refused.values()) == 8
    assert found.rows.num_rows == found.counts.rows and found.rows.column("points").to_pylist() == [0, 4]
    every = made(week, WEEK[0], WEEK[1], training_ready=False, max_failure_defaults=37)
    assert every.counts.refused == {"no_box_score": 1, "not_played": 1}
    assert preview(week.warehouse, asked(WEEK[0], WEEK[1])) == found.counts


def test_FM18_structural_defaults_are_kept_unless_they_are_not_wanted(week: Site) -> None:
    rows = store_table(WEEK[:1], required_default_count=[0, 1, 2, 1], failure_default_count=[0, 0, 1, 1])
    publish(week.warehouse, rows)
    publish(week.warehouse, summary_table(rows), POINTS_TABLE)
    assert made(week, WEEK[0], WEEK[0]).rows.column("points").to_pylist() == [0, 1]
    strict = made(week, WEEK[0], WEEK[0], structural_defaults=False)
    assert strict.rows.column("points").to_pylist() == [0]
    assert strict.counts.refused == {"failure_defaults": 2, "structural_defaults": 1}
    lax = made(week, WEEK[0], WEEK[0], structural_defaults=False, max_failure_defaults=1)
    assert lax.rows.column("points").to_pylist() == [0, 3] and lax.counts.refused == {"structural_defaults": 2}


def test_FM23_a_game_without_a_point_is_kept_and_one_not_played_is_not(week: Site) -> None:
    rows = store_table(WEEK[:1])
    publish(week.warehouse, rows)
    publish(week.warehouse, summary_table(rows, [True, False, True, True]), POINTS_TABLE)
    assert made(week, WEEK[0], WEEK[0]).rows.column("points").to_pylist() == [0, 2, 3]


def test_FM16_null_features_stay_null(week: Site) -> None:
    rows = store_table(WEEK[:1], vegas_points_line=[None, 0.0, None, 20.5])
    publish(week.warehouse, rows)
    publish(week.warehouse, summary_table(rows), POINTS_TABLE)
    assert made(week, WEEK[0], WEEK[0]).rows.column("vegas_points_line").to_pylist() == [None, 0.0, None, 20.5]


def test_FM59_an_unknown_service_is_an_error() -> None:
    with pytest.raises(UnknownNameError):
        asked(service="points_v9")


def test_nothing_to_train_on_is_an_error_with_the_reasons(week: Site) -> None:
    with pytest.raises(UsageError, match="20 no_box_score"):
        made(week)
    with pytest.raises(UsageError, match="holds no row"):
        made(week, dt.date(2020, 1, 1), dt.date(2020, 2, 1))
    with pytest.raises(UsageError, match="ends before it starts"):
        made(week, WEEK[-1], WEEK[0])


def test_no_row_of_a_blocked_partition_enters(season: Site) -> None:
    """A date that was good once keeps its last good rows for readers; what the gate set aside lies in a table of its own.

    Who lies in both counts once.
    """
    block(season.warehouse, WEEK[1])
    publish(season.warehouse, store_table(WEEK[1:2]), BLOCKED_TABLE)
    publish(season.warehouse, store_table(WEEK[2:3], players=6), BLOCKED_TABLE)
    found = made(season)
    assert WEEK[1] not in found.rows.column("game_date").to_pylist()
    assert found.counts.refused == {"date_blocked": 4 + 2}
    assert found.counts.rows_considered == 22 and found.counts.rows == 16


def test_a_date_the_ledger_does_not_know_is_not_trusted(season: Site) -> None:
    rows = store_table([dt.date(2025, 1, 20)])
    staged = season.warehouse.stage_rows(contract(STORE_TABLE), rows, "test")
    season.warehouse.publish([Publication(staged, tuple(staged.partitions))])
    publish(season.warehouse, summary_table(rows), POINTS_TABLE)
    assert made(season, end=dt.date(2025, 1, 20)).counts.refused == {"date_blocked": 4}


def test_rows_made_under_another_definition_do_not_enter(season: Site) -> None:
    part = season.warehouse.partitions(STORE_TABLE)[WEEK[1]]
    older = ledger_row(WEEK[1], "published", part.rows, part.fingerprint, definition_version="older")
    season.warehouse.record([RecordWrite(LEDGER, [older])])
    found = made(season)
    assert WEEK[1] not in found.rows.column("game_date").to_pylist()
    assert found.counts.refused == {"stale_definition": 4} and found.counts.rows == 16


def test_labels_of_a_blocked_date_do_not_enter(season: Site) -> None:
    row = ledger_row(WEEK[0], "blocked", 0, None, table_name=POINTS_TABLE)
    season.warehouse.record([RecordWrite(LEDGER, [row])])
    assert made(season).counts.refused == {"label_date_blocked": 4}


def test_a_partition_published_meanwhile_makes_the_set_anew(season: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    retrieved = module._retrieved
    passes = []

    def disturbed(*args: Any) -> pa.Table:
        if not passes:
            publish(season.warehouse, store_table(WEEK[:1], seed=8))
        passes.append(1)
        return retrieved(*args)

    monkeypatch.setattr(module, "_retrieved", disturbed)
    table = made(season).rows
    assert len(passes) == 2
    assert table.select(KEYS).num_rows == 20
    first = load_catalogue().names[0]
    assert table.column(first).to_pylist()[:4] == store_table(WEEK[:1], seed=8).column(first).to_pylist()


def test_partitions_that_keep_changing_are_an_error(season: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    retrieved, seeds = module._retrieved, iter(range(100, 200))

    def disturbed(*args: Any) -> pa.Table:
        publish(season.warehouse, store_table(WEEK[:1], seed=next(seeds)))
        return retrieved(*args)

    monkeypatch.setattr(module, "_retrieved", disturbed)
    with pytest.raises(WarehouseError, match="published while"):
        made(season)


def test_a_retrieval_that_finds_nothing_is_an_error_and_no_row_of_nulls(season: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """A miss of the join is a NULL; without the check it would be a training row."""

    class Missing:
        def __init__(self, frame: object) -> None:
            self.frame = frame

        def to_arrow(self) -> pa.Table:
            rows = pa.Table.from_pandas(self.frame, preserve_index=False)
            for name in load_catalogue().service("points_v3_37features").features:
                rows = rows.append_column(name, pa.nulls(rows.num_rows, pa.float64()))
            return rows

    monkeypatch.setattr(season.store, "get_historical_features", lambda entity_df, features: Missing(entity_df))
    with pytest.raises(WarehouseError, match="without a value"):
        made(season)


def test_an_answer_in_another_order_is_put_right_and_one_with_a_row_short_refused(season: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = made(season).rows
    asked_for = season.store.get_historical_features

    class Turned:
        def __init__(self, job: Any, rows: slice) -> None:
            self.job, self.rows = job, rows

        def to_arrow(self) -> pa.Table:
            table = self.job.to_arrow()
            return table.take(list(range(table.num_rows))[self.rows])

    def turned(rows: slice) -> None:
        monkeypatch.setattr(season.store, "get_historical_features", lambda **given: Turned(asked_for(**given), rows))

    turned(slice(None, None, -1))
    assert made(season).rows.equals(expected)
    turned(slice(1, None))
    with pytest.raises(WarehouseError, match="row by row"):
        made(season)


def test_a_row_no_lookup_would_let_be_used_is_refused(season: Site) -> None:
    service = "breakout_v2_14features"
    publish(season.warehouse, store_table(WEEK[:1], fourth_quarter_trust=[None, None, 0.5, 0.5]))
    found = made(season, service=service)
    assert found.counts.refused == {"missing_feature:fourth_quarter_trust": 2} and found.counts.rows == found.rows.num_rows == 18
    assert preview(season.warehouse, asked(service=service)) == found.counts
    assert "fourth_quarter_trust" not in made(season).counts.refused


def test_every_reason_is_explained_once() -> None:
    for reason in REASONS:
        assert candidates_statement("points_v3_37features").count(f"'{reason}'") == 1, reason
