"""Nights on which every job before the store delivered and the store itself did not: named, with what raw data lacks, and mended."""

from __future__ import annotations

import pytest

from orchestration.build import build_table
from orchestration.plan import dated_tables
from orchestration.runs import Run, new_run_id
from schemas.clock import utc_now
from schemas.rules import STORE_TABLE
from tests.explain.conftest import Site
from tests.explain.faults import LINES, dead_run, empty, tonight
from tests.explain.test_faults import causes_of, follow

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
