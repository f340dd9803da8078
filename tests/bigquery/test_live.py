"""What only the service itself can prove; asked for with `make test-live`, and nothing else runs it."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from schemas.contracts import contract, load_contracts
from schemas.ddl import requires_filter
from schemas.errors import LeaseHeldError, WarehouseError
from schemas.rules import STORE_TABLE
from schemas.settings import GcpSettings, Settings
from tests.warehouse.made_up_rows import BOXES, COMPLETIONS, DAYS, PLAYERS, completion, publish, rows_of, stage
from transformations.render import built_tables, dates_statement
from transformations.views import view_statements
from warehouse.bigquery import BigQueryWarehouse, schema
from warehouse.bigquery.rights import check
from warehouse.protocol import Publication, RecordWrite

pytestmark = pytest.mark.live

SPAN = {"first": DAYS[0], "last": DAYS[-1]}


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BigQueryWarehouse]:
    project = os.environ.get("NBA_FEATURES_LIVE_PROJECT")
    if not project:
        pytest.skip("NBA_FEATURES_LIVE_PROJECT names no project: nothing to test against")
    if os.environ.get("BIGQUERY_EMULATOR_HOST"):
        pytest.fail("BIGQUERY_EMULATOR_HOST is set: this would not be the live service")
    prefix = f"nba_live_test_{uuid.uuid4().hex[:8]}_"
    gcp = GcpSettings(project, os.environ.get("NBA_FEATURES_GCP_LOCATION", "US"), prefix, max_bytes_billed=2**30)
    opened = BigQueryWarehouse(Settings("gcp", tmp_path_factory.mktemp("live"), None, gcp=gcp))
    try:
        schema.apply(opened, schema.plan(opened, view_statements()))
        yield opened
    finally:
        for item in list(opened.client.list_datasets()):
            if item.dataset_id.startswith(prefix):
                opened.client.delete_dataset(item.reference, delete_contents=True, not_found_ok=True)
        opened.close()


def test_the_plan_is_empty_once_it_is_applied(warehouse: BigQueryWarehouse) -> None:
    assert not schema.plan(warehouse, view_statements())
    assert not [right for right in check(warehouse, "predictions") if right.is_missing]


@pytest.mark.parametrize("table", [BOXES, PLAYERS, STORE_TABLE])
def test_rows_travel_there_and_back(warehouse: BigQueryWarehouse, table: str) -> None:
    rows, spec = rows_of(table), contract(table)
    published = publish(warehouse, table, rows)
    assert publish(warehouse, table, rows) == published == warehouse.partitions(table)
    where = f" WHERE {spec.partition} BETWEEN @first AND @last" if spec.partition else ""
    keys = [(name, "ascending") for name in spec.keys]
    assert warehouse.query(f"SELECT * FROM {table}{where}", SPAN).sort_by(keys).to_pylist() == rows.sort_by(keys).to_pylist()


def test_rows_and_records_are_one_transaction(warehouse: BigQueryWarehouse) -> None:
    warehouse.record([RecordWrite(COMPLETIONS, [completion()])])
    before = warehouse.partitions(BOXES)
    staged = stage(warehouse, BOXES, rows_of(BOXES, points=1))
    with pytest.raises(WarehouseError, match="is there already"):
        warehouse.publish([Publication(staged, DAYS)], [RecordWrite(COMPLETIONS, [completion()], replace=False)])
    assert warehouse.partitions(BOXES) == before


def test_two_takers_of_a_lease(warehouse: BigQueryWarehouse) -> None:
    with (
        warehouse.lease(BOXES, DAYS[0], DAYS[1], "first"),
        pytest.raises(LeaseHeldError, match="first"),
        warehouse.lease(BOXES, DAYS[1], DAYS[2], "second"),
    ):
        raise AssertionError("two writers at once")


@pytest.mark.parametrize("table", built_tables())
def test_every_statement_is_accepted_and_within_the_budget(warehouse: BigQueryWarehouse, table: str) -> None:
    from orchestration.runs import Run
    from tests.warehouse.made_up_rows import NOON

    params = {**Run("live", NOON, NOON, 60).params(DAYS[0], DAYS[-1]), "dates": list(DAYS)}
    assert warehouse.bytes_processed(dates_statement(table), params) < warehouse.gcp.max_bytes_billed


def test_FM48_a_table_that_requires_dates_is_refused_without(warehouse: BigQueryWarehouse) -> None:
    for spec in load_contracts().values():
        if spec.built_by != "view" and requires_filter(spec):
            with pytest.raises(WarehouseError, match="without a filter"):
                warehouse.bytes_processed(f"SELECT * FROM {spec.name}")


def test_a_statement_beyond_the_budget_is_refused(warehouse: BigQueryWarehouse, tmp_path: Path) -> None:
    from dataclasses import replace

    publish(warehouse, BOXES, rows_of(BOXES))
    tight = replace(warehouse.gcp, max_bytes_billed=1)
    poor = BigQueryWarehouse(Settings("gcp", tmp_path, None, gcp=tight), client=warehouse.client)
    with pytest.raises(WarehouseError, match="more bytes than allowed"):
        poor.query(f"SELECT * FROM {BOXES} WHERE game_date BETWEEN @first AND @last", SPAN)


@pytest.mark.parametrize("view", list(view_statements()))
def test_every_view_is_read_with_dates_where_it_has_some(warehouse: BigQueryWarehouse, view: str) -> None:
    where = " WHERE game_date BETWEEN @first AND @last" if "game_date" in contract(view).by_name else ""
    assert warehouse.query(f"SELECT * FROM {view}{where}", SPAN).column_names == list(contract(view).column_names)
