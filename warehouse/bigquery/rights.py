"""What the account a command runs under may do, asked of BigQuery one right at a time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from schemas.contracts import load_contracts
from schemas.errors import UnknownNameError
from warehouse.bigquery.failures import cloud_errors, message
from warehouse.bigquery.names import STAGING_DATASET

if TYPE_CHECKING:
    from warehouse.bigquery.engine import BigQueryWarehouse

READ = "bigquery.tables.getData"
WRITE = "bigquery.tables.updateData"
ROLES = {READ: "roles/bigquery.dataViewer", WRITE: "roles/bigquery.dataEditor", "bigquery.jobs.create": "roles/bigquery.jobUser"}
ALWAYS = ("nba_orchestration",)
DUTIES: Mapping[str, tuple[str, ...]] = {
    # Datasets a duty writes besides the records; it reads all that come before them.
    "ingest": ("nba_raw",),
    "analytics": ("nba_analytics",),
    "precompute": ("nba_precompute",),
    "predictions": ("nba_predictions",),
    "reader": (),
}
READS: Mapping[str, tuple[str, ...]] = {
    "ingest": ("nba_raw",),
    "analytics": ("nba_raw", "nba_analytics"),
    "precompute": ("nba_raw", "nba_analytics", "nba_precompute"),
    "predictions": ("nba_raw", "nba_analytics", "nba_precompute", "nba_predictions"),
    # A lookup asks who plays, and when the tip-off is.
    "reader": ("nba_raw", "nba_analytics", "nba_predictions"),
}


@dataclass(frozen=True)
class Right:
    """One right: on what, whether the account has it, whether the duty needs it, and the role that gives it."""

    on: str
    permission: str
    granted: bool
    needed: bool
    detail: str = ""

    @property
    def role(self) -> str:
        """Role that holds the permission."""
        return ROLES.get(self.permission, "roles/bigquery.dataEditor")

    @property
    def is_missing(self) -> bool:
        """TRUE when the duty needs it and the account lacks it."""
        return self.needed and not self.granted

    @property
    def is_excess(self) -> bool:
        """TRUE when the account may write what the duty never writes."""
        return self.permission == WRITE and self.granted and not self.needed


def _jobs(warehouse: BigQueryWarehouse) -> Right:
    from google.api_core.exceptions import GoogleAPICallError

    detail = ""
    try:
        warehouse.jobs.call(warehouse.client.query, "SELECT 1 AS one", job_config=_dry_run(), job_retry=None)
    except GoogleAPICallError as error:
        detail = message(error)
    return Right(f"project {warehouse.gcp.project}", "bigquery.jobs.create", not detail, True, detail)


def _dry_run() -> object:
    from google.cloud import bigquery

    return bigquery.QueryJobConfig(dry_run=True)


def _on_tables(warehouse: BigQueryWarehouse, reads: set[str], writes: set[str]) -> Iterator[Right]:
    from google.api_core.exceptions import GoogleAPICallError

    mapped = warehouse.others_tables
    stored = [spec for spec in reversed(list(load_contracts().values())) if spec.built_by != "view"]
    first = {spec.dataset: spec.name for spec in stored if spec.name not in mapped}
    for dataset, table in sorted([*first.items(), *((name.split(".")[0], name) for name in mapped)]):
        granted: list[str] = []
        detail = ""
        try:
            answer = warehouse.jobs.call(warehouse.client.test_iam_permissions, warehouse.names.path(table), [READ, WRITE])
            granted = list(answer.get("permissions", []))
        except GoogleAPICallError as error:
            detail = message(error)
        path = warehouse.names.path(table)
        yield Right(path, READ, READ in granted, dataset in reads, detail)
        if table not in mapped:
            yield Right(path, WRITE, WRITE in granted, dataset in writes, detail)


def _staging(warehouse: BigQueryWarehouse, needed: bool) -> Right:
    """Create a table that expires and drop it again."""
    import datetime as dt
    import uuid

    from google.api_core.exceptions import GoogleAPICallError
    from google.cloud import bigquery

    path, detail = warehouse.names.staging(f"check_{uuid.uuid4().hex}"), ""
    probe = bigquery.Table(path, schema=[bigquery.SchemaField("one", "INT64")])
    probe.expires = dt.datetime.now(dt.UTC) + dt.timedelta(hours=1)
    try:
        warehouse.jobs.call(warehouse.client.create_table, probe)
        warehouse.jobs.call(warehouse.client.delete_table, path, not_found_ok=True)
    except GoogleAPICallError as error:
        detail = message(error)
    return Right(warehouse.names.dataset(STAGING_DATASET), "bigquery.tables.create", not detail, needed, detail)


def check(warehouse: BigQueryWarehouse, duty: str) -> tuple[Right, ...]:
    """Return every right the duty is about; raise `UnknownNameError` for a duty there is not."""
    if duty not in DUTIES:
        raise UnknownNameError("unknown duty", [duty], f"one of {', '.join(DUTIES)}")
    works = duty != "reader"
    records = set(ALWAYS) if works else set()
    with cloud_errors("the check of rights"):
        found = [_jobs(warehouse), *_on_tables(warehouse, {*READS[duty], *ALWAYS}, {*DUTIES[duty], *records})]
        return (*found, _staging(warehouse, works))
