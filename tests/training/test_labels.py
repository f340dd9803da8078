"""Labels: points as scored, the last line before the house's cutoff, the result against it; never among the features."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from schemas.catalogue import load_catalogue
from schemas.errors import DefinitionError
from serving.labels import LABELS, LINES_TABLE, POINTS_TABLE, refuse_labels_among
from serving.training_set import KEYS
from tests.feast.conftest import WEEK, Site
from tests.feast.store_rows import publish, store_table, summary_table, table_of
from tests.training.conftest import line_of, lines, made

V3 = load_catalogue().service("points_v3_37features").features


def first_day(site: Site, points: list[int], quotes: list[dict[str, Any]]) -> dict[str, list[Any]]:
    """Publish one day with these points of its four players and these lines; return the labels."""
    rows = store_table(WEEK[:1])
    publish(site.warehouse, rows)
    given = {name: rows.column(name).to_pylist() for name in ("player_lookup", "game_id", "game_date", "team_abbr", "opponent_team_abbr")}
    publish(site.warehouse, table_of(POINTS_TABLE, {**given, "is_played": [True] * 4, "points": points}, 4), POINTS_TABLE)
    publish(site.warehouse, lines(quotes), LINES_TABLE)
    table = made(site, WEEK[0], WEEK[0]).rows
    return {name: table.column(name).to_pylist() for name in LABELS}


def players() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = store_table(WEEK[:1]).select([*KEYS, "tipoff_time"]).to_pylist()
    return found


def test_over_under_push_and_no_line(week: Site) -> None:
    over, under, push, _ = players()
    found = first_day(week, [25, 14, 20, 30], [line_of(over, 24.5), line_of(under, 14.5), line_of(push, 20.0)])
    assert found["points"] == [25, 14, 20, 30]
    assert found["closing_line"] == [24.5, 14.5, 20.0, None]
    assert found["result"] == ["over", "under", "push", None]
    assert found["closing_line_at"] == [*(row["tipoff_time"] - dt.timedelta(minutes=120) for row in (over, under, push)), None]


def test_the_last_line_before_the_cutoff_counts_and_none_after_it(week: Site) -> None:
    first, second, third, fourth = players()
    quotes = [
        line_of(first, 18.5, 300),
        line_of(first, 20.5, 60),  # the cutoff itself still counts
        line_of(first, 99 / 2, 59),
        line_of(second, 30.5, 59.999),  # known too late: no line
        line_of(third, 10.5, 90, bookmaker="a"),
        line_of(third, 11.5, 70, bookmaker="b"),
        line_of(third, 14.5, 80, bookmaker="c"),
        line_of(fourth, 22.5, -10),  # seen during the game
    ]
    found = first_day(week, [19, 19, 19, 19], quotes)
    assert found["closing_line"] == [20.5, None, 11.5, None]
    assert found["result"] == ["under", None, "over", None]


def test_a_row_built_early_is_held_against_the_closing_line_and_keeps_its_own(week: Site) -> None:
    """The features hold the line of the cutoff they were built with; the label the last one of the house's cutoff."""
    rows = store_table(
        WEEK[:1],
        vegas_points_line=[18.5] * 4,
        event_timestamp=[row["tipoff_time"] - dt.timedelta(hours=8) for row in players()],
    )
    publish(week.warehouse, rows)
    publish(week.warehouse, summary_table(rows), POINTS_TABLE)
    publish(week.warehouse, lines([line_of(players()[0], 18.5, 500), line_of(players()[0], 21.5, 90)]), LINES_TABLE)
    table = made(week, WEEK[0], WEEK[0]).rows
    assert table.column("vegas_points_line").to_pylist()[0] == 18.5
    assert table.column("closing_line").to_pylist()[0] == 21.5


def test_the_cutoff_of_the_house_is_that_of_the_request(week: Site) -> None:
    rows = store_table(WEEK[:1])
    publish(week.warehouse, rows)
    publish(week.warehouse, summary_table(rows), POINTS_TABLE)
    publish(week.warehouse, lines([line_of(players()[0], 18.5, 200), line_of(players()[0], 21.5, 45)]), LINES_TABLE)
    assert made(week, WEEK[0], WEEK[0]).rows.column("closing_line").to_pylist()[0] == 18.5
    assert made(week, WEEK[0], WEEK[0], cutoff_minutes=30).rows.column("closing_line").to_pylist()[0] == 21.5


@pytest.mark.parametrize("service", [s.name for s in load_catalogue().services])
def test_no_label_is_a_feature(service: str) -> None:
    refuse_labels_among(load_catalogue().service(service).features)
    assert not set(LABELS) & {*load_catalogue().names, *load_catalogue().breakout_inputs}


@pytest.mark.parametrize("label", LABELS)
def test_a_planted_label_among_the_features_is_refused(label: str) -> None:
    with pytest.raises(DefinitionError, match=label):
        refuse_labels_among((*V3, label))


def test_changing_the_outcome_changes_the_labels_and_no_feature(season: Site) -> None:
    before = made(season).rows
    rows = store_table(WEEK)
    given = {name: rows.column(name).to_pylist() for name in ("player_lookup", "game_id", "game_date", "team_abbr", "opponent_team_abbr")}
    publish(season.warehouse, table_of(POINTS_TABLE, {**given, "is_played": [True] * 20, "points": [60] * 20}, 20), POINTS_TABLE)
    after = made(season).rows
    assert after.column("points").to_pylist() == [60] * 20
    assert after.drop_columns(list(LABELS)).equals(before.drop_columns(list(LABELS)))
