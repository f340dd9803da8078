"""The embedded engine: DuckDB over immutable Parquet files, listed by an atomic SQLite catalogue."""

from warehouse.embedded.engine import EmbeddedWarehouse

__all__ = ["EmbeddedWarehouse"]
