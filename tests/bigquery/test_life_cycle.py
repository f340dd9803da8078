"""A small league through both engines - ingest, Phase 3, Phase 4, store, gate, publish - and every row compared."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import pytest

from orchestration.ranges import build_range, plan_range
from orchestration.runs import Run
from schemas.contracts import contract, load_contracts
from schemas.settings import Settings
from tests.bigquery.conftest import PATIENT, PROJECT, settings_for
from tests.bigquery.stand_in import StandIn, serve
from transformations.ingest.delivery import Delivery
from transformations.ingest.load import load
from transformations.ingest.simulated_league import SimulatedLeague
from transformations.views import view_statements
from warehouse.bigquery import BigQueryWarehouse, schema
from warehouse.embedded import EmbeddedWarehouse
from warehouse.protocol import Warehouse

pytestmark = [pytest.mark.wire, pytest.mark.slow]

NOW = dt.datetime(2025, 6, 1, 12, tzinfo=dt.UTC)
RELATIVE = 1e-9
BUILT = tuple(name for name, spec in load_contracts().items() if spec.built_by in ("sql", "copy"))
VIEWS = tuple(name for name, spec in load_contracts().items() if spec.built_by == "view")


@dataclass(frozen=True)
class Walked:
    """Both engines after the same run over the same dates."""

    embedded: EmbeddedWarehouse
    bigquery: BigQueryWarehouse
    dates: tuple[dt.date, ...]
    server: StandIn


def walk(warehouse: Warehouse, delivery: Delivery, dates: tuple[dt.date, ...]) -> None:
    """Ingest and build those dates; fixed ids and instants, so that even the stamps are equal."""
    warehouse.define_views(view_statements())
    load(warehouse, delivery, "ingest-1", NOW)
    run = Run("run-1", NOW, NOW, 60)
    stages = plan_range(warehouse, dates[0], dates[-1], NOW)
    build_range(warehouse, [replace(stage, dates=tuple(d for d in stage.dates if d in dates)) for stage in stages], run)


@pytest.fixture(scope="module")
def walked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Walked]:
    league = SimulatedLeague(teams=6, games_per_team=20)
    delivery, dates = league.deliver(), tuple(league.played_dates())[:9]
    server, home = serve(PROJECT), tmp_path_factory.mktemp("walked")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BIGQUERY_EMULATOR_HOST", server.address)
        embedded = EmbeddedWarehouse(Settings("embedded", home / "embedded", None, memory_limit="1GB", threads=1))
        bigquery = BigQueryWarehouse(settings_for(home / "gcp"), pace=PATIENT)
        schema.apply(bigquery, schema.plan(bigquery, view_statements()))
        for warehouse in (embedded, bigquery):
            walk(warehouse, delivery, dates)
        yield Walked(embedded, bigquery, dates, server)
        for warehouse in (embedded, bigquery):
            warehouse.close()
    server.stop()


def same(one: Any, two: Any) -> bool:
    """Compare values: fractions relatively, an empty array like a missing one, which BigQuery does not tell apart."""
    if isinstance(one, float) and isinstance(two, float):
        return math.isclose(one, two, rel_tol=RELATIVE, abs_tol=1e-12)
    if isinstance(one, list) or isinstance(two, list):
        first, second = one or [], two or []
        return len(first) == len(second) and all(same(a, b) for a, b in zip(first, second, strict=True))
    if isinstance(one, dict) and isinstance(two, dict):
        return one.keys() == two.keys() and all(same(one[name], two[name]) for name in one)
    return bool(one == two)


def rows_of(warehouse: Warehouse, table: str, dates: tuple[dt.date, ...]) -> list[dict[str, Any]]:
    """Return a table's rows of those dates in the order of its keys."""
    spec = contract(table)
    dated = "game_date" in spec.by_name
    where = " WHERE game_date BETWEEN @first AND @last" if dated else ""
    rows = warehouse.query(f"SELECT * FROM {table}{where}", {"first": dates[0], "last": dates[-1]})
    return rows.sort_by([(name, "ascending") for name in spec.keys]).to_pylist()


DURATIONS = {"computation_duration_ms"}


@pytest.mark.parametrize("table", [*BUILT, *VIEWS])
def test_every_row_is_equal_on_both_engines(walked: Walked, table: str) -> None:
    ours, theirs = (rows_of(warehouse, table, walked.dates) for warehouse in (walked.embedded, walked.bigquery))
    assert len(ours) == len(theirs)
    different = [
        (name, one[name], two[name])
        for one, two in zip(ours, theirs, strict=True)
        for name in one
        if name not in DURATIONS and not same(one[name], two[name])
    ]
    assert not different[:5], f"{len(different)} values differ"


def test_rows_were_made_at_all(walked: Walked) -> None:
    counts = {table: len(rows_of(walked.bigquery, table, walked.dates)) for table in BUILT}
    assert counts["nba_predictions.ml_feature_store_v2"] + counts["nba_predictions.ml_feature_store_v2_blocked"] > 200
    assert all(counts[table] for table in BUILT if not table.endswith("_blocked")), counts


def test_the_ledger_says_the_same(walked: Walked) -> None:
    sql = "SELECT table_name, game_date, state, row_count, reasons FROM nba_orchestration.partition_ledger ORDER BY table_name, game_date"
    assert walked.embedded.query(sql).to_pylist() == walked.bigquery.query(sql).to_pylist()


def test_nothing_is_left_in_the_staging_dataset(walked: Walked) -> None:
    assert not [name for name in walked.server.store.tables if name.startswith("nba_staging.")]
    assert not list(walked.bigquery.journal)
