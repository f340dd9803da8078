"""The whole chain by commands: ingest, backfill, run, feast apply and materialize, lookup, training set."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from schemas.catalogue import load_catalogue
from schemas.rules import STORE_TABLE
from serving.labels import LABELS
from tests.cli.calling import Answer, call, contents, copy_home, spawn
from tests.cli.conftest import Chain

pytestmark = pytest.mark.slow
SERVICES = tuple(service.name for service in load_catalogue().services)


@pytest.mark.parametrize("step", ["ingest", "backfill", "run", "apply", "materialize", "lookup", "training-set"])
def test_every_step_succeeds(chain: Chain, step: str) -> None:
    answer = chain.answers[step]
    assert answer.status == 0, (answer.out, answer.err)
    assert "Traceback" not in answer.out + answer.err
    if step not in ("apply", "materialize"):
        assert not answer.errors(), answer.err


def test_ingest_accounts_for_every_row(chain: Chain) -> None:
    text = chain.answers["ingest"].out
    (line,) = [line for line in text.splitlines() if " rows in = " in line]
    rows, _, _, _, loaded, _, _, held, *_ = line.split()
    assert int(rows) == int(loaded) + int(held) + int(line.split("+")[2].split()[0]) > 1000
    assert any(part.startswith("[") for part in chain.answers["ingest"].err.splitlines()), "progress is told"


def test_ingest_again_changes_nothing(chain: Chain) -> None:
    before = contents(chain.home)
    again = chain.call(*chain.ingest(), "--json").assert_done().json
    assert all(table["changed"] == 0 for table in again["tables"]) and again["run_id"]
    assert contents(chain.home) == before


def test_every_game_date_and_tonight_are_published(chain: Chain) -> None:
    published = contents(chain.home)[STORE_TABLE]
    assert isinstance(published, dict)
    assert set(published) == {*chain.dates, chain.tonight}
    assert f"rows of {chain.tonight} are published" in chain.answers["run"].out


def test_tonights_slate_has_a_verdict_for_each_and_a_vector_for_the_ready(chain: Chain) -> None:
    found = chain.call("lookup", "--date", str(chain.tonight), "--json").assert_done().json
    verdicts = {answer["verdict"] for answer in found["answers"]}
    assert "ready" in verdicts and verdicts <= {"ready", "not_ready"}
    assert tuple(found["features"]) == load_catalogue().service("points_v3_37features").features
    for answer in found["answers"]:
        assert (answer["vector"] is not None) == (answer["verdict"] == "ready")
        assert answer["vector"] is None or len(answer["vector"]) == 37
    assert "37 features" in chain.answers["lookup"].out


@pytest.mark.parametrize("service", SERVICES)
def test_each_service_is_looked_up_in_its_own_order(chain: Chain, service: str) -> None:
    player = chain.call("lookup", "--date", str(chain.tonight), "--json").json["answers"][0]["player_lookup"]
    words = ("lookup", "--date", str(chain.tonight), "--service", service, "--players", player, "--json")
    found = chain.call(*words).assert_done().json
    assert found["service"] == service and len(found["answers"]) == 1
    assert tuple(found["features"]) == load_catalogue().service(service).features


def test_the_training_set_holds_clean_rows_in_the_models_order(chain: Chain, tmp_path: Path) -> None:
    out = tmp_path / "deep" / "set.parquet"
    words = ("training-set", "--start", str(chain.dates[0]), "--end", str(chain.dates[-1]), "--out", str(out), "--json")
    told = chain.call(*words).assert_done().json
    rows = pq.read_table(out)
    features = load_catalogue().service("points_v3_37features").features
    assert rows.num_rows == told["rows"] == told["rows_considered"] - sum(told["refused"].values()) > 0
    assert tuple(rows.column_names[4:]) == (*features, *LABELS)
    assert rows["points"].null_count == 0
    assert f"{rows.num_columns} columns" in chain.answers["training-set"].out


def dump(home: Path) -> list[str]:
    connection = sqlite3.connect(home / "warehouse" / "catalog.sqlite")
    try:
        return list(connection.iterdump())
    finally:
        connection.close()


@pytest.mark.parametrize("command", ["ingest", "run", "backfill"])
@pytest.mark.parametrize("as_json", [False, True])
def test_a_dry_run_changes_nothing(chain: Chain, command: str, as_json: bool) -> None:
    words = {
        "ingest": chain.ingest(),
        "run": ("run", "--date", str(chain.tonight), "--as-of", chain.as_of),
        "backfill": ("backfill", "--start-date", str(chain.dates[0]), "--end-date", str(chain.dates[3]), "--as-of", chain.as_of),
    }[command]
    files = sorted((chain.home / "warehouse" / "tables").rglob("*"))
    before = dump(chain.home)
    answer: Answer = chain.call(*words, "--dry-run", *(["--json"] if as_json else []))
    assert answer.assert_done().out.strip()
    if as_json:
        assert answer.json
    assert dump(chain.home) == before, "nothing is recorded either"
    assert sorted((chain.home / "warehouse" / "tables").rglob("*")) == files


def test_a_dry_run_prints_the_stages_that_the_run_walks(chain: Chain) -> None:
    words = ("run", "--date", str(chain.tonight), "--as-of", chain.as_of)
    plan = chain.call(*words, "--dry-run").assert_done().out.splitlines()
    assert plan == chain.call(*words, "--dry-run", "--json").json["stages"]
    assert plan[-1].startswith(f"build {STORE_TABLE}, {chain.tonight}: ") and "require the four Phase 4 jobs" in plan[-2]


def test_the_february_case_by_its_exit_statuses(chain: Chain, tmp_path: Path) -> None:
    home = tmp_path / "home"
    copy_home(chain.home, home)
    words = ("run", "--date", str(chain.tonight), "--as-of", chain.as_of, "--skip", "player_composite_factors")
    call(home, *words).assert_one_line(4, "waiting_for_upstream", "player_composite_factors", "--allow-fallback")
    answer = call(home, *words, "--allow-fallback", "--json")
    answer.assert_one_line(3, "blocked", str(chain.tonight), "nothing new is served")
    told = answer.json
    assert (told["error"], told["exit_status"]) == ("blocked", 3) and told["values"]
    found = call(home, "lookup", "--date", str(chain.tonight), "--json").json
    assert found["counts"]["ready"] == 0


def test_a_process_of_its_own_answers_alike(chain: Chain) -> None:
    words = ("lookup", "--date", str(chain.tonight), "--json")
    answer = spawn(chain.home, *words)
    assert answer.assert_done().json == chain.call(*words).json
