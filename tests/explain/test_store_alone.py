"""Nights on which every job before the store delivered and the store itself did not: named, with what raw data lacks, and mended."""

from __future__ import annotations

import pytest

from orchestration.build import build_table
from orchestration.plan import dated_tables
from orchestration.runs import Run, new_run_id
from schemas.clock import utc_now
from schemas.rules import STORE_TABLE
from tests.explain.conftest import Site
from tests.explain.faults import (
    COMPLETIONS,
    DEFENSE,
    FACTORS,
    FM10_DEFENSE,
    FM19_LINES,
    LINES,
    dead_run,
    empty,
    planted,
    tonight,
)
from tests.explain.test_faults import causes_of, follow
from warehouse.protocol import RecordWrite

pytestmark = pytest.mark.slow


def jobs_done(site: Site) -> None:
    """Let every job of tonight but the store deliver."""
    warehouse, at = site.warehouse(), utc_now()
    run = Run(new_run_id(at), site.now, at, 60)
    for table in dated_tables():
        if table != STORE_TABLE:
            build_table(warehouse, table, [site.tonight], run)
    warehouse.close()


def test_FM60_a_store_that_was_never_started_is_named_beside_what_never_arrived(site: Site) -> None:
    empty(LINES, tonight)(site)
    jobs_done(site)
    site.watched()
    found = site.explained()
    assert (found.state, causes_of(found)) == ("never_built", {("never_ran", STORE_TABLE), ("raw_rows_missing", LINES)})
    assert found.commands[-1] == f"nba-features run --date {site.tonight}"


def test_FM60_a_store_whose_run_died_is_named_and_run_again(site: Site) -> None:
    jobs_done(site)
    dead_run(site)
    site.watched()
    found = site.explained()
    assert causes_of(found) == {("run_stopped", STORE_TABLE)} and "without a word" in found.headline
    follow(site, found)
    assert site.explained().state in ("published", "warned")


def test_FM09_a_job_taken_out_of_use_is_told_in_those_words(site: Site) -> None:
    jobs_done(site)
    warehouse = site.warehouse()
    row = {"phase": "phase4", "game_date": site.tonight, "job": FACTORS, "status": "skipped", "record_count": 0, "run_id": "r"}
    gone = {**row, "completed_at": utc_now(), "detail": "taken out of use: older_than_its_inputs"}
    warehouse.record([RecordWrite(COMPLETIONS, [gone])])
    warehouse.close()
    cause = next(cause for cause in site.explained().causes if cause.subject == FACTORS)
    assert "taken out of use: older than its inputs" in cause.fact and "without any row" not in cause.fact


def test_a_cause_is_as_urgent_as_the_events_about_it(site: Site) -> None:
    with planted(site, (FM10_DEFENSE, FM19_LINES)):
        site.watched()
        found = site.explained()
    severities = {cause.subject: cause.severity for cause in found.causes}
    # Nothing can be served: that is the night's, not what every cause of it is worth.
    assert found.severity == "P0" and severities[DEFENSE] == "P1" and severities[LINES] in ("P2", "P3")
