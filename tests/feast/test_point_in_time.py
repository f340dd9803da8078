"""The point-in-time join against Feast's own join on DuckDB and against a naive one in Python."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import duckdb
import ibis
import pandas as pd
import pyarrow as pa
import pytest
from feast import BigQuerySource, Entity, FeatureView, Field, ValueType
from feast.infra.offline_stores.ibis import get_historical_features_ibis
from feast.types import Array, Float64, Int64, String
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.clock import UTC
from schemas.errors import UsageError, WarehouseError
from schemas.settings import load_settings
from serving import home
from serving.warehouse_offline_store import WarehouseOfflineStore

HOUR = dt.timedelta(hours=1)
TICK = dt.timedelta(microseconds=1)
ZERO = dt.datetime(2025, 1, 1, tzinfo=UTC)
TTL = 3 * HOUR
STAMP = pa.timestamp("us", tz="UTC")
ROWS = pa.schema(
    [
        ("player", pa.string()),
        ("game", pa.string()),
        ("ts", STAMP),
        ("created", STAMP),
        ("x", pa.float64()),
        ("n", pa.int64()),
        ("tags", pa.list_(pa.string())),
    ]
)
SOURCE = BigQuerySource(name="rows", table="project.nba_predictions.rows", timestamp_field="ts", created_timestamp_column="created")
KEYS = [Entity(name=name, join_keys=[name], value_type=ValueType.STRING) for name in ("player", "game")]


def view(name: str, ttl: dt.timedelta | None, *fields: Field, source: BigQuerySource = SOURCE) -> FeatureView:
    keys = [Field(name=key.name, dtype=String) for key in KEYS]
    return FeatureView(name=name, entities=KEYS, ttl=ttl, schema=[*keys, *fields], source=source)


# Two views that share a join, one with another ttl, one without.
VIEWS = [
    view("floats", TTL, Field(name="x", dtype=Float64)),
    view("lists", TTL, Field(name="tags", dtype=Array(String))),
    view("longer", 2 * TTL, Field(name="n", dtype=Int64)),
]
REFS = ["floats:x", "lists:tags", "longer:n"]
REGISTRY = SimpleNamespace(list_on_demand_feature_views=lambda *_, **__: [])


@dataclass
class DuckdbTables:
    """The part of a warehouse the offline store reads."""

    connection: duckdb.DuckDBPyConnection
    profile: str = "embedded"

    def duckdb_cursor(self, tables: object) -> duckdb.DuckDBPyConnection:
        return self.connection.cursor()

    def put(self, rows: list[dict[str, Any]]) -> None:
        self.connection.register("_given", pa.Table.from_pylist(rows, schema=ROWS))
        self.connection.execute("CREATE OR REPLACE TABLE nba_predictions.rows AS SELECT * FROM _given")
        self.connection.unregister("_given")


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DuckdbTables]:
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute("CREATE SCHEMA nba_predictions")
    yield DuckdbTables(connection)
    connection.close()


@pytest.fixture(scope="module")
def config(tables: DuckdbTables, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    chosen = load_settings({"NBA_FEATURES_HOME": str(tmp_path_factory.mktemp("home"))})
    home.share_warehouse(tables, chosen)  # type: ignore[arg-type]
    yield SimpleNamespace(offline_store=SimpleNamespace(home=str(chosen.home)), repo_path=Path.cwd())
    home._open.pop((chosen.profile, chosen.home))


def feature(
    player: str,
    hours: float,
    *,
    created: float = 0,
    x: float | None = 1.0,
    n: int | None = 1,
    tags: list[str] | None = None,
    game: str = "g",
) -> dict[str, Any]:
    return {"player": player, "game": game, "ts": ZERO + hours * HOUR, "created": ZERO + created * HOUR, "x": x, "n": n, "tags": tags}


def entities(*rows: tuple[str | None, dt.datetime], game: str = "g") -> pd.DataFrame:
    frame = pd.DataFrame({"player": [p for p, _ in rows], "game": game, "event_timestamp": [t for _, t in rows], "row": range(len(rows))})
    frame["event_timestamp"] = pd.to_datetime(frame["event_timestamp"], utc=True)
    return frame


def ours(config: Any, frame: pd.DataFrame | str, views: list[FeatureView] = VIEWS, refs: list[str] = REFS, **options: Any) -> pa.Table:
    return WarehouseOfflineStore.get_historical_features(config, views, refs, frame, REGISTRY, "p", **options).to_arrow()


def stock(tables: DuckdbTables, config: Any, frame: pd.DataFrame, **options: Any) -> pa.Table:
    connection = ibis.duckdb.from_connection(tables.connection)
    job = get_historical_features_ibis(
        config=config,
        feature_views=VIEWS,
        feature_refs=REFS,
        entity_df=frame.copy(),
        registry=REGISTRY,
        project="p",
        data_source_reader=lambda *_: connection.table("rows", database="nba_predictions"),
        data_source_writer=lambda *_: None,
        **options,
    )
    return job.to_arrow()


def naive(rows: list[dict[str, Any]], frame: pd.DataFrame, *, filter_by_created_timestamp: bool = False) -> list[dict[str, Any]]:
    """Return the features by comparing every entity row with every feature row."""
    found = []
    for entity in frame.to_dict("records"):
        answer: dict[str, Any] = {}
        for name, ttl in (("x", TTL), ("tags", TTL), ("n", 2 * TTL)):
            fit = [
                r
                for r in rows
                if (r["player"], r["game"]) == (entity["player"], entity["game"])
                and r["ts"] <= entity["event_timestamp"] <= r["ts"] + ttl
                and (not filter_by_created_timestamp or r["created"] <= entity["event_timestamp"])
            ]
            answer[name] = max(fit, key=lambda r: r["ts"])[name] if fit else None
        found.append(answer)
    return found


def values(table: pa.Table) -> list[dict[str, Any]]:
    return table.sort_by("row").select(["x", "tags", "n"]).to_pylist()


PLAYERS = st.sampled_from(["a", "b", "ab"])
feature_rows = st.lists(
    st.builds(
        feature,
        PLAYERS,
        st.integers(0, 12),
        created=st.integers(0, 14),
        x=st.none() | st.sampled_from([0.0, -1.5, 2.25]),
        n=st.none() | st.sampled_from([0, 1, 2**53 + 1]),
        tags=st.none() | st.lists(st.sampled_from(["red", "stale"]), max_size=2),
        game=st.sampled_from(["g", "bg"]),
    ),
    max_size=14,
    unique_by=lambda row: (row["player"], row["game"], row["ts"]),
)
entity_rows = st.lists(
    st.tuples(st.none() | PLAYERS | st.just("stranger"), st.integers(0, 20), st.integers(-1, 1)), min_size=1, max_size=10
)


@settings(max_examples=60)
@given(rows=feature_rows, asked=entity_rows, game=st.sampled_from(["g", "bg"]), by_created=st.booleans())
def test_the_join_equals_feasts_own_and_a_naive_one(
    tables: DuckdbTables, config: Any, rows: list[dict[str, Any]], asked: list[tuple[str | None, int, int]], game: str, by_created: bool
) -> None:
    tables.put(rows)
    frame = entities(*((player, ZERO + hours * HOUR + ticks * TICK) for player, hours, ticks in asked), game=game)
    options: dict[str, Any] = {"filter_by_created_timestamp": by_created}
    table = ours(config, frame, **options)
    assert table.column("row").to_pylist() == list(range(len(asked)))
    assert values(table) == naive(rows, frame, **options)
    if frame["player"].notna().any():
        # Feast's own join takes the type of an all-NULL key from its values and finds none.
        assert values(table) == values(stock(tables, config, frame, **options))


@pytest.mark.parametrize(
    ("offset", "expected"),
    [(-TICK, None), (dt.timedelta(0), 1.0), (TTL, 1.0), (TTL + TICK, None)],
    ids=["a tick before", "at the event time", "at the end of the ttl", "a tick after"],
)
def test_both_ends_of_the_ttl_belong_to_it(tables: DuckdbTables, config: Any, offset: dt.timedelta, expected: float | None) -> None:
    tables.put([feature("a", 5)])
    frame = entities(("a", ZERO + 5 * HOUR + offset))
    assert ours(config, frame).column("x").to_pylist() == [expected]
    assert stock(tables, config, frame).column("x").to_pylist() == [expected]


def test_order_columns_and_number_of_the_entity_rows_are_kept(tables: DuckdbTables, config: Any) -> None:
    tables.put([feature("a", 1, x=1.0), feature("b", 1, x=2.0)])
    frame = entities(("b", ZERO + HOUR), ("stranger", ZERO), ("a", ZERO + HOUR), ("b", ZERO + HOUR), (None, ZERO))
    frame["label"] = [5, 4, 3, 2, 1]
    table = ours(config, frame)
    assert table.column_names == ["player", "game", "event_timestamp", "row", "label", "x", "tags", "n"]
    assert table.column("label").to_pylist() == [5, 4, 3, 2, 1]
    assert table.column("x").to_pylist() == [2.0, None, 1.0, 2.0, None]


def test_types_survive(tables: DuckdbTables, config: Any) -> None:
    tables.put([feature("a", 1, n=2**53 + 1, tags=["red"]), feature("b", 1, n=None)])
    table = ours(config, entities(("a", ZERO + HOUR), ("b", ZERO + HOUR)))
    assert [table.schema.field(name).type for name in ("x", "n", "tags", "event_timestamp")] == [
        pa.float64(),
        pa.int64(),
        pa.list_(pa.string()),
        STAMP,
    ]
    assert table.column("n").to_pylist() == [2**53 + 1, None]
    assert table.column("tags").to_pylist() == [["red"], None]


@pytest.mark.parametrize(
    "written",
    [
        pd.Series(["2025-01-01 01:00:00", "2025-01-01 02:00:00"]),
        pd.Series(["2025-01-01T01:00:00+00:00", "2024-12-31T21:00:00-05:00"]),
        pd.Series(pd.to_datetime(["2025-01-01 01:00", "2025-01-01 02:00"])),
        pd.Series(pd.to_datetime(["2024-12-31 20:00", "2024-12-31 21:00"]).tz_localize("America/New_York")),
        pd.Series([dt.datetime(2025, 1, 1, 1, tzinfo=UTC), dt.datetime(2025, 1, 1, 2, tzinfo=UTC)], dtype=object),
    ],
    ids=["text", "text with zone", "naive is UTC", "another zone", "objects"],
)
def test_instants_may_be_written_in_many_ways(tables: DuckdbTables, config: Any, written: pd.Series) -> None:
    tables.put([feature("a", 1, x=1.0), feature("a", 2, x=2.0)])
    frame = pd.DataFrame({"player": ["a", "a"], "game": "g", "event_timestamp": written})
    table = ours(config, frame)
    assert table.column("x").to_pylist() == [1.0, 2.0]
    assert table.column("event_timestamp").to_pylist() == [ZERO + HOUR, ZERO + 2 * HOUR]


def test_what_is_no_instant_is_refused(config: Any) -> None:
    with pytest.raises(UsageError, match="no instants"):
        ours(config, pd.DataFrame({"player": ["a"], "game": "g", "event_timestamp": ["yesterday"]}))


def test_full_feature_names_carry_the_view(tables: DuckdbTables, config: Any) -> None:
    tables.put([feature("a", 1)])
    table = ours(config, entities(("a", ZERO + HOUR)), full_feature_names=True)
    assert table.column_names[-3:] == ["floats__x", "lists__tags", "longer__n"]


def test_columns_come_in_the_order_of_views_and_request(tables: DuckdbTables, config: Any) -> None:
    tables.put([feature("a", 1)])
    table = ours(config, entities(("a", ZERO + HOUR)), views=VIEWS[::-1], refs=REFS)
    assert table.column_names[-3:] == ["n", "tags", "x"]


def test_a_source_can_be_a_query(tables: DuckdbTables, config: Any) -> None:
    tables.put([feature("a", 1, x=1.0), feature("b", 1, x=2.0)])
    source = BigQuerySource(name="q", query="SELECT * FROM nba_predictions.rows WHERE x > 1", timestamp_field="ts")
    views = [view("floats", TTL, Field(name="x", dtype=Float64), source=source)]
    table = ours(config, entities(("a", ZERO + HOUR), ("b", ZERO + HOUR)), views, ["floats:x"])
    assert table.column("x").to_pylist() == [None, 2.0]


@pytest.mark.parametrize("by_created", [False, True])
def test_FM40_feature_rows_of_one_key_and_time_are_refused(tables: DuckdbTables, config: Any, by_created: bool) -> None:
    tables.put([feature("a", 1, x=1.0), feature("a", 1, created=1, x=2.0), feature("b", 1)])
    with pytest.raises(WarehouseError, match=r"share a key and an event time: a g 2025-01-01 01:00"):
        ours(config, entities(("a", ZERO + HOUR)), filter_by_created_timestamp=by_created)
    assert ours(config, entities(("b", ZERO + HOUR))).column("x").to_pylist() == [1.0]


def test_FM07_a_row_written_later_is_used_by_event_time_and_left_out_by_created_time(tables: DuckdbTables, config: Any) -> None:
    tables.put([feature("a", 1, created=1, x=1.0), feature("a", 2, created=9, x=2.0)])
    frame = entities(("a", ZERO + 3 * HOUR))
    assert ours(config, frame).column("x").to_pylist() == [2.0]
    assert ours(config, frame, filter_by_created_timestamp=True).column("x").to_pylist() == [1.0]


def test_FM07_a_history_written_today_vanishes_only_when_created_time_is_asked_for(tables: DuckdbTables, config: Any) -> None:
    tables.put([feature("a", 1, created=10_000, x=1.0)])
    frame = entities(("a", ZERO + 2 * HOUR))
    assert ours(config, frame).column("x").to_pylist() == [1.0]
    assert ours(config, frame, filter_by_created_timestamp=True).column("x").to_pylist() == [None]


@pytest.mark.parametrize(
    ("frame", "fact"),
    [
        (pd.DataFrame({"player": ["a"], "event_timestamp": [ZERO]}), "lacks join keys: game"),
        (
            pd.DataFrame({"player": ["a"], "game": ["g"], "event_timestamp": [ZERO], "x": [1]}),
            "already has columns of the requested features: x",
        ),
        (None, "entity frame or a query"),
    ],
)
def test_a_frame_that_cannot_be_joined_is_refused(tables: DuckdbTables, config: Any, frame: pd.DataFrame | None, fact: str) -> None:
    tables.put([feature("a", 1)])
    with pytest.raises(UsageError, match=fact):
        ours(config, frame)


def test_FM34_two_keys_that_read_alike_when_joined_stay_apart(tables: DuckdbTables, config: Any) -> None:
    tables.put([feature("a", 1, game="bg", x=1.0), feature("ab", 1, game="g", x=2.0)])
    frame = pd.concat([entities(("a", ZERO + HOUR), game="bg"), entities(("ab", ZERO + HOUR), game="g")])
    assert ours(config, frame).column("x").to_pylist() == [1.0, 2.0]


def test_many_rows_are_joined_by_sorting_not_by_comparing_all_with_all(tables: DuckdbTables, config: Any) -> None:
    count = 60_000
    players = [f"player{number % 300}" for number in range(count)]
    stamps = [ZERO + (number // 300) * HOUR for number in range(count)]
    made = {
        "player": players,
        "game": ["g"] * count,
        "ts": stamps,
        "created": stamps,
        "x": [1.0] * count,
        "n": range(count),
        "tags": [None] * count,
    }
    tables.connection.register("_made", pa.table(made, schema=ROWS))
    tables.connection.execute("CREATE OR REPLACE TABLE nba_predictions.rows AS SELECT * FROM _made")
    frame = pd.DataFrame({"player": players, "game": "g", "event_timestamp": stamps}).sample(frac=1, random_state=3)
    started = time.perf_counter()
    table = ours(config, frame)
    # All with all takes 18 seconds and more, sorting a fraction of one.
    assert time.perf_counter() - started < 8
    assert table.num_rows == count
    assert table.column("n").null_count == 0
