"""Training sets: clean rows of played games, the features in the model's own order, and the label."""

from __future__ import annotations

import datetime as dt
import json
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from schemas.catalogue import load_catalogue
from schemas.errors import StorageUnavailableError, UsageError, WarehouseError
from schemas.rules import STORE_TABLE
from serving.feature_store import feature_service
from warehouse.protocol import Warehouse

if TYPE_CHECKING:
    import pyarrow as pa
    from feast import FeatureStore

LABEL_TABLE = "nba_analytics.player_game_summary"
LABEL = "points"
KEYS = ("player_lookup", "game_id", "game_date", "event_timestamp")
MANIFEST = b"nba_features.training_set"

CANDIDATES = f"""
SELECT
  s.player_lookup,
  s.game_id,
  s.game_date,
  s.event_timestamp,
  g.{LABEL},
  CASE
    WHEN g.player_lookup IS NULL THEN 'no_box_score'
    WHEN NOT g.is_played THEN 'not_played'
    WHEN @training_ready AND NOT s.is_training_ready THEN 'not_training_ready'
    WHEN s.failure_default_count > @max_failure_defaults THEN 'failure_defaults'
  END AS refused
FROM {STORE_TABLE} AS s
LEFT JOIN {LABEL_TABLE} AS g
  ON g.player_lookup = s.player_lookup AND g.game_id = s.game_id AND g.game_date = s.game_date
WHERE s.game_date BETWEEN @start_date AND @end_date
ORDER BY s.game_date, s.player_lookup
"""


def _candidates(warehouse: Warehouse, start: dt.date, end: dt.date, *, training_ready: bool, max_failure_defaults: int) -> pa.Table:
    params: dict[str, Any] = {
        "start_date": start,
        "end_date": end,
        "training_ready": training_ready,
        "max_failure_defaults": max_failure_defaults,
    }
    return warehouse.query(CANDIDATES, params)


def training_set(
    warehouse: Warehouse,
    store: FeatureStore,
    service: str,
    start: dt.date,
    end: dt.date,
    *,
    training_ready: bool = True,
    max_failure_defaults: int = 0,
) -> pa.Table:
    """Return one row per clean player-game of the dates: keys, the service's features in its order, and `points`.

    Features are retrieved point in time at each row's own cutoff. A row is refused for one reason, the first that holds;
    rows considered = rows returned + rows refused, and `manifest` says how many for what.

    Raises:
        UnknownNameError: no such service.
        UsageError: the range is empty, or no row of it is clean.
    """
    import pyarrow.compute as pc

    contract = load_catalogue().service(service)
    if start > end:
        raise UsageError("the range ends before it starts", [f"{start} to {end}"])
    candidates = _candidates(warehouse, start, end, training_ready=training_ready, max_failure_defaults=max_failure_defaults)
    frame = candidates.filter(pc.is_null(candidates.column("refused"))).drop_columns(["refused"])
    refused = Counter(reason for reason in candidates.column("refused").to_pylist() if reason)
    if not frame.num_rows:
        reasons = [f"{count} {reason}" for reason, count in refused.items()]
        raise UsageError(f"no clean row between {start} and {end}", reasons or ["the store holds no row of these dates"])
    job = store.get_historical_features(entity_df=frame.to_pandas(), features=feature_service(store, service))
    rows = job.to_arrow().select([*KEYS, *contract.features, LABEL])
    if rows.num_rows + refused.total() != candidates.num_rows:
        raise WarehouseError("rows were lost on the way", [f"{candidates.num_rows} in, {rows.num_rows} out, {refused.total()} refused"])
    summary = {
        "service": contract.name,
        "features": list(contract.features),
        "feature_schema_version": load_catalogue().schema_version,
        "label": LABEL,
        "start": start.isoformat(),
        "end": end.isoformat(),
        "training_ready": training_ready,
        "max_failure_defaults": max_failure_defaults,
        "rows_considered": candidates.num_rows,
        "rows": rows.num_rows,
        "refused": dict(sorted(refused.items())),
    }
    return rows.replace_schema_metadata({MANIFEST: json.dumps(summary).encode()})


def manifest(table: pa.Table) -> dict[str, Any]:
    """Return how a training set was made; it travels in the table and in its Parquet file."""
    stored = (table.schema.metadata or {}).get(MANIFEST)
    if stored is None:
        raise UsageError("the table is no training set", table.column_names[:3])
    found: dict[str, Any] = json.loads(stored)
    return found


def write_training_set(table: pa.Table, path: Path) -> None:
    """Write the training set as Parquet, whole or not at all; raise `StorageUnavailableError` when it cannot be written."""
    import pyarrow.parquet as pq

    partial = path.with_name(f".{path.name}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(table, partial, compression="zstd")
        partial.replace(path)
    except OSError as error:
        with suppress(OSError):
            partial.unlink(missing_ok=True)
        raise StorageUnavailableError("the training set cannot be written", [error], "nothing was changed") from None
