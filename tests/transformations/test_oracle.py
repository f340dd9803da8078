"""Every value of the store equals the oracle's, which was written from the formulas without looking at the SQL."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from datetime import date, datetime, time, timedelta
from typing import Any

import pytest

from schemas.catalogue import load_catalogue
from schemas.clock import EASTERN, UTC
from tests.oracle.oracle import Oracle
from tests.transformations.against_oracle import roster_differences, row_differences
from tests.transformations.conftest import oracle_data
from tests.transformations.shared import Seasons
from tests.transformations.spoiled import spoil
from tests.transformations.workbench import DATED, LONG_AFTER, STORE, SUMMARIES, Workbench
from transformations.render import statement

ROWS_PER_DATE = 5
pytestmark = pytest.mark.slow
ALWAYS_KNOWN = {"fatigue_score", "games_in_last_7_days", "rest_advantage", "home_away", "back_to_back", "playoff_game", "games_vs_opponent"}
NO_DEFAULT_IN_THIS_LEAGUE = {"has_vegas_line", "injury_risk"}
OFFENSE = "nba_analytics.team_offense_game_summary"


@pytest.fixture(scope="module")
def real_oracle(real: Seasons) -> Oracle:
    return Oracle(oracle_data(real.bench), LONG_AFTER)


@pytest.fixture(scope="module")
def simulated_oracle(simulated: Seasons) -> Oracle:
    return Oracle(oracle_data(simulated.bench), LONG_AFTER)


def some_rows(bench: Workbench, dates: list[date], per_date: int, seed: int) -> list[dict[str, Any]]:
    rng = random.Random(seed)
    by_date: dict[date, list[dict[str, Any]]] = {day: [] for day in dates}
    for row in bench.rows(STORE, min(dates), max(dates)):
        if row["game_date"] in by_date:
            by_date[row["game_date"]].append(row)
    return [row for rows in by_date.values() for row in rng.sample(rows, min(per_date, len(rows)))]


def value_differences(rows: list[dict[str, Any]], oracle: Oracle) -> str:
    return "\n".join([text for row in rows for text in row_differences(row, oracle)][:40])


def rosters_apart(bench: Workbench, oracle: Oracle, dates: list[date]) -> str:
    return "\n".join([text for day in dates for text in roster_differences(bench.rows(STORE, day), oracle, day)][:40])


def test_FM25_FM29_FM35_random_rows_of_five_real_seasons_equal_the_oracle(real: Seasons, real_oracle: Oracle) -> None:
    rows = some_rows(real.bench, real.built, ROWS_PER_DATE, 1)
    assert len(rows) >= 300
    assert len({row["season"] for row in rows}) == 5
    assert not value_differences(rows, real_oracle)


def test_FM25_whole_dates_of_five_real_seasons_equal_the_oracle(real: Seasons, real_oracle: Oracle) -> None:
    rng = random.Random(11)
    dates = [rng.choice(dates[1:-1]) for dates in real.chosen.values()]
    assert not rosters_apart(real.bench, real_oracle, dates)
    for day in dates:
        assert not value_differences(real.bench.rows(STORE, day), real_oracle), day


def test_rosters_of_all_chosen_real_dates_equal_the_oracle(real: Seasons, real_oracle: Oracle) -> None:
    assert not rosters_apart(real.bench, real_oracle, real.built)


def test_FM25_FM33_random_rows_of_two_simulated_seasons_equal_the_oracle(simulated: Seasons, simulated_oracle: Oracle) -> None:
    rows = some_rows(simulated.bench, simulated.built, 2, 2)
    assert len(rows) >= 350
    assert not value_differences(rows, simulated_oracle)
    assert not rosters_apart(simulated.bench, simulated_oracle, simulated.built[::4])


@pytest.fixture(scope="module")
def spoiled(simulated: Seasons, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workbench]:
    """Return the simulated league with gaps and oddities in every raw table."""
    names = {name.rpartition(".")[2] for table in (*SUMMARIES, *DATED) for name in _raw_reads(table)}
    bench = simulated.bench.clone(tmp_path_factory.mktemp("spoiled") / "home")
    bench.load(spoil({f"nba_raw.{name}": bench.table(f"nba_raw.{name}") for name in sorted(names)}))
    bench.build_all(simulated.dates[0], simulated.dates[-1], tables=(*SUMMARIES, *DATED))
    yield bench
    bench.close()


def _raw_reads(table: str) -> list[str]:
    from schemas.contracts import contract

    return [name for name in contract(table).reads if name.startswith("nba_raw.")]


def test_FM15_FM23_FM28_FM32_a_league_full_of_gaps_equals_the_oracle(simulated: Seasons, spoiled: Workbench) -> None:
    oracle, dates = Oracle(oracle_data(spoiled), LONG_AFTER), simulated.dates
    assert not rosters_apart(spoiled, oracle, dates[::3])
    rows = some_rows(spoiled, dates, 3, 4)
    assert len(rows) >= 500
    assert not value_differences(rows, oracle)


def test_the_league_full_of_gaps_has_them(spoiled: Workbench) -> None:
    rows = spoiled.warehouse.query(
        f"SELECT feature_fallback_reasons_json AS reasons, * EXCEPT (feature_fallback_reasons_json) FROM {STORE}"
    ).to_pylist()
    reasons = {reason for row in rows for reason in _reasons(row["reasons"])}
    assert reasons >= {"insufficient_history", "shot_zone_data_missing", "stale_data", "vegas_line_unavailable", "no_opponent_history"}
    assert any(row["points_avg_last_5"] == 0 for row in rows)


def _reasons(text: str) -> list[str]:
    import json

    return list(json.loads(text).values())


def test_the_simulated_rows_hold_every_kind_of_value(simulated: Seasons) -> None:
    """What the comparison covers: each feature varies, and is both there and missing where it can be."""
    rows = simulated.bench.rows(STORE, simulated.dates[0], simulated.dates[-1])
    features = load_catalogue().features
    assert not [f.name for f in features if len({row[f.name] for row in rows}) < 2]
    defaulted = {f.name for f in features if any(row[f"feature_{f.index}_source"] == "default" for row in rows)}
    assert {f.name for f in features} - defaulted == ALWAYS_KNOWN | NO_DEFAULT_IN_THIS_LEAGUE
    assert {row["season_phase"] for row in rows} == {"regular", "play_in", "playoffs", "cup_final"}
    assert {row["roster_basis"] for row in rows} == {"expected", "played", "both"}


SEEN_FROM = {"two evenings before": (2, 21), "the morning before": (1, 9), "between two tip-offs": (0, 20), "after the games": (0, 23)}


@pytest.mark.parametrize("seen_from", SEEN_FROM)
def test_FM06_FM07_rows_seen_from_an_earlier_instant_equal_the_oracle_of_that_instant(
    simulated: Seasons, simulated_oracle: Oracle, writable: Callable[[Seasons], Workbench], seen_from: str
) -> None:
    days_before, hour = SEEN_FROM[seen_from]
    bench, season = writable(simulated), simulated.by_season["2024-25"]
    day = max(random.Random(hour).sample(season[20:], 8), key=lambda date: len(simulated.bench.rows(STORE, date)))
    as_of = datetime.combine(day - timedelta(days=days_before), time(hour), EASTERN).astimezone(UTC)
    bench.build_all(day, as_of=as_of, tables=DATED)
    oracle = Oracle(simulated_oracle.raw, as_of)
    assert not rosters_apart(bench, oracle, [day])
    assert not value_differences(bench.rows(STORE, day), oracle)


def test_FM35_a_pace_that_is_12_per_cent_off_is_found(
    simulated: Seasons, simulated_oracle: Oracle, writable: Callable[[Seasons], Workbench]
) -> None:
    """A recomputation of a sample by other means names the feature that is wrong, and no other."""
    bench, day = writable(simulated), simulated.by_season["2024-25"][50]
    team = simulated.bench.rows(STORE, day)[0]["team_abbr"]
    sound = "48 * ((own.possessions + other.possessions) / 2)"
    assert sound in statement(OFFENSE)
    wrong = statement(OFFENSE).replace(sound, f"IF(own.team_abbr = '{team}', 1.12, 1.0) * {sound}")
    bench.build(OFFENSE, day - timedelta(days=60), day, sql=wrong)
    bench.build_all(day)
    rows = bench.rows(STORE, day)
    found = [text.split()[2].rstrip(":") for row in rows for text in row_differences(row, simulated_oracle)]
    assert set(found) == {"team_pace", "pace_score"}
    assert found.count("team_pace") == sum(row["team_abbr"] == team for row in rows)
