"""The measured steps of backfill, cascade and detection; each gets settings over a home of its own."""

from __future__ import annotations

import datetime as dt
import random

from benchmarks.data import LONG_AFTER, season_dates
from benchmarks.meter import Reading, import_everything, measured
from schemas.clock import UTC
from schemas.contracts import contract
from schemas.errors import BlockedError
from schemas.settings import Settings
from warehouse import open_warehouse
from warehouse.protocol import Publication, Warehouse

BOXES = "nba_raw.player_boxscores"
DAYS_ONE_BY_ONE = 8


def _all_dates(warehouse: Warehouse) -> list[dt.date]:
    return [date for dates in season_dates(warehouse).values() for date in dates]


def backfill_everything(settings: Settings) -> Reading:
    """Bring all seasons up to date from nba_raw: planned, built, gated, published, verified."""
    from backfill.request import Request
    from backfill.runner import run_backfill

    import_everything()
    warehouse = open_warehouse(settings)
    with measured() as reading:
        outcome = run_backfill(warehouse, Request(), LONG_AFTER, settings.cutoff_minutes)
    rows = sum(result.rows for result in outcome.results)
    reading.facts = {"exit status": int(outcome.exit_status), "rows published": rows, "not verified": len(outcome.unverified)}
    return reading


def backfill_nothing(settings: Settings) -> Reading:
    """Ask for all seasons again when everything is current."""
    return backfill_everything(settings)


def backfill_date_by_date(settings: Settings) -> Reading:
    """Build some dates of all seasons one by one, the way most pipelines backfill; what that makes of all of them is told."""
    from orchestration.nightly import run_night
    from orchestration.runs import recorded_run

    import_everything()
    warehouse = open_warehouse(settings)
    dates = _all_dates(warehouse)
    chosen = sorted(random.Random(7).sample(dates, min(DAYS_ONE_BY_ONE, len(dates))))
    with measured() as reading:
        for date in chosen:
            with recorded_run(warehouse, "run", {"date": date}, LONG_AFTER, settings.cutoff_minutes, date, date) as run:
                run_night(warehouse, date, run)
    each = reading.wall / len(chosen)
    reading.facts = {
        "dates": len(chosen),
        "seconds a date": f"{each:.2f}",
        f"seconds for {len(dates):,} dates": f"{each * len(dates):,.0f}",
    }
    return reading


def cascade_from_a_date(settings: Settings) -> Reading:
    """Correct the points of one player of one past date, then let the cascade find and make good what holds them."""
    import pyarrow as pa

    from backfill.cascade_run import cascade

    import_everything()
    warehouse = open_warehouse(settings)
    date = _all_dates(warehouse)[-120]
    sql = f"SELECT * FROM {BOXES} WHERE game_date = @date ORDER BY game_id, player_lookup"
    rows = warehouse.query(sql, {"date": date})
    points = rows["points"].to_pylist()
    points[0] += 3
    corrected = rows.set_column(rows.column_names.index("points"), "points", pa.array(points, rows["points"].type))
    staged = warehouse.stage_rows(contract(BOXES), corrected, "correction")
    warehouse.publish([Publication(staged, (date,))])
    with measured() as reading:
        done = cascade(warehouse, settings, (), LONG_AFTER, LONG_AFTER)
    assert done.plan is not None
    reading.facts = {
        "corrected": str(date),
        "rows that hold it": len(done.plan.touched.rows),
        "dates made again": len(done.plan.store_dates),
    }
    return reading


def detect(settings: Settings) -> Reading:
    """Lose one date's composite factors, build it on fallbacks, then ask all seasons what is wrong."""
    from orchestration.nightly import run_night
    from orchestration.runs import recorded_run
    from quality.summary import quality_summary

    import_everything()
    warehouse = open_warehouse(settings)
    dates = _all_dates(warehouse)
    lost = dates[-90]
    as_of = dt.datetime.combine(lost, dt.time(20), UTC)
    try:
        with recorded_run(warehouse, "run", {"date": lost}, as_of, settings.cutoff_minutes, lost, lost) as run:
            run_night(warehouse, lost, run, skip=("player_composite_factors",), allow_fallback=True)
    except BlockedError:
        pass
    warehouse.close()
    warehouse = open_warehouse(settings)
    with measured() as reading:
        found = quality_summary(warehouse, dates[0], dates[-1])
    assert found is not None and found.worst_dates[0].date == lost, "the date that lost its factors is not the worst"
    worst = found.worst_dates[0]
    reading.facts = {
        "rows": found.rows, "worst date": str(worst.date), "lowest category": f"{worst.lowest_category} {worst.lowest_category_pct}",
        "first reason": " ".join(str(part) for part in worst.features[0]),
    }  # fmt: skip
    return reading


def detect_limit(settings: Settings) -> Reading:
    """Read the same flat columns of all seasons in one plain statement."""
    warehouse = open_warehouse(settings)
    with measured() as reading:
        warehouse.query(
            "SELECT game_date, AVG(feature_quality_score) AS score, AVG(matchup_quality_pct) AS matchup "
            "FROM nba_predictions.ml_feature_store_v2 GROUP BY game_date"
        )
    return reading
