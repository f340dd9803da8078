"""What a night and a five-season backfill read in BigQuery, from the sizes of the tables and the windows of the contracts.

    NBA_FEATURES_HOME=... python -m benchmarks.bigquery_costs

Logical bytes as BigQuery bills them: 8 for numbers, dates and instants, 1 for a BOOL, 2 plus the text for a STRING. Every
column of every table read is counted: an upper bound, for a statement is billed only for the columns it names.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from schemas.contracts import READ_WINDOWS, Column, TableContract, load_contracts
from schemas.settings import load_settings
from transformations.render import built_tables
from warehouse.embedded import EmbeddedWarehouse

DOLLARS_PER_TIB = 6.25
"""On-demand price of a query in the US multi-region; the first TiB of a month is free."""
DAY_MINIMUM = 10 * 2**20
"""A table that is read at all is billed for ten mebibytes."""
WHOLE = 5 * 365


@dataclass(frozen=True)
class Size:
    """Rows, dates and logical bytes of a table."""

    rows: int
    dates: int
    bytes: int


def _bytes(column: Column) -> str:
    name = f'"{column.name}"'
    if column.is_array or column.fields:
        return f"coalesce(octet_length(encode(CAST({name} AS VARCHAR))), 0)"
    if column.type == "STRING":
        return f"CASE WHEN {name} IS NULL THEN 0 ELSE 2 + strlen({name}) END"
    return f"CASE WHEN {name} IS NULL THEN 0 ELSE {1 if column.type == 'BOOL' else 8} END"


def size(warehouse: EmbeddedWarehouse, spec: TableContract) -> Size:
    """Measure a table."""
    dates = f"count(DISTINCT {spec.partition})" if spec.partition else "1"
    total = " + ".join(_bytes(column) for column in spec.columns)
    row = warehouse.duckdb_cursor([spec.name]).execute(f"SELECT count(*), {dates}, coalesce(sum({total}), 0) FROM {spec.name}").fetchone()
    assert row
    return Size(*(int(value) for value in row))


def window_days(kind: str) -> int:
    """Return how many days of a table a window covers."""
    window = READ_WINDOWS[kind]
    return WHOLE if window is None else window[0] - window[1] + 1


def nightly(sizes: dict[str, Size], spec: TableContract) -> int:
    """Return the bytes one night reads to make a table for one date."""
    total = 0
    for read, kind in spec.reads.items():
        found = sizes.get(read)
        if found is None:
            continue
        share = min(1.0, window_days(kind) / WHOLE) if load_contracts()[read].partition else 1.0
        total += max(DAY_MINIMUM, math.ceil(found.bytes * share))
    return total


def main() -> None:
    """Print sizes and sums."""
    warehouse = EmbeddedWarehouse(load_settings())
    contracts = load_contracts()
    stored = [spec for spec in contracts.values() if spec.built_by in ("ingest", "sql", "copy")]
    sizes = {spec.name: size(warehouse, spec) for spec in stored}
    print(f"{'table':55} {'rows':>9} {'MB':>8} {'night MB':>9} {'season MB':>10}")
    night = seasons = 0
    for spec in stored:
        read = nightly(sizes, spec)
        # A season's statement reads its own dates and the year before them: five of them read everything about twice.
        is_built = spec.name in built_tables() or spec.made_with
        season = sum(2 * sizes[name].bytes for name in spec.reads if name in sizes) if is_built else 0
        night, seasons = night + read, seasons + season
        found = sizes[spec.name]
        print(f"{spec.name:55} {found.rows:9d} {found.bytes / 1e6:8.1f} {read / 1e6:9.1f} {season / 1e6:10.1f}")
    stored_bytes = sum(item.bytes for item in sizes.values())
    print(f"stored {stored_bytes / 1e9:.2f} GB; a night reads {night / 1e9:.2f} GB = {night / 2**40 * DOLLARS_PER_TIB:.4f} dollars")
    print(f"five seasons read {seasons / 1e9:.2f} GB = {seasons / 2**40 * DOLLARS_PER_TIB:.3f} dollars")


if __name__ == "__main__":
    main()
