"""The watch over a date: nothing to say of a good one, the right event for each planted fault, closed when it is mended."""

from __future__ import annotations

import datetime as dt
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from orchestration import monitor, watch_sources
from orchestration.event_log import details, move
from orchestration.monitor import Watched, watch_date
from orchestration.nightly import run_night
from orchestration.outbox import DELIVERIES
from orchestration.runs import RUNS
from quality.canaries import Watch, load_watch
from quality.events import EVENTS
from schemas.arrow_types import arrow_schema
from schemas.contracts import contract
from schemas.rules import STORE_TABLE
from tests.cli.calling import call
from tests.night_watch.receivers import dead, listening
from tests.once import built_once
from tests.orchestration.conftest import Season, opened
from tests.orchestration.looking import rows
from transformations.ingest.simulated_league import SimulatedLeague
from warehouse.protocol import Publication, RecordWrite

pytestmark = pytest.mark.slow
METRICS = f"{STORE_TABLE}_quality_metrics"
Change = Callable[[int, Any], Any]


WATCH = replace(load_watch(), min_values=15)
"""The league is small: two games a night."""


@pytest.fixture(scope="session")
def tonight_home(league: SimulatedLeague, built_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    def build(home: Path) -> None:
        shutil.copytree(built_home, home)
        season = opened(league, home)
        run_night(season.warehouse, season.tonight, season.run())
        season.warehouse.close()

    return built_once(tmp_path_factory.getbasetemp(), "season_with_tonight", build)


@pytest.fixture
def built(league: SimulatedLeague, tonight_home: Path, tmp_path: Path) -> Iterator[Season]:
    """The season with tonight built and published."""
    shutil.copytree(tonight_home, tmp_path / "tonight")
    season = opened(league, tmp_path / "tonight")
    yield season
    season.warehouse.close()


def late(season: Season) -> dt.datetime:
    return season.as_of + dt.timedelta(hours=4)


def look(season: Season, date: dt.date | None = None, watch: Watch = WATCH) -> Watched:
    return watch_date(season.warehouse, date or season.tonight, late(season), season.run(), watch)


def reasons(seen: Watched) -> set[str]:
    return {event["reason_code"] for event in seen.raised}


def spoil_rows(season: Season, changes: dict[str, Change], date: dt.date | None = None) -> None:
    """Publish the rows of a date with columns changed, past the gate, as a bug behind it would."""
    spec, date = contract(STORE_TABLE), date or season.tonight
    table = season.warehouse.query(f"SELECT * FROM {STORE_TABLE} WHERE game_date = @d", {"d": date}).select(list(spec.column_names))
    schema = arrow_schema(spec)
    for name, change in changes.items():
        values = [change(number, value) for number, value in enumerate(table[name].to_pylist())]
        table = table.set_column(table.column_names.index(name), name, pa.array(values, schema.field(name).type))
    staged = season.warehouse.stage_rows(spec, table, "spoiled")
    season.warehouse.publish([Publication(staged, (date,))])


def forget_partition(season: Season, table: str, date: dt.date) -> None:
    spec = contract(table)
    season.warehouse.publish([Publication(season.warehouse.stage_rows(spec, arrow_schema(spec).empty_table(), "gone"), (date,))])


def test_FM61_good_dates_raise_nothing(built: Season) -> None:
    """Every date of the season with enough days before it, and tonight."""
    watched = {date: look(built, date, load_watch()) for date in [*built.dates[12:], built.tonight]}
    assert {date: sorted(reasons(seen)) for date, seen in watched.items() if seen.raised} == {}
    assert all(len(seen.readings) > 35 for seen in watched.values())
    assert not rows(built.warehouse, EVENTS, event_type="canary")


@pytest.mark.parametrize(
    ("reason", "severity", "changes"),
    [
        ("red_share", "P1", {"quality_alert_level": lambda n, v: "red" if n % 2 else v}),
        ("matchup_mean", "P1", {"matchup_quality_pct": lambda n, v: 20.0}),
        ("coverage_drift:vegas_points_line", "P2", {"feature_25_source": lambda n, v: "default"}),
        ("coverage_drift:fatigue_score", "P2", {"feature_5_source": lambda n, v: "default"}),
        ("distribution_drift:fatigue_score", "P2", {"fatigue_score": lambda n, v: -(n % 6)}),
        ("distribution_drift:points_avg_last_5", "P2", {"points_avg_last_5": lambda n, v: v + 30}),
        ("zero_variance:points_avg_season", "P1", {"points_avg_season": lambda n, v: 12.5}),
    ],
)
def test_FM08_FM13_FM19_FM22_a_fault_behind_the_gate_is_seen_and_closed_when_mended(
    built: Season, reason: str, severity: str, changes: dict[str, Change]
) -> None:
    spoil_rows(built, changes)
    seen = look(built)
    (event,) = [row for row in seen.raised if row["reason_code"] == reason]
    assert (event["severity"], event["game_date"], event["event_type"], event["table_name"]) == (
        severity,
        built.tonight,
        "canary",
        STORE_TABLE,
    )
    assert event["metric_value"] is not None and event["threshold"] is not None and details(event)["dates"] >= 10
    again = look(built)
    assert {row["event_id"] for row in again.raised} == {row["event_id"] for row in seen.raised}, "one event, however often it is seen"
    run_night(built.warehouse, built.tonight, built.run())
    mended = look(built)
    assert not mended.raised and {row["event_id"] for row in mended.healed} == {row["event_id"] for row in seen.raised}
    (record,) = rows(built.warehouse, EVENTS, event_id=event["event_id"])
    assert record["resolution_status"] == "self_healed" and record["resolved_at"] == late(built)


def test_FM63_a_feed_that_fell_silent_is_seen_by_the_schedule(built: Season) -> None:
    last = built.dates[-1]
    for table in ("nba_raw.player_boxscores", "nba_raw.odds_player_points"):
        forget_partition(built, table, last)
    seen = look(built)
    assert {"freshness:player_boxscores", "freshness:odds_player_points"} <= reasons(seen)
    assert all(row["metric_value"] == 1 and row["severity"] == "P1" for row in seen.raised if row["reason_code"].startswith("freshness"))


def test_events_about_feeds_heal_on_a_later_date_and_those_about_rows_do_not(built: Season) -> None:
    first, second = built.dates[-2], built.tonight
    spoil_rows(built, {"quality_alert_level": lambda n, v: "red" if n % 2 else v}, first)
    feed = watch_date(built.warehouse, first, late(built), built.run()).raised
    stale = {**feed[0], "event_id": "f" * 32, "reason_code": "freshness:shots", "table_name": "nba_raw.shots", "threshold": 0.0}
    built.warehouse.record([RecordWrite(EVENTS, [{**stale, "metric_value": 2.0}])])
    healed = {row["reason_code"] for row in look(built, second).healed}
    assert healed == {"freshness:shots"}
    (kept,) = rows(built.warehouse, EVENTS, reason_code="red_share")
    assert kept["resolution_status"] == "open"


def test_a_fault_on_the_next_date_points_to_the_first(built: Season) -> None:
    before = built.dates[-1]
    for date in (before, built.tonight):
        spoil_rows(built, {"quality_alert_level": lambda n, v: "red"}, date)
    (first,) = [row for row in look(built, before).raised if row["reason_code"] == "red_share"]
    (second,) = [row for row in look(built).raised if row["reason_code"] == "red_share"]
    assert second["related_event_id"] == first["event_id"] != second["event_id"]


def test_FM56_a_date_that_cannot_be_served_after_its_cutoff_is_P0(season: Season) -> None:
    early = watch_date(season.warehouse, season.tonight, season.as_of - dt.timedelta(hours=6), season.run())
    assert "not_served" not in reasons(early)
    seen = look(season)
    (event,) = [row for row in seen.raised if row["reason_code"] == "not_served"]
    assert event["severity"] == "P0" and event["metric_value"] >= 1
    run_night(season.warehouse, season.tonight, season.run())
    assert "not_served" in {row["reason_code"] for row in look(season).healed}


@pytest.mark.parametrize(("score", "own", "severity"), [(40.0, "P0", "P0"), (70.0, "P1", "P1"), (78.0, "P2", "P2"), (85.0, "P3", "P3")])
def test_the_batch_score_brings_its_own_severity(built: Season, score: float, own: str, severity: str) -> None:
    (row,) = rows(built.warehouse, METRICS, game_date=built.tonight)
    built.warehouse.record([RecordWrite(METRICS, [{**row, "quality_score": score, "severity": own}])])
    (event,) = [row for row in look(built).raised if row["reason_code"] == "batch_score"]
    assert (event["severity"], event["metric_value"]) == (severity, score)


@pytest.mark.parametrize("source", ["row_readings", "feed_readings", "served_readings", "score_readings", "delivery_readings"])
def test_FM55_a_watch_that_cannot_look_says_so_and_heals_nothing(built: Season, monkeypatch: pytest.MonkeyPatch, source: str) -> None:
    spoil_rows(built, {"quality_alert_level": lambda n, v: "red"})
    before = {row["event_id"] for row in look(built).raised}

    def broken(*_: Any, **__: Any) -> Any:
        raise RuntimeError("no such table")

    with monkeypatch.context() as patch:
        patch.setattr(monitor, source, broken)
        seen = look(built)
    (error,) = [row for row in seen.raised if row["reason_code"].startswith("canary_error:")]
    assert error["severity"] == "P0" and "no such table" in details(error)["error"] and not seen.healed
    assert {row["resolution_status"] for row in rows(built.warehouse, EVENTS, event_type="canary")} == {"open"}
    well = look(built)
    assert {row["event_id"] for row in well.healed} == {error["event_id"]} and before <= {row["event_id"] for row in well.raised}


def test_FM55_the_command_shows_what_it_could_not_read(built: Season, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any, **__: Any) -> Any:
        raise RuntimeError("no such table")

    monkeypatch.setattr(monitor, "feed_readings", broken)
    as_of = late(built).strftime("%Y-%m-%dT%H:%M:%SZ")
    answer = call(built.settings.home, "monitor", "--date", str(built.tonight), "--as-of", as_of, "--no-feast")
    assert answer.status == 3 and "P0" in answer.out and "canary_error:feeds: RuntimeError: no such table" in answer.out


def test_the_command_records_notifies_and_keeps_feasts_figures(built: Season) -> None:
    home = built.settings.home
    spoil_rows(built, {"quality_alert_level": lambda n, v: "red"})
    as_of = late(built).strftime("%Y-%m-%dT%H:%M:%SZ")
    words = ("monitor", "--date", str(built.tonight), "--as-of", as_of)
    with listening() as receiver:
        answer = call(home, *words, "--no-feast", NBA_FEATURES_NOTIFY=receiver.address())
        assert answer.status == 3 and "red_share" in answer.out and len(receiver.taken) == 1
        assert call(home, *words, "--no-feast", NBA_FEATURES_NOTIFY=receiver.address()).status == 3 and len(receiver.taken) == 1
    runs = [row for row in rows(built.warehouse, RUNS) if '"monitor"' in row["command"]]
    assert {row["state"] for row in runs} == {"blocked"} and "raised" in runs[0]["detail"]
    (event,) = [row for row in call(home, "events", "list", "--json").json["events"] if row["reason_code"] == "red_share"]
    move(built.warehouse, event["event_id"], "acknowledged", late(built))
    run_night(built.warehouse, built.tonight, built.run())
    assert call(home, "materialize", "--date", str(built.tonight)).status == 0
    told = call(home, *words, "--json", NBA_FEATURES_NOTIFY=dead().address())
    assert told.status == 0 and told.json["feast"] == {"status": "computed", "features": told.json["feast"]["features"], "views": 7}
    assert told.json["feast"]["features"] >= 37 and event["event_id"] in {row["event_id"] for row in told.json["healed"]}
    kept = [path.name for path in (home / "feast").rglob("*.parquet")]
    assert any("feature_metrics" in name for name in kept)


def test_what_waits_to_be_delivered_is_itself_reported(built: Season) -> None:
    at = late(built)
    row = {
        "delivery_id": "d" * 32,
        "kind": "notification",
        "target": "json://abc",
        "dedup_key": "x",
        "title": "t",
        "body": "b",
        "state": "waiting",
        "attempts": 3,
        "created_at": at,
        "next_attempt_at": at,
        "run_id": "r",
    }
    built.warehouse.record([RecordWrite(DELIVERIES, [row])])
    (event,) = look(built).raised
    assert (event["reason_code"], event["severity"], event["game_date"]) == ("undelivered:json://abc", "P2", None)
    built.warehouse.record([RecordWrite(DELIVERIES, [{**row, "state": "delivered"}])])
    assert [item["event_id"] for item in look(built).healed] == [event["event_id"]]


def test_every_declared_source_is_read(built: Season) -> None:
    watch = load_watch()
    read = {reading.canary.over for reading in look(built).readings}
    assert read | {"deliveries"} == {canary.over for canary in watch.canaries}
    assert set(watch_sources.feeds()) >= {"nba_raw.player_boxscores", "nba_raw.shots", "nba_raw.odds_game_lines"}
