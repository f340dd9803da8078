"""Lookups: a verdict per player, a vector only where it may be used, never a row of NULLs."""

from __future__ import annotations

import datetime as dt
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from feast import FeatureStore
from feast.repo_config import RepoConfig

from cli.main import main
from schemas.catalogue import load_catalogue
from schemas.contracts import contract
from schemas.errors import UnknownNameError, UsageError
from serving.feature_store import _configuration, apply_definitions, open_feature_store
from serving.lookup import INCOMPATIBLE, NOT_FOUND, NOT_READY, READY, STALE, Answer, Lookup, lookup
from serving.materialization_gate import midnight
from serving.packed.keys import encoded, text_keys
from serving.wire import as_json
from tests.feast.conftest import WEEK, Site
from tests.feast.store_rows import LEDGER, block, ledger_row, player, publish, store_table, table_of
from warehouse.protocol import RecordWrite, Warehouse

V3 = "points_v3_37features"
TODAY = WEEK[-1]


@pytest.fixture
def tonight(week: Site) -> Site:
    """The week, materialized."""
    week.store.materialize(midnight(WEEK[0]), midnight(TODAY + dt.timedelta(days=1)))
    return week


def know(warehouse: Warehouse, *names: str) -> None:
    """Put players into the league's list."""
    publish(warehouse, table_of("nba_raw.players", {"player_lookup": list(names)}, len(names)), "nba_raw.players")


def one(found: Lookup) -> Answer:
    (answer,) = found.answers
    return answer


def built(site: Site, applied: Path, **changed: Any) -> Site:
    """Publish and materialize today with changed rows."""
    if not (site.settings.home / "feast").exists():
        shutil.copytree(applied, site.settings.home / "feast")
    publish(site.warehouse, store_table([TODAY], **changed))
    site.store.materialize(midnight(TODAY), midnight(TODAY + dt.timedelta(days=1)))
    return site


@pytest.mark.parametrize("service", [s.name for s in load_catalogue().services])
def test_FM59_a_ready_vector_is_in_the_models_own_order(tonight: Site, service: str) -> None:
    found = lookup(tonight.store, tonight.warehouse, service, TODAY)
    order = load_catalogue().service(service).features
    assert found.features == order
    rows = store_table(WEEK).to_pylist()[-4:]
    assert [(a.player_lookup, a.verdict) for a in found.answers] == [(player(n), READY) for n in range(4)]
    assert [a.vector for a in found.answers] == [tuple(row[name] for name in order) for row in rows]
    assert [a.event_timestamp for a in found.answers] == [row["event_timestamp"] for row in rows]
    assert found.counts() == {READY: 4, NOT_READY: 0, STALE: 0, NOT_FOUND: 0, INCOMPATIBLE: 0}


def test_the_quality_of_the_row_comes_along(tonight: Site) -> None:
    quality = one(lookup(tonight.store, tonight.warehouse, V3, TODAY, [player(1)])).quality
    values = {*load_catalogue().names, *load_catalogue().breakout_inputs}
    expected = {c.name for c in contract("nba_predictions.ml_feature_store_v2").columns if c.online} - values
    assert set(quality) == expected
    assert (quality["quality_tier"], quality["is_quality_ready"]) == ("gold", True)


def test_players_come_in_the_order_asked_for_and_once(tonight: Site) -> None:
    found = lookup(tonight.store, tonight.warehouse, V3, TODAY, [player(3), player(0), player(3)])
    assert [answer.player_lookup for answer in found.answers] == [player(3), player(0)]


def test_FM59_an_unknown_service_or_player_is_an_error(tonight: Site) -> None:
    know(tonight.warehouse, "restingstar")
    with pytest.raises(UnknownNameError, match="unknown service: points_v9"):
        lookup(tonight.store, tonight.warehouse, "points_v9", TODAY)
    with pytest.raises(UnknownNameError, match="unknown players: nobody, nobodyelse"):
        lookup(tonight.store, tonight.warehouse, V3, TODAY, ["nobodyelse", player(0), "restingstar", "nobody"])


def test_an_absent_player_is_told_so(tonight: Site) -> None:
    know(tonight.warehouse, "restingstar")
    found = lookup(tonight.store, tonight.warehouse, V3, TODAY, ["restingstar", player(0)])
    assert found.answers[0] == Answer("restingstar", None, NOT_FOUND, ("not_on_slate",))
    assert found.answers[1].verdict == READY


def test_a_published_row_that_was_never_materialized_is_not_found(week: Site) -> None:
    answers = lookup(week.store, week.warehouse, V3, TODAY).answers
    assert [(a.verdict, a.reasons, a.vector) for a in answers] == [(NOT_FOUND, ("not_materialized",), None)] * 4


def test_FM11_yesterdays_row_never_answers_for_tonight(week: Site) -> None:
    week.store.materialize(midnight(WEEK[0]), midnight(TODAY))
    assert {a.verdict for a in lookup(week.store, week.warehouse, V3, WEEK[-2]).answers} == {READY}
    assert {a.verdict for a in lookup(week.store, week.warehouse, V3, TODAY).answers} == {NOT_FOUND}


def test_a_blocked_date_answers_with_nothing_though_it_is_online(tonight: Site) -> None:
    block(tonight.warehouse, TODAY, "red_share,row_completeness")
    assert lookup(tonight.store, tonight.warehouse, V3, TODAY).answers == ()
    answer = one(lookup(tonight.store, tonight.warehouse, V3, TODAY, [known(tonight)]))
    assert (answer.verdict, answer.reasons) == (NOT_FOUND, ("date_blocked", "red_share", "row_completeness"))


def test_the_slates_reasons_are_told_though_nobody_is_on_it(tonight: Site) -> None:
    games = table_of("nba_raw.schedule", {"game_id": ["0022400001"], "game_date": [WEEK[0]], "status": ["final"]}, 1)
    publish(tonight.warehouse, games, "nba_raw.schedule")
    block(tonight.warehouse, TODAY, "red_share,row_completeness")
    free = WEEK[0] + dt.timedelta(days=100)
    for date, reasons in ((TODAY, ["date_blocked", "red_share", "row_completeness"]), (free, ["no_games"])):
        found = lookup(tonight.store, tonight.warehouse, V3, date)
        assert (found.as_dict()["reasons"], json.loads(as_json(found))["reasons"], found.answers) == (reasons, reasons, ())
        told = CliRunner().invoke(main, ["lookup", "--date", str(date)])
        assert told.exit_code == 0 and f"nobody ({', '.join(reasons)})" in told.output
    assert lookup(tonight.store, tonight.warehouse, V3, WEEK[1]).slate_reasons == ()


def known(site: Site) -> str:
    know(site.warehouse, player(0))
    return player(0)


def test_a_date_that_was_never_published_answers_so(tonight: Site) -> None:
    answer = one(lookup(tonight.store, tonight.warehouse, V3, TODAY + dt.timedelta(days=1), [known(tonight)]))
    assert (answer.verdict, answer.reasons) == (NOT_FOUND, ("date_not_published",))


def test_a_row_built_again_is_stale_until_it_is_materialized(tonight: Site) -> None:
    later = [stamp.as_py() + dt.timedelta(minutes=5) for stamp in store_table([TODAY]).column("event_timestamp")]
    publish(tonight.warehouse, store_table([TODAY], event_timestamp=later))
    answers = lookup(tonight.store, tonight.warehouse, V3, TODAY).answers
    assert {(a.verdict, a.reasons, a.vector) for a in answers} == {(STALE, ("not_the_published_row",), None)}
    tonight.store.materialize(midnight(TODAY), midnight(TODAY + dt.timedelta(days=1)))
    assert {a.verdict for a in lookup(tonight.store, tonight.warehouse, V3, TODAY).answers} == {READY}


def written_to_one_view(site: Site, rows: Any) -> None:
    """Write rows to one view alone, as no materialization does."""
    store = site.store
    store.provider.online_store.write_arrow(store.config, store.get_feature_view("vegas"), rows)


def test_views_that_were_not_written_together_are_stale(tonight: Site) -> None:
    later = [stamp.as_py() + dt.timedelta(minutes=5) for stamp in store_table([TODAY]).column("event_timestamp")]
    written_to_one_view(tonight, store_table([TODAY], event_timestamp=later))
    answers = lookup(tonight.store, tonight.warehouse, V3, TODAY).answers
    assert {(a.verdict, a.reasons, a.vector) for a in answers} == {(STALE, ("views_not_written_together",), None)}


def test_views_of_one_event_time_and_two_writes_are_stale(tonight: Site) -> None:
    corrected = [dt.datetime(2025, 2, 2, tzinfo=dt.UTC)] * 4
    written_to_one_view(tonight, store_table([TODAY], created_timestamp=corrected))
    answers = lookup(tonight.store, tonight.warehouse, V3, TODAY).answers
    assert {(a.verdict, a.reasons) for a in answers} == {(STALE, ("views_not_written_together",))}


def test_a_correction_of_the_same_event_time_is_stale_until_it_is_materialized(tonight: Site) -> None:
    publish(tonight.warehouse, store_table([TODAY], seed=8, created_timestamp=[dt.datetime(2025, 2, 2, tzinfo=dt.UTC)] * 4))
    answers = lookup(tonight.store, tonight.warehouse, V3, TODAY).answers
    assert {(a.verdict, a.reasons) for a in answers} == {(STALE, ("not_the_published_row",))}
    tonight.store.materialize(midnight(TODAY), midnight(TODAY + dt.timedelta(days=1)))
    assert {a.verdict for a in lookup(tonight.store, tonight.warehouse, V3, TODAY).answers} == {READY}


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_FM14_what_is_no_number_is_a_miss(site: Site, applied: Path, value: float) -> None:
    built(site, applied, recent_trend=[value, 0.0, 0.0, 0.0])
    answers = lookup(site.store, site.warehouse, V3, TODAY).answers
    assert [(a.verdict, a.reasons) for a in answers] == [(NOT_READY, ("missing_feature:recent_trend",)), *[(READY, ())] * 3]


def expect(site: Site, *keys: tuple[str, str]) -> None:
    """Put players and games into what is expected tonight, and the games into the schedule."""
    games = sorted({game for _, game in keys})
    publish(
        site.warehouse, table_of("nba_raw.schedule", {"game_id": games, "game_date": [TODAY] * len(games)}, len(games)), "nba_raw.schedule"
    )
    given = {"player_lookup": [p for p, _ in keys], "game_id": [g for _, g in keys], "game_date": [TODAY] * len(keys)}
    table = "nba_analytics.upcoming_player_game_context"
    publish(site.warehouse, table_of(table, given, len(keys)), table)


def test_a_game_stands_for_everybody_expected_in_it(tonight: Site) -> None:
    early, late = store_table([TODAY]).column("game_id").to_pylist()[:2]
    expect(tonight, (player(0), early), (player(1), late), (player(2), early), ("notbuilt", early))
    found = lookup(tonight.store, tonight.warehouse, V3, game_id=early, mask_defaults=True)
    assert [(a.player_lookup, a.verdict, a.reasons) for a in found.answers] == [
        ("notbuilt", NOT_FOUND, ("not_on_slate",)),
        (player(0), READY, ()),
        (player(2), READY, ()),
    ]
    assert {a.game_id for a in found.answers} == {None, early}
    strict = lookup(tonight.store, tonight.warehouse, V3, TODAY, game_id=early, strict=True)
    assert strict.players == (player(0), player(2))
    assert strict.matrix.shape == (2, 37)


def test_the_command_takes_a_game_in_the_place_of_a_date(tonight: Site) -> None:
    game = store_table([TODAY]).column("game_id").to_pylist()[0]
    expect(tonight, (player(0), game), ("notbuilt", game))
    told = CliRunner().invoke(main, ["lookup", "--game", game, "--json"])
    assert told.exit_code == 0, told.output
    found = json.loads(told.stdout)
    assert found["game_date"] == str(TODAY)
    assert [(a["player_lookup"], a["verdict"]) for a in found["answers"]] == [
        ("notbuilt", NOT_FOUND),
        (player(0), READY),
        (player(2), READY),
    ]
    assert f"on {TODAY}: 2 ready, 1 not_found" in CliRunner().invoke(main, ["lookup", "--game", game]).stdout
    for wrong in (["--game", game, "--date", str(WEEK[0])], ["--game", game, "--players", player(0)], []):
        assert CliRunner().invoke(main, ["lookup", *wrong]).exit_code == 2
    assert CliRunner().invoke(main, ["lookup", "--game", "0099999999"]).exit_code == 2
    nobody = CliRunner().invoke(main, ["lookup", "--date", str(TODAY), "--players", ","])
    assert nobody.exit_code == 2 and "no player is named" in nobody.output


def test_a_game_that_is_unknown_or_of_another_day_is_refused(tonight: Site) -> None:
    game = store_table([TODAY]).column("game_id").to_pylist()[0]
    expect(tonight, (player(0), game))
    with pytest.raises(UnknownNameError, match="unknown game: 0099999999"):
        lookup(tonight.store, tonight.warehouse, V3, game_id="0099999999")
    with pytest.raises(UsageError, match=f"not played on {WEEK[0]}"):
        lookup(tonight.store, tonight.warehouse, V3, WEEK[0], game_id=game)
    with pytest.raises(UsageError, match="stands for all its players"):
        lookup(tonight.store, tonight.warehouse, V3, players=[player(0)], game_id=game)
    with pytest.raises(UsageError, match="a date or a game"):
        lookup(tonight.store, tonight.warehouse, V3)


def test_a_game_of_a_blocked_date_names_everybody_expected(tonight: Site) -> None:
    game = store_table([TODAY]).column("game_id").to_pylist()[0]
    expect(tonight, (player(0), game), (player(2), game))
    block(tonight.warehouse, TODAY, "red_share")
    answers = lookup(tonight.store, tonight.warehouse, V3, game_id=game).answers
    assert [(a.verdict, a.reasons, a.vector) for a in answers] == [(NOT_FOUND, ("date_blocked", "red_share"), None)] * 2


def test_any_feasts_store_gives_the_same_verdicts_and_vectors(tonight: Site) -> None:
    raw = _configuration(tonight.settings)
    raw["online_store"] = {"type": "sqlite", "path": str(tonight.settings.home / "stock.db")}
    stock = FeatureStore(config=RepoConfig(**raw))
    apply_definitions(stock)
    stock.materialize(midnight(WEEK[0]), midnight(TODAY + dt.timedelta(days=1)))
    know(tonight.warehouse, "restingstar")
    for named in (None, [player(2), "restingstar"]):
        ours, theirs = (lookup(store, tonight.warehouse, V3, TODAY, named) for store in (tonight.store, stock))
        assert ours.verdicts == theirs.verdicts and READY in ours.verdicts
        assert [(a.vector, a.event_timestamp, a.reasons) for a in ours.answers] == [
            (a.vector, a.event_timestamp, a.reasons) for a in theirs.answers
        ]


def test_FM08_a_red_row_is_not_ready_and_gives_no_vector(site: Site, applied: Path) -> None:
    alerts = [["all_matchup_features_defaulted", "critical_features_missing"], [], None, None]
    levels = ["red", "green", "yellow", "green"]
    built(site, applied, quality_alert_level=levels, is_quality_ready=[False, True, True, False], quality_alerts=alerts)
    answers = lookup(site.store, site.warehouse, V3, TODAY).answers
    assert [a.verdict for a in answers] == [NOT_READY, READY, READY, NOT_READY]
    assert answers[0].reasons == ("not_quality_ready", "alert_level_red", "all_matchup_features_defaulted", "critical_features_missing")
    assert [a.vector is None for a in answers] == [True, False, False, True]


def test_FM18_a_missing_line_is_no_obstacle_and_stays_null(site: Site, applied: Path) -> None:
    absent = dict.fromkeys(("vegas_points_line", "vegas_opening_line", "vegas_line_move"), [None] * 4)
    built(site, applied, **absent)
    found = lookup(site.store, site.warehouse, V3, TODAY)
    assert {a.verdict for a in found.answers} == {READY}
    position = found.features.index("vegas_points_line")
    assert [a.vector and a.vector[position] for a in found.answers] == [None] * 4


def test_FM59_a_feature_the_store_does_not_supply_makes_the_row_not_ready(site: Site, applied: Path) -> None:
    built(site, applied, fourth_quarter_trust=[None] * 4, recent_trend=[None, 0.0, 0.0, 0.0])
    v2 = lookup(site.store, site.warehouse, "breakout_v2_14features", TODAY).answers
    assert {(a.verdict, a.reasons) for a in v2} == {(NOT_READY, ("missing_feature:fourth_quarter_trust",))}
    assert {a.verdict for a in lookup(site.store, site.warehouse, "breakout_v3_13features", TODAY).answers} == {READY}
    points = lookup(site.store, site.warehouse, V3, TODAY).answers
    assert [a.reasons for a in points] == [("missing_feature:recent_trend",), (), (), ()]


def test_FM59_rows_of_another_feature_list_are_incompatible(site: Site, applied: Path) -> None:
    built(site, applied, feature_schema_version=["v2_33features"] * 4)
    answers = lookup(site.store, site.warehouse, V3, TODAY).answers
    assert {(a.verdict, a.reasons) for a in answers} == {(INCOMPATIBLE, ("other_feature_schema_version",))}


def test_the_lookup_can_be_written_as_json(tonight: Site) -> None:
    found = json.loads(json.dumps(lookup(tonight.store, tonight.warehouse, V3, TODAY, [player(1)]).as_dict()))
    assert found["counts"][READY] == 1
    assert found["answers"][0]["event_timestamp"] == "2025-01-11T02:00:00+00:00"
    assert len(found["answers"][0]["vector"]) == len(found["features"]) == 37


def test_a_service_that_was_not_applied_says_how_to_apply_it(site: Site) -> None:
    publish(site.warehouse, store_table([TODAY]))
    with pytest.raises(UnknownNameError, match="feast apply"):
        lookup(open_feature_store(site.settings, site.warehouse), site.warehouse, V3, TODAY)


def test_strict_returns_only_ready_rows_and_defaults_can_be_masked(site: Site, applied: Path) -> None:
    built(site, applied, is_quality_ready=[True, False, True, True], default_feature_indices=[[0, 2], [], [], []])
    found = lookup(site.store, site.warehouse, V3, TODAY, strict=True, mask_defaults=True)
    assert [a.player_lookup for a in found.answers] == [player(0), player(2), player(3)]
    assert found.answers[0].masked == (found.features[0], found.features[2])
    vector = found.answers[0].vector or ()
    assert [at for at, value in enumerate(vector) if value != value] == [0, 2]
    told = found.as_dict()["answers"][0]
    assert told["vector"][0] is None and told["vector"][1] is not None


def test_rows_published_under_another_definition_are_incompatible(tonight: Site) -> None:
    part = tonight.warehouse.partitions("nba_predictions.ml_feature_store_v2")[TODAY]
    older = ledger_row(TODAY, "published", part.rows, part.fingerprint, definition_version="older")
    tonight.warehouse.record([RecordWrite(LEDGER, [older])])
    answers = lookup(tonight.store, tonight.warehouse, V3, TODAY).answers
    assert {(a.verdict, a.reasons, a.vector) for a in answers} == {(INCOMPATIBLE, ("definition_changed",), None)}


def test_a_damaged_row_is_incompatible_and_spoils_no_other(tonight: Site) -> None:
    connection = tonight.store.provider.online_store._connection(tonight.store.config)
    row = store_table(WEEK).to_pylist()[-4]
    (key,) = text_keys({name: encoded([row[name]]) for name in ("player_lookup", "game_id")})
    cut = "UPDATE nba_features_row_quality SET packed = substr(packed, 1, length(packed) - 5) WHERE entity_key = ?"
    # First its text ends too early, in the end the record itself.
    for _ in range(15):
        assert connection.execute(cut, [key]).rowcount == 1
        answers = lookup(tonight.store, tonight.warehouse, V3, TODAY).answers
        assert [(a.verdict, a.vector is None) for a in answers] == [(INCOMPATIBLE, True), *[(READY, False)] * 3]


def test_a_row_of_another_view_schema_is_incompatible(tonight: Site) -> None:
    store = tonight.store.provider.online_store
    connection = store._connection(tonight.store.config)
    connection.execute("UPDATE nba_features_matchup SET packed = CAST(zeroblob(8) || substr(packed, 9) AS BLOB)")
    answers = lookup(tonight.store, tonight.warehouse, V3, TODAY).answers
    assert {(a.verdict, a.reasons, a.vector) for a in answers} == {(INCOMPATIBLE, ("other_view_schema",), None)}
