"""Explanations of players, features and seasons; what is normal is told as normal, and nothing is changed by asking."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator

import pytest

from schemas.rules import STORE_TABLE, load_rules
from tests.cli.calling import contents, copy_home
from tests.explain.conftest import Site
from tests.explain.faults import FACTORS

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def broken(built_site: Site, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The night that was built without composite factors, and is blocked."""
    home = tmp_path_factory.mktemp("broken") / "home"
    copy_home(built_site.home, home)
    site = Site(home, built_site.dates, built_site.tonight)
    assert site.run("--skip", "player_composite_factors", "--allow-fallback").status == 3
    before = contents(home)
    yield site
    assert contents(home) == before


def test_FM08_a_player_of_a_blocked_date(broken: Site) -> None:
    player = broken.rows(f"SELECT player_lookup FROM {STORE_TABLE}_blocked ORDER BY player_lookup")[0]["player_lookup"]
    answer = broken.call("explain", "--player", player, "--date", str(broken.tonight), "--json").assert_done()
    found = answer.json
    assert not found["is_ready"] and "the whole date is blocked" in found["headline"]
    assert {item["table"] for item in found["missing"] if item["is_failure"]} == {FACTORS}
    assert [cause["subject"] for cause in found["causes"]] == [FACTORS]
    assert found["commands"] == [f"nba-features run --date {broken.tonight} --as-of {broken.as_of}"]


def test_FM18_a_missing_line_and_a_short_history_are_normal(broken: Site) -> None:
    rules = load_rules()
    sql = (
        f"SELECT player_lookup FROM {STORE_TABLE} WHERE game_date = @date AND has_vegas_line = 0 AND failure_default_count = 0"
        " AND is_quality_ready ORDER BY player_lookup"
    )
    player = broken.rows(sql, date=broken.dates[-1])[0]["player_lookup"]
    found = broken.call("explain", "--player", player, "--date", str(broken.dates[-1]), "--json").assert_done().json
    assert found["is_ready"] and found["causes"] == [] and "normal" in found["headline"]
    assert {item["reason"] for item in found["missing"]} <= set(rules.structural_reasons)


def test_a_date_with_nothing_but_what_is_normal_has_no_cause(broken: Site) -> None:
    for date in broken.dates:
        found = broken.explained(date)
        assert found.severity is None, (date, found.causes)
        assert found.state in ("published", "warned") and found.rows > 0


def test_a_player_without_a_row_is_told_why(broken: Site) -> None:
    teams = broken.rows("SELECT DISTINCT team_abbr FROM nba_analytics.upcoming_team_game_context WHERE game_date = @d", d=broken.tonight)
    playing = [row["team_abbr"] for row in teams]
    sql = "SELECT player_lookup FROM nba_analytics.player_game_summary WHERE team_abbr NOT IN UNNEST(@teams) AND is_played ORDER BY 1"
    player = broken.rows(sql, teams=playing)[0]["player_lookup"]
    found = broken.call("explain", "--player", player, "--date", str(broken.tonight)).assert_done()
    assert "has no row on" in found.out and "does not play" in found.out


def test_unknown_names_are_refused_with_a_hint(broken: Site) -> None:
    date = ("--date", str(broken.tonight))
    broken.call("explain", "--player", "nobodyatall", *date).assert_one_line(2, "unknown_name", "nobodyatall")
    broken.call("explain", "--feature", "fatigue", *date).assert_one_line(2, "unknown_name", "fatigue")
    broken.call("explain", "--season", "1999-00").assert_one_line(2, "unknown_name", "1999-00")
    broken.call("explain").assert_one_line(2, "usage", "--date or --season")
    broken.call("explain", "--season", "2024-25", *date).assert_one_line(2, "usage")
    broken.call("explain", "--player", "a", "--feature", "b", *date).assert_one_line(2, "usage")
    idle = next(day for n in range(60) if (day := broken.dates[0] - dt.timedelta(days=n)) not in broken.dates)
    broken.call("explain", "--date", str(idle)).assert_one_line(2, "no_games")


def test_FM08_a_feature_whose_job_did_not_run(broken: Site) -> None:
    found = broken.call("explain", "--feature", "fatigue_score", "--date", str(broken.tonight), "--json").assert_done().json
    assert found["sources"] == {"default": len(broken.rows(f"SELECT 1 AS one FROM {STORE_TABLE}_blocked"))}
    assert [cause["subject"] for cause in found["causes"]] == [FACTORS] and found["values"]["mean"] is None
    fine = broken.call("explain", "--feature", "points_avg_last_5", "--date", str(broken.tonight), "--json").assert_done().json
    assert fine["causes"] == [] and fine["values"]["mean"] is not None


def test_FM08_a_season_names_each_cause_once_with_its_dates(broken: Site) -> None:
    found = broken.call("explain", "--season", "2024-25", "--json").assert_done().json
    causes = {(cause["code"], cause["subject"]): cause for cause in found["causes"]}
    assert len(causes) == len(found["causes"])
    assert causes["job_left_out", FACTORS]["dates"] == [str(broken.tonight)]
    never = next(cause for (code, _), cause in causes.items() if code == "never_ran")
    assert str(broken.tonight) not in never["dates"] and len(never["dates"]) > 1
    assert found["states"]["blocked"] == 1
