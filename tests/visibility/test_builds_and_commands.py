"""What a build leaves on record, published or blocked, and what the commands say of it."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable
from typing import Any

import pytest
from click.testing import CliRunner, Result

from cli.main import main
from orchestration.build import build_table
from orchestration.plan import summaries
from quality.player_summary import player_summary
from quality.summary import quality_summary
from quality.table_audit import Audited, audit_tables
from schemas.arrow_types import arrow_schema
from schemas.clock import EASTERN, UTC
from schemas.contracts import contract
from schemas.rules import STORE_TABLE, load_rules
from tests.orchestration.conftest import Season
from tests.orchestration.spoiling import spoil
from warehouse.protocol import Publication

COMPOSITE, CACHE = "nba_precompute.player_composite_factors", "nba_precompute.player_daily_cache"
SHOTS, SLATE = "nba_precompute.player_shot_zone_analysis", "nba_analytics.upcoming_team_game_context"
SUMMARY, OFFENSE = "nba_analytics.player_game_summary", "nba_analytics.team_offense_game_summary"
ROSTER, DEFENSE = "nba_analytics.upcoming_player_game_context", "nba_precompute.team_defense_zone_analysis"
DETAIL = "nba_predictions.feature_quality_detail"
EVENTS = "nba_orchestration.data_quality_events"
Nba = Callable[..., Result]


@pytest.fixture
def nba(season: Season, monkeypatch: pytest.MonkeyPatch) -> Nba:
    monkeypatch.setenv("NBA_FEATURES_HOME", str(season.settings.home))
    as_of = season.as_of.isoformat()

    def call(*words: str) -> Result:
        return CliRunner().invoke(main, [word.replace("AS_OF", as_of) for word in words])

    return call


def ask(season: Season, sql: str, **params: Any) -> list[dict[str, Any]]:
    return season.warehouse.query(sql, params).to_pylist()


def lose(season: Season, table: str, date: dt.date) -> None:
    """Take the rows of a date out of a table."""
    empty = season.warehouse.stage_rows(contract(table), arrow_schema(contract(table)).empty_table(), "lost")
    season.warehouse.publish([Publication(empty, (date,))])


# -- the build ---------------------------------------------------------------------------------------------------------


def test_the_detail_is_published_with_the_store_row_and_equal_to_it(season: Season) -> None:
    date = season.dates[-1]
    (counted,) = ask(season, f"SELECT COUNT(*) AS n, COUNT(DISTINCT run_id) AS runs FROM {DETAIL} WHERE game_date = @day", day=date)
    stored = season.warehouse.partitions(STORE_TABLE, date, date)[date].rows
    assert counted == {"n": 37 * stored, "runs": 1}
    built = build_table(season.warehouse, STORE_TABLE, [date], season.run())
    assert built.published == (date,)
    (after,) = ask(
        season,
        f"SELECT COUNT(*) AS n, MIN(run_id) AS run_id, MIN(computation_duration_ms) AS ms FROM {DETAIL} WHERE game_date = @day",
        day=date,
    )
    (store,) = ask(season, f"SELECT MIN(run_id) AS run_id FROM {STORE_TABLE} WHERE game_date = @day", day=date)
    (log,) = ask(season, f"SELECT * FROM {STORE_TABLE}_execution_log WHERE run_id = @run", run=store["run_id"])
    assert (after["n"], after["run_id"]) == (37 * stored, store["run_id"])
    # The time is the statement's own, measured, and shared by its rows.
    assert after["ms"] == pytest.approx(1000 * log["statement_seconds"] / stored)


def test_FM40_blocked_rows_take_their_detail_with_them(season: Season) -> None:
    date, run = season.dates[-1], season.run()
    lose(season, COMPOSITE, date)
    built = build_table(season.warehouse, STORE_TABLE, [date], run)
    assert set(built.blocked[date]) == {"matchup_mean", "red_share"}
    (published,) = ask(
        season, f"SELECT COUNT(*) AS n, COUNTIF(run_id = @run) AS mine FROM {DETAIL} WHERE game_date = @day", day=date, run=run.run_id
    )
    rows = season.warehouse.partitions(STORE_TABLE, date, date)[date].rows
    assert published == {"n": 37 * rows, "mine": 0}
    reasons = ask(
        season,
        f"SELECT fallback_reason, COUNT(DISTINCT feature_name) AS features FROM {DETAIL}_blocked "
        "WHERE game_date = @day AND feature_index BETWEEN 5 AND 8 GROUP BY 1",
        day=date,
    )
    assert reasons == [{"fallback_reason": "composite_factors_missing", "features": 4}]
    both = ask(season, "SELECT is_blocked, row_count FROM nba_predictions.v_quality_daily WHERE game_date = @day ORDER BY 1", day=date)
    assert [row["is_blocked"] for row in both] == [False, True]
    # Made again with its input, the date is published and what was set aside is gone.
    build_table(season.warehouse, COMPOSITE, [date], season.run())
    assert build_table(season.warehouse, STORE_TABLE, [date], season.run()).published == (date,)
    assert ask(season, f"SELECT COUNT(*) AS n FROM {DETAIL}_blocked") == [{"n": 0}]


def test_every_build_has_its_batch_score_blocked_ones_too(season: Season) -> None:
    metrics = ask(season, f"SELECT * FROM {STORE_TABLE}_quality_metrics ORDER BY game_date")
    assert [row["game_date"] for row in metrics] == list(season.dates)
    points = load_rules().batch.components
    for row in metrics:
        assert row["quality_score"] == pytest.approx(sum(row[f"{name}_score"] for name in points))
        assert row["band"] == load_rules().batch_band(row["quality_score"])
    last = metrics[-1]
    assert (last["fate"] in ("published", "warned"), last["severity"], last["jobs_succeeded"]) == (True, None, 4)
    assert last["is_prediction_ready"]
    date = season.dates[-1]
    lose(season, COMPOSITE, date)
    build_table(season.warehouse, STORE_TABLE, [date], season.run())
    (blocked,) = ask(season, f"SELECT * FROM {STORE_TABLE}_quality_metrics WHERE game_date = @day", day=date)
    assert (blocked["fate"], blocked["is_prediction_ready"], blocked["phase4_availability_score"]) == ("blocked", False, 0.0)
    assert blocked["severity"] == "P1" and blocked["row_count"] == last["row_count"]
    logs = ask(season, f"SELECT fate, reasons FROM {STORE_TABLE}_execution_log WHERE game_date = @day ORDER BY started_at", day=date)
    assert len(logs) == 2 and (logs[1]["fate"], logs[1]["reasons"]) == ("blocked", "matchup_mean,red_share")


def test_FM08_the_log_says_which_job_the_build_went_without(season: Season) -> None:
    date, run = season.dates[-1], season.run()
    tracked = ask(season, f"SELECT job, is_available FROM {STORE_TABLE}_dependency_tracking WHERE game_date = @day", day=date)
    assert {row["job"] for row in tracked} == set(load_rules().phase4_jobs) and all(row["is_available"] for row in tracked)
    failing = season.run()
    with pytest.raises(ZeroDivisionError), pytest.MonkeyPatch.context() as patched:
        patched.setattr(season.warehouse, "stage_query", lambda *_, **__: 1 / 0)
        build_table(season.warehouse, COMPOSITE, [date], failing)
    build_table(season.warehouse, STORE_TABLE, [date], run)
    rows = ask(season, f"SELECT job, is_available, status FROM {STORE_TABLE}_dependency_tracking WHERE run_id = @run", run=run.run_id)
    assert {row["job"]: row["status"] for row in rows if not row["is_available"]} == {COMPOSITE: "failed"}


def test_events_are_typed_open_and_closed_by_the_build_that_mends_them(season: Season, monkeypatch: pytest.MonkeyPatch) -> None:
    date, run = season.dates[-1], season.run()
    with monkeypatch.context() as patched:
        spoil(season.warehouse, patched, COMPOSITE, fatigue_score="-3.0")
        assert "range:fatigue_score" in build_table(season.warehouse, COMPOSITE, [date], run).blocked[date]
    sql = f"SELECT * FROM {EVENTS} WHERE table_name = @table AND reason_code = 'range:fatigue_score'"
    (event,) = ask(season, sql, table=COMPOSITE)
    assert (event["event_type"], event["severity"], event["fate"], event["resolution_status"]) == ("table_gate", "P1", "blocked", "open")
    assert (event["metric_name"], event["threshold"], event["columns"], event["run_id"]) == (
        "rows_violating",
        0.0,
        "fatigue_score",
        run.run_id,
    )
    assert event["metric_value"] == season.warehouse.partitions(COMPOSITE, date, date)[date].rows
    build_table(season.warehouse, COMPOSITE, [date], season.run())
    (healed,) = ask(season, sql, table=COMPOSITE)
    assert healed["resolution_status"] == "self_healed" and healed["resolved_at"] is not None
    assert {key: value for key, value in healed.items() if "resol" not in key} == {k: v for k, v in event.items() if "resol" not in k}


# -- planted faults, each with the reason that names table and column --------------------------------------------------

PLANTED = {
    "FM22_adjustment_for_score": (COMPOSITE, {"fatigue_score": "-3.0"}, {"range:fatigue_score", "nobody_fresh:fatigue_score"}),
    "FM22_adjustment_of_zero": (COMPOSITE, {"fatigue_score": "0.0"}, {"nobody_fresh:fatigue_score"}),
    "FM23_absence_as_zero_points": (SUMMARY, {"minutes": "CAST(NULL AS FLOAT64)"}, {"played_contradicts_box:is_played"}),
    "FM23_zero_points_as_absence": (SUMMARY, {"is_played": "points > 0"}, {"played_contradicts_box:is_played"}),
    "FM25_window_off": (CACHE, {"games_in_last_7_days": "24"}, {"more_games_than_days:games_in_last_7_days"}),
    "FM27_share_for_percentage": (
        SHOTS,
        {name: f"{name} / 100" for name in ("paint_rate_last_10", "mid_range_rate_last_10", "three_pt_rate_last_10")},
        {"rates_do_not_sum:paint_rate_last_10"},
    ),
    "FM28_zones_of_two_sources": (SHOTS, {"paint_rate_last_10": "paint_rate_last_10 + 7"}, {"rates_do_not_sum:paint_rate_last_10"}),
    "FM31_rest_told_twice": (SLATE, {"back_to_back": "days_rest != 0"}, {"back_to_back_contradicts_rest:back_to_back"}),
    "FM38_one_sign_for_both": (SLATE, {"spread": "ABS(spread) + 1"}, {"spreads_do_not_cancel:spread"}),
    "FM37_flag_never_set": (OFFENSE, {"win_flag": "FALSE"}, {"winner_contradicts_points:win_flag", "one_winner_per_game:win_flag"}),
    "other_scale": (DEFENSE, {"paint_pct_allowed": "100 * paint_pct_allowed"}, {"not_a_share:paint_pct_allowed"}),
}  # fmt: skip


@pytest.mark.parametrize("name", PLANTED)
def test_FM22_FM23_FM27_FM28_FM38_a_planted_fault_blocks_with_its_reason(
    season: Season, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    table, columns, due = PLANTED[name]
    spoil(season.warehouse, monkeypatch, table, **columns)
    built = build_table(season.warehouse, table, [season.dates[-1]], season.run())
    assert due <= set(built.blocked[season.dates[-1]])


def test_FM38_spreads_that_are_all_zero_block_a_slate_of_some_size(season: Season) -> None:
    rows = season.warehouse.query(f"SELECT * FROM {SLATE} WHERE spread IS NOT NULL").cast(arrow_schema(contract(SLATE)))
    date, at = season.dates[-1], rows.column_names.index("game_date")
    import pyarrow as pa

    many = rows.slice(0, 12)
    keys = pa.array([f"T{n:02d}" for n in range(12)])
    many = many.set_column(at, "game_date", pa.array([date] * 12)).set_column(many.column_names.index("team_abbr"), "team_abbr", keys)
    zero = many.set_column(many.column_names.index("spread"), "spread", pa.array([0.0] * 12))
    staged = season.warehouse.stage_rows(contract(SLATE), zero, "planted")
    report = audit_tables(season.warehouse, [Audited(SLATE, staged)], [date])
    assert "spread_always_zero:spread" in report.verdicts[date].reasons


def test_FM24_boxes_whose_minutes_were_lost_block_what_is_made_of_them(season: Season) -> None:
    import pyarrow as pa

    date, source = season.dates[-1], "nba_raw.player_boxscores"
    rows = season.warehouse.query(f"SELECT * FROM {source} WHERE game_date = @day", {"day": date}).cast(arrow_schema(contract(source)))
    lost = rows.set_column(rows.column_names.index("minutes"), "minutes", pa.nulls(rows.num_rows, pa.float64()))
    season.warehouse.publish([Publication(season.warehouse.stage_rows(contract(source), lost, "planted"), (date,))])
    built = build_table(season.warehouse, SUMMARY, [date], season.run())
    assert f"{source}:half_a_box:minutes" in built.blocked[date]


def test_FM37_a_flag_that_never_changes_blocks_once_there_are_dates_enough(season: Season, monkeypatch: pytest.MonkeyPatch) -> None:
    import dataclasses

    import quality.table_audit as audit

    rules = load_rules()
    few = dataclasses.replace(rules, gate=dataclasses.replace(rules.gate, constant_min_dates=10))
    monkeypatch.setattr(audit, "load_rules", lambda: few)
    table, dates = ROSTER, list(season.dates)
    assert not audit_tables(season.warehouse, [Audited(table)], dates).blocked
    rows = season.warehouse.query(f"SELECT * FROM {table}").cast(arrow_schema(contract(table)))
    import pyarrow as pa

    for column, value, code in (("home_game", False, "constant:home_game"), ("last_game_date", None, "never_filled:last_game_date")):
        planted = rows.set_column(
            rows.column_names.index(column), column, pa.array([value] * rows.num_rows, rows.schema.field(column).type)
        )
        staged = season.warehouse.stage_rows(contract(table), planted, "planted")
        report = audit_tables(season.warehouse, [Audited(table, staged)], dates)
        assert report.blocked == tuple(dates)
        assert {reason for date in dates for reason in report.verdicts[date].reasons} == {code}
    # With fewer dates than the rule asks for nothing can be said.
    assert not audit_tables(season.warehouse, [Audited(table)], dates[:3]).blocked


def test_FM19_a_fall_of_coverage_against_the_days_before_warns_and_is_recorded(season: Season) -> None:
    date = season.dates[-1]
    before = ask(season, "SELECT AVG(has_vegas_line) AS share FROM " + STORE_TABLE + " WHERE game_date < @day", day=date)[0]["share"]
    assert before > load_rules().gate.coverage_drop_max
    lose(season, "nba_raw.odds_player_points", date)
    built = build_table(season.warehouse, STORE_TABLE, [date], season.run())
    assert built.published == (date,)
    found = {event["reason_code"]: event for event in built.events}
    event = found["coverage_drop:vegas_points_line"]
    assert (event["severity"], event["fate"], event["metric_value"]) == ("P3", "warned", 0.0)


# -- the commands ------------------------------------------------------------------------------------------------------


def test_FM08_run_without_a_job_waits_with_exit_4_and_an_event(season: Season, nba: Nba) -> None:
    result = nba("run", "--date", str(season.tonight), "--as-of", "AS_OF", "--skip", "player_composite_factors")
    assert result.exit_code == 4, result.output
    (event,) = ask(season, f"SELECT * FROM {EVENTS} WHERE event_type = 'dependency_gate'")
    assert (event["reason_code"], event["game_date"], event["fate"]) == (f"never_ran:{COMPOSITE}", season.tonight, "blocked")
    (run,) = ask(season, "SELECT state FROM nba_orchestration.pipeline_runs WHERE run_id = @run", run=event["run_id"])
    assert run["state"] == "waiting"


def test_FM55_run_with_a_broken_gate_exits_3_and_publishes_nothing(season: Season, nba: Nba, monkeypatch: pytest.MonkeyPatch) -> None:
    from quality import gx_duckdb

    monkeypatch.setattr(gx_duckdb, "validate", lambda *_: 1 / 0)
    result = nba("run", "--date", str(season.tonight), "--as-of", "AS_OF")
    assert result.exit_code == 3, result.output
    assert "gate_error" in result.output and len(result.stderr.strip().splitlines()[-1:]) == 1
    assert not season.warehouse.partitions(STORE_TABLE, season.tonight, season.tonight)
    events = ask(season, f"SELECT severity, fate FROM {EVENTS} WHERE reason_code = 'gate_error'")
    assert events and all((row["severity"], row["fate"]) == ("P0", "blocked") for row in events)


def test_validate_passes_what_is_published_and_finds_what_was_changed_since(season: Season, nba: Nba) -> None:
    first, last = str(season.dates[0]), str(season.dates[-1])
    clean = nba("validate", "--start", first, "--end", last, "--json")
    assert clean.exit_code == 0, clean.output
    told = json.loads(clean.stdout)
    assert told["failed"] == [] and {item["table"] for item in told["tables"]} >= {STORE_TABLE, COMPOSITE, "nba_raw.shots"}
    assert all(item["checks"] >= 5 for item in told["tables"] if item["dates"])
    import pyarrow as pa

    date = season.dates[-1]
    rows = season.warehouse.query(f"SELECT * FROM {COMPOSITE} WHERE game_date = @day", {"day": date}).cast(
        arrow_schema(contract(COMPOSITE))
    )
    bad = rows.set_column(rows.column_names.index("fatigue_score"), "fatigue_score", pa.array([-1.0] * rows.num_rows))
    season.warehouse.publish([Publication(season.warehouse.stage_rows(contract(COMPOSITE), bad, "planted"), (date,))])
    lose(season, "nba_predictions.feature_quality_sources", date)
    found = nba("validate", "--start", last, "--end", last)
    assert found.exit_code == 3
    assert "range:fatigue_score" in found.output and "companion_rows_differ:feature_quality_sources" in found.output
    events = ask(season, f"SELECT reason_code, fate FROM {EVENTS} WHERE event_type = 'revalidation' AND severity != 'P3'")
    assert {"range:fatigue_score", "companion_rows_differ:feature_quality_sources"} <= {row["reason_code"] for row in events}
    assert {row["fate"] for row in events} == {None}


def test_FM08_quality_points_at_date_category_feature_and_reason(season: Season, nba: Nba) -> None:
    date = season.dates[-1]
    lose(season, COMPOSITE, date)
    build_table(season.warehouse, STORE_TABLE, [date], season.run())
    found = quality_summary(season.warehouse, season.dates[0], season.dates[-1])
    assert found is not None
    worst = found.worst_dates[0]
    assert (worst.date, worst.is_blocked, worst.lowest_category, worst.lowest_category_pct) == (date, True, "matchup", 33.3)
    assert "composite_factors_missing" in worst.alerts and worst.red_rows == worst.rows
    assert {feature for feature, reason, _ in worst.features if reason == "composite_factors_missing"} == {
        "fatigue_score", "shot_zone_mismatch_score", "pace_score", "usage_spike_score",
    }  # fmt: skip
    assert found.blocked_dates == (date,)
    result = nba("quality", "--start", str(season.dates[0]), "--end", str(season.dates[-1]))
    assert result.exit_code == 0, result.output
    assert f"{date}" in result.output and "fatigue_score: composite_factors_missing" in result.output


def test_quality_counts_every_row_of_a_range(season: Season) -> None:
    found = quality_summary(season.warehouse, season.dates[0], season.dates[-1])
    assert found is not None
    (counted,) = ask(
        season, f"SELECT COUNT(*) AS n, COUNTIF(quality_alert_level = 'red') AS red, COUNTIF(is_quality_ready) AS ready FROM {STORE_TABLE}"
    )
    assert (found.rows, found.alert_levels["red"], found.quality_ready) == (counted["n"], counted["red"], counted["ready"])
    assert sum(found.tiers.values()) == sum(found.alert_levels.values()) == found.rows == sum(point.rows for point in found.trend)
    assert found.dates == len(season.dates)
    for category in found.categories:
        (mean,) = ask(season, f"SELECT AVG({category.category}_quality_pct) AS pct FROM {STORE_TABLE}")
        assert category.quality_pct == pytest.approx(mean["pct"], abs=0.02)


def test_quality_of_a_date_a_season_and_a_player(season: Season, nba: Nba) -> None:
    date = season.dates[-1]
    (player, *_) = ask(season, f"SELECT player_lookup FROM {STORE_TABLE} WHERE game_date = @day ORDER BY 1", day=date)
    name = player["player_lookup"]
    rows = player_summary(season.warehouse, name, season.dates[0], date)
    assert rows[-1].date == date and [row.date for row in rows] == sorted({row.date for row in rows})
    for words in (["--date", str(date)], ["--season", "2024-25"], [], ["--player", name], ["--date", str(date), "--json"]):
        result = nba("quality", *words)
        assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["rows"] == season.warehouse.partitions(STORE_TABLE, date, date)[date].rows


@pytest.mark.parametrize(
    ("words", "status", "text"),
    [
        (["--player", "nobody"], 2, "no row of the player"),
        (["--date", "2031-01-01"], 2, "nothing is built"),
        (["--season", "1990-91"], 2, "unknown season"),
        (["--date", "2024-11-01", "--season", "2024-25"], 2, "either a date"),
        (["--start", "2024-12-01", "--end", "2024-11-01"], 2, "ends before it starts"),
    ],
)
def test_a_request_that_cannot_be_meant_is_one_clear_line(nba: Nba, words: list[str], status: int, text: str) -> None:
    result = nba("quality", *words)
    assert result.exit_code == status
    assert text in result.stderr and len(result.stderr.strip().splitlines()) == 1


def test_the_summaries_are_audited_with_the_raw_rows_they_read_once_per_run(season: Season) -> None:
    run, date = season.run(), season.dates[-1]
    for table in summaries():
        assert build_table(season.warehouse, table, [date], run).published == (date,)
    assert {name for name, *_ in run.audited_raw} == {
        "nba_raw.player_boxscores", "nba_raw.schedule", "nba_raw.shots", "nba_raw.team_boxscores",
    }  # fmt: skip
    assert season.as_of < dt.datetime.now(EASTERN).astimezone(UTC)
