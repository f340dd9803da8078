"""The packed stores answer as Feast's own do, value for value."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest
from feast import FeatureStore
from feast.protos.feast.types.Value_pb2 import Value

from serving.packed.response import PackedResponse
from tests.packed.definitions import KEYS, VIEWS

Pair = tuple[FeatureStore, FeatureStore]
TWO = ["scoring", "quality"]
REFS = [f"{view.name}:{field.name}" for view in VIEWS if view.name in TWO for field in view.features if field.name != "points"]
ROWS = [{"player_lookup": name, "game_id": number} for name, number in KEYS]
UNKNOWN = [{"player_lookup": "nobody", "game_id": "0022500001"}, {"player_lookup": "a", "game_id": "0099999999"}]


def same(left: Any, right: Any) -> bool:
    if isinstance(left, float) and isinstance(right, float):
        return (math.isnan(left) and math.isnan(right)) or (left == right and math.copysign(1, left) == math.copysign(1, right))
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(same(a, b) for a, b in zip(left, right, strict=True))
    return type(left) is type(right) and bool(left == right)


def equal(found: dict[str, list[Any]], wanted: dict[str, list[Any]]) -> None:
    assert set(found) == set(wanted)
    for name, values in wanted.items():
        assert same(found[name], values), (name, found[name], values)


def both(pair: Pair, features: Any, rows: Any, **options: Any) -> tuple[Any, Any]:
    packed, stock = pair
    names = [packed.get_feature_service(features), stock.get_feature_service(features)] if isinstance(features, str) else [features] * 2
    return packed.get_online_features(names[0], rows, **options), stock.get_online_features(names[1], rows, **options)


REQUESTS: dict[str, tuple[Any, Any]] = {
    "references": (REFS, ROWS),
    "unknown entities": (REFS, [UNKNOWN[0], *ROWS[:3], UNKNOWN[1]]),
    "only unknown entities": (REFS, UNKNOWN),
    "a key twice": (REFS, [ROWS[0], ROWS[3], ROWS[0]]),
    "one row": (REFS, ROWS[2:3]),
    "a service": ("everything", ROWS),
    "a projected service": ("model", ROWS),
    "columns of keys": ("everything", {"game_id": [r["game_id"] for r in ROWS], "player_lookup": [r["player_lookup"] for r in ROWS]}),
    "keys as protobuf": (["by_player:height"], {"player_lookup": [Value(string_val="a"), Value(string_val="x")]}),
    "one view of one entity": (["by_player:height"], [{"player_lookup": "a"}]),
    "views of different entities": (["by_player:height", "scoring:trend"], ROWS),
    "an entity that is a number": (["by_season:league_pace"], [{"season_year": 2024}, {"season_year": 1950}]),
    "a view read under another key": ("opponents", [{"player_lookup": "a", "rival_lookup": "lebronjames"}]),
    "an on-demand view": (["doubled:twice", "scoring:trend"], ROWS),
    "request data": (["over_line:edge", "scoring:trend"], [{**row, "line": 20.5} for row in ROWS]),
}


@pytest.mark.parametrize("request_name", REQUESTS)
def test_FM16_a_response_equals_the_stock_one(pair: Pair, request_name: str) -> None:
    found, wanted = both(pair, *REQUESTS[request_name], full_feature_names=request_name == "a view read under another key")
    equal(found.to_dict(), wanted.to_dict())
    left, right = found.to_df(), wanted.to_df()
    pd.testing.assert_frame_equal(left[sorted(left)], right[sorted(right)])
    arrow, stock = found.to_arrow(), wanted.to_arrow()
    equal(arrow.to_pydict(), stock.to_pydict())
    for name in stock.column_names:
        if not pa.types.is_null(stock.schema.field(name).type):
            assert arrow.schema.field(name).type == stock.schema.field(name).type, name


def test_full_feature_names_tell_features_of_one_name_apart(pair: Pair) -> None:
    found, wanted = both(pair, ["scoring:points", "by_player:points"], ROWS, full_feature_names=True)
    assert isinstance(found, PackedResponse)
    equal(found.to_dict(), wanted.to_dict())
    assert "scoring__points" in found.to_dict()


def test_features_of_one_name_are_refused_as_feast_does(pair: Pair) -> None:
    told = []
    for store in pair:
        with pytest.raises(Exception, match="points") as caught:
            store.get_online_features(["scoring:points", "by_player:points"], ROWS)
        told.append(type(caught.value))
    assert told[0] is told[1]


@pytest.mark.parametrize(
    "rows",
    [[], [{"player_lookup": "a"}], [{"player_lookup": None, "game_id": "1"}], [{"player_lookup": "a", "game_id": "1"}, {"game_id": "1"}]],
    ids=["nobody", "a key is missing", "a key is NULL", "rows of different keys"],
)
def test_a_wrong_request_fails_as_it_does_with_feast(pair: Pair, rows: Any) -> None:
    told = []
    for store in pair:
        try:
            told.append(store.get_online_features(REFS, rows).to_dict())
        except Exception as error:  # noqa: BLE001
            told.append(type(error))
    if isinstance(told[1], dict):
        equal(told[0], told[1])
    else:
        assert told[0] is told[1]


def test_event_times_and_statuses_equal_those_of_sqlite(pair: Pair, engine: str) -> None:
    found, wanted = both(pair, REFS, [*ROWS, *UNKNOWN])
    assert isinstance(found, PackedResponse)
    equal(found.to_dict(include_event_timestamps=True), wanted.to_dict(include_event_timestamps=True))
    if engine == "redis":
        return  # Feast's Redis store calls an absent key PRESENT.
    columns = {name: at for at, name in enumerate(wanted.proto.metadata.feature_names.val)}
    assert set(found.proto.metadata.feature_names.val) == set(columns)
    for name, vector in zip(found.proto.metadata.feature_names.val, found.proto.results, strict=True):
        stock = wanted.proto.results[columns[name]]
        assert (list(vector.values), list(vector.statuses)) == (list(stock.values), list(stock.statuses)), name
        # Feast's SQLite store keeps event times to the second.
        assert [stamp.seconds for stamp in vector.event_timestamps] == [stamp.seconds for stamp in stock.event_timestamps], name


def test_online_read_equals_the_stock_one(pair: Pair) -> None:
    from feast.protos.feast.types.EntityKey_pb2 import EntityKey

    keys = [EntityKey(join_keys=list(row), entity_values=[Value(string_val=value) for value in row.values()]) for row in [*ROWS, *UNKNOWN]]
    answers = []
    for store in pair:
        view = store.get_feature_view("quality")
        answers.append(store._get_provider().online_read(store.config, view, keys, ["score", "tier", "alerts"]))
    for (left_time, left), (right_time, right) in zip(*answers, strict=True):
        # Feast's Redis store gives an absent key the event time 0.
        assert (int(left_time.timestamp()) if left_time else 0) == (int(right_time.timestamp()) if right_time else 0)
        empty = Value()
        names = ("score", "tier", "alerts")
        assert [(left or {}).get(n, empty) for n in names] == [(right or {}).get(n, empty) for n in names]


def test_the_fast_path_answers_what_it_can(pair: Pair) -> None:
    general = {"keys as protobuf", "an entity that is a number", "an on-demand view", "request data"}
    for name, (features, rows) in REQUESTS.items():
        features = pair[0].get_feature_service(features) if isinstance(features, str) else features
        found = pair[0].get_online_features(features, rows, full_feature_names=name == "a view read under another key")
        assert isinstance(found, PackedResponse) is (name not in general), name
