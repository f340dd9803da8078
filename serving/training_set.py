"""Training sets: clean rows of played games, the features in the model's own order, and the labels."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from schemas.catalogue import load_catalogue
from schemas.errors import UsageError, WarehouseError
from schemas.rules import STORE_TABLE
from serving.definitions import partition_definition
from serving.feature_store import feature_service
from serving.labels import BLOCKED_TABLE, LABELS, LINES_TABLE, MISSING, POINTS_TABLE, REASONS, candidates_statement, refuse_labels_among
from serving.training_set_request import TrainingSetRequest
from warehouse.protocol import Warehouse

if TYPE_CHECKING:
    import pyarrow as pa
    from feast import FeatureStore

KEYS = ("player_lookup", "game_id", "game_date", "event_timestamp")
ENTITY = ("player_lookup", "game_id", "event_timestamp")
ROW = "entity_row"
READ = (STORE_TABLE, BLOCKED_TABLE, POINTS_TABLE, LINES_TABLE)
TRIES = 3
"""How often a set is made anew because a partition was published while it was read."""

Fingerprints = Mapping[str, Mapping[dt.date, str]]


@dataclass(frozen=True)
class Counts:
    """Rows in, rows out, and rows refused by reason: in = out + refused."""

    rows_considered: int
    rows: int
    refused: Mapping[str, int]

    def as_dict(self) -> dict[str, Any]:
        """Return the counts for a manifest."""
        return {**vars(self), "refused": dict(self.refused)}


@dataclass(frozen=True)
class TrainingSet:
    """The rows (keys, features in the model's order, labels), the request, the counts, and the partitions that were read."""

    request: TrainingSetRequest
    rows: pa.Table
    counts: Counts
    partitions: Fingerprints


def fingerprints(warehouse: Warehouse, request: TrainingSetRequest) -> Fingerprints:
    """Return the fingerprint of every partition of the dates that a training set reads, by table and date."""
    return {name: {key: part.fingerprint for key, part in warehouse.partitions(name, request.start, request.end).items()} for name in READ}


def _ordered(rows: pa.Table) -> pa.Table:
    """Return the rows by game date and player; sorted as numbers, which takes a third of the time of sorting text."""
    import numpy as np
    import pyarrow.compute as pc

    players = rows.column("player_lookup").combine_chunks().dictionary_encode()
    place = np.empty(len(players.dictionary), np.int64)
    place[pc.sort_indices(players.dictionary).to_numpy()] = np.arange(len(place))
    days = rows.column("game_date").cast("int32").to_numpy()
    return rows.combine_chunks().take(np.lexsort([place[players.indices.to_numpy()], days]))


def candidates(warehouse: Warehouse, request: TrainingSetRequest) -> tuple[pa.Table, Counts]:
    """Return the clean rows (keys and labels) by game date and player, and how many were refused for what."""
    import pyarrow.compute as pc

    found = warehouse.query(candidates_statement(request.service), {**request.params(), "definition": partition_definition(STORE_TABLE)})
    reasons = found.column("refused")
    clean = found.filter(pc.is_null(reasons)).drop_columns(["refused"])
    counted = {item["values"]: item["counts"] for item in pc.value_counts(reasons.drop_null()).to_pylist()}
    missing = [f"{MISSING}:{name}" for name in request.features]
    refused = {reason: counted.pop(reason) for reason in (*REASONS, *missing) if reason in counted}
    if counted or clean.num_rows + sum(refused.values()) != found.num_rows:
        raise WarehouseError("rows were lost on the way", [f"{found.num_rows} in, {clean.num_rows} out, {refused} refused", *counted])
    return _ordered(clean), Counts(found.num_rows, clean.num_rows, refused)


def preview(warehouse: Warehouse, request: TrainingSetRequest) -> Counts:
    """Return what a training set would hold, without its features."""
    return candidates(warehouse, request)[1]


def _retrieved(store: FeatureStore, request: TrainingSetRequest, clean: pa.Table) -> pa.Table:
    """Return the rows with their features, retrieved point in time at each row's own cutoff.

    The retrieval is the one Feast offers to everybody; its answer must have each row once and no required feature without a
    value.
    """
    import numpy as np
    import pandas as pd
    import pyarrow as pa
    import pyarrow.compute as pc

    numbers = pa.array(np.arange(clean.num_rows))
    entities = clean.select(ENTITY).append_column(ROW, numbers)
    # Texts stay in Arrow: as Python objects they cost more than the join.
    texts = {pa.string(): pd.StringDtype("pyarrow")}
    frame = entities.to_pandas(types_mapper=texts.get)
    job = store.get_historical_features(entity_df=frame, features=feature_service(store, request.service))
    found = job.to_arrow()
    if not found.column(ROW).combine_chunks().equals(numbers):
        # BigQuery answers in an order of its own.
        found = found.take(pc.sort_indices(found.column(ROW)))
        if not found.column(ROW).combine_chunks().equals(numbers):
            raise WarehouseError("the retrieval does not answer row by row", [f"{clean.num_rows} asked, {found.num_rows} answered"])
    rows = clean.select(KEYS)
    for name in request.features:
        rows = rows.append_column(name, found.column(name))
    catalogue = load_catalogue()
    empty = [name for name in catalogue.needed(catalogue.service(request.service)) if rows.column(name).null_count]
    if empty:
        raise WarehouseError("required features came back without a value", empty, "nothing was written")
    for name in LABELS:
        rows = rows.append_column(name, clean.column(name))
    return rows.replace_schema_metadata()


def training_set(warehouse: Warehouse, store: FeatureStore, request: TrainingSetRequest) -> TrainingSet:
    """Return one row per clean player-game of the dates: keys, the service's features in its order, labels.

    A row is refused for one reason, the first of `serving.labels.REASONS` that holds, and last for the
    first feature without a value. Whatever was written after
    `request.known_by` does not exist. Labels: `points`; `closing_line`, the consensus at the house's cutoff, and the
    instant it was last seen, NULL where no book offered one; `result` over, under or push against it.

    Raises:
        UsageError: no row of the dates is clean.
        DefinitionError: a label is among the features.
        WarehouseError: the retrieval lost rows, or the partitions kept changing while they were read.
    """
    refuse_labels_among(request.features)
    before = fingerprints(warehouse, request)
    for _ in range(TRIES):
        clean, counts = candidates(warehouse, request)
        if not clean.num_rows:
            reasons = [f"{count} {reason}" for reason, count in counts.refused.items()]
            raise UsageError(
                f"no clean row between {request.start} and {request.end}", reasons or ["the store holds no row of these dates"]
            )
        rows = _retrieved(store, request, clean)
        after = fingerprints(warehouse, request)
        if after == before:
            return TrainingSet(request, rows, counts, after)
        before = after
    changed = [name for name in READ if before[name]]
    raise WarehouseError("partitions were published while they were read", changed, "wait for the build to end and run again")
