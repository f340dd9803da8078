"""Views with every kind of value the project's own views hold, and some they do not."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pandas as pd
from feast import Entity, FeatureService, FeatureView, Field, FileSource, RequestSource, ValueType
from feast.infra.offline_stores.file_source import ParquetFormat
from feast.on_demand_feature_view import on_demand_feature_view
from feast.types import Array, Bool, Bytes, Float32, Float64, Int32, Int64, String, UnixTimestamp

UTC = dt.UTC
NOON = dt.datetime(2025, 1, 6, 12, 0, 0, 250_000, tzinfo=UTC)
NAN = float("nan")

player = Entity(name="player", join_keys=["player_lookup"], value_type=ValueType.STRING)
game = Entity(name="game", join_keys=["game_id"], value_type=ValueType.STRING)
season = Entity(name="season", join_keys=["season_year"], value_type=ValueType.INT64)


def source(name: str) -> FileSource:
    return FileSource(
        name=name,
        path=f"{name}.parquet",
        file_format=ParquetFormat(),
        timestamp_field="event_timestamp",
        created_timestamp_column="created_timestamp",
    )


scoring = FeatureView(
    name="scoring",
    entities=[player, game],
    schema=[Field(name="points", dtype=Float64), Field(name="trend", dtype=Float64), Field(name="pace", dtype=Float32)],
    source=source("scoring"),
)
quality = FeatureView(
    name="quality",
    entities=[game, player],
    schema=[
        Field(name="tier", dtype=String),
        Field(name="score", dtype=Float64),
        Field(name="defaults", dtype=Int64),
        Field(name="small", dtype=Int32),
        Field(name="is_ready", dtype=Bool),
        Field(name="alerts", dtype=Array(String)),
        Field(name="checked_at", dtype=UnixTimestamp),
        Field(name="weights", dtype=Array(Float64)),
        Field(name="digest", dtype=Bytes),
    ],
    source=source("quality"),
)
by_player = FeatureView(
    name="by_player",
    entities=[player],
    schema=[Field(name="height", dtype=Float64), Field(name="points", dtype=Float64)],
    source=source("by_player"),
)
by_season = FeatureView(name="by_season", entities=[season], schema=[Field(name="league_pace", dtype=Float64)], source=source("by_season"))

line = RequestSource(name="line", schema=[Field(name="line", dtype=Float64)])


@on_demand_feature_view(sources=[scoring], schema=[Field(name="twice", dtype=Float64)])
def doubled(inputs: pd.DataFrame) -> pd.DataFrame:
    """Points, twice."""
    found = pd.DataFrame()
    found["twice"] = inputs["points"] * 2
    return found


@on_demand_feature_view(sources=[scoring, line], schema=[Field(name="edge", dtype=Float64)])
def over_line(inputs: pd.DataFrame) -> pd.DataFrame:
    """Points over the line of the request."""
    found = pd.DataFrame()
    found["edge"] = inputs["points"] - inputs["line"]
    return found


VIEWS = (scoring, quality, by_player, by_season)
model = FeatureService(name="model", features=[scoring[["trend", "points"]], quality[["score"]]], tags={"order": "score,points,trend"})
everything = FeatureService(name="everything", features=[scoring, quality])
opponents = FeatureService(
    name="opponents",
    # Feast sorts the projections of a service and cannot compare a name with none.
    features=[
        by_player[["height"]].with_name("own"),
        by_player[["height"]].with_name("rival").with_join_key_map({"player_lookup": "rival_lookup"}),
    ],
)
OBJECTS = [player, game, season, *VIEWS, doubled, over_line, model, everything, opponents]

PLAYERS = ["lebronjames", "lukadončić", "a", "a|b", ""]
GAMES = ["0022500001", "0022500002"]
KEYS = [(name, number) for name in PLAYERS for number in GAMES]

COLUMNS: dict[str, Any] = {
    "points": lambda i: [0.0, None, 27.123456789012345, -0.0, 1e-300][i % 5],
    "trend": lambda i: None if i % 3 == 0 else i / 7,
    "pace": lambda i: None if i % 4 == 1 else 0.1 * i,
    "tier": lambda i: ["gold", None, "", 'sil"ver\n', "ü☃"][i % 5],
    "score": lambda i: 100.0 - i,
    "defaults": lambda i: [0, 1, -5, 2**40, 7][i % 5],
    "small": lambda i: i - 3,
    "is_ready": lambda i: i % 2 == 0,
    "alerts": lambda i: [["stale"], [], ["a", "b,c", '"'], ["é"], []][i % 5],
    "checked_at": lambda i: NOON.replace(microsecond=0) + dt.timedelta(days=i),
    "weights": lambda i: [0.5 * i, 1e300],
    "digest": lambda i: bytes([i, 0, 255]),
    "height": lambda i: 2.0 + i,
    "league_pace": lambda i: 99.5 + i,
}


def event(i: int) -> dt.datetime:
    return NOON + dt.timedelta(hours=i)


def frame(view: FeatureView, **changed: Any) -> pd.DataFrame:
    """Return rows of a view, one per key."""
    keys: list[dict[str, Any]] = {
        1: [{"player_lookup": name} for name in PLAYERS],
        2: [{"player_lookup": name, "game_id": number} for name, number in KEYS],
    }[len(view.entities)]
    if view.name == "by_season":
        keys = [{"season_year": year} for year in (2023, 2024)]
    rows = []
    for i, key in enumerate(keys):
        values = {f.name: COLUMNS[f.name](i) for f in view.features}
        rows.append({**key, **values, "event_timestamp": event(i), "created_timestamp": event(i) + dt.timedelta(days=1), **changed})
    return pd.DataFrame(rows)
