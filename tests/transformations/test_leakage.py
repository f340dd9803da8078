"""Nothing that became known at or after a row's cutoff moves a value of that row.

The future is replaced by noise and the date is made again, as the first of several dates of one statement. Then each
bound of the SQL is taken away in turn, to see that the experiment would have noticed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date, datetime, time
from functools import cache

import pytest

from schemas.clock import EASTERN, UTC
from tests.transformations.leaks import Experiment, changed_summary_dates, run_experiment
from tests.transformations.shared import Seasons
from tests.transformations.workbench import DATED, LONG_AFTER, ROSTER, SLATE, STORE, SUMMARIES, days
from transformations.render import statement

DEFENSE = "nba_precompute.team_defense_zone_analysis"
CACHE = "nba_precompute.player_daily_cache"
ZONES = "nba_precompute.player_shot_zone_analysis"
FACTORS = "nba_precompute.player_composite_factors"
pytestmark = pytest.mark.slow
SCENARIOS = (PAST, EVENING_BEFORE, PLAYOFFS) = ("a past date", "the evening before", "a playoff date")


def _busiest(league: Seasons, dates: list[date]) -> date:
    return max(dates, key=lambda day: league.bench.table(SLATE, day).num_rows)


@pytest.fixture(scope="module")
def experiments(simulated: Seasons, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Experiment]]:
    """Return a function that gives the experiment of a scenario, each made once."""
    season = simulated.by_season["2024-25"]

    @cache
    def made(scenario: str) -> Experiment:
        root = tmp_path_factory.mktemp("leak")
        day = _busiest(simulated, season[-6:-3] if scenario == PLAYOFFS else season[len(season) // 2 :][:12])
        as_of = datetime.combine(day - days(1), time(21, 30), EASTERN).astimezone(UTC) if scenario == EVENING_BEFORE else LONG_AFTER
        all_made.append(
            run_experiment(simulated.bench.clone(root / "truth"), simulated.bench.clone(root / "noisy"), day, season[-1], as_of)
        )
        return all_made[-1]

    all_made: list[Experiment] = []
    yield made
    for experiment in all_made:
        experiment.close()


@pytest.fixture(params=SCENARIOS)
def experiment(experiments: Callable[[str], Experiment], request: pytest.FixtureRequest) -> Experiment:
    return experiments(request.param)


@pytest.mark.parametrize("table", DATED)
def test_FM01_FM02_FM03_FM04_FM06_noise_after_the_cutoff_changes_no_value(experiment: Experiment, table: str) -> None:
    found = experiment.differences(table)
    assert not found, "\n".join(found[:40])


@pytest.mark.parametrize("table", SUMMARIES)
def test_FM02_noise_changes_the_summaries_of_its_own_dates_only(experiment: Experiment, table: str) -> None:
    experiment.noisy.build(table, experiment.first_noisy - days(60), experiment.day + days(2))
    changed = changed_summary_dates(experiment, table)
    assert not [date for date, differs in changed.items() if differs and date < experiment.first_noisy]
    assert all(differs for date, differs in changed.items() if experiment.first_noisy <= date <= experiment.day)


def test_the_noise_is_there(experiment: Experiment) -> None:
    """The experiment proves nothing unless the noise reaches what the tables read."""
    day = experiment.day
    for raw in ("nba_raw.odds_player_points", "nba_raw.odds_game_lines"):
        decoys = [row for row in experiment.noisy.rows(raw, day) if row.get("line") == 66.5 or row.get("total") == 111.0]
        assert decoys
    assert any(row["reason"] == "decoy" for row in experiment.noisy.rows("nba_raw.injury_reports", day))
    true, noisy = (
        {row["player_lookup"]: row["points"] for row in bench.rows("nba_raw.player_boxscores", day)}
        for bench in (experiment.truth, experiment.noisy)
    )
    assert sum(noisy.get(player) != points for player, points in true.items()) > len(true) / 2


def _mutant(table: str, sound: str, leaking: str) -> str:
    sql = statement(table)
    assert sound in sql, f"{table} no longer holds: {sound}"
    return sql.replace(sound, leaking)


WINDOW = ("RANGE BETWEEN 365 PRECEDING AND 1 PRECEDING", "RANGE BETWEEN 365 PRECEDING AND CURRENT ROW")
LEAKS = {
    "FM01 the player's own window takes in the date": (CACHE, *WINDOW),
    "FM01 the shot window takes in the date": (ZONES, *WINDOW),
    "FM01 a breakout on the date counts": (CACHE, "AND g.game_date < f.game_date\n", "AND g.game_date <= f.game_date\n"),
    "FM01 a team-mate's game of the date counts": (FACTORS, "AND g.game_date < r.game_date\n", "AND g.game_date <= r.game_date\n"),
    "FM02 the league window takes in the date": (
        DEFENSE,
        "JOIN days AS g ON g.game_date < d.game_date",
        "JOIN days AS g ON g.game_date <= d.game_date",
    ),
    "FM02 the team window takes in the date": (DEFENSE, *WINDOW),
    "FM03 points lines up to tip-off": (STORE, "l.observed_at <= r.cutoff", "l.observed_at < r.tipoff_time"),
    "FM04 game lines after the cutoff": (SLATE, "AND o.observed_at <= a.cutoff", ""),
    "FM06 statuses after the cutoff": (ROSTER, "WHERE r.reported_at <= s.cutoff\n    AND r.report_date", "WHERE r.report_date"),
    "FM06 statuses up to tip-off": (
        ROSTER,
        "WHERE r.reported_at <= s.cutoff\n    AND r.report_date",
        "WHERE r.reported_at < s.tipoff_time\n    AND r.report_date",
    ),
    "FM01 games against the opponent on the date": (
        STORE,
        "g.opponent_team_abbr = r.opponent_team_abbr\n    AND g.game_date < r.game_date",
        "g.opponent_team_abbr = r.opponent_team_abbr\n    AND g.game_date <= r.game_date",
    ),
    "FM01 the result of the date": (
        STORE,
        "g.season = s.season AND g.game_date < s.game_date",
        "g.season = s.season AND g.game_date <= s.game_date",
    ),
}


@pytest.mark.parametrize("leak", LEAKS)
def test_FM01_FM02_FM03_FM04_FM05_FM06_a_planted_leak_is_seen(experiments: Callable[[str], Experiment], leak: str) -> None:
    table, sound, leaking = LEAKS[leak]
    assert experiments(PAST).differences_with(table, _mutant(table, sound, leaking))


@pytest.mark.parametrize("table", [DEFENSE, CACHE, ZONES, FACTORS, ROSTER])
def test_FM05_a_box_score_unknown_at_the_as_of_instant_is_seen(experiments: Callable[[str], Experiment], table: str) -> None:
    assert experiments(EVENING_BEFORE).differences_with(table, _mutant(table, "AND game_date < @as_of_date", ""))


def test_FM01_FM03_FM04_FM06_noise_after_the_cutoff_changes_no_real_value(real: Seasons, tmp_path_factory: pytest.TempPathFactory) -> None:
    season = real.by_season["2024-25"]
    day = next(day for day in reversed(real.chosen["2024-25"]) if real.bench.table("nba_raw.odds_player_points", day).num_rows)
    root = tmp_path_factory.mktemp("real_leak")
    made = run_experiment(real.bench.clone(root / "truth"), real.bench.clone(root / "noisy"), day, season[-1])
    found = [text for table in DATED for text in made.differences(table)]
    assert not found, "\n".join(found[:40])
    for table in SUMMARIES:
        made.noisy.build(table, day - days(30), day)
        changed = changed_summary_dates(made, table)
        assert next(date for date, differs in changed.items() if differs) >= day
    made.close()
