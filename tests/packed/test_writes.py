"""What wins, what survives and what leaves when rows are written."""

from __future__ import annotations

import datetime as dt
import signal
import subprocess
import sys
import textwrap
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from feast import FeatureStore, FeatureView, Field
from feast.protos.feast.serving.ServingService_pb2 import FieldStatus
from feast.protos.feast.types.EntityKey_pb2 import EntityKey
from feast.protos.feast.types.Value_pb2 import Value
from feast.types import Float64, Int64, String
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.errors import StorageUnavailableError, UsageError
from serving.packed.layout import Layout, layout_of, pack_values
from serving.packed.rows import block_of
from serving.packed.store import PackedStore
from tests.packed.conftest import Opener
from tests.packed.definitions import KEYS, NOON, VIEWS, by_player, frame, quality, scoring

KEY = {"player_lookup": "a", "game_id": "0022500001"}
DAY = dt.timedelta(days=1)


def online(store: FeatureStore) -> PackedStore:
    found = store._get_provider().online_store
    assert isinstance(found, PackedStore)
    return found


def rows_of(
    points: list[float | None], events: list[dt.datetime], created: list[dt.datetime], players: list[str] | None = None
) -> pa.Table:
    count = len(points)
    return pa.table(
        {
            "player_lookup": players or ["a"] * count,
            "game_id": ["0022500001"] * count,
            "points": pa.array(points, pa.float64()),
            "trend": pa.array([0.0] * count, pa.float64()),
            "pace": pa.array([0.5] * count, pa.float32()),
            "event_timestamp": pa.array(events, pa.timestamp("us", tz="UTC")),
            "created_timestamp": pa.array(created, pa.timestamp("us", tz="UTC")),
        }
    )


def write(store: FeatureStore, way: str, points: float | None, event: dt.datetime, created: dt.datetime) -> None:
    """Write one row of `scoring` by Feast's batch or by Arrow."""
    if way == "arrow":
        online(store).write_arrow(store.config, store.get_feature_view("scoring"), rows_of([points], [event], [created]))
        return
    key = EntityKey(join_keys=list(KEY), entity_values=[Value(string_val=value) for value in KEY.values()])
    value = Value() if points is None else Value(double_val=points)
    values = {"points": value, "trend": Value(double_val=0.0), "pace": Value(float_val=0.5)}
    online(store).online_write_batch(store.config, store.get_feature_view("scoring"), [(key, values, event, created)], None)


def points(store: FeatureStore) -> Any:
    return store.get_online_features(["scoring:points"], [KEY]).to_dict()["points"][0]


@pytest.mark.parametrize("way", ["batch", "arrow"])
def test_FM52_the_newest_event_time_wins_in_either_order(packed: FeatureStore, way: str) -> None:
    write(packed, way, 1.0, NOON, NOON)
    write(packed, way, 2.0, NOON + DAY, NOON + DAY)
    write(packed, way, 3.0, NOON, NOON + 2 * DAY)
    assert points(packed) == 2.0


@pytest.mark.parametrize("way", ["batch", "arrow"])
def test_FM52_a_correction_of_the_same_event_time_lands_and_an_older_copy_does_not(packed: FeatureStore, way: str) -> None:
    write(packed, way, 1.0, NOON, NOON)
    write(packed, way, 2.0, NOON, NOON + DAY)
    assert points(packed) == 2.0
    write(packed, way, 1.0, NOON, NOON)
    assert points(packed) == 2.0
    write(packed, way, 5.0, NOON, NOON + DAY)
    assert points(packed) == 5.0


def test_several_rows_of_a_key_in_one_write_leave_the_newest(packed: FeatureStore) -> None:
    events = [NOON, NOON + 2 * DAY, NOON + DAY]
    online(packed).write_arrow(packed.config, packed.get_feature_view("scoring"), rows_of([1.0, 2.0, 3.0], events, events))
    assert points(packed) == 2.0
    assert online(packed).count(packed.config, packed.get_feature_view("scoring")) == 1


def test_FM15_zero_null_and_nan_stay_three_things(packed: FeatureStore) -> None:
    values = [0.0, None, float("nan"), -0.0]
    names = ["p0", "p1", "p2", "p3"]
    online(packed).write_arrow(packed.config, packed.get_feature_view("scoring"), rows_of(values, [NOON] * 4, [NOON] * 4, names))
    keys = {"player_lookup": names, "game_id": ["0022500001"] * 4}
    found = packed.get_online_features(["scoring:points"], keys)
    zero, null, nan, minus = found.to_dict()["points"]
    assert (zero, null) == (0.0, None)
    assert nan != nan and np.signbit(minus)
    assert found.to_arrow().column("points").null_count == 1
    which = [value.WhichOneof("val") for value in found.proto.results[-1].values]
    assert which == ["double_val", None, "double_val", "double_val"]
    assert list(found.proto.results[-1].statuses) == [FieldStatus.PRESENT] * 4


def test_arrow_and_feasts_own_way_write_the_same_bytes(opener: Opener, engine: str) -> None:
    by_arrow, by_batch = opener(engine, packed=True), opener(engine, packed=True)
    for view in VIEWS[:3]:
        rows = frame(view)
        by_batch.write_to_online_store(view.name, rows)
        table = pa.Table.from_pandas(rows, preserve_index=False)
        for name, kind in {"small": pa.int64(), "defaults": pa.int64()}.items():
            if name in table.column_names:
                table = table.set_column(table.column_names.index(name), name, table.column(name).cast(kind))
        online(by_arrow).write_arrow(by_arrow.config, by_arrow.get_feature_view(view.name), table)
    keys = [{"player_lookup": name, "game_id": number} for name, number in KEYS]
    refs = [f"{view.name}:{field.name}" for view in (scoring, quality) for field in view.features]
    answers = [store.get_online_features(refs, keys).to_dict(include_event_timestamps=True) for store in (by_arrow, by_batch)]
    assert answers[0] == answers[1]


def test_a_changed_view_never_decodes_old_rows(packed: FeatureStore) -> None:
    packed.write_to_online_store("by_player", frame(by_player))
    reads = {"player_lookup": ["a", "lebronjames"]}
    assert packed.get_online_features(["by_player:height"], reads).to_dict()["height"] != [None, None]
    fields = {
        "another type": [Field(name="height", dtype=Int64), Field(name="points", dtype=Float64)],
        "a field more": [*by_player.schema, Field(name="note", dtype=String)],
        "a field less": [Field(name="height", dtype=Float64)],
    }
    for name, schema in fields.items():
        changed = FeatureView(name="by_player", entities=by_player_entities(), schema=schema, source=by_player.batch_source)
        packed.apply([changed])
        found = packed.get_online_features(["by_player:height"], reads)
        assert found.to_dict()["height"] == [None, None], name
        assert found.incompatible == {0, 1}
        assert list(found.proto.results[-1].statuses) == [FieldStatus.NOT_FOUND] * 2
    packed.apply([by_player])
    packed.write_to_online_store("by_player", frame(by_player))
    assert packed.get_online_features(["by_player:height"], reads).to_dict()["height"] == [4.0, 2.0]


def test_the_order_of_a_views_fields_is_of_no_meaning() -> None:
    assert layout_of(by_player.features) == layout_of(list(reversed(by_player.features)))


def by_player_entities() -> list[Any]:
    from tests.packed.definitions import player

    return [player]


def test_old_and_new_rows_of_a_changed_view_are_told_apart(packed: FeatureStore) -> None:
    old = layout_of(by_player.features)
    new = Layout((*old.names, "note"), (*old.types, Layout(("n",), (old.types[0],)).types[0]))
    first = pack_values(old, [({"height": Value(double_val=1.0)}, NOON, NOON)])[0]
    second = pack_values(new, [({"height": Value(double_val=2.0)}, NOON, NOON)])[0]
    block = block_of(new, [first, second, None, first])
    assert block.column("height") == [None, 2.0, None, None]
    assert block.incompatible == (0, 3)
    assert block.present.tolist() == [False, True, False, False]


def test_past_games_leave_by_the_retention(opener: Opener, engine: str) -> None:
    store = opener(engine, packed=True, retention_days=10)
    view = store.get_feature_view("scoring")
    days = [NOON + day * DAY for day in range(0, 30, 3)]
    names = [f"p{i}" for i in range(10)]
    online(store).write_arrow(store.config, view, rows_of([1.0] * 10, days, days, names))
    # A backfill is readable when it has been written; the next write takes what is too old.
    assert online(store).count(store.config, view) == 10
    online(store).write_arrow(store.config, view, rows_of([1.0], [NOON + 30 * DAY], [NOON], ["p10"]))
    found = store.get_online_features(["scoring:points"], {"player_lookup": [*names, "p10"], "game_id": ["0022500001"] * 11})
    assert found.to_dict()["points"] == [None] * 7 + [1.0] * 4
    assert online(store).count(store.config, view) == 4


def test_rows_of_a_deleted_view_are_gone(packed: FeatureStore) -> None:
    packed.write_to_online_store("by_player", frame(by_player))
    packed.apply([], objects_to_delete=[packed.get_feature_view("by_player")], partial=False)
    packed.apply([by_player])
    assert packed.get_online_features(["by_player:height"], {"player_lookup": ["a"]}).to_dict()["height"] == [None]


def test_rows_without_what_the_view_needs_are_refused(packed: FeatureStore) -> None:
    view = packed.get_feature_view("scoring")
    rows = rows_of([1.0], [NOON], [NOON])
    for missing in ("points", "event_timestamp", "game_id"):
        with pytest.raises(UsageError, match=missing):
            online(packed).write_arrow(packed.config, view, rows.drop_columns([missing]))
    with pytest.raises(UsageError, match="a key is no text"):
        online(packed).write_arrow(packed.config, view, rows.set_column(1, "game_id", pa.array([None], pa.string())))
    assert points(packed) is None


def test_the_matrix_is_in_the_models_own_order(packed: FeatureStore) -> None:
    for view in (scoring, quality):
        packed.write_to_online_store(view.name, frame(view))
    keys = [{"player_lookup": name, "game_id": number} for name, number in KEYS] + [{"player_lookup": "nobody", "game_id": "1"}]
    found = packed.get_online_features(packed.get_feature_service("model"), keys)
    values = found.to_dict()
    expected = np.array([[np.nan if v is None else v for v in values[name]] for name in ("score", "points", "trend")]).T
    np.testing.assert_array_equal(found.to_numpy(), expected)
    whole = packed.get_online_features(["quality:defaults", "quality:is_ready", "quality:tier"], keys)
    matrix = whole.to_numpy(["is_ready", "defaults"])
    assert matrix[0].tolist() == [1.0, 0.0] and matrix[1].tolist() == [0.0, 1.0] and np.isnan(matrix[-1]).all()
    with pytest.raises(UsageError, match="tier"):
        whole.to_numpy()


SCALARS = st.one_of(st.none(), st.floats(width=64), st.sampled_from([0.0, -0.0, 1e308]))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(SCALARS, st.one_of(st.none(), st.integers(-(2**63), 2**63 - 1)), st.one_of(st.none(), st.text())), max_size=12))
def test_any_values_survive_the_packing(rows: list[tuple[float | None, int | None, str | None]]) -> None:
    layout = Layout(("a", "n", "t"), (quality_type("score"), quality_type("defaults"), quality_type("tier")))
    values = [
        {
            "a": Value() if a is None else Value(double_val=a),
            "n": Value() if n is None else Value(int64_val=n),
            "t": Value() if t is None else Value(string_val=t),
        }
        for a, n, t in ((a, n, t if t is None else t.encode("utf-8", "ignore").decode()) for a, n, t in rows)
    ]
    block = block_of(layout, pack_values(layout, [(value, NOON, None) for value in values]))
    for name in layout.names:
        found = block.protos(name) if rows else []
        assert [v.SerializeToString() for v in found] == [value[name].SerializeToString() for value in values]


def quality_type(name: str) -> Any:
    return layout_of(quality.features).type_of[name]


def test_FM54_killing_the_writer_leaves_the_last_good_rows(opener: Opener) -> None:
    store = opener("sqlite", packed=True)
    write(store, "arrow", 1.0, NOON, NOON)
    path = store.config.online_store.path
    program = textwrap.dedent(
        """
        import os, signal, sqlite3, sys
        from serving.packed.sqlite_store import KEEP
        connection = sqlite3.connect(sys.argv[1], isolation_level=None)
        connection.execute("PRAGMA cache_size = 10")
        connection.execute("BEGIN IMMEDIATE")
        statement = KEEP.format(table='"parity_scoring"')
        ((key, packed),) = connection.execute('SELECT entity_key, packed FROM "parity_scoring"').fetchall()
        connection.execute(statement, (key, 2**50, 0, packed[::-1]))
        connection.executemany(statement, ((b"%d" % i, 2**50, 0, packed * 50) for i in range(2000)))
        os.kill(os.getpid(), signal.SIGKILL)
        """
    )
    ended = subprocess.run([sys.executable, "-c", program, path], check=False)
    assert ended.returncode == -signal.SIGKILL
    assert points(store) == 1.0
    assert online(store).count(store.config, store.get_feature_view("scoring")) == 1
    write(store, "arrow", 2.0, NOON + DAY, NOON)
    assert points(store) == 2.0


def test_a_reader_sees_all_views_as_of_one_instant(opener: Opener) -> None:
    store = opener("sqlite", packed=True)
    write(store, "arrow", 1.0, NOON, NOON)
    found = online(store)
    real = found._connection(store.config)
    real.execute("BEGIN")
    real.execute('SELECT COUNT(*) FROM "parity_scoring"').fetchone()
    other = subprocess.run(
        [
            sys.executable,
            "-c",
            f"import sqlite3; c = sqlite3.connect({store.config.online_store.path!r}); "
            "c.execute('UPDATE \"parity_scoring\" SET event_us = 5'); c.commit()",
        ],
        check=False,
    )
    assert other.returncode == 0
    (event,) = real.execute('SELECT event_us FROM "parity_scoring"').fetchone()
    real.execute("COMMIT")
    assert event != 5


def test_a_redis_that_does_not_answer_is_one_clear_error(opener: Opener) -> None:
    store = opener("redis", packed=True)
    store.config.online_store.url = "redis://127.0.0.1:1/0"
    with pytest.raises(StorageUnavailableError, match="does not answer"):
        points(store)


def test_a_view_that_was_not_applied_is_one_clear_error(opener: Opener) -> None:
    store = opener("sqlite", packed=True)
    online(store)._connection(store.config).execute('DROP TABLE "parity_scoring"')
    with pytest.raises(UsageError, match="run: feast apply"):
        points(store)
