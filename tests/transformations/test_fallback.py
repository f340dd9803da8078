"""Where a Phase 4 row or value is missing, Phase 3 gives the same value, and the label says where it came from."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import date
from typing import Any

import pyarrow as pa
import pytest

from schemas.catalogue import Feature, load_catalogue
from schemas.contracts import contract
from tests.transformations.shared import Seasons
from tests.transformations.workbench import PHASE_4, STORE, Workbench
from warehouse.protocol import Publication

CATALOGUE = load_catalogue()
PROMISED = tuple(f for f in CATALOGUE.features if f.primary_type == "phase4" and f.fallback_table)
NOT_PROMISED = tuple(f for f in CATALOGUE.features if f.primary_type == "phase4" and not f.fallback_table)
Rows = dict[str, dict[str, Any]]


@pytest.fixture(scope="module")
def lost(simulated: Seasons, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Workbench, dict[str, date]]]:
    """Return a bench on which each Phase 4 job never ran on a date of its own, and none of them on one more."""
    bench = simulated.bench.clone(tmp_path_factory.mktemp("lost") / "home")
    season = simulated.by_season["2024-25"]
    dates = dict(zip((*PHASE_4, "all"), season[45:], strict=False))
    for name, day in dates.items():
        for table in PHASE_4 if name == "all" else (name,):
            bench.drop(table, [day])
    bench.build(STORE, min(dates.values()), max(dates.values()))
    yield bench, dates
    bench.close()


def rows_of(bench: Workbench, day: date) -> Rows:
    return {row["player_lookup"]: row for row in bench.rows(STORE, day)}


def unlike(feature: Feature, before: Rows, after: Rows) -> list[str]:
    """Return the players whose value changed, or whose label, quality or reason is not that of a Phase 3 fallback."""
    found = []
    for player, row in after.items():
        was, index = before[player], str(feature.index)
        if was[f"feature_{index}_source"] == "default":
            continue
        if abs(row[feature.name] - was[feature.name]) > 0:
            found.append(f"{player} {feature.name}: {was[feature.name]} became {row[feature.name]}")
        label = (
            row[f"feature_{index}_source"],
            json.loads(row["feature_sources"])[index],
            json.loads(row["feature_fallback_reasons_json"]).get(index),
        )
        if label != ("phase3", "phase3", feature.missing_reason):
            found.append(f"{player} {feature.name}: {label}")
    return found


def test_the_catalogue_promises_a_fallback_for_every_phase_4_job_but_one() -> None:
    assert len(PROMISED) >= 12
    assert {f.tables[0] for f in PROMISED} == set(PHASE_4) - {"nba_precompute.player_composite_factors"}
    assert [f.index for f in NOT_PROMISED] == [5, 6, 7, 8]


@pytest.mark.parametrize("feature", PROMISED, ids=lambda f: f.name)
@pytest.mark.parametrize("only", [True, False], ids=["one job lost", "all jobs lost"])
def test_FM12_FM27_FM29_the_fallback_equals_the_primary(
    simulated: Seasons, lost: tuple[Workbench, dict[str, date]], feature: Feature, only: bool
) -> None:
    bench, dates = lost
    day = dates[feature.tables[0] if only else "all"]
    before, after = rows_of(simulated.bench, day), rows_of(bench, day)
    assert before.keys() == after.keys()
    assert sum(row[f"feature_{feature.index}_source"] == "phase4" for row in before.values()) >= 10
    assert unlike(feature, before, after) == []


@pytest.mark.parametrize("feature", NOT_PROMISED, ids=lambda f: f.name)
def test_FM08_without_composite_factors_their_features_are_defaults(
    simulated: Seasons, lost: tuple[Workbench, dict[str, date]], feature: Feature
) -> None:
    bench, dates = lost
    for row in rows_of(bench, dates["nba_precompute.player_composite_factors"]).values():
        assert row[feature.name] == feature.default
        assert row[f"feature_{feature.index}_source"] == "default"
        assert json.loads(row["feature_fallback_reasons_json"])[str(feature.index)] == "composite_factors_missing"
        assert (row["matchup_quality_pct"], row["has_composite_factors"], row["quality_alert_level"]) == (
            pytest.approx(33.3),
            False,
            "red",
        ) or (row["matchup_default_count"] > 4)
        assert row["missing_processors"] == "player_composite_factors"


def test_other_features_are_untouched_when_a_job_is_lost(simulated: Seasons, lost: tuple[Workbench, dict[str, date]]) -> None:
    bench, dates = lost
    # 12 and 29 are made from the cache or fall back to it, 35 and 36 from what was served.
    made_from_cache = {"minutes_change"}
    for job in PHASE_4:
        before, after = rows_of(simulated.bench, dates[job]), rows_of(bench, dates[job])
        for feature in CATALOGUE.features:
            if feature.name in made_from_cache or (feature.primary_type == "phase4" and job in feature.tables):
                continue
            changed = [player for player, row in after.items() if row[feature.name] != before[player][feature.name]]
            assert not changed, (job, feature.name, changed[:5])


def test_FM27_shares_stay_between_0_and_1_and_sum_to_1(simulated: Seasons, lost: tuple[Workbench, dict[str, date]]) -> None:
    bench, dates = lost
    shares = ("pct_paint", "pct_mid_range", "pct_three")
    for source, day in ((simulated.bench, dates["all"]), (bench, dates["all"]), (bench, dates["nba_precompute.player_shot_zone_analysis"])):
        rows = [row for row in rows_of(source, day).values() if row["pct_paint"] is not None]
        assert len(rows) >= 10
        for row in rows:
            assert all(0 <= row[name] <= 1 for name in shares)
            assert sum(row[name] for name in shares) == pytest.approx(1, abs=3e-6)
        assert max(max(row[name] for name in shares) for row in rows) > 0.2


POISONED = {
    "nba_precompute.player_daily_cache": "points_avg_last_5",
    "nba_precompute.team_defense_zone_analysis": "opponent_pace",
    "nba_precompute.player_shot_zone_analysis": "paint_rate_last_10",
    "nba_precompute.player_composite_factors": "pace_score",
}
POISONS = {"NULL": None, "NaN": float("nan"), "infinity": float("inf"), "minus infinity": float("-inf")}


@pytest.fixture(scope="module")
def poisoned(simulated: Seasons, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Workbench, dict[str, date]]]:
    """Return a bench on which a column of every Phase 4 table holds no number, another kind of it on each date."""
    bench = simulated.bench.clone(tmp_path_factory.mktemp("poison") / "home")
    dates = dict(zip(POISONS, simulated.by_season["2024-25"][50:], strict=False))
    for name, day in dates.items():
        for table, column in POISONED.items():
            rows = bench.table(table, day)
            at = rows.schema.get_field_index(column)
            _publish(bench, table, day, rows.set_column(at, rows.schema.field(at), pa.array([POISONS[name]] * rows.num_rows, pa.float64())))
    bench.build(STORE, min(dates.values()), max(dates.values()))
    yield bench, dates
    bench.close()


@pytest.mark.parametrize("poison", POISONS)
def test_FM12_FM14_a_value_that_is_none_takes_the_fallback_and_its_label(
    simulated: Seasons, poisoned: tuple[Workbench, dict[str, date]], poison: str
) -> None:
    """The row is there and the value is not: the label follows the value."""
    bench, dates = poisoned
    before, after = rows_of(simulated.bench, dates[poison]), rows_of(bench, dates[poison])
    for name in ("points_avg_last_5", "opponent_pace", "pct_paint"):
        assert unlike(CATALOGUE.feature(name), before, after) == []
    for row in after.values():
        assert (row["pace_score"], row["feature_7_source"]) == (0.0, "default")


def _publish(bench: Workbench, table: str, day: date, rows: pa.Table) -> None:
    staged = bench.warehouse.stage_rows(contract(table), rows, "test")
    bench.warehouse.publish([Publication(staged, (day,))])


def test_FM11_matchup_values_of_another_opponent_are_not_used(simulated: Seasons, tmp_path_factory: pytest.TempPathFactory) -> None:
    """A composite row made for yesterday's opponent is no row for tonight's."""
    bench = simulated.bench.clone(tmp_path_factory.mktemp("opponent") / "home")
    day = simulated.by_season["2024-25"][50]
    table = "nba_precompute.player_composite_factors"
    rows = bench.table(table, day)
    at = rows.schema.get_field_index("opponent_team_abbr")
    _publish(bench, table, day, rows.set_column(at, rows.schema.field(at), pa.array(["ZZZ"] * rows.num_rows)))
    bench.build(STORE, day)
    for row in rows_of(bench, day).values():
        assert [row[f"feature_{index}_source"] for index in (5, 6, 7, 8)] == ["default"] * 4
    bench.close()


def _real_feature_differences(before: Rows, after: Rows) -> Iterator[str]:
    for feature in PROMISED:
        yield from unlike(feature, before, after)


def test_FM12_FM27_the_fallback_equals_the_primary_on_a_real_date(real: Seasons, writable: Callable[[Seasons], Workbench]) -> None:
    bench, day = writable(real), real.chosen["2023-24"][6]
    for table in PHASE_4:
        bench.drop(table, [day])
    bench.build(STORE, day)
    found = list(_real_feature_differences(rows_of(real.bench, day), rows_of(bench, day)))
    assert not found, "\n".join(found[:40])
