"""The life cycle through the BigQuery emulator with the official clients: Google's own analyser behind the real protocol.

A small simulated league goes through both engines; every row is compared. The emulator executes some statements wrongly (the
reproductions below), so the tables with as-of windows are made embedded, and published here by the engine.
"""

from __future__ import annotations

import datetime as dt
import math
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from orchestration.plan import summaries
from orchestration.ranges import RangeStage, build_range
from orchestration.runs import Run
from schemas.catalogue import load_catalogue
from schemas.contracts import contract, load_contracts
from schemas.errors import WarehouseError
from schemas.rules import STORE_TABLE
from schemas.settings import Settings
from serving.feature_store import apply_definitions
from serving.lookup import lookup
from serving.materialization_gate import midnight
from tests.bigquery.cloud_store import CloudSite, cloud_site
from tests.bigquery.conftest import PATIENT, PROJECT, settings_for
from tests.bigquery.emulator.front import Front, emulated
from tests.bigquery.faults import Proxy, proxied
from tests.bigquery.test_faults import loads, submits, waits
from tests.bigquery.test_life_cycle import DURATIONS, NOW, rows_of, same, walk
from tests.feast.store_rows import publish, store_table
from tests.warehouse.in_child import DIED, in_child
from transformations.ingest.load import load
from transformations.ingest.simulated_league import SimulatedLeague
from transformations.views import view_statements
from warehouse.bigquery import BigQueryWarehouse, schema
from warehouse.embedded import EmbeddedWarehouse
from warehouse.protocol import Publication, Warehouse

# Without optimization, the only way it compiles in minutes, the emulator takes a minute for a statement of ours.
pytestmark = [pytest.mark.wire, pytest.mark.slow, pytest.mark.long]

RAW = tuple(name for name, spec in load_contracts().items() if spec.dataset == "nba_raw")
WEEK = tuple(dt.date(2025, 1, 6) + dt.timedelta(days=day) for day in range(3))
SERVICE = "points_v3_37features"
SERVED = (
    STORE_TABLE,
    "nba_raw.players",
    "nba_analytics.upcoming_player_game_context",
    *(spec.name for spec in schema.stored_tables() if spec.dataset == "nba_orchestration"),
)


@dataclass(frozen=True)
class Both:
    """Both engines after the same days."""

    embedded: EmbeddedWarehouse
    bigquery: BigQueryWarehouse
    front: Front
    dates: tuple[dt.date, ...]


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Both]:
    league, folder = SimulatedLeague(teams=4, games_per_team=4), tmp_path_factory.mktemp("emulated")
    delivery, dates = league.deliver(), tuple(league.played_dates())[:4]
    with emulated(folder, PROJECT) as front, pytest.MonkeyPatch.context() as patch:
        patch.setenv("BIGQUERY_EMULATOR_HOST", front.address)
        embedded = EmbeddedWarehouse(Settings("embedded", folder / "embedded", None, memory_limit="1GB", threads=1))
        walk(embedded, delivery, dates)
        bigquery = BigQueryWarehouse(settings_for(folder / "gcp"), pace=PATIENT)
        schema.apply(bigquery, schema.plan(bigquery, view_statements()))
        load(bigquery, delivery, "ingest-1", NOW)
        stages = [RangeStage(table, dates) for table in summaries()]
        build_range(bigquery, stages, Run("run-1", NOW, NOW, 60))
        publish(bigquery, store_rows(embedded, dates[-2:]))
        yield Both(embedded, bigquery, front, dates)
        for warehouse in (embedded, bigquery):
            warehouse.close()


def store_rows(warehouse: Warehouse, dates: Sequence[dt.date]) -> Any:
    """Return the store's rows of the dates."""
    sql = f"SELECT * FROM {STORE_TABLE} WHERE game_date BETWEEN @first AND @last"
    return warehouse.query(sql, {"first": dates[0], "last": dates[-1]})


def test_the_plan_is_empty_once_it_is_applied(both: Both) -> None:
    assert not schema.plan(both.bigquery, view_statements())


@pytest.mark.parametrize("table", [*RAW, *summaries(), STORE_TABLE])
def test_every_row_is_equal_to_the_embedded_profiles(both: Both, table: str) -> None:
    dates = both.dates[-2:] if table == STORE_TABLE else both.dates
    ours, theirs = (rows_of(warehouse, table, dates) for warehouse in (both.embedded, both.bigquery))
    assert len(ours) == len(theirs) and (ours or table == "nba_raw.quarantine")
    pairs = ((one, two, name) for one, two in zip(ours, theirs, strict=True) for name in one)
    different = [(name, one[name], two[name]) for one, two, name in pairs if name not in DURATIONS and not same(one[name], two[name])]
    assert not different[:5], f"{len(different)} values differ"


def test_the_ledger_and_the_register_say_what_is_there(both: Both) -> None:
    for table in (*summaries(), STORE_TABLE):
        assert both.bigquery.partitions(table) == both.bigquery.readable(table)
        first = both.dates[-2] if table == STORE_TABLE else both.dates[0]
        ours, theirs = (warehouse.partitions(table, first, both.dates[-1]) for warehouse in (both.embedded, both.bigquery))
        assert {date: part.rows for date, part in ours.items()} == {date: part.rows for date, part in theirs.items()}


@pytest.fixture(scope="module")
def narrow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Both]:
    """The tables that serving reads, with few and narrow rows: the emulator's joins grow with the square of them."""
    folder = tmp_path_factory.mktemp("narrow")
    with emulated(folder, PROJECT) as front, pytest.MonkeyPatch.context() as patch:
        patch.setenv("BIGQUERY_EMULATOR_HOST", front.address)
        embedded = EmbeddedWarehouse(Settings("embedded", folder / "embedded", None, memory_limit="1GB", threads=1))
        bigquery = BigQueryWarehouse(settings_for(folder / "gcp"), pace=PATIENT)
        planned = schema.plan(bigquery, {})
        schema.apply(
            bigquery, [change for change in planned if change.action == "create dataset" or change.target.split(".", 1)[1] in SERVED]
        )
        for warehouse in (embedded, bigquery):
            publish(warehouse, store_table(WEEK, players=8))
        yield Both(embedded, bigquery, front, WEEK)
        for warehouse in (embedded, bigquery):
            warehouse.close()


@pytest.fixture(params=["redis", "bigtable"])
def site(narrow: Both, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Iterator[CloudSite]:
    monkeypatch.setenv("BIGQUERY_EMULATOR_HOST", narrow.front.address)
    monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", PROJECT)
    with cloud_site(tmp_path, request.param, monkeypatch) as opened:
        apply_definitions(opened.store)
        yield opened


def test_feast_serves_the_published_values(narrow: Both, site: CloudSite) -> None:
    store, names = site.store, load_catalogue().names
    rows = store_rows(narrow.embedded, WEEK)
    store.materialize(midnight(WEEK[0]), midnight(WEEK[1]))
    store.materialize_incremental(midnight(WEEK[-1] + dt.timedelta(days=1)))
    keys = rows.select(["player_lookup", "game_id"]).to_pylist()
    online = store.get_online_features(store.get_feature_service(SERVICE), keys).to_dict()
    entities = rows.select(["player_lookup", "game_id", "event_timestamp"]).to_pandas()
    found = store.get_historical_features(entities, store.get_feature_service(SERVICE)).to_arrow().to_pylist()
    historical = {(row["player_lookup"], row["game_id"]): row for row in found}
    assert len(keys) == len(historical) == 24
    for place, row in enumerate(rows.to_pylist()):
        past = historical[row["player_lookup"], row["game_id"]]
        for name in names:
            for value in (online[name][place], past[name]):
                assert value == row[name] or math.isclose(value, row[name], rel_tol=1e-9), (row["player_lookup"], name)
    slate, embedded = (
        lookup(store, narrow.bigquery, SERVICE, WEEK[-1]),
        {row["player_lookup"]: row for row in store_rows(narrow.embedded, WEEK[-1:]).to_pylist()},
    )
    vectors = {answer.player_lookup: answer.vector for answer in slate.answers if answer.vector is not None}
    assert set(vectors) == set(embedded), {answer.reasons for answer in slate.answers}
    for player, vector in vectors.items():
        assert [value for value in vector if value is not None] == pytest.approx(
            [embedded[player][name] for name in slate.features if embedded[player][name] is not None], rel=1e-9
        )


class Wire:
    """A warehouse behind a proxy that breaks the wire to the emulator, and a date of its own to write."""

    def __init__(self, narrow: Both, proxy: Proxy, home: Path, day: dt.date) -> None:
        self.narrow, self.proxy, self.home, self.day = narrow, proxy, home, day
        self.warehouse = BigQueryWarehouse(settings_for(home), pace=PATIENT)
        self.tables = self.staging()
        self.before = len(narrow.front.executed)

    def staging(self) -> list[str]:
        """Return the staging tables there are."""
        found = self.narrow.bigquery.client.list_tables(f"{PROJECT}.nba_staging")
        return sorted(table.table_id for table in found)

    def publish(self) -> None:
        """Write three rows of the date, with their entry in the ledger."""
        warehouse, rows = self.warehouse, store_table([self.day], players=3)
        staged = warehouse.stage_rows(contract(STORE_TABLE), rows, "run-1")
        warehouse.publish([Publication(staged, (self.day,))])
        warehouse.discard(staged)

    def assert_whole(self) -> None:
        """Three rows, each once; no job run twice, no table left over."""
        rows = store_rows(self.narrow.bigquery, (self.day,))
        assert rows.num_rows == len(set(rows["player_lookup"].to_pylist())) == 3
        assert self.narrow.bigquery.partitions(STORE_TABLE)[self.day] == self.narrow.bigquery.readable(STORE_TABLE)[self.day]
        ran = self.narrow.front.executed[self.before :]
        assert len(ran) == len(set(ran)) and sum(name.startswith("nba_publish_") for name in ran) == 1
        assert self.staging() == self.tables


DAYS_OF_FAULTS = (dt.date(2025, 2, 1) + dt.timedelta(days=number) for number in range(100))


@pytest.fixture
def wire(narrow: Both, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Wire]:
    with proxied(narrow.front.address) as proxy:
        monkeypatch.setenv("BIGQUERY_EMULATOR_HOST", proxy.address)
        opened = Wire(narrow, proxy, tmp_path / "home", next(DAYS_OF_FAULTS))
        yield opened
        opened.warehouse.close()


@pytest.mark.parametrize("action", ["cut_before", "cut_during", "cut_after", 429, 500, 503])
@pytest.mark.parametrize("where", [submits, waits, loads])
def test_FM43_a_passing_fault_on_the_wire_to_the_emulator_is_survived(
    wire: Wire, action: str | int, where: Callable[[str, str], bool]
) -> None:
    fault = wire.proxy.add(action, where, times=2 if where is not loads else 1)
    wire.publish()
    assert fault.met == fault.times, "the fault was met"
    wire.assert_whole()
    assert not list(wire.warehouse.journal)


@pytest.mark.parametrize("code", [403, 404, 409])
def test_a_lasting_refusal_on_the_wire_to_the_emulator_changes_nothing(wire: Wire, code: int) -> None:
    staged = wire.warehouse.stage_rows(contract(STORE_TABLE), store_table([wire.day], players=3), "run-1")
    fault = wire.proxy.add(code, submits, times=100)
    with pytest.raises(WarehouseError) as caught:
        wire.warehouse.publish([Publication(staged, (wire.day,))])
    assert f"planted {code}" in caught.value.line()
    fault.times = 0
    assert store_rows(wire.narrow.bigquery, (wire.day,)).num_rows == 0
    wire.warehouse.publish([Publication(staged, (wire.day,))])
    wire.warehouse.discard(staged)
    wire.assert_whole()


def test_FM44_a_process_killed_after_submitting_to_the_emulator_finds_its_job_again(wire: Wire) -> None:
    wire.publish()
    columns = ", ".join(contract(STORE_TABLE).column_names)
    sql, span = f"SELECT {columns} FROM {STORE_TABLE} WHERE game_date = @day", {"day": wire.day}

    def work() -> None:
        doomed = BigQueryWarehouse(settings_for(wire.home), pace=PATIENT)
        doomed.jobs._wait = lambda *_: os._exit(DIED)  # type: ignore[method-assign]
        doomed.stage_query(contract(STORE_TABLE), sql, span, "run-7")

    def stages() -> int:
        return sum(name.startswith("nba_stage_") for name in wire.narrow.front.executed[wire.before :])

    before = stages()
    assert in_child(work)[0] == DIED
    assert stages() == before + 1
    staged = wire.warehouse.stage_query(contract(STORE_TABLE), sql, span, "run-7")
    assert staged.rows == 3 and stages() == before + 1, "the job has run once"
    wire.warehouse.discard(staged)
    wire.assert_whole()
    assert not list(wire.warehouse.journal)


REPRODUCTIONS = {
    "a range frame ignores its bounds": (
        "SELECT COUNT(*) OVER (ORDER BY n RANGE BETWEEN 7 PRECEDING AND 1 PRECEDING) AS x FROM UNNEST([1, 2, 20]) AS n ORDER BY n",
        [0, 1, 0],
    ),
    "a column twice in a branch of a union is taken for itself": (
        "WITH f AS (SELECT 'a' AS h, 'b' AS w) SELECT x FROM (SELECT *, h AS x FROM f UNION ALL SELECT *, w AS x FROM f) AS u ORDER BY x",
        ["a", "b"],
    ),
    "ranks order by whole numbers only": ("SELECT DENSE_RANK() OVER (ORDER BY s) AS x FROM UNNEST(['a', 'b']) AS s", [1, 2]),
    "minus has no single operand": ("SELECT -n AS x FROM UNNEST([1, 2]) AS n ORDER BY x DESC", [-1, -2]),
}


@pytest.mark.parametrize("what", REPRODUCTIONS)
def test_what_the_emulator_cannot_do(both: Both, what: str) -> None:
    """Why the tables with as-of windows are not made here; one that it can do one day is to be used."""
    sql, right = REPRODUCTIONS[what]
    try:
        found = both.bigquery.query(sql)["x"].to_pylist()
    except WarehouseError:
        found = None
    assert found != right, "the emulator can do this now: make more tables through it"
    assert both.embedded.query(sql)["x"].to_pylist() == right
