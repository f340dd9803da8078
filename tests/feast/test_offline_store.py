"""The offline store through Feast itself: what is pulled, what is validated, what is monitored."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pandas as pd
import pytest
from feast import BigQuerySource, Field, RequestSource
from feast.monitoring.monitoring_service import MonitoringService
from feast.on_demand_feature_view import OnDemandFeatureView
from feast.types import Float64

from feature_repo.feature_views import FEATURE_VIEWS
from feature_repo.sources import store_rows
from schemas.contracts import contract
from schemas.errors import UsageError, WarehouseError
from schemas.rules import STORE_TABLE
from serving.warehouse_offline_store import WarehouseOfflineStore
from tests.feast.conftest import WEEK, Site
from tests.feast.store_rows import block, cutoff, player, publish, store_table

KEYS = ["player_lookup", "game_id"]
MICROSECOND = dt.timedelta(microseconds=1)
Bounds = tuple[dt.datetime, dt.datetime]


def pulled(site: Site, bounds: Bounds, *, latest: bool = True, source: BigQuerySource = store_rows) -> list[tuple[Any, ...]]:
    pull = WarehouseOfflineStore.pull_latest_from_table_or_query if latest else WarehouseOfflineStore.pull_all_from_table_or_query
    job = pull(
        site.store.config,
        source,
        KEYS,
        ["points_avg_last_5"],
        "event_timestamp",
        "created_timestamp",
        start_date=bounds[0],
        end_date=bounds[1],
    )
    return sorted(tuple(row.values()) for row in job.to_arrow().select([*KEYS, "points_avg_last_5"]).to_pylist())


@pytest.mark.parametrize("latest", [True, False])
def test_both_ends_of_the_interval_belong_to_it(week: Site, latest: bool) -> None:
    early, late = cutoff(WEEK[1], 19), cutoff(WEEK[1], 22)
    assert len(pulled(week, (early, late), latest=latest)) == 4
    assert len(pulled(week, (early + MICROSECOND, late), latest=latest)) == 2
    assert len(pulled(week, (early, late - MICROSECOND), latest=latest)) == 2
    naive = (early.replace(tzinfo=None), late.replace(tzinfo=None))
    assert pulled(week, naive, latest=latest) == pulled(week, (early, late), latest=latest)


def test_only_the_newest_row_of_a_key_is_pulled(site: Site) -> None:
    """A postponed game may have rows under both dates."""
    rows = store_table(WEEK[:2], players=2, game_id=["g"] * 4, points_avg_last_5=[1.0, 2.0, 3.0, 4.0])
    publish(site.warehouse, rows)
    bounds = (cutoff(WEEK[0]), cutoff(WEEK[1], 22))
    assert pulled(site, bounds) == [(player(0), "g", 3.0), (player(1), "g", 4.0)]
    assert len(pulled(site, bounds, latest=False)) == 4


@pytest.mark.parametrize("latest", [True, False])
def test_blocked_dates_are_not_pulled_but_stay_in_history(week: Site, latest: bool) -> None:
    block(week.warehouse, WEEK[1])
    assert pulled(week, (cutoff(WEEK[1]), cutoff(WEEK[1], 22)), latest=latest) == []
    assert len(pulled(week, (cutoff(WEEK[0]), cutoff(WEEK[2], 22)), latest=latest)) == 8
    frame = pd.DataFrame({"player_lookup": [player(0)], "game_id": [f"00{WEEK[1]:%y%m%d}00"], "event_timestamp": [cutoff(WEEK[1])]})
    table = week.store.get_historical_features(frame, features=["vegas:has_vegas_line"]).to_arrow()
    assert table.column("has_vegas_line").null_count == 0


def test_the_entity_frame_can_be_a_googlesql_query(week: Site) -> None:
    sql = (
        "SELECT player_lookup, game_id, TIMESTAMP_ADD(event_timestamp, INTERVAL 1 HOUR) AS event_timestamp"
        f" FROM `project.{STORE_TABLE}` ORDER BY player_lookup, game_id"
    )
    table = week.store.get_historical_features(sql, features=["vegas:vegas_points_line", "row_quality:is_quality_ready"]).to_arrow()
    expected = store_table(WEEK).sort_by([("player_lookup", "ascending"), ("game_id", "ascending")])
    assert table.column("player_lookup").to_pylist() == expected.column("player_lookup").to_pylist()
    assert table.column("vegas_points_line").to_pylist() == expected.column("vegas_points_line").to_pylist()


def test_a_row_never_answers_for_another_game(week: Site) -> None:
    frame = pd.DataFrame(
        {"player_lookup": [player(0)] * 2, "game_id": [f"00{WEEK[0]:%y%m%d}00", "9999999999"], "event_timestamp": cutoff(WEEK[0])}
    )
    table = week.store.get_historical_features(frame, features=["player_history:points_avg_last_5"]).to_arrow()
    assert [value is None for value in table.column("points_avg_last_5").to_pylist()] == [False, True]


def test_a_row_does_not_answer_after_its_ttl(week: Site) -> None:
    (ttl,) = {view.ttl for view in FEATURE_VIEWS}
    instants = [cutoff(WEEK[0]) + ttl, cutoff(WEEK[0]) + ttl + MICROSECOND]
    frame = pd.DataFrame({"player_lookup": player(0), "game_id": f"00{WEEK[0]:%y%m%d}00", "event_timestamp": instants})
    table = week.store.get_historical_features(frame, features=["player_history:points_avg_last_5"]).to_arrow()
    assert [value is None for value in table.column("points_avg_last_5").to_pylist()] == [False, True]


DOUBLED = """
def doubled(rows):
    return (rows["team_pace"] * 2 + rows["more"]).to_frame("twice")
"""


def test_on_demand_views_are_computed_on_the_result(week: Site) -> None:
    defined: dict[str, Any] = {}
    exec(DOUBLED, defined)
    given = RequestSource(name="given", schema=[Field(name="more", dtype=Float64)])
    view = OnDemandFeatureView(
        name="on_demand",
        sources=[next(v for v in FEATURE_VIEWS if v.name == "team_context"), given],
        schema=[Field(name="twice", dtype=Float64)],
        udf=defined["doubled"],
        udf_string=DOUBLED,
        mode="pandas",
    )
    week.store.apply([given, view])
    frame = store_table(WEEK).select([*KEYS, "event_timestamp"]).to_pandas().assign(more=1.0)
    table = week.store.get_historical_features(frame, features=["team_context:team_pace", "on_demand:twice"]).to_arrow()
    assert table.column("twice").to_pylist() == [pace * 2 + 1 for pace in store_table(WEEK).column("team_pace").to_pylist()]


def test_columns_and_types_are_those_of_the_contract(week: Site) -> None:
    store = week.store.provider
    found = dict(store.get_table_column_names_and_types_from_data_source(week.store.config, store_rows))
    expected = {c.name: "STRUCT" if c.fields else c.type for c in contract(STORE_TABLE).columns}
    assert found == expected


@pytest.mark.parametrize(
    ("source", "kind", "fact"),
    [
        (
            BigQuerySource(name="s", table=STORE_TABLE, timestamp_field="no_such_column"),
            UsageError,
            "lacks its timestamp columns: no_such_column",
        ),
        (BigQuerySource(name="s", table="nba_predictions.nowhere", timestamp_field="event_timestamp"), WarehouseError, "nowhere"),
    ],
)
def test_a_source_that_cannot_be_read_is_refused(week: Site, source: BigQuerySource, kind: type[Exception], fact: str) -> None:
    with pytest.raises(kind, match=fact):
        week.store.provider.validate_data_source(week.store.config, source)
    week.store.provider.validate_data_source(week.store.config, store_rows)


def test_feasts_monitoring_computes_and_keeps_its_figures(week: Site) -> None:
    service = MonitoringService(week.store)
    service.compute_baseline(project="nba_features", feature_view_name="team_context", feature_names=["team_pace"])
    (row,) = service.get_feature_metrics(project="nba_features", feature_view_name="team_context", feature_name="team_pace")
    values = store_table(WEEK).column("team_pace").to_pylist()
    assert row["row_count"] == 20
    assert row["mean"] == pytest.approx(sum(values) / 20)
    assert (row["min_val"], row["max_val"]) == (min(values), max(values))
    assert list((week.settings.home / "feast").rglob("*feature_metrics.parquet"))


def test_the_statement_of_a_retrieval_can_be_read(week: Site) -> None:
    frame = store_table(WEEK[:1]).select([*KEYS, "event_timestamp"]).to_pandas()
    refs = [f"{view.name}:{view.features[0].name}" for view in FEATURE_VIEWS]
    job = week.store.get_historical_features(frame, features=refs)
    assert job.to_sql().count("ASOF LEFT JOIN") == 1
    assert job.metadata.keys == KEYS
    assert job.to_df()[KEYS].equals(frame[KEYS])
