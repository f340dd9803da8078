"""The BigQuery engine: staging tables, one transaction for each publication, jobs that run once."""

from warehouse.bigquery.engine import BigQueryWarehouse

__all__ = ["BigQueryWarehouse"]
