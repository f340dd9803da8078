"""The steps of the training set: all played rows of all seasons, and the plain join they are held against."""

from __future__ import annotations

import datetime as dt
import tempfile
import time
from pathlib import Path

import pyarrow as pa

from benchmarks.meter import Reading, measured
from schemas.catalogue import load_catalogue
from schemas.clock import utc_now
from schemas.rules import STORE_TABLE
from schemas.settings import Settings
from serving.training_set_request import TrainingSetRequest
from warehouse import open_warehouse

SERVICE = "points_v3_37features"
KEYS = ("player_lookup", "game_id", "event_timestamp")


def _request() -> TrainingSetRequest:
    """Return the widest request: what is measured is the way there, not the filters."""
    return TrainingSetRequest(SERVICE, dt.date(2000, 1, 1), dt.date(2030, 1, 1), utc_now(), training_ready=False, max_failure_defaults=37)


def training_rows(settings: Settings) -> Reading:
    """Make the training set the second time in a process; the file is written outside the clock and told apart."""
    from serving.feature_store import apply_definitions, open_feature_store
    from serving.training_set import training_set
    from serving.training_set_file import write_training_set

    warehouse = open_warehouse(settings)
    store = open_feature_store(settings, warehouse)
    apply_definitions(store)
    request = _request()
    training_set(warehouse, store, request)
    with measured() as reading:
        made = training_set(warehouse, store, request)
    with tempfile.TemporaryDirectory() as folder:
        began = time.process_time()
        manifest = write_training_set(made, Path(folder) / "set.parquet")
        seconds = time.process_time() - began
    reading.facts = {
        "rows": made.rows.num_rows,
        "columns": made.rows.num_columns,
        "rows considered": made.counts.rows_considered,
        "CPU seconds for the file and its manifest besides": f"{seconds:.2f}",
        "bytes": manifest["result"]["bytes"],
    }
    return reading


def training_limit(settings: Settings) -> Reading:
    """Join the same keys as of their instants with the features of the store in one plain statement, the second time."""
    from serving.training_set import candidates
    from warehouse.embedded import EmbeddedWarehouse

    warehouse = open_warehouse(settings)
    assert isinstance(warehouse, EmbeddedWarehouse)
    keys = candidates(warehouse, _request())[0].select(KEYS)
    cursor = warehouse.duckdb_cursor([STORE_TABLE])
    cursor.register("_keys", keys)
    features = ", ".join(f"f.{name}" for name in load_catalogue().service(SERVICE).features)
    match = "e.player_lookup = f.player_lookup AND e.game_id = f.game_id AND e.event_timestamp >= f.event_timestamp"

    def join() -> pa.Table:
        cursor.execute("CREATE OR REPLACE TEMP TABLE keys AS SELECT * FROM _keys")
        return cursor.execute(f"SELECT e.*, {features} FROM keys e ASOF LEFT JOIN {STORE_TABLE} f ON {match}").to_arrow_table()

    join()
    with measured() as reading:
        rows = join()
    reading.facts = {"rows": rows.num_rows}
    return reading
