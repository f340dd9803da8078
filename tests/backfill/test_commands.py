"""The commands of this part as their users type them."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

import pytest
from click.testing import CliRunner, Result

from cli.main import main
from orchestration.outcome import LEDGER
from schemas.rules import STORE_TABLE
from tests.backfill.site import Site, with_values
from warehouse.protocol import RecordWrite

CACHE = "nba_precompute.player_daily_cache"


@pytest.fixture
def type_in(site: Site, monkeypatch: pytest.MonkeyPatch):  # type: ignore[no-untyped-def]
    """Return a function that runs `nba-features` with these words on the site's home."""
    monkeypatch.setenv("NBA_FEATURES_HOME", str(site.settings.home))
    monkeypatch.setattr("backfill.runner.present_code_version", lambda: "tests")

    def run(*words: str) -> Result:
        return CliRunner().invoke(main, list(words))

    return run


def as_of(site: Site) -> tuple[str, str]:
    return "--as-of", site.now.isoformat()


def test_a_plan_shows_asked_and_effective_range_and_counts_by_table(site: Site, type_in: Any) -> None:
    result = type_in("backfill", "--plan", "--start-date", "2024-11-01", "--end-date", "2030-01-01", *as_of(site))
    assert result.exit_code == 0, result.output
    assert "asked 2024-11-01 to 2030-01-01, effective 2024-11-01 to 2024-12-07" in result.output
    assert "0 stages, about 0 rows" in result.output
    report = json.loads(type_in("backfill", "--dry-run", "--json", *as_of(site)).output)
    assert report["dates"] == len(site.dates())
    store = next(row for row in report["tables"] if row["table"] == STORE_TABLE)
    assert (store["expected"], store["present"], store["order"]) == (len(site.dates()), len(site.dates()), "independent")


def test_a_backfill_says_what_it_did_and_what_it_found_verified(site: Site, type_in: Any) -> None:
    date = site.dates()[-1]
    site.warehouse.record([RecordWrite(LEDGER, [], clear={"table_name": [CACHE], "game_date": [date]})])
    result = type_in("backfill", "--dates", str(date), *as_of(site))
    assert result.exit_code == 0, result.output
    assert "1 dates of 10 tables are verified" in result.output
    status = json.loads(type_in("backfill", "--status", "--json").output)
    assert (status["state"], status["done"]) == ("succeeded", status["stages"])
    assert "there was nothing to do" in type_in("backfill", *as_of(site)).output


def test_what_is_not_verified_is_listed_with_exit_status_5(site: Site, type_in: Any) -> None:
    date = site.dates()[-1]
    row = site.warehouse.query(f"SELECT * FROM {LEDGER} WHERE table_name = @t AND game_date = @d", {"t": CACHE, "d": date}).to_pylist()[0]
    site.warehouse.record([RecordWrite(LEDGER, [{**row, "state": "blocked", "reasons": "planted"}])])
    result = type_in("backfill", *as_of(site))
    assert result.exit_code == 5
    assert f"not verified: {CACHE} {date}, blocked: planted" in result.output


def test_a_second_backfill_exits_with_1_and_a_name(site: Site, type_in: Any) -> None:
    low, high = dt.date(2020, 1, 1), dt.date(2030, 1, 1)
    with site.warehouse.lease("backfill", low, high, "backfill of the night"):
        result = type_in("backfill", *as_of(site))
    assert result.exit_code == 1
    assert "lease_held" in result.output
    assert "backfill of the night" in result.output


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--season", "2024-25", "--start-date", "2024-11-01"), "different things"),
        (("--dates", "2024-11-0x"), "2024-11-0x"),
        (("--season", "1999-00"), "1999-00"),
        (("--start-date", "2024-12-01", "--end-date", "2024-11-01"), "ends before it starts"),
        (("--cascade-auto", "--dates", "2024-11-08"), "different things"),
    ],
)
def test_a_request_that_cannot_be_meant_exits_with_2(site: Site, type_in: Any, words: tuple[str, ...], said: str) -> None:
    result = type_in("backfill", *words, *as_of(site))
    assert result.exit_code == 2, result.output
    assert said in result.output


def test_a_cascade_is_shown_before_it_runs(site: Site, type_in: Any) -> None:
    assert "no raw data has changed since it was built" in type_in("backfill", "--cascade-auto", "--plan", *as_of(site)).output
    date = dt.date(2024, 11, 8)
    site.replace("nba_raw.player_boxscores", date, lambda rows: with_values(rows, "points", {0: (rows["points"][0].as_py() or 0) + 5}))
    result = type_in("backfill", "--cascade-auto", "--plan", *as_of(site))
    assert result.exit_code == 0, result.output
    assert "1 players" in result.output
    assert "store rows hold it" in result.output
    report = json.loads(type_in("backfill", "--cascade-from", str(date), "--plan", "--json", *as_of(site)).output)
    assert str(date) in report["dates"]
    assert all(row["game_date"] >= str(date) for row in report["rows"])


def test_completeness_counts_rows_and_names_players(site: Site, type_in: Any) -> None:
    dates = site.dates()
    result = type_in("completeness", "--start", str(dates[0]), "--end", str(dates[-1]))
    assert result.exit_code == 0, result.output
    assert f"{len(dates)} dates, {len(site.store_rows())} rows" in result.output
    assert "0 gaps" in result.output
    assert type_in("completeness", "--start", "1999-01-01", "--end", "1999-02-01").exit_code == 2


def test_the_doctor_prints_its_plan_and_walks_it(site: Site, type_in: Any) -> None:
    assert type_in("doctor").output == "everything agrees\n"
    stray = dt.date(2024, 8, 1)
    rows = site.warehouse.query(
        f"SELECT * REPLACE (DATE '{stray}' AS game_date) FROM {CACHE} WHERE game_date = @date", {"date": site.dates()[0]}
    )
    site.replace(CACHE, stray, lambda none: rows.cast(none.schema))
    found = type_in("doctor")
    assert found.exit_code == 5
    assert f"take {stray} out of {CACHE}" in found.output
    assert stray in site.warehouse.partitions(CACHE)
    mended = type_in("doctor", "--repair")
    assert mended.exit_code == 0, mended.output
    assert stray not in site.warehouse.partitions(CACHE)
