"""Late and corrected raw data: just the rows whose windows hold it change, and they become what a full rebuild makes."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

import pyarrow as pa
import pytest

from backfill.cascade import MOST_CHANGES, changed_dates
from backfill.cascade_run import cascade
from orchestration.plan import summaries
from schemas.rules import STORE_TABLE
from tests.backfill.site import LINEAGE, Site, differing, regular, with_values, without_row
from transformations.render import built_tables, companions

PLAYERS, TEAMS, LINES = "nba_raw.player_boxscores", "nba_raw.team_boxscores", "nba_raw.odds_player_points"
GAME_DAY = dt.date(2024, 11, 8)


def more_points(rows: pa.Table) -> pa.Table:
    row = regular(rows)
    return with_values(rows, "points", {row: rows["points"][row].as_py() + 7})


def more_rebounds(rows: pa.Table) -> pa.Table:
    return with_values(rows, "oreb", {0: rows["oreb"][0].as_py() + 3})


def a_game_less(rows: pa.Table) -> pa.Table:
    return without_row(rows, regular(rows))


def run_cascade(site: Site, *dates: dt.date, only_plan: bool = False):  # type: ignore[no-untyped-def]
    return cascade(site.warehouse, site.settings, dates, site.now, site.now, only_plan)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("table", "change", "named", "is_exact"),
    [(PLAYERS, more_points, True, False), (PLAYERS, a_game_less, False, False), (TEAMS, more_rebounds, False, True)],
)
def test_a_change_reaches_the_rows_that_hold_it_and_no_other(
    site: Site, table: str, change: Callable[[pa.Table], pa.Table], named: bool, is_exact: bool
) -> None:
    before, rows = site.fingerprints(), site.store_rows()
    site.replace(table, GAME_DAY, change)
    assert changed_dates(site.warehouse, site.now.date()) == (GAME_DAY,)
    planned = run_cascade(site, *([GAME_DAY] if named else []), only_plan=True)
    assert site.fingerprints() == before
    done = run_cascade(site, *([GAME_DAY] if named else []))
    assert done.plan.lines() == planned.plan.lines()
    after = site.fingerprints()
    changed = differing(rows, site.store_rows())
    assert changed
    assert changed <= set(done.plan.touched.rows)
    if is_exact:
        # A team's game weighs in every mean that holds it; points may leave a row's median, threshold or cap as it was.
        assert changed == set(done.plan.touched.rows)
        assert set(done.plan.touched.reasons()) == {"team", "opponent", "league"}
    # Dates that hold nothing of it were not made again: run and write time of their rows are those of the first backfill.
    # Of the dates planned, one whose inputs came out as they were is not made again either.
    again = set(done.plan.store_dates)
    runs = site.warehouse.query(f"SELECT DISTINCT game_date, run_id FROM {STORE_TABLE}").to_pylist()
    made = {row["game_date"] for row in runs if row["run_id"] == done.run_id}
    assert {date for _, date in changed} <= made <= again
    assert {date for _, date in done.plan.touched.rows} | {GAME_DAY} == again
    assert len(again) < len(before[STORE_TABLE]) / 2
    for name, parts in before.items():
        kept = {date: part for date, part in parts.items() if date not in again}
        assert {date: after[name][date] for date in kept} == kept, name
    # Nothing is left to do, and a rebuild of everything finds the same.
    assert site.plan().stages == ()
    if is_exact:
        return
    site.build_everything()
    rebuilt = site.fingerprints()
    assert [name for name in rebuilt if rebuilt[name] != after[name]] == []


def test_a_line_that_moved_reaches_its_own_date_alone(site: Site) -> None:
    before = site.fingerprints()
    site.replace(LINES, GAME_DAY, lambda rows: with_values(rows, "line", {n: rows["line"][n].as_py() + 1 for n in range(rows.num_rows)}))
    done = run_cascade(site)
    assert [(stage.table, stage.dates) for stage in done.plan.stages] == [(STORE_TABLE, (GAME_DAY,))]
    after = site.fingerprints()
    assert [date for date in before[STORE_TABLE] if before[STORE_TABLE][date] != after[STORE_TABLE][date]] == [GAME_DAY]
    assert site.plan().stages == ()


def test_nothing_changed_nothing_done(site: Site) -> None:
    before = site.fingerprints()
    assert run_cascade(site).plan is None
    assert site.fingerprints() == before


def test_a_date_named_without_a_change_is_taken_to_have_changed_in_every_value(site: Site) -> None:
    before = site.fingerprints()
    planned = run_cascade(site, GAME_DAY, only_plan=True).plan
    holding = site.warehouse.query(
        f"SELECT player_lookup, game_date FROM {LINEAGE} WHERE @date IN UNNEST(player_game_dates)", {"date": GAME_DAY}
    ).to_pylist()
    assert {(row["player_lookup"], row["game_date"]) for row in holding} <= set(planned.touched.rows)
    run_cascade(site, GAME_DAY)
    assert site.fingerprints() == before


def test_many_changed_dates_are_treated_as_a_range(site: Site) -> None:
    dates = site.dates(PLAYERS)[: MOST_CHANGES + 1]
    planned = run_cascade(site, *dates, only_plan=True).plan
    assert planned.changes == ()
    reach = dates[-1] + dt.timedelta(days=365)
    assert planned.store_dates == tuple(date for date in site.dates() if dates[0] <= date <= reach)
    assert [stage.table for stage in planned.stages] == list(built_tables())
    assert planned.stages[0].dates == tuple(dates)


def test_lineage_says_what_entered(site: Site) -> None:
    """Every date of a player's last ten games, season and duels is that of a game he played, and none is left out."""
    games: dict[str, list[tuple[dt.date, str, str]]] = {}
    sql = f"SELECT player_lookup, game_date, season, opponent_team_abbr FROM {summaries()[0]} WHERE is_played ORDER BY game_date"
    for row in site.warehouse.query(sql).to_pylist():
        games.setdefault(row["player_lookup"], []).append((row["game_date"], row["season"], row["opponent_team_abbr"]))
    rows = site.warehouse.query(f"SELECT * FROM {LINEAGE}").to_pylist()
    assert len(rows) == sum(part.rows for part in site.warehouse.partitions(STORE_TABLE).values())
    for row in rows:
        date = row["game_date"]
        past = [game for game in games.get(row["player_lookup"], []) if date - dt.timedelta(days=365) <= game[0] < date]
        assert row["player_game_dates"] in ([game[0] for game in past[-10:]][::-1], None if not past else [])
        season = [game[0] for game in past if game[1] == row["season"]]
        assert row["season_games"] == len(season)
        assert (row["season_first_date"], row["season_last_date"]) == ((season[0], season[-1]) if season else (None, None))
        duels = [game[0] for game in past if game[2] == row["opponent_team_abbr"]][::-1]
        assert (row["head_to_head_game_dates"] or []) == duels
        assert row["player_window_start"] == (past[-10][0] if len(past) >= 10 else date - dt.timedelta(days=365))
        assert f"nba_precompute.player_daily_cache/{date}" in row["upstream_partitions"]
    assert set(companions(STORE_TABLE)) >= {LINEAGE}
