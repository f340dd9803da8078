"""Data files that are cut off: named with what mends them, and mended by it."""

from __future__ import annotations

import shlex

import pytest

from schemas.contracts import contract
from schemas.rules import STORE_TABLE
from tests.explain.conftest import Site, ingest_words
from tests.explain.faults import BOXES, CACHE, FACTORS
from tests.explain.test_faults import causes_of, follow
from warehouse.protocol import Publication

pytestmark = pytest.mark.slow


def cut_off(site: Site, table: str) -> None:
    """Leave the first half of every data file of a table."""
    for path in (site.home / "warehouse" / "tables" / table).iterdir():
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def test_FM45_damaged_rows_of_the_store_are_named_and_the_command_mends_them(site: Site) -> None:
    site.run().assert_done()
    cut_off(site, STORE_TABLE)
    told = site.call("ready", "--date", str(site.tonight))
    assert told.status == 3 and "cannot be read any more; run: nba-features backfill --skip-preflight" in told.out
    found = site.explained()
    assert [(cause.code, cause.subject) for cause in found.causes] == [("rows_altered", STORE_TABLE)]
    assert "cannot be read any more" in found.headline and found.commands == ("nba-features backfill --skip-preflight",)
    # A night that is run meanwhile cannot be judged; the damage is named with it, and mended before it is run again.
    assert site.run().status == 3
    found = site.explained()
    assert ("rows_altered", STORE_TABLE) in causes_of(found) and found.commands[0] == "nba-features backfill --skip-preflight"
    first, last = found.commands
    assert site.call(*shlex.split(first)[1:]).status in (0, 5) and shlex.split(last)[1] == "run"
    site.call(*shlex.split(last)[1:]).assert_done()
    assert site.explained().state in ("published", "warned")


def test_FM45_the_doctor_hears_every_check_and_mends_what_it_can(site: Site) -> None:
    cut_off(site, BOXES)
    cut_off(site, STORE_TABLE)
    told = site.call("doctor")
    assert told.status == 5 and "partitions: could not be looked at: a data file of the warehouse is missing or damaged" in told.out
    site.call(*ingest_words(site.yesterday)).assert_done()
    cut_off(site, CACHE)
    site.call("doctor", "--repair").assert_done()
    assert site.explained(site.yesterday).causes == ()


def test_FM45_altered_rows_of_a_job_are_seen_by_ready_and_explained(site: Site) -> None:
    site.run().assert_done()
    warehouse = site.warehouse()
    rows = warehouse.query(f"SELECT * REPLACE (0.5 AS fatigue_score) FROM {FACTORS} WHERE game_date = @date", {"date": site.tonight})
    warehouse.publish([Publication(warehouse.stage_rows(contract(FACTORS), rows, "planted"), (site.tonight,))])
    warehouse.close()
    told = site.call("ready", "--date", str(site.tonight))
    assert told.status == 3 and "the rows of player_composite_factors that are readable are not those the gate let pass" in told.out
    found = site.explained()
    assert ("rows_altered", FACTORS) in causes_of(found)
    follow(site, found)
    assert not causes_of(site.explained())
    site.call("ready", "--date", str(site.tonight)).assert_done()
