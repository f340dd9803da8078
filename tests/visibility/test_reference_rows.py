"""The row rules written a second time, compared with the statement: on random rows, and on every row of a real season."""

from __future__ import annotations

import datetime as dt
import math
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestration.plan import dated_tables, summaries
from quality.reference_rules import judge_row
from schemas.contracts import contract
from schemas.rules import STORE_TABLE
from tests.visibility.planted import (
    CACHE,
    COMPOSITE,
    DEFENSE,
    DEFENSE_GAMES,
    ROSTER,
    SHOTS,
    SUMMARY,
    Case,
    build_store,
    disagreements,
    inputs_of,
    judged,
    open_planted,
    table_rows,
)

NUMBERS = st.sampled_from([None, math.nan, math.inf, -math.inf, 0.0, -0.0, 1e-9, 40.0, 1000.0, -1000.0])
COUNTS = st.integers(0, 15)
CHANGES: dict[str, dict[str, st.SearchStrategy[Any]]] = {
    CACHE: {
        "points_avg_last_5": NUMBERS,
        "points_avg_season": NUMBERS,
        "points_std_last_10": NUMBERS,
        "team_pace_last_10": NUMBERS,
        "minutes_avg_season": NUMBERS,
        "games_last_5": COUNTS,
        "games_last_10": COUNTS,
        "games_season": COUNTS,
        "team_games_last_10": COUNTS,
    },
    COMPOSITE: {
        "fatigue_score": NUMBERS,
        "shot_zone_mismatch_score": NUMBERS,
        "shot_zone_mismatch_sample": COUNTS,
        "shot_zone_history_games": COUNTS,
        "pace_score": NUMBERS,
        "pace_sample": COUNTS,
        "usage_spike_score": NUMBERS,
        "usage_sample": COUNTS,
        "injury_feed_live": st.booleans(),
    },
    SHOTS: {"paint_rate_last_10": NUMBERS, "three_pt_rate_last_10": NUMBERS, "games_with_shots": COUNTS},
    ROSTER: {
        "player_status": st.sampled_from([None, "out", "questionable"]),
        "injury_feed_live": st.booleans(),
        "home_game": st.booleans(),
    },
    SUMMARY: {"points": st.integers(0, 60), "ftm": COUNTS, "has_shots": st.booleans(), "usage_rate": st.sampled_from([None, 0.0, 20.0])},
}
RIVALS = {"AAA": (), "BBB": (DEFENSE,), "CCC": (DEFENSE, DEFENSE_GAMES)}


@st.composite
def one_case(draw: st.DrawFn) -> dict[str, Any]:
    changes = {
        table: {name: draw(values) for name, values in columns.items() if draw(st.booleans())}
        for table, columns in CHANGES.items()
        if draw(st.booleans())
    }
    without = [table for table in (CACHE, COMPOSITE, SHOTS) if draw(st.integers(0, 4)) == 0]
    return {
        "changes": changes,
        "without": without,
        "line": draw(st.booleans()),
        "rival": draw(st.sampled_from(sorted(RIVALS))),
        "games": draw(st.integers(0, 12)),
    }


@settings(max_examples=4, suppress_health_check=list(HealthCheck))
@given(st.lists(one_case(), min_size=40, max_size=40))
def test_random_rows_are_as_the_reference_rules_have_them(drawn: list[dict[str, Any]]) -> None:
    cases = [
        Case(f"p{number}", one["changes"], (*one["without"], *RIVALS[one["rival"]]), one["line"], one["rival"], one["games"])
        for number, one in enumerate(drawn)
    ]
    with tempfile.TemporaryDirectory() as folder:
        warehouse = open_planted(Path(folder), table_rows(cases))
        rows = build_store(warehouse)
        warehouse.close()
    assert len(rows) == len(cases)
    wrong = {player: found for player, row in rows.items() if (found := judged(row))}
    assert not wrong


def test_the_comparison_sees_a_wrong_column(tmp_path: Path) -> None:
    row = build_store(open_planted(tmp_path, table_rows([Case("whole")])))["whole"]
    verdict = judge_row(inputs_of(row))
    for name, value in (("feature_5_quality", 99.0), ("quality_tier", "silver"), ("matchup_default_count", 1), ("quality_alerts", ["x"])):
        assert [line.split(":")[0] for line in disagreements({**row, name: value}, verdict)] == [name]


def _silent(due: list[dt.date], loaded: list[dt.date], date: dt.date) -> bool:
    """TRUE when the last scheduled day before the date lies more than 48 hours after the newest loaded one."""
    last, newest = max((d for d in due if d < date), default=None), max((d for d in loaded if d < date), default=None)
    return last is not None and newest is not None and (last - newest).days * 24 > 48


@pytest.mark.long
@pytest.mark.slow
def test_every_row_of_a_real_season_is_as_the_reference_rules_have_it(data_dir: Path, tmp_path: Path) -> None:
    from schemas.settings import Settings
    from tests.transformations.workbench import Workbench
    from transformations.ingest.box_score_folder import BoxScoreFolder

    season = "2023-24"
    bench = Workbench(tmp_path)
    bench.load(BoxScoreFolder(data_dir, (season,)).deliver().tables)
    assert isinstance(bench.warehouse.settings, Settings)
    dates = sorted(d for d in bench.warehouse.partitions("nba_raw.player_boxscores"))
    for table in (*summaries(), *dated_tables()):
        bench.build(table, dates[0], dates[-1])
    due = [
        row["game_date"]
        for row in bench.warehouse.query(
            "SELECT DISTINCT game_date FROM nba_raw.schedule WHERE season_type NOT IN ('preseason', 'all_star') AND status != 'postponed'"
        ).to_pylist()
    ]
    shot_days = sorted(bench.warehouse.partitions("nba_raw.shots"))
    names = [
        c.name
        for c in contract(STORE_TABLE).columns
        if c.name.startswith(("feature_", "quality_", "is_", "has_")) or c.name.endswith(("_pct", "_count", "_tier"))
    ]
    columns = sorted({*names, "game_date", "player_lookup", "default_feature_indices", "critical_features_training_quality"})
    rows = bench.warehouse.query(f"SELECT {', '.join(columns)} FROM {STORE_TABLE}").to_pylist()
    feeds = {
        date: frozenset([*(["box_scores"] if _silent(due, dates, date) else []), *(["shots"] if _silent(due, shot_days, date) else [])])
        for date in {row["game_date"] for row in rows}
    }
    verdicts: dict[tuple[Any, ...], Any] = {}
    wrong: Counter[str] = Counter()
    for row in rows:
        texts = ("feature_sources", "feature_fallback_reasons_json", "feature_sample_sizes_json", "feature_value_ranges_valid_json")
        key = (*(row[text] for text in texts), feeds[row["game_date"]])
        if key not in verdicts:
            verdicts[key] = judge_row(inputs_of(row, feeds[row["game_date"]]))
        wrong.update(line.split(":")[0] for line in disagreements(row, verdicts[key]))
    bench.close()
    assert not wrong
    assert len(rows) > 25_000
