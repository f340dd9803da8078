"""FM58: what is online and what was served is what training reads; a planted difference is found, feature by feature."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from click.testing import CliRunner
from feast import FeatureStore
from feast.repo_config import RepoConfig
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from cli.main import main
from feature_repo.feature_views import FEATURE_VIEWS
from schemas.catalogue import load_catalogue
from schemas.clock import UTC
from schemas.errors import BlockedError
from serving.feature_store import _configuration, apply_definitions, repository_folder
from serving.lookup import lookup
from serving.lookup_log import ROWS_OF_A_LOOKUP, LookupLog, log_folder, read_log
from serving.materialization_gate import midnight
from serving.skew import FeatureSkew, compare, online_skew, served_skew
from tests.feast.conftest import WEEK, Site
from tests.feast.store_rows import player, publish, store_table

V3 = "points_v3_37features"
V2 = "breakout_v2_14features"
TODAY = WEEK[-1]
VIEW_OF = {field.name: view.name for view in FEATURE_VIEWS for field in view.features}
LATER = dt.datetime(2030, 1, 1, tzinfo=UTC)


def write_beside_the_gate(site: Site, view: str, rows: pa.Table) -> None:
    store = site.store
    store.provider.online_store.write_arrow(store.config, store.get_feature_view(view), rows)


def today(**changed: list[Any]) -> pa.Table:
    """Return what is published of today, with changed columns."""
    rows = store_table(WEEK).slice(4 * (len(WEEK) - 1))
    for name, values in changed.items():
        rows = rows.set_column(rows.column_names.index(name), name, pa.array(values, pa.float64()))
    return rows


def events(site: Site) -> list[dict[str, Any]]:
    sql = "SELECT * FROM nba_orchestration.data_quality_events WHERE event_type = 'serving_skew' ORDER BY columns"
    return site.warehouse.query(sql).to_pylist()


def test_FM58_what_was_materialized_is_what_training_reads(tonight: Site) -> None:
    report = online_skew(tonight.store, tonight.warehouse, TODAY)
    wanted = {name for service in load_catalogue().services for name in service.features}
    assert {feature.feature for feature in report.features} == wanted
    assert (report.rows, report.passed_over, report.wrong) == (4, 0, ())
    assert {(feature.rows, feature.largest) for feature in report.features} == {(4, 0.0)}


def test_FM58_every_kind_of_difference_is_found_in_its_feature(tonight: Site) -> None:
    lines = today().column("vegas_points_line").to_pylist()
    changed = today(vegas_points_line=[lines[0] + 0.5, lines[1], None, lines[3] - 2.0])
    write_beside_the_gate(tonight, "vegas", changed)
    report = online_skew(tonight.store, tonight.warehouse, TODAY)
    assert report.wrong == (FeatureSkew("vegas_points_line", 4, mismatch=2, missing=1, largest=2.0),)
    assert online_skew(tonight.store, tonight.warehouse, TODAY, tolerance=1.0).wrong[0].mismatch == 1


def test_a_value_where_training_has_none_is_extra(week: Site) -> None:
    publish(week.warehouse, store_table([TODAY], recent_trend=[None, 1.0, 2.0, None]))
    week.store.materialize(midnight(TODAY), midnight(TODAY + dt.timedelta(days=1)))
    write_beside_the_gate(week, VIEW_OF["recent_trend"], store_table([TODAY], recent_trend=[3.0, 1.0, 2.0, None]))
    assert online_skew(week.store, week.warehouse, TODAY).wrong == (FeatureSkew("recent_trend", 4, extra=1),)


def test_rows_that_are_not_online_are_passed_over(week: Site) -> None:
    report = online_skew(week.store, week.warehouse, TODAY)
    assert (report.rows, report.passed_over, report.wrong) == (0, 4, ())
    empty = online_skew(week.store, week.warehouse, TODAY + dt.timedelta(days=30))
    assert (empty.rows, empty.passed_over, empty.wrong) == (0, 0, ())


NUMBERS = st.one_of(st.just(float("nan")), st.floats(-1e6, 1e6))


@given(arrays(float, st.tuples(st.integers(0, 6), st.just(3)), elements=NUMBERS), st.data())
def test_the_comparison_counts_as_a_plain_loop_does(served: np.ndarray[Any, Any], data: st.DataObject) -> None:
    replayed = data.draw(arrays(float, served.shape, elements=st.one_of(NUMBERS, st.sampled_from([*served.ravel(), 0.0]))))
    for at, found in enumerate(compare(("a", "b", "c"), served, replayed, 0.25)):
        pairs = [(x, y) for x, y in zip(served[:, at].tolist(), replayed[:, at].tolist(), strict=True)]
        gaps = [abs(x - y) for x, y in pairs if x == x and y == y]
        assert found.mismatch == sum(gap > 0.25 for gap in gaps)
        assert found.missing == sum(x != x and y == y for x, y in pairs)
        assert found.extra == sum(x == x and y != y for x, y in pairs)
        assert found.largest == max(gaps, default=0.0)


# -- what was served ------------------------------------------------------------------------------------------------------


def logged(site: Site, *found: Any, share: float = 1.0) -> LookupLog:
    log = LookupLog(log_folder(site.settings), share)
    for item in found:
        log.add(item)
    log.flush()
    return log


def test_logged_answers_are_replayed_at_the_time_they_were_served_with(tonight: Site) -> None:
    logged(tonight, *(lookup(tonight.store, tonight.warehouse, service, TODAY) for service in (V3, V2)))
    report = served_skew(tonight.store, tonight.warehouse, tonight.settings, TODAY)
    assert report is not None
    assert (report.rows, report.passed_over, report.wrong) == (8, 0, ())
    both = set(load_catalogue().service(V3).features) & set(load_catalogue().service(V2).features)
    assert both and {feature.rows for feature in report.features if feature.feature in both} == {8}


def test_FM58_a_value_that_was_served_and_is_not_what_training_reads_is_found(tonight: Site) -> None:
    trend = today().column("recent_trend").to_pylist()
    write_beside_the_gate(tonight, VIEW_OF["recent_trend"], today(recent_trend=[trend[0] + 0.125, *trend[1:]]))
    logged(tonight, lookup(tonight.store, tonight.warehouse, V3, TODAY))
    report = served_skew(tonight.store, tonight.warehouse, tonight.settings, TODAY)
    assert report is not None
    (wrong,) = report.wrong
    assert (wrong.feature, wrong.mismatch) == ("recent_trend", 1)
    assert wrong.largest == pytest.approx(0.125)


def test_answers_whose_row_was_published_again_are_passed_over(tonight: Site) -> None:
    logged(tonight, lookup(tonight.store, tonight.warehouse, V3, TODAY))
    publish(tonight.warehouse, store_table([TODAY], seed=99, created_timestamp=[LATER] * 4))
    report = served_skew(tonight.store, tonight.warehouse, tonight.settings, TODAY)
    assert report is not None
    assert (report.rows, report.passed_over, report.wrong) == (0, 4, ())


def test_the_log_keeps_its_share_and_no_more_than_its_bounds(tonight: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    found = lookup(tonight.store, tonight.warehouse, V3, TODAY)
    masked = lookup(tonight.store, tonight.warehouse, V3, TODAY, mask_defaults=True)
    assert read_log(tonight.settings, TODAY) is None
    assert served_skew(tonight.store, tonight.warehouse, tonight.settings, TODAY) is None
    logged(tonight, *[found] * 10, share=0.3)
    log = read_log(tonight.settings, TODAY)
    assert log is not None and log.num_rows == 3 * 4
    logged(tonight, *[masked] * 10)
    assert read_log(tonight.settings, TODAY).num_rows == 3 * 4  # type: ignore[union-attr]
    monkeypatch.setattr("serving.lookup_log.ROWS_OF_A_LOOKUP", 2)
    monkeypatch.setattr("serving.lookup_log.ROWS_OF_A_DATE", 6)
    logged(tonight, *[found] * 10)
    assert read_log(tonight.settings, TODAY).num_rows == 3 * 4 + 6  # type: ignore[union-attr]
    assert ROWS_OF_A_LOOKUP >= 10


def test_old_dates_leave_the_log(tonight: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("serving.lookup_log.DATES", 2)
    logged(tonight, *(lookup(tonight.store, tonight.warehouse, V3, date) for date in WEEK))
    assert sorted(path.name for path in log_folder(tonight.settings).iterdir()) == [str(date) for date in WEEK[-2:]]


def test_a_log_that_cannot_be_written_stops_no_lookup(tonight: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("serving.lookup_log.ROWS_OF_A_FILE", 1)
    log_folder(tonight.settings).write_text("in the way")
    log = LookupLog(log_folder(tonight.settings), 1.0)
    log.add(lookup(tonight.store, tonight.warehouse, V3, TODAY))


# -- the command and the option -------------------------------------------------------------------------------------------


def skew_command(*options: str) -> tuple[int, str]:
    done = CliRunner().invoke(main, ["skew", "--date", str(TODAY), *options])
    return done.exit_code, done.stdout


def test_the_command_says_that_nothing_differs(tonight: Site) -> None:
    logged(tonight, lookup(tonight.store, tonight.warehouse, V3, TODAY, [player(0)]))
    status, text = skew_command()
    assert status == 0, text
    assert "online: 4 rows, " in text and "served: 1 rows, 37 features compared, 0 rows passed over" in text
    assert events(tonight) == []


def test_FM58_the_command_records_an_event_per_feature_and_exits_with_3(tonight: Site) -> None:
    write_beside_the_gate(tonight, "vegas", store_table([TODAY], seed=99))
    status, text = skew_command("--dry-run", "--json")
    assert status == 3
    assert events(tonight) == []
    report = json.JSONDecoder().raw_decode(text)[0]
    wrong = [item["feature"] for item in report["reports"][0]["features"] if item["mismatch"]]
    assert report["recorded"] is False and 1 <= len(wrong) <= 4
    status, text = skew_command()
    assert status == 3 and "vegas_points_line" in text
    found = events(tonight)
    assert [event["columns"] for event in found] == sorted(wrong)
    assert {(event["game_date"], event["reason_code"], event["resolution_status"]) for event in found} == {(TODAY, "skew:online", "open")}
    assert all(event["metric_value"] > event["threshold"] for event in found)


def checking(site: Site) -> FeatureStore:
    raw = _configuration(site.settings)
    raw["batch_engine"] = {**raw["batch_engine"], "check_skew": True}
    config = RepoConfig(**raw)
    config.repo_path = repository_folder()
    store = FeatureStore(config=config)
    apply_definitions(store)
    return store


def test_FM58_a_materialization_can_replay_what_it_wrote(week: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    store = checking(week)
    span = midnight(WEEK[0]), midnight(TODAY + dt.timedelta(days=1))
    store.materialize(*span)
    details = week.warehouse.query("SELECT DISTINCT detail FROM nba_orchestration.materialization_history").column("detail").to_pylist()
    assert details == ["every row read back, 20 replayed"]
    online = store._get_provider().online_store
    real = type(online).write_views

    def altered(self: Any, config: Any, views: Any, rows: pa.Table) -> int:
        at = rows.column_names.index("points_avg_last_5")
        values = pa.array([value + 1.0 for value in rows.column(at).to_pylist()], pa.float64())
        return int(real(self, config, views, rows.set_column(at, rows.column_names[at], values)))

    monkeypatch.setattr(type(online), "write_views", altered)
    with pytest.raises(BlockedError, match="is not what training reads"):
        store.materialize(*span)
    assert len(events(week)) == 1
    states = week.warehouse.query("SELECT state, COUNT(*) AS n FROM nba_orchestration.materialization_history GROUP BY state").to_pylist()
    assert {row["state"]: row["n"] for row in states}["failed"] == 1
