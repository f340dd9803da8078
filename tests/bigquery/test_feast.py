"""Feast on the gcp profile over the wire: apply, gated materialize into each online store, historical features, online reads."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from feature_repo.feature_views import FEATURE_VIEWS
from schemas.catalogue import load_catalogue
from schemas.clock import UTC
from schemas.rules import STORE_TABLE
from serving.feature_store import apply_definitions
from serving.materialization_gate import midnight, pasted
from tests.bigquery.cloud_store import STORES, CloudSite, cloud_site
from tests.bigquery.stand_in import StandIn
from tests.feast.store_rows import block, player, publish, store_table

pytestmark = [pytest.mark.wire, pytest.mark.slow]

WEEK = [dt.date(2025, 1, 6) + dt.timedelta(days=day) for day in range(3)]
# Feast on SQLite is proved in tests/feast; here it runs where there are no servers.
SERVERS = [name for name in STORES if name != "sqlite"]
START, END = midnight(WEEK[0]), midnight(WEEK[-1] + dt.timedelta(days=1))
SERVICE = "points_v3_37features"
LEVEL = "row_quality:quality_alert_level"


@pytest.fixture(params=SERVERS)
def site(server: StandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Iterator[CloudSite]:
    """A published week and the definitions applied."""
    with cloud_site(tmp_path, request.param, monkeypatch) as opened:
        publish(opened.warehouse, store_table(WEEK))
        apply_definitions(opened.store)
        yield opened


def day(date: dt.date) -> tuple[dt.datetime, dt.datetime]:
    """Return the interval of a game date, both ends included."""
    return midnight(date), midnight(date + dt.timedelta(days=1)) - dt.timedelta(microseconds=1)


def keys_of(rows: pa.Table) -> list[dict[str, str]]:
    """Return the entity rows of store rows."""
    return rows.select(["player_lookup", "game_id"]).to_pylist()


def online(site: CloudSite, rows: pa.Table, name: str = "points_avg_last_5") -> list[Any]:
    """Return one feature of each row as it is online, None where there is no row."""
    ref = f"{next(view.name for view in FEATURE_VIEWS if name in [field.name for field in view.features])}:{name}"
    found = site.store.get_online_features([ref, LEVEL], keys_of(rows)).to_dict()
    return [value if level else None for value, level in zip(found[name], found["quality_alert_level"], strict=True)]


@pytest.mark.parametrize("site", STORES, indirect=True)
def test_historical_and_online_values_are_the_published_ones(site: CloudSite, server: StandIn) -> None:
    names, store = load_catalogue().names, site.store
    sql = f"SELECT player_lookup, game_id, event_timestamp, {', '.join(names)} FROM {STORE_TABLE} WHERE game_date <= '2025-01-08'"
    published = server.store.connection.execute(sql).to_arrow_table()
    entities = published.select(["player_lookup", "game_id", "event_timestamp"]).to_pandas()
    service = store.get_feature_service(SERVICE)
    found = {(row["player_lookup"], row["game_id"]): row for row in store.get_historical_features(entities, service).to_arrow().to_pylist()}
    store.materialize(START, END)
    read = store.get_online_features(service, keys_of(published)).to_dict()
    assert published.num_rows == 12
    for place, row in enumerate(published.to_pylist()):
        for name in names:
            for value in (found[row["player_lookup"], row["game_id"]][name], read[name][place]):
                assert value == row[name] or math.isclose(value, row[name], rel_tol=1e-9), (row["player_lookup"], name)


def test_another_process_finds_registry_and_rows(site: CloudSite) -> None:
    site.store.materialize(START, END)
    site.close_store()
    rows = store_table(WEEK)
    assert online(site, rows) == rows["points_avg_last_5"].to_pylist()
    assert {tuple(view.materialization_intervals[-1]) for view in site.store.list_feature_views()} == {(START, END)}


@pytest.mark.parametrize("order", [(0, 2), (2, 0)], ids=["older first", "newer first"])
def test_FM52_windows_may_be_written_in_either_order(site: CloudSite, order: tuple[int, int]) -> None:
    for index in order:
        site.store.materialize(*day(WEEK[index]))
    rows = store_table(WEEK)
    given = zip(rows["game_date"].to_pylist(), rows["points_avg_last_5"].to_pylist(), strict=True)
    assert online(site, rows) == [None if date == WEEK[1] else value for date, value in given]


def test_FM52_a_corrected_row_of_the_same_event_time_lands(site: CloudSite) -> None:
    site.store.materialize(START, END)
    corrected = store_table(WEEK[1:2], seed=99)
    publish(site.warehouse, corrected)
    site.store.materialize(*day(WEEK[1]))
    assert online(site, corrected) == corrected["points_avg_last_5"].to_pylist() != store_table(WEEK[1:2])["points_avg_last_5"].to_pylist()


@pytest.mark.parametrize("microseconds", [-1_000_000, -1_000], ids=["a second older", "a millisecond older"])
def test_FM52_an_older_version_of_a_row_written_later_is_never_read(site: CloudSite, microseconds: int) -> None:
    from feast.protos.feast.types.EntityKey_pb2 import EntityKey
    from feast.protos.feast.types.Value_pb2 import Value

    store = site.store
    view = store.get_feature_view("player_history")
    feature = view.features[0].name
    key = EntityKey(join_keys=["game_id", "player_lookup"], entity_values=[Value(string_val="0025010600"), Value(string_val="someone")])
    newest = dt.datetime(2025, 1, 6, 23, 0, 0, 500_000, tzinfo=UTC)

    def write(value: float, event: dt.datetime, created: dt.datetime) -> None:
        values = {field.name: Value(double_val=value) if field.name == feature else Value() for field in view.features}
        store.provider.online_store.online_write_batch(store.config, view, [(key, values, event, created)], None)

    def read() -> float:
        ((_, values),) = store.provider.online_store.online_read(store.config, view, [key], [feature])
        return float(values[feature].double_val)

    write(1.0, newest, newest)
    write(2.0, newest + dt.timedelta(microseconds=microseconds), newest + dt.timedelta(days=1))
    assert read() == 1.0
    write(3.0, newest, newest + dt.timedelta(days=1))
    assert read() == 3.0, "a correction of the same event time lands"
    write(4.0, newest + dt.timedelta(seconds=1), newest + dt.timedelta(days=2))
    assert read() == 4.0


def test_FM53_an_end_beyond_the_last_gated_date_is_refused(site: CloudSite) -> None:
    with pytest.raises(Exception, match="2099") as caught:
        site.store.materialize(START, dt.datetime(2099, 1, 1, tzinfo=UTC))
    assert f"feast materialize {pasted(START)} {pasted(END)}" in str(caught.value)
    site.store.materialize(*day(WEEK[0]))
    with pytest.raises(Exception, match="2099"):
        site.store.materialize_incremental(dt.datetime(2099, 1, 1, tzinfo=UTC))
    assert {len(view.materialization_intervals) for view in site.store.list_feature_views()} == {1}
    assert not any(online(site, store_table(WEEK[2:])))
    site.store.materialize_incremental(END)
    assert all(online(site, store_table(WEEK)))


def test_a_blocked_date_is_left_out_and_the_good_ones_are_written(site: CloudSite, capsys: pytest.CaptureFixture[str]) -> None:
    block(site.warehouse, WEEK[1])
    site.store.materialize(START, END)
    assert f"Left out: {WEEK[1]} is blocked" in capsys.readouterr().err
    rows = store_table(WEEK)
    written = {date for date, value in zip(rows["game_date"].to_pylist(), online(site, rows), strict=True) if value is not None}
    assert written == {WEEK[0], WEEK[2]} and player(0) in rows["player_lookup"].to_pylist()


def test_rows_that_bigtable_refuses_are_an_error(server: StandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Cells of a column family that is not there: the stock store would say nothing."""
    from serving.bigtable_store import NewestBigtableOnlineStore

    with cloud_site(tmp_path, "bigtable", monkeypatch) as site:
        publish(site.warehouse, store_table(WEEK))
        apply_definitions(site.store)
        monkeypatch.setattr(NewestBigtableOnlineStore, "feature_column_family", "elsewhere")
        with pytest.raises(Exception, match="Bigtable refused rows"):
            site.store.materialize(START, END)
        assert all(not view.materialization_intervals for view in site.store.list_feature_views())


def test_FM48_what_feast_reads_is_held_to_the_bytes_budget(server: StandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with cloud_site(tmp_path, "sqlite", monkeypatch) as site:
        monkeypatch.setenv("NBA_FEATURES_MAX_BYTES_BILLED", str(7 * 2**30))
        publish(site.warehouse, store_table(WEEK))
        apply_definitions(site.store)
        before = set(server.store.jobs)
        site.store.materialize(START, END)
        entities = store_table(WEEK).select(["player_lookup", "game_id", "event_timestamp"]).to_pandas()
        site.store.get_historical_features(entities, site.store.get_feature_service(SERVICE)).to_arrow()
        sent = [job["configuration"] for name, job in server.store.jobs.items() if name not in before and not name.startswith("nba_")]
        queries = [config["query"] for config in sent if "query" in config]
        assert len(queries) >= 2 and {query.get("maximumBytesBilled") for query in queries} == {str(7 * 2**30)}
