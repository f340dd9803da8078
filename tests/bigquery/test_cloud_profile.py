"""The gcp profile around the engine: rights, Feast's configuration, schemas on tables that hold rows, tables of others."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from backfill.migrations import plan_migrations
from schemas.contracts import contract
from schemas.errors import DefinitionError, UsageError, WarehouseError
from schemas.migration_files import Migration
from schemas.rules import STORE_TABLE
from schemas.settings import GcpSettings, Settings
from serving.gcp_profile import configuration
from tests.bigquery.conftest import PATIENT, PROJECT, QUICK, settings_for
from tests.bigquery.stand_in import StandIn, serve
from tests.house.tree import ROOT
from tests.warehouse.made_up_rows import BOXES, DAYS, PLAYERS, publish, rows_of, stage
from transformations.views import view_statements
from warehouse.bigquery import BigQueryWarehouse, schema
from warehouse.bigquery.names import Names, found_tables
from warehouse.bigquery.rights import ALWAYS, DUTIES, READ, READS, WRITE, check
from warehouse.protocol import Publication

SUMMARY = "nba_analytics.player_game_summary"
FEAST = {"NBA_FEATURES_REGISTRY_BUCKET": "a-bucket", "NBA_FEATURES_REDIS": "redis://:not-a-real-one@localhost:6379/0"}


@pytest.mark.parametrize("duty", list(DUTIES))
def test_a_duty_has_its_rights_and_says_which_are_too_many(warehouse: BigQueryWarehouse, duty: str) -> None:
    rights = check(warehouse, duty)
    assert not [right for right in rights if right.is_missing]
    writes = {right.on.split(".")[1] for right in rights if right.permission == WRITE and right.needed}
    assert writes == ({*DUTIES[duty], "nba_orchestration"} if duty != "reader" else set())
    assert {right.on.split(".")[1] for right in rights if right.is_excess} == {
        name for name in ("nba_raw", "nba_analytics", "nba_precompute", "nba_predictions", "nba_orchestration") if name not in writes
    }


def test_the_infrastructure_grants_what_the_check_asks_for() -> None:
    text = (ROOT / "deploy" / "gcp" / "main.tf").read_text(encoding="utf-8")
    granted = {
        duty: (set(re.findall(r"\w+", reads)), set(re.findall(r"\w+", writes)))
        for duty, reads, writes in re.findall(r"^    (\w+) += \{ reads = \[(.*?)\], writes = \[(.*?)\] \}", text, re.MULTILINE)
    }
    assert {duty: writes for duty, (_, writes) in granted.items()} == {duty: set(writes) for duty, writes in DUTIES.items()}
    assert {duty: reads | writes | set(ALWAYS) for duty, (reads, writes) in granted.items()} == {
        duty: {*reads, *ALWAYS} for duty, reads in READS.items()
    }


def test_a_reader_may_read_what_a_lookup_asks_for() -> None:
    from serving import slate

    named = {name for value in vars(slate).values() if isinstance(value, str) for name in found_tables(value)}
    assert {"nba_raw.schedule", slate.PLAYERS, slate.EXPECTED, STORE_TABLE} <= named
    assert {name.split(".")[0] for name in named} <= {*READS["reader"], *ALWAYS}


def test_missing_rights_are_named_one_by_one(warehouse: BigQueryWarehouse, server: StandIn) -> None:
    server.store.denied = {("nba_predictions", WRITE), ("nba_raw", READ), ("nba_staging", "bigquery.tables.create")}
    missing = {(right.on.split(".")[1], right.permission, right.role) for right in check(warehouse, "predictions") if right.is_missing}
    assert missing == {
        ("nba_predictions", WRITE, "roles/bigquery.dataEditor"),
        ("nba_raw", READ, "roles/bigquery.dataViewer"),
        ("nba_staging", "bigquery.tables.create", "roles/bigquery.dataEditor"),
    }


def test_the_command_prints_and_fails_when_something_is_missing(
    warehouse: BigQueryWarehouse, server: StandIn, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from cli.main import main

    monkeypatch.setenv("NBA_FEATURES_PROFILE", "gcp")
    monkeypatch.setenv("NBA_FEATURES_GCP_PROJECT", PROJECT)
    monkeypatch.setenv("NBA_FEATURES_HOME", str(tmp_path))
    done = CliRunner().invoke(main, ["cloud", "check"])
    assert done.exit_code == 0 and "bigquery.jobs.create" in done.output
    server.store.denied = {("nba_predictions", WRITE)}
    failed = CliRunner().invoke(main, ["cloud", "check", "--duty", "predictions"])
    assert failed.exit_code == 1 and "roles/bigquery.dataEditor" in failed.output


def test_every_mapped_table_is_asked_about_beside_one_of_ours(server: StandIn, settings: Settings) -> None:
    server.store.connection.execute(f"CREATE SCHEMA theirs; CREATE TABLE theirs.games AS SELECT * FROM {SUMMARY}")
    mapped = BigQueryWarehouse(settings_for(settings.home, tables=((SUMMARY, f"{PROJECT}.theirs.games"),)), pace=QUICK)
    server.store.denied = {("theirs", READ), ("nba_analytics", WRITE)}
    missing = {(right.on, right.permission) for right in check(mapped, "analytics") if right.is_missing}
    assert missing == {(f"{PROJECT}.theirs.games", READ), (f"{PROJECT}.nba_analytics.team_defense_game_summary", WRITE)}
    server.store.connection.execute("DROP SCHEMA theirs CASCADE")
    server.store.tables.pop("theirs.games")
    mapped.close()


def test_a_table_that_is_not_there_is_no_missing_role(own_server: StandIn, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from cli.main import main

    monkeypatch.setenv("NBA_FEATURES_PROFILE", "gcp")
    monkeypatch.setenv("NBA_FEATURES_GCP_PROJECT", PROJECT)
    monkeypatch.setenv("NBA_FEATURES_HOME", str(tmp_path))
    failed = CliRunner().invoke(main, ["cloud", "check"])
    assert failed.exit_code == 1 and "(Not found: Table" in failed.output and "schemas apply" in failed.output


def test_the_configuration_that_is_printed_holds_no_password(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from feast.repo_config import load_repo_config

    from cli.main import main

    for name, value in {"NBA_FEATURES_PROFILE": "gcp", "NBA_FEATURES_GCP_PROJECT": PROJECT, **FEAST}.items():
        monkeypatch.setenv(name, value)
    printed = CliRunner().invoke(main, ["cloud", "config", "--online-store", "redis"])
    assert printed.exit_code == 0 and "a-bucket" in printed.output and "not-a-real-one" not in printed.output
    (tmp_path / "store.yaml").write_text(printed.output)
    read = load_repo_config(tmp_path, tmp_path / "store.yaml")
    assert read.online_store.url == FEAST["NBA_FEATURES_REDIS"], "Feast reads it from the environment"


@pytest.mark.parametrize(
    "url", ["redis://:hunter2/x@localhost:6379/0", "redis://:hunter2#x@localhost:6379/0", "rediz://:hunter2@localhost"]
)
def test_an_address_that_cannot_be_read_is_told_without_its_password(url: str) -> None:
    import traceback
    from types import SimpleNamespace

    from serving.packed.redis_store import PackedRedisOnlineStore

    config: Any = SimpleNamespace(online_store=SimpleNamespace(url=url))
    with pytest.raises(UsageError, match="cannot be read") as caught:
        PackedRedisOnlineStore()._client(config)
    assert "hunter2" not in caught.value.line()
    assert "hunter2" not in "".join(traceback.format_exception(caught.value))


def test_an_account_without_a_look_at_the_views_leaves_them_alone(warehouse: BigQueryWarehouse, server: StandIn) -> None:
    """A run makes the views what the code says; the duties of Phase 3 and 4 have no right on their dataset at all."""
    server.store.denied = {("nba_predictions", "bigquery.tables.get")}
    warehouse.define_views(view_statements())
    assert not [name for name in server.store.executed if name.startswith("nba_schema_")]
    with pytest.raises(WarehouseError, match="is not allowed"):
        schema.plan(warehouse, view_statements())


@pytest.mark.parametrize(("store", "keys"), [("redis", {"url"}), ("bigtable", {"instance"}), ("datastore", {"namespace"})])
def test_one_variable_chooses_the_online_store_and_feast_accepts_it(tmp_path: Path, store: str, keys: set[str]) -> None:
    from feast.infra.offline_stores.bigquery import BigQueryOfflineStoreConfig
    from feast.repo_config import RepoConfig

    raw = configuration(settings_for(tmp_path), environ={**FEAST, "NBA_FEATURES_ONLINE_STORE": store})
    config = RepoConfig(**raw)
    assert store in config.online_store.type and keys <= set(raw["online_store"])
    assert isinstance(config.offline_store, BigQueryOfflineStoreConfig) and config.offline_store.project_id == PROJECT
    assert raw["registry"]["path"] == "gs://a-bucket/nba_features/registry.pb"
    assert config.provider == "serving.gated_provider.GatedProvider"


def test_what_the_profile_lacks_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"NBA_FEATURES_REDIS, NBA_FEATURES_REGISTRY_BUCKET"):
        configuration(settings_for(tmp_path), environ={})
    with pytest.raises(UsageError, match="unknown online store: dynamo"):
        configuration(settings_for(tmp_path), "dynamo", FEAST)
    with pytest.raises(UsageError, match="without a prefix"):
        configuration(settings_for(tmp_path, dataset_prefix="dev_"), environ=FEAST)


@pytest.fixture
def own_server(monkeypatch: pytest.MonkeyPatch) -> Iterator[StandIn]:
    started = serve(PROJECT)
    monkeypatch.setenv("BIGQUERY_EMULATOR_HOST", started.address)
    yield started
    started.stop()


def test_FM39_a_table_that_holds_rows_gets_the_columns_it_lacks(own_server: StandIn, tmp_path: Path) -> None:
    spec = contract(BOXES)
    warehouse = BigQueryWarehouse(settings_for(tmp_path), pace=QUICK)
    planned = schema.plan(warehouse, view_statements())
    assert not warehouse.column_types(BOXES), "a plan changes nothing"
    assert schema.apply(warehouse, planned) == len(planned) and not schema.plan(warehouse, view_statements())
    publish(warehouse, BOXES, rows_of(BOXES))
    last = spec.columns[-1]
    own_server.store.connection.execute(f'ALTER TABLE {BOXES} DROP COLUMN "{last.name}"')
    (change,) = schema.plan(warehouse, view_statements())
    assert change.action == "add columns" and change.sql.count("ADD COLUMN") == 1 and last.name in change.sql
    schema.apply(warehouse, [change])
    found = warehouse.query(f"SELECT {last.name} AS x FROM {BOXES} WHERE game_date = @day", {"day": DAYS[0]})
    assert found["x"].to_pylist() == [None] * 3
    publish(warehouse, BOXES, rows_of(BOXES))
    found = warehouse.query(f"SELECT {last.name} AS x FROM {BOXES} WHERE game_date = @day", {"day": DAYS[0]})
    assert None not in found["x"].to_pylist(), "a rerun fills the new column"
    own_server.store.connection.execute(f"ALTER TABLE {BOXES} ALTER points TYPE VARCHAR")
    with pytest.raises(DefinitionError, match="points: STRING, not INT64"):
        schema.plan(warehouse, view_statements())
    warehouse.close()


def test_tables_of_another_owner_are_read_and_never_written(server: StandIn, warehouse: BigQueryWarehouse, settings: Settings) -> None:
    server.store.connection.execute(f"CREATE SCHEMA IF NOT EXISTS theirs; CREATE OR REPLACE TABLE theirs.people AS SELECT * FROM {PLAYERS}")
    server.store.connection.register("_given", rows_of(PLAYERS))
    server.store.connection.execute("INSERT INTO theirs.people BY NAME SELECT * FROM _given")
    mapped = BigQueryWarehouse(settings_for(settings.home, tables=((PLAYERS, f"{PROJECT}.theirs.people"),)), pace=QUICK)
    assert mapped.others_tables == {PLAYERS} and not warehouse.others_tables
    assert mapped.query(f"SELECT COUNT(*) AS n FROM {PLAYERS}").to_pylist() == [{"n": 3}]
    assert [part.rows for part in mapped.partitions(PLAYERS).values()] == [3]
    staged = stage(mapped, PLAYERS, rows_of(PLAYERS))
    with pytest.raises(WarehouseError, match="read only"):
        mapped.publish([Publication(staged, tuple(staged.partitions))])
    server.store.connection.execute("ALTER TABLE theirs.people ADD COLUMN shoe_size BIGINT")
    retired = Migration(99, "Shoes", "No feature is made of them", drops={PLAYERS: ("shoe_size",)})
    assert not plan_migrations(mapped, [retired]).steps, "a column of theirs is neither dropped nor called unexplained"
    with pytest.raises(WarehouseError, match="read only"):
        mapped.drop_columns(PLAYERS, ["shoe_size"])
    assert "shoe_size" in mapped.column_types(PLAYERS)
    server.store.connection.execute("DROP SCHEMA theirs CASCADE")
    server.store.tables.pop("theirs.people")
    mapped.close()


@pytest.mark.parametrize(
    "name", ["nba_raw.playerz", "nba_predictions.v_quality_daily", "nba_orchestration.phase_completions", f"{STORE_TABLE}_blocked"]
)
def test_what_no_table_of_another_owner_can_stand_for_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match=f"cannot be mapped: {name}"):
        Names(settings_for(tmp_path, tables=((name, f"{PROJECT}.theirs.people"),)).gcp or GcpSettings(PROJECT))


def test_only_the_tables_after_another_owners_are_planned_and_built(own_server: StandIn, tmp_path: Path) -> None:
    """Phase 3's summaries are theirs: the rest is built from them, and no statement makes or changes a table of theirs."""
    from dataclasses import replace

    from backfill.cascade import plan_cascade
    from backfill.request import Request
    from backfill.runner import run_backfill
    from orchestration.plan import BuildStage, plan_night
    from orchestration.ranges import build_range, plan_range
    from orchestration.runs import Run
    from tests.bigquery.test_life_cycle import NOW, rows_of
    from transformations.ingest.load import load
    from transformations.ingest.simulated_league import SimulatedLeague

    league = SimulatedLeague(teams=4, games_per_team=4)
    delivery, dates = league.deliver(), tuple(league.played_dates())[:3]
    theirs = ("nba_analytics.player_game_summary", "nba_analytics.team_offense_game_summary", "nba_analytics.team_defense_game_summary")
    plain = BigQueryWarehouse(settings_for(tmp_path / "plain"), pace=PATIENT)
    schema.apply(plain, schema.plan(plain, view_statements()))
    load(plain, delivery, "ingest-1", NOW)
    run = Run("run-1", NOW, NOW, 60)

    def build(warehouse: BigQueryWarehouse) -> None:
        stages = [
            replace(stage, dates=tuple(d for d in stage.dates if d in dates)) for stage in plan_range(warehouse, dates[0], dates[-1], NOW)
        ]
        build_range(warehouse, stages, run)

    build(plain)
    expected = rows_of(plain, STORE_TABLE, dates)
    own_server.store.connection.execute("CREATE SCHEMA box")
    for name in theirs:
        own_server.store.connection.execute(f"CREATE TABLE box.{name.split('.')[1]} AS SELECT * FROM {name}; DROP TABLE {name}")
        own_server.store.tables.pop(name)
    mapped = BigQueryWarehouse(
        settings_for(tmp_path / "mapped", tables=tuple((name, f"{PROJECT}.box.{name.split('.')[1]}") for name in theirs)), pace=PATIENT
    )
    assert not [change for change in schema.plan(mapped, view_statements()) if change.action == "create table"]
    night = plan_night(mapped, dates[-1], NOW.date())
    assert not {stage.table for stage in night if isinstance(stage, BuildStage)} & set(theirs)
    outcome = run_backfill(mapped, Request(dates[0], dates[-1]), NOW, 60, skip_preflight=True)
    assert (outcome.exit_status, outcome.unverified) == (0, ())
    assert not {item.table for item in outcome.plan.tables} & set(theirs) and len(outcome.plan.tables) == 7
    with pytest.raises(UsageError, match="built here"):
        plan_cascade(mapped, [dates[0]], run)
    assert rows_of(mapped, STORE_TABLE, dates) == expected and len(expected) > 20
    for warehouse in (plain, mapped):
        warehouse.close()


def test_the_schemas_command_plans_then_applies_then_has_nothing_to_do(
    own_server: StandIn, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from cli.main import main

    monkeypatch.setenv("NBA_FEATURES_PROFILE", "gcp")
    monkeypatch.setenv("NBA_FEATURES_GCP_PROJECT", PROJECT)
    monkeypatch.setenv("NBA_FEATURES_HOME", str(tmp_path))
    planned = CliRunner().invoke(main, ["schemas", "plan", "--sql"])
    assert planned.exit_code == 0 and "CREATE TABLE IF NOT EXISTS `nba-test-project.nba_raw.shots`" in planned.output
    assert not own_server.store.datasets()
    assert CliRunner().invoke(main, ["schemas", "apply"]).exit_code == 0
    again = CliRunner().invoke(main, ["schemas", "plan"])
    assert "as the contracts say" in again.output and "nba_predictions" in own_server.store.datasets()
