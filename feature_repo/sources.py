"""Sources: the published store table, on both engines."""

from __future__ import annotations

from feast import BigQuerySource

from schemas.contracts import contract

STORE_TABLE = "nba_predictions.ml_feature_store_v2"

# No date_partition_column: the partition is the US Eastern game date, and Feast compares it with the UTC dates of the
# interval. A late game's row (21:30 Eastern, 02:30 UTC of the next day) and a row built the evening before its game would
# be lost.
store_rows = BigQuerySource(
    name="ml_feature_store_v2",
    table=STORE_TABLE,
    # When the values were knowable: the cutoff, strictly before tip-off.
    timestamp_field=contract(STORE_TABLE).as_of_column,
    # When the row was written: lets a caller ask for what was known at the time (filter_by_created_timestamp).
    created_timestamp_column="created_timestamp",
    description=contract(STORE_TABLE).description,
)
