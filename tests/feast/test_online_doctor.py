"""The doctor holds the online store against what is published and mends it, forward only; also after a killed writer."""

from __future__ import annotations

import datetime as dt
import itertools
import threading
from typing import Any

import pytest
from click.testing import CliRunner

from backfill.doctor import examine
from backfill.repairs import Clinic, merged
from cli.main import main
from orchestration.runs import Run
from schemas.clock import UTC, utc_now
from serving import feature_store as opened
from serving.lookup import READY, lookup
from serving.materialization_gate import midnight
from serving.online_audit import audit_online
from serving.packed.layout import microseconds
from tests.feast.conftest import WEEK, Site
from tests.feast.online_sites import NAMES, REDIS_STEPS, REFS, SQLITE_STEPS, killed_materialization, on_redis, online_values, use
from tests.feast.store_rows import block, publish, store_table
from tests.packed.conftest import redis_port  # noqa: F401 - a fixture

V3 = "points_v3_37features"
DAY = WEEK[1]
LATER = dt.datetime(2025, 2, 2, tzinfo=UTC)
_databases = itertools.count()


@pytest.fixture(params=["sqlite", "redis"])
def tonight(request: pytest.FixtureRequest, week: Site) -> Site:
    """The published week, materialized into either packed store."""
    if request.param == "redis":
        port = request.getfixturevalue("redis_port")
        use(week, on_redis(port, next(_databases)))
    week.store.materialize(midnight(WEEK[0]), midnight(WEEK[-1] + dt.timedelta(days=1)))
    return week


def findings(site: Site) -> list[str]:
    return [finding.line() for finding in examine(site.warehouse, site.settings, utc_now())]


def repair(site: Site) -> list[str]:
    steps = merged([item.repair for item in examine(site.warehouse, site.settings, utc_now()) if item.repair is not None])
    now = utc_now()
    for step in steps:
        step.apply(Clinic(site.warehouse, site.settings, Run("test", now, now, 60), now))
    return [step.line() for step in steps]


def published(site: Site, dates: list[dt.date]) -> list[dict[str, Any]]:
    rows = site.warehouse.query(
        "SELECT * FROM nba_predictions.ml_feature_store_v2 WHERE game_date IN UNNEST(@dates) ORDER BY game_date, player_lookup",
        {"dates": dates},
    )
    return [{name: row[name] for name in NAMES} for row in rows.to_pylist()]


def keeper(site: Site) -> tuple[Any, Any]:
    return site.store.provider.online_store, site.store.config


def view(site: Site, name: str = "vegas") -> Any:
    return site.store.get_feature_view(name)


def test_what_agrees_is_left_alone(tonight: Site) -> None:
    assert findings(tonight) == []
    assert {audit.view: audit.counts() for audit in audit_online(tonight.store, tonight.warehouse)} == {
        name: {} for name in {finding.name for finding in tonight.store.list_feature_views()}
    }


def test_rows_that_are_gone_are_found_and_written_again(tonight: Site) -> None:
    store, config = keeper(tonight)
    keys = sorted(key for key, _ in store.stored(config, view(tonight)))[:3]
    assert store.remove(config, view(tonight), keys) == 3
    assert [line.split(" -> ")[0] for line in findings(tonight)] == ["online: 3 rows missing (vegas)"]
    assert len(repair(tonight)) == 1
    assert findings(tonight) == []
    assert online_values(tonight.store, WEEK) == published(tonight, WEEK)


def test_the_command_shows_the_plan_walks_it_and_agrees_after_it(week: Site) -> None:
    week.store.materialize(midnight(WEEK[0]), midnight(WEEK[-1] + dt.timedelta(days=1)))
    store, config = keeper(week)
    store.remove(config, view(week), [key for key, _ in store.stored(config, view(week))][:2])
    shown = CliRunner().invoke(main, ["doctor"])
    assert shown.exit_code == 5
    assert "online: 2 rows missing (vegas) -> materialize" in shown.stdout
    assert store.count(config, view(week)) == 18
    assert CliRunner().invoke(main, ["doctor", "--repair"]).exit_code == 0
    assert store.count(config, view(week)) == 20
    agreed = CliRunner().invoke(main, ["doctor"])
    assert (agreed.exit_code, agreed.stdout.strip()) == (0, "everything agrees")


def test_rows_that_no_published_row_stands_behind_are_removed(tonight: Site) -> None:
    store, config = keeper(tonight)
    stray = store_table([dt.date(2025, 1, 20)], players=2)
    store.write_views(config, [view(tonight), view(tonight, "matchup")], stray)
    assert findings(tonight) == ["online: 4 rows extra (matchup, vegas) -> remove them from the online store"]
    repair(tonight)
    assert findings(tonight) == []
    assert store.count(config, view(tonight)) == 20


def test_an_altered_value_of_the_same_times_is_found_and_mended(tonight: Site) -> None:
    store, config = keeper(tonight)
    store.write_arrow(config, view(tonight), store_table([DAY], seed=99))
    assert findings(tonight)[0].startswith("online: 4 rows different (vegas) -> materialize 2025-01-")
    repair(tonight)
    assert findings(tonight) == []
    assert online_values(tonight.store, WEEK) == published(tonight, WEEK)


def test_FM52_a_newer_value_is_never_replaced_by_an_older_one(tonight: Site) -> None:
    store, config = keeper(tonight)
    newer = store_table([DAY], seed=99, created_timestamp=[LATER] * 4)
    store.write_arrow(config, view(tonight), newer)
    (line,) = findings(tonight)
    assert line.startswith("online: 4 rows newer (vegas) than the warehouse")
    assert repair(tonight) == []
    keys = {name: newer.column(name).to_pylist() for name in ("player_lookup", "game_id")}
    tonight.store.materialize(midnight(DAY), midnight(DAY + dt.timedelta(days=1)))
    found = tonight.store.get_online_features(["vegas:vegas_points_line"], keys).to_dict()["vegas_points_line"]
    assert found == newer.column("vegas_points_line").to_pylist()


def test_a_published_correction_that_never_went_online_is_older(tonight: Site) -> None:
    publish(tonight.warehouse, store_table([DAY], seed=99, created_timestamp=[LATER] * 4))
    assert findings(tonight)[0].startswith("online: 28 rows older (breakout, ")
    repair(tonight)
    assert findings(tonight) == []
    assert online_values(tonight.store, WEEK) == published(tonight, WEEK)


def test_a_date_made_again_for_a_later_instant_than_was_materialized_is_found_and_written(week: Site) -> None:
    """Morning rows go online, the afternoon makes them again, and whoever materializes types the morning's end once more."""
    tonight, start, morning = WEEK[-1], midnight(WEEK[0]), midnight(WEEK[-1]) + dt.timedelta(hours=9)
    publish(week.warehouse, store_table([tonight], event_timestamp=[morning] * 4))
    week.store.materialize(start, morning)
    publish(week.warehouse, store_table([tonight], seed=99, created_timestamp=[LATER] * 4))
    week.store.materialize(start, morning)
    assert any("rows older (breakout, " in line for line in findings(week))
    repair(week)
    assert findings(week) == []
    assert online_values(week.store, WEEK) == published(week, WEEK)


def test_what_was_never_materialized_or_is_blocked_is_no_finding(tonight: Site) -> None:
    publish(tonight.warehouse, store_table([WEEK[-1] + dt.timedelta(days=3)]))
    block(tonight.warehouse, WEEK[2])
    assert findings(tonight) == []


def test_games_past_the_retention_are_no_finding(week: Site) -> None:
    store = use(week, {"type": "serving.packed.sqlite_store.PackedSqliteOnlineStore", "path": "feast/short.db", "retention_days": 2})
    for date in WEEK:
        store.materialize(midnight(date), midnight(date + dt.timedelta(days=1)))
    keeper_, config = keeper(week)
    assert keeper_.count(config, view(week)) < 20
    assert findings(week) == []


def test_FM54_readers_find_no_row_of_two_versions_while_versions_are_written(tonight: Site) -> None:
    store, config = keeper(tonight)
    views, rows = tonight.store.list_feature_views(), store_table(WEEK)
    versions = [[LATER + dt.timedelta(seconds=number)] * rows.num_rows for number in range(30)]
    tables = [store_table(WEEK, created_timestamp=stamps) for stamps in versions]
    keys = {name: rows.column(name).to_pylist() for name in ("player_lookup", "game_id")}
    writer = threading.Thread(target=lambda: [store.write_views(config, views, table) for table in tables])
    seen: set[int] = set()
    writer.start()
    while writer.is_alive():
        _, created = tonight.store.get_online_features(REFS, keys).instants()
        assert (created == created[0]).all()
        seen.update(created[0].tolist())
    writer.join()
    assert len(seen) >= 2
    _, created = tonight.store.get_online_features(REFS, keys).instants()
    assert set(created.ravel().tolist()) == {microseconds(versions[-1][0])}


def rows_of_one_version(site: Site, old: list[Any], new: list[Any]) -> None:
    """Assert that every row online is one published version, whole."""
    for found, before, after in zip(online_values(site.store, WEEK), old, new, strict=True):
        assert found in (before, after)


ALWAYS = (("sqlite", "last view"), ("redis", "first call"))
STEPS = [("sqlite", step) for step in SQLITE_STEPS] + [("redis", step) for step in REDIS_STEPS]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("engine", "step"),
    [pytest.param(*given, marks=[] if given in ALWAYS else [pytest.mark.long], id="-".join(given)) for given in STEPS],
)
def test_FM54_a_killed_materialization_leaves_whole_rows_and_is_mended(
    week: Site, request: pytest.FixtureRequest, engine: str, step: str
) -> None:
    url = ""
    if engine == "redis":
        online = on_redis(request.getfixturevalue("redis_port"), next(_databases))
        url = online["url"]
        use(week, online)
    week.store.materialize(midnight(WEEK[0]), midnight(WEEK[-1] + dt.timedelta(days=1)))
    old = published(week, WEEK)
    publish(week.warehouse, store_table([DAY], seed=99, created_timestamp=[LATER] * 4))
    new = published(week, WEEK)
    assert old != new
    killed_materialization(week, step, DAY, url)
    rows_of_one_version(week, old, new)
    if step in ("first view", "last view"):
        assert online_values(week.store, WEEK) == old
    told = lookup(week.store, week.warehouse, V3, DAY)
    changed = [found == after for found, after in zip(online_values(week.store, [DAY]), new[4:8], strict=True)]
    assert [verdict == READY for verdict in told.verdicts] == changed
    lines = findings(week)
    assert any(line.startswith("materializations: 1 ended without a word: ") for line in lines)
    assert any("materialize" in line for line in repair(week))
    assert findings(week) == []
    assert online_values(week.store, WEEK) == new
    assert set(lookup(week.store, week.warehouse, V3, DAY).verdicts) == {READY}
    states = week.warehouse.query("SELECT state, detail FROM nba_orchestration.materialization_history WHERE state != 'succeeded'")
    assert [(row["state"], row["detail"]) for row in states.to_pylist()] == [("failed", "the process died")]


def spoiled(site: Site, name: str, text: bytes | None) -> None:
    """Close the store and put something else in the place of one of its files, or nothing."""
    (path,) = (site.settings.home / "feast").rglob(name)
    site.store.provider.online_store._local.known[1].close()
    opened._stores.pop(site.settings.home, None)
    for left in path.parent.glob(f"{name}*"):
        left.unlink()
    if text is not None:
        path.write_bytes(text)


def test_an_online_file_that_is_gone_is_made_and_written_again(week: Site) -> None:
    week.store.materialize(midnight(WEEK[0]), midnight(WEEK[-1] + dt.timedelta(days=1)))
    before = online_values(week.store, WEEK)
    spoiled(week, "packed.db", None)
    found = CliRunner().invoke(main, ["doctor"])
    assert (found.exit_code, "run: feast apply" in found.output) == (5, True), found.output
    told = CliRunner().invoke(main, ["lookup", "--date", str(DAY)])
    assert told.exit_code == 2 and "a feature view has no table" in told.output
    repair(week)
    assert findings(week) == [] and online_values(week.store, WEEK) == before


@pytest.mark.parametrize(("name", "advice"), [("packed.db", "nba-features doctor --repair"), ("registry.db", "feast apply")])
def test_a_file_that_is_no_database_is_a_finding_and_stops_no_other_check(week: Site, name: str, advice: str) -> None:
    week.store.materialize(midnight(WEEK[0]), midnight(WEEK[-1] + dt.timedelta(days=1)))
    spoiled(week, name, b"garbage " * 1000)
    found = CliRunner().invoke(main, ["doctor"])
    assert found.exit_code == 5 and "move it away and run: " + advice in found.output, found.output
    assert "internal_error" not in found.output


def test_the_doctor_without_a_store_says_nothing(site: Site) -> None:
    publish(site.warehouse, store_table(WEEK))
    assert not (site.settings.home / "feast").exists()
    assert findings(site) == []
