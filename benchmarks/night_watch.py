"""Steps of the night watch: from a job that did not run to the cause, the daily look, a season's report. Imports come first."""

from __future__ import annotations

import datetime as dt
from contextlib import suppress

from benchmarks.data import LONG_AFTER, season_dates
from benchmarks.meter import Reading, import_everything, measured
from orchestration.nightly import run_night
from orchestration.runs import recorded_run
from schemas.clock import EASTERN, UTC, utc_now
from schemas.errors import BlockedError
from schemas.settings import Settings
from warehouse import open_warehouse
from warehouse.protocol import Warehouse

FORGOTTEN = "player_composite_factors"


def _import_everything() -> None:
    """Import what the steps need."""
    import altair

    from orchestration.report.page import chart_library

    assert altair and chart_library()
    import_everything()


def _last_dates(warehouse: Warehouse) -> list[dt.date]:
    return list(season_dates(warehouse).values())[-1]


def explain(settings: Settings) -> Reading:
    """From "the composite job did not run" to its cause and the command, by a process that has read nothing yet."""
    _import_everything()
    warehouse = open_warehouse(settings)
    days = _last_dates(warehouse)
    date = days[len(days) // 2]
    as_of = dt.datetime.combine(date, dt.time(15), EASTERN).astimezone(UTC)
    request = {"date": date, "skip": [FORGOTTEN], "allow_fallback": True}
    with suppress(BlockedError), recorded_run(warehouse, "run", request, as_of, settings.cutoff_minutes, date, date) as run:
        run_night(warehouse, date, run, (FORGOTTEN,), allow_fallback=True)
    warehouse.close()
    from backfill.explain_reach import explained

    fresh = open_warehouse(settings)
    with measured() as reading:
        found, _ = explained(fresh, utc_now(), date=date)
    causes = [f"{cause.code} {cause.subject}" for cause in found.causes]
    assert any(FORGOTTEN in cause for cause in causes), causes
    reading.facts = {"causes found": len(causes), "commands": len(found.commands)}
    return reading


def status(settings: Settings) -> Reading:
    """The daily look, by a process that has read nothing yet."""
    _import_everything()
    from orchestration.status import read_status

    warehouse = open_warehouse(settings)
    day = _last_dates(warehouse)[-1]
    warehouse.close()
    fresh = open_warehouse(settings)
    with measured() as reading:
        found = read_status(fresh, utc_now(), day)
    reading.facts = {"dates shown": len(found.nights)}
    return reading


def report(settings: Settings) -> Reading:
    """The report of the last season: read, explained date by date, and written."""
    _import_everything()
    from orchestration.report.write import write_report

    warehouse = open_warehouse(settings)
    days = _last_dates(warehouse)
    with measured() as reading:
        path = write_report(warehouse, settings, days[0], days[-1], LONG_AFTER)
    reading.facts = {"dates": len(days), "kilobytes": path.stat().st_size // 1000}
    return reading
