"""`known_by`: what was written after the instant does not exist for the set, rows, box scores and lines alike."""

from __future__ import annotations

import datetime as dt

import pytest

from schemas.clock import UTC
from schemas.errors import UsageError
from serving.labels import LINES_TABLE, POINTS_TABLE
from tests.feast.conftest import WEEK, Site
from tests.feast.store_rows import WRITTEN, publish, store_table, table_of
from tests.training.conftest import asked, line_of, lines, made

TICK = dt.timedelta(microseconds=1)


def test_FM07_a_row_repaired_later_does_not_enter_an_older_set(season: Site) -> None:
    before = made(season, known_by=WRITTEN)
    assert before.rows.num_rows == 20 and not before.counts.refused
    publish(season.warehouse, store_table(WEEK[1:2], seed=99, created_timestamp=[WRITTEN + TICK] * 4))
    after = made(season, known_by=WRITTEN)
    assert after.counts.refused == {"written_after_known_by": 4}
    assert after.rows.num_rows == 16 and WEEK[1] not in after.rows.column("game_date").to_pylist()
    later = made(season, known_by=WRITTEN + TICK)
    assert later.rows.num_rows == 20


def test_FM07_a_backfilled_season_does_not_vanish(season: Site) -> None:
    """Every row was written weeks after its game: Feast's own cut-off on created time would leave none."""
    assert all(row < WRITTEN for row in made(season).rows.column("event_timestamp").to_pylist())
    assert made(season).rows.num_rows == 20


def test_before_anything_was_written_there_is_nothing(season: Site) -> None:
    with pytest.raises(UsageError, match="20 written_after_known_by"):
        made(season, known_by=WRITTEN - TICK)


def test_box_scores_written_later_do_not_enter(season: Site) -> None:
    rows = store_table(WEEK[:1])
    given = {name: rows.column(name).to_pylist() for name in ("player_lookup", "game_id", "game_date", "team_abbr", "opponent_team_abbr")}
    late = {"is_played": [True] * 4, "points": [9] * 4, "processed_at": [WRITTEN + TICK] * 4}
    publish(season.warehouse, table_of(POINTS_TABLE, {**given, **late}, 4), POINTS_TABLE)
    found = made(season, known_by=WRITTEN)
    assert found.counts.refused == {"label_written_after_known_by": 4}
    assert made(season).rows.column("points").to_pylist()[:4] == [9] * 4


def test_lines_seen_later_do_not_count(week: Site) -> None:
    rows = store_table(WEEK[:1], created_timestamp=[dt.datetime(2025, 1, 1, tzinfo=UTC)] * 4)
    publish(week.warehouse, rows)
    early = {name: rows.column(name).to_pylist() for name in ("player_lookup", "game_id", "game_date", "team_abbr", "opponent_team_abbr")}
    written = {"is_played": [True] * 4, "points": [20] * 4, "processed_at": [dt.datetime(2025, 1, 1, tzinfo=UTC)] * 4}
    publish(week.warehouse, table_of(POINTS_TABLE, {**early, **written}, 4), POINTS_TABLE)
    one = rows.to_pylist()[0]
    publish(week.warehouse, lines([line_of(one, 18.5, 300), line_of(one, 21.5, 100)]), LINES_TABLE)
    assert made(week, WEEK[0], WEEK[0]).rows.column("closing_line").to_pylist()[0] == 21.5
    between = one["tipoff_time"] - dt.timedelta(minutes=200)
    assert made(week, WEEK[0], WEEK[0], known_by=between).rows.column("closing_line").to_pylist()[0] == 18.5


def test_an_instant_without_a_zone_is_refused_and_zones_are_one() -> None:
    with pytest.raises(UsageError, match="no zone"):
        asked(known_by=dt.datetime(2025, 3, 1))
    eastern = dt.timezone(dt.timedelta(hours=-5))
    assert asked(known_by=dt.datetime(2025, 2, 28, 19, tzinfo=eastern)) == asked()
