"""The daily, weekly and monthly look: figures equal to queries, what needs a person named with a command that exists."""

from __future__ import annotations

import datetime as dt
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from cli.main import main
from orchestration.costs import costs_by_label
from schemas.arrow_types import arrow_schema
from schemas.contracts import Column, TableContract, contract
from schemas.rules import STORE_TABLE
from tests.cli.calling import copy_home
from tests.explain.conftest import Site
from tests.explain.faults import FACTORS
from warehouse.protocol import Publication, RecordWrite, Warehouse


@pytest.fixture(scope="module")
def waiting(built_site: Site, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The night that waits for its composite factors."""
    home = tmp_path_factory.mktemp("waiting") / "home"
    copy_home(built_site.home, home)
    site = Site(home, built_site.dates, built_site.tonight)
    assert site.run("--skip", "player_composite_factors").status == 4
    yield site


def test_FM08_status_names_the_night_and_where_to_go_on(waiting: Site) -> None:
    answer = waiting.call("status", "--date", str(waiting.tonight), "--json")
    assert answer.status == 5
    found = answer.json
    tonight = next(night for night in found["nights"] if night["date"] == str(waiting.tonight))
    assert tonight["state"] == "not_built" and not tonight["is_prediction_ready"]
    assert found["events"].get("P1", 0) >= 1 and found["oldest_open"]
    (what, command) = next(item for item in found["attention"] if str(waiting.tonight) in item[0])
    assert "waiting" in what and command == f"nba-features explain --date {waiting.tonight}"
    assert shlex.split(command)[1] in main.commands
    shown = waiting.call("status", "--date", str(waiting.tonight)).out
    assert what in shown and command in shown


def test_FM08_open_events_need_a_person_until_somebody_has_acknowledged_them(waiting: Site) -> None:
    # Of a day on which nothing else is wrong: the events of another date are still nobody's.
    answer = waiting.call("status", "--date", str(waiting.yesterday), "--json")
    (what, command), *_ = [item for item in answer.json["attention"] if "acknowledged" in item[0]]
    assert answer.status == 5 and what.startswith(f"{answer.json['events']['P1']} P1 events are open")
    assert command == "nba-features events list"
    assert waiting.call(*shlex.split(command)[1:]).status == 0


def test_status_of_a_quiet_day_needs_nobody(built_site: Site) -> None:
    answer = built_site.call("status", "--date", str(built_site.yesterday))
    assert answer.status == 0 and "nothing needs a person" in answer.out


def test_status_of_an_empty_home_says_so(tmp_path: Path) -> None:
    site = Site(tmp_path / "home", (), dt.date(2025, 1, 1))
    answer = site.call("status", "--date", "2025-01-01")
    assert answer.status == 5 and "the schedule is empty" in answer.out


def test_FM08_the_review_equals_queries_and_names_what_failed(waiting: Site) -> None:
    found = waiting.call("review", "--end", str(waiting.tonight), "--json").assert_done().json
    start = waiting.tonight - dt.timedelta(days=6)
    span = {"low": start, "high": waiting.tonight}
    within = "WHERE game_date BETWEEN @low AND @high"
    (wanted,) = waiting.rows(f"SELECT COUNT(*) AS n, AVG(quality_score) AS score FROM {STORE_TABLE}_quality_metrics {within}", **span)
    (rows,) = waiting.rows(f"SELECT COUNT(*) AS n, COUNTIF(is_quality_ready) AS ready FROM {STORE_TABLE} {within}", **span)
    assert (found["start"], found["now"]["dates"], found["now"]["rows"]) == (str(start), wanted["n"], rows["n"])
    assert found["now"]["score"] == pytest.approx(wanted["score"], abs=0.005)
    assert found["now"]["ready_share"] == pytest.approx(rows["ready"] / rows["n"], abs=0.0001)
    assert found["upstreams"][0]["job"] == FACTORS and found["upstreams"][0]["gate"] == {"never_ran": 1}
    assert {item["command"] for item in found["durations"]} >= {"run", "backfill"}
    assert waiting.call("review", "--end", str(waiting.tonight)).assert_done().out


def test_the_review_relates_predictions_to_the_quality_of_their_rows(built_site: Site, tmp_path: Path) -> None:
    copy_home(built_site.home, tmp_path / "home")
    site = Site(tmp_path / "home", built_site.dates, built_site.tonight)
    day = site.yesterday
    played = site.rows("SELECT * FROM nba_analytics.player_game_summary WHERE game_date = @d AND is_played ORDER BY player_lookup", d=day)
    spec = contract("nba_predictions.player_prop_predictions")
    tiers, errors = ("gold", "silver"), (2.0, 4.0)
    rows = [
        {
            **{column.name: neutral(column) for column in spec.columns if column.required},
            **{name: box[name] for name in ("player_lookup", "game_id", "game_date")},
            "model_id": "points",
            "quality_tier": tiers[place % 2],
            "quality_alert_level": "green",
            "predicted_value": box["points"] + errors[place % 2],
        }
        for place, box in enumerate(played[:6])
    ]
    warehouse = site.warehouse()
    put(warehouse, spec, rows)
    warehouse.close()
    found = site.call("review", "--end", str(day), "--json").assert_done().json["predictions"]
    told = [(row["quality_tier"], row["predictions"], row["played"], row["mean_error"]) for row in found]
    assert told == [("gold", 3, 3, 2.0), ("silver", 3, 3, 4.0)]
    assert "mean error" in site.call("review", "--end", str(day)).assert_done().out


def neutral(column: Column) -> Any:
    """Return a legal value of a column."""
    if column.values:
        return column.values[0]
    plain: dict[str, Any] = {"STRING": "x", "INT64": 0, "FLOAT64": 0.0, "BOOL": False, "DATE": dt.date(2025, 1, 1)}
    return plain.get(column.type, dt.datetime(2025, 1, 1, tzinfo=dt.UTC))


def put(warehouse: Warehouse, spec: TableContract, rows: list[dict[str, Any]]) -> None:
    """Write rows into a table, whichever way it is kept."""
    if spec.built_by == "record":
        warehouse.record([RecordWrite(spec.name, rows)])
        return
    full = [{name: row.get(name) for name in spec.column_names} for row in rows]
    staged = warehouse.stage_rows(spec, pa.Table.from_pylist(full, schema=arrow_schema(spec)), "planted")
    warehouse.publish([Publication(staged, tuple(staged.partitions))])


def test_a_review_of_days_without_a_build_is_refused(built_site: Site) -> None:
    built_site.call("review", "--end", "2031-01-01").assert_one_line(2, "no_games")


def test_costs_of_the_embedded_warehouse_count_rows_and_seconds(built_site: Site) -> None:
    found = built_site.call("costs", "--json").assert_done().json
    rows = {(item["what"], item["kind"]): item for item in found["items"]}
    (store,) = built_site.rows(f"SELECT COUNT(*) AS n FROM {STORE_TABLE}")
    assert rows[STORE_TABLE, "job"]["rows"] == store["n"]
    assert rows["backfill", "command"]["times"] == 1 and rows["backfill", "command"]["seconds"] > 0
    assert built_site.call("costs", "--days", "1").assert_done().out


@dataclass
class Job:
    labels: dict[str, str] | None
    total_bytes_billed: int | None = None
    slot_millis: int | None = None
    started: dt.datetime | None = None
    ended: dt.datetime | None = None


def test_costs_by_label_count_our_jobs_only() -> None:
    at = dt.datetime(2025, 1, 1, tzinfo=dt.UTC)
    ours = {"app": "nba-features", "what": "stage", "table": "a_b"}
    jobs = [
        Job(ours, 10**9, 5000, at, at + dt.timedelta(seconds=3)),
        Job(ours, 2 * 10**9, 1000, at, at + dt.timedelta(seconds=1)),
        Job({**ours, "what": "load"}, None, None, at, None),
        Job({"app": "another"}, 10**12, 10**6, at, at),
        Job(None, 10**12),
    ]
    first, second = costs_by_label(jobs)
    assert (first.what, first.kind, first.times, first.bytes_billed) == ("a_b", "stage", 2, 3 * 10**9)
    assert (first.slot_seconds, first.seconds) == (6.0, 4.0)
    assert (second.kind, second.times, second.bytes_billed) == ("load", 1, 0)
