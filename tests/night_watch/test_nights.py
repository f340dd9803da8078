"""Nights by command: started three ways, told to predictions once, read as ready only when they are."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from orchestration.announce import announce
from orchestration.completion_handler import _open, handle
from orchestration.outbox import DELIVERIES
from orchestration.outcome import COMPLETIONS
from orchestration.ready import readiness
from orchestration.receivers import Topics
from orchestration.runs import RUNS
from schemas.clock import utc_now
from schemas.contracts import contract
from schemas.rules import STORE_TABLE
from tests.cli.calling import Answer, call
from tests.night_watch.conftest import JOBS
from tests.orchestration.conftest import Season
from tests.orchestration.looking import rows
from warehouse.protocol import Publication, RecordWrite

pytestmark = pytest.mark.slow
FACTORS = "nba_precompute.player_composite_factors"
TOPICS = Topics()


def night(season: Season, *words: str, **others: str) -> Answer:
    as_of = season.as_of.strftime("%Y-%m-%dT%H:%M:%SZ")
    return call(season.settings.home, "run", "--date", str(season.tonight), "--as-of", as_of, *words, **others)


def posted(season: Season, topic: str) -> list[dict[str, Any]]:
    folder = season.settings.home / "outbox" / topic
    return [json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.json"))]


def ready(season: Season, *words: str) -> Answer:
    return call(season.settings.home, "ready", "--date", str(season.tonight), *words)


def test_by_time_the_store_waits_tries_again_and_ends_with_status_4(season: Season, monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    monkeypatch.setattr("time.sleep", slept.append)
    assert night(season, "--only", "phase3").status == 0
    answer = night(season, "--only", "store", "--wait", "--retry", "2", "--every", "5m")
    assert answer.status == 4 and slept == [300.0, 300.0]
    assert [line[:10] for line in answer.err.splitlines() if line.startswith("[wait")] == ["[wait 1/2]", "[wait 2/2]"]
    states = [row["state"] for row in rows(season.warehouse, RUNS) if row["start_date"] == season.tonight]
    assert sorted(states) == ["succeeded", "waiting", "waiting", "waiting"], "one row per try, each with its end"
    events = rows(season.warehouse, "nba_orchestration.data_quality_events", event_type="dependency_gate")
    assert len(events) == 4 and {row["resolution_status"] for row in events} == {"open"}, "one event per job, however often it was seen"

    # Phase 4 delivers while the store sleeps.
    def deliver(_: float) -> None:
        assert night(season, "--only", "phase4").status == 0

    monkeypatch.setattr("time.sleep", deliver)
    assert night(season, "--only", "store", "--wait", "--retry", "1", "--every", "1s").status == 0
    events = rows(season.warehouse, "nba_orchestration.data_quality_events", event_type="dependency_gate")
    assert {row["resolution_status"] for row in events} == {"self_healed"}
    assert ready(season).assert_done().out.startswith(f"{season.tonight}: ready.")


def test_step_by_step_as_the_workflow_does_it_and_told_of_wrong_rows(season: Season) -> None:
    for words in (
        ["phase3"],
        ["team_defense_zone_analysis"],
        ["player_shot_zone_analysis"],
        ["player_composite_factors", "player_daily_cache"],
    ):
        assert night(season, *(part for name in words for part in ("--only", name))).status == 0
    counts = {job.split(".")[1]: len(rows(season.warehouse, job, game_date=season.tonight)) for job in JOBS}
    told = [part for name, count in counts.items() for part in ("--told", f"{name}={count}")]
    wrong = night(season, "--only", "store", *told[:-1], told[-1] + "1")
    assert wrong.status == 4 and "rows changed since" in wrong.err
    assert night(season, "--only", "store", *told).status == 0
    assert call(season.settings.home, "materialize", "--date", str(season.tonight), "--json").json["rows"] > 0
    assert ready(season).status == 0


def test_predictions_are_told_once_of_each_successful_build(season: Season) -> None:
    assert night(season).status == 0
    (message,) = posted(season, TOPICS.success)
    assert (message["processor"], message["analysis_date"], message["status"]) == ("ml_feature_store_v2", str(season.tonight), "success")
    assert message["row_count"] == len(rows(season.warehouse, STORE_TABLE, game_date=season.tonight)) and message["quality_score"] >= 75
    # Whoever looks again finds nothing new to tell.
    assert announce(season.warehouse, season.tonight, utc_now(), TOPICS) == []
    assert night(season, "--skip", "player_composite_factors", "--only", "phase3").status == 0
    assert len(posted(season, TOPICS.success)) == 1
    assert night(season).status == 0
    assert len(posted(season, TOPICS.success)) == 2
    # A run that died before it could tell is told of by the next.
    season.warehouse.record([RecordWrite(DELIVERIES, [], clear={"target": [TOPICS.success]})])
    assert len(announce(season.warehouse, season.tonight, utc_now(), TOPICS)) == 1


def test_a_blocked_night_tells_predictions_nothing(season: Season) -> None:
    answer = night(season, "--skip", "player_composite_factors", "--allow-fallback")
    assert answer.status == 3 and not posted(season, TOPICS.success)
    found = ready(season)
    assert found.status == 3 and "not ready: the gate of the store has blocked the date" in found.out


@pytest.fixture
def surroundings(season: Season, monkeypatch: pytest.MonkeyPatch) -> Iterator[Season]:
    for name in [name for name in os.environ if name.startswith("NBA_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("NBA_FEATURES_HOME", str(season.settings.home))
    yield season
    for opened in _open.values():
        opened.close()
    _open.clear()


def test_by_event_our_own_jobs_announce_and_the_handler_starts_the_store_once(surroundings: Season) -> None:
    season = surroundings
    import functions_framework
    from cloudevents.http import CloudEvent  # the class the framework hands to a function

    from tests.house.tree import ROOT

    assert night(season, "--only", "phase3").status == 0
    assert night(season, "--only", "phase4", "--announce").status == 0
    told = posted(season, TOPICS.completions)
    assert {message["processor"] for message in told} == {job.split(".")[1] for job in JOBS}
    client = functions_framework.create_app("completed", str(ROOT / "deploy" / "completions" / "main.py")).test_client()
    for message in [*told, *told[::-1]]:
        import base64

        data = {"message": {"data": base64.b64encode(json.dumps(message).encode()).decode(), "messageId": "1"}}
        event = {"id": "1", "source": "//pubsub", "specversion": "1.0", "type": "google.cloud.pubsub.topic.v1.messagePublished"}
        answer = client.post("/", json={**event, "data": data}, headers={"Content-Type": "application/cloudevents+json"})
        assert answer.status_code == 200, answer.data
    (start,) = posted(season, TOPICS.trigger)
    counts = [part for name, facts in start["upstream_completions"].items() for part in ("--told", f"{name}={facts['row_count']}")]
    assert night(season, "--only", "store", *counts).status == 0
    assert ready(season).status == 0
    reaction, _ = handle(CloudEvent({"type": "x", "source": "y"}, {**told[0]}))
    assert reaction.store == "already_built" and len(posted(season, TOPICS.trigger)) == 1


def spoiled(season: Season, monkeypatch: pytest.MonkeyPatch, **changed: Any) -> None:
    table = f"{STORE_TABLE}_quality_metrics"
    (row,) = rows(season.warehouse, table, game_date=season.tonight)
    season.warehouse.record([RecordWrite(table, [{**row, **changed}])])


def test_ready_says_what_is_wrong_with_rows_that_are_there(season: Season, monkeypatch: pytest.MonkeyPatch) -> None:
    early = ready(season)
    assert early.status == 4 and "has not been built" in early.out
    assert night(season).status == 0
    assert ready(season, "--min-score", "99.99").status == 3
    assert ready(season).status == 0
    (good,) = rows(season.warehouse, f"{STORE_TABLE}_quality_metrics", game_date=season.tonight)
    for changed, word in (
        ({"quality_score": 74.99}, "batch score 74.99 is below 75"),
        ({"data_age_game_days": 3}, "3 game days old"),
        ({"row_count": 1}, "not on record"),
        ({"fate": "blocked"}, "not on record"),
    ):
        spoiled(season, monkeypatch, **changed)
        answer = ready(season)
        assert answer.status == 3 and word in answer.out, (changed, answer.out)
        spoiled(season, monkeypatch, **good)
    assert readiness(season.warehouse, season.tonight).state == "ready"

    # A job that delivers after the store was built makes its rows yesterday's.
    assert night(season, "--only", "player_daily_cache").status == 0
    late = ready(season)
    assert late.status == 4 and "player_daily_cache completed after the store was built" in late.out
    assert night(season, "--only", "store").status == 0 and ready(season).status == 0

    # Rows that no gate let pass.
    spec = contract(STORE_TABLE)
    table = season.warehouse.query(f"SELECT * FROM {STORE_TABLE} WHERE game_date = @d", {"d": season.tonight})
    staged = season.warehouse.stage_rows(spec, table.slice(1).select(list(spec.column_names)), "elsewhere")
    season.warehouse.publish([Publication(staged, (season.tonight,))])
    behind = ready(season)
    assert behind.status == 3 and "not those the gate let pass" in behind.out


def test_a_degraded_night_says_so_everywhere(season: Season) -> None:
    """Without the daily cache Phase 3 stands in; the run, the event, the score and readiness name it."""
    assert night(season, "--only", "phase3").status == 0
    skip = "player_daily_cache"
    answer = night(season, "--skip", skip, "--allow-fallback")
    (record,) = [row for row in rows(season.warehouse, RUNS) if 'allow_fallback": true' in row["command"]]
    (event,) = rows(season.warehouse, "nba_orchestration.data_quality_events", event_type="dependency_gate")
    assert (event["severity"], event["fate"], event["reason_code"]) == ("P2", "warned", f"never_ran:nba_precompute.{skip}")
    assert answer.status == 0 and record["state"] == "succeeded"
    assert record["detail"].startswith(f"degraded: {skip}: never ran") and "degraded" in answer.out
    assert event["resolution_status"] == "open"
    found = ready(season)
    assert f"note: built without {skip} (never_ran)" in found.out
    (metrics,) = rows(season.warehouse, f"{STORE_TABLE}_quality_metrics", game_date=season.tonight)
    assert metrics["fallback_share"] > 0.5 and metrics["jobs_succeeded"] == 3 and metrics["severity"] in ("P0", "P1")


def test_options_that_do_not_belong_together_and_days_without_games(season: Season, tmp_path: Path) -> None:
    home = season.settings.home
    assert night(season, "--retry", "2").status == 2
    assert night(season, "--wait", "--every", "9d").status == 2
    assert night(season, "--told", "player_daily_cache").status == 2
    assert night(season, "--only", "nobody").status == 2
    off_day = "2024-07-15"
    for command in ("run", "monitor", "materialize"):
        assert call(home, command, "--date", off_day).status == 2
        assert call(home, command, "--date", off_day, "--if-games").status == 0
        told = call(home, command, "--date", off_day, "--if-games", "--json")
        assert (told.status, told.json["skipped"], told.json["values"]) == (0, "no_games", [off_day])
    assert call(home, "materialize", "--date", str(season.tonight)).status == 3
    done = {row["job"] for row in rows(season.warehouse, COMPLETIONS, game_date=season.tonight)}
    assert not done & {*JOBS, STORE_TABLE}
