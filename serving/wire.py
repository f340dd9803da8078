"""A lookup on its way out: compact JSON, or an Arrow stream."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

import orjson

from serving.lookup import NO_TIME, Lookup
from serving.slate import EPOCH, MICROSECOND
from serving.verdicts import READY

ARROW = "application/vnd.apache.arrow.stream"
JSON = "application/json"
QUALITY = ("quality_tier", "quality_alert_level", "feature_quality_score")


def dumped(value: Any) -> bytes:
    """Return a value as compact JSON, NaN as null."""
    return orjson.dumps(value, option=orjson.OPT_SERIALIZE_NUMPY)


def _instants(found: Lookup) -> Mapping[int, str | None]:
    """Return each event time of the lookup in ISO form; players of one game share theirs."""
    times = set(found.events.tolist())
    return {time: None if time == NO_TIME else (EPOCH + time * MICROSECOND).isoformat() for time in times}


def as_json(found: Lookup) -> bytes:
    """Return a lookup as compact JSON, NaN as null."""
    told = _instants(found)
    quality = [found.quality.get(name) or [None] * len(found.players) for name in QUALITY]
    columns = zip(
        found.players,
        found.games,
        found.verdicts,
        found.reasons,
        found.matrix,
        found.events.tolist(),
        zip(*quality, strict=True),
        strict=True,
    )
    answers = [
        {
            "player_lookup": player,
            "game_id": game,
            "verdict": verdict,
            "reasons": reasons,
            "vector": vector if verdict == READY else None,
            "quality": dict(zip(QUALITY, grades, strict=True)),
            "event_timestamp": told[event],
            "masked": (),
        }
        for player, game, verdict, reasons, vector, event, grades in columns
    ]
    if found.hidden is not None:
        for at, answer in enumerate(answers):
            answer["masked"] = found.masked(at)
    return dumped({**found.head(), "answers": answers})


def as_arrow(found: Lookup) -> bytes:
    """Return a lookup as an Arrow stream: a row per player, a column per feature, NULL where there is no vector."""
    import numpy as np
    import pyarrow as pa

    off = np.fromiter((verdict != READY for verdict in found.verdicts), bool, len(found.verdicts))
    columns: dict[str, Any] = {
        "player_lookup": pa.array(found.players, pa.string()),
        "game_id": pa.array(found.games, pa.string()),
        "verdict": pa.array(found.verdicts, pa.string()),
        "reasons": pa.array(found.reasons, pa.list_(pa.string())),
        "event_timestamp": pa.array(found.events, mask=found.events == NO_TIME).cast(pa.timestamp("us", tz="UTC")),
    }
    for at, name in enumerate(found.features):
        columns[name] = pa.array(np.ascontiguousarray(found.matrix[:, at]), pa.float64(), mask=found.nulls[:, at] | off)
    told = {"service": found.service, "feature_schema_version": found.schema_version, "game_date": found.game_date.isoformat()}
    told["reasons"] = ",".join(found.slate_reasons)
    rows = pa.table(columns).replace_schema_metadata(told)
    stream = io.BytesIO()
    with pa.ipc.new_stream(stream, rows.schema) as writer:
        writer.write_table(rows)
    return stream.getvalue()
