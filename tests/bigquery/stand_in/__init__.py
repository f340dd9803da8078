"""BigQuery's REST protocol on a loopback port, answered from DuckDB through the project's own GoogleSQL adapter.

It stands in where no emulator is built: the official client, jobs with ids, loads, scripts with transactions and
failures are real; the SQL is the embedded engine's. It refuses a query that names no dates of a table which requires
them, as the service does.
"""

from tests.bigquery.stand_in.server import StandIn, serve

__all__ = ["StandIn", "serve"]
