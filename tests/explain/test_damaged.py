"""Data files that are cut off: named with what mends them, and mended by it."""

from __future__ import annotations

import pytest

from schemas.rules import STORE_TABLE
from tests.explain.conftest import Site, ingest_words
from tests.explain.faults import BOXES, CACHE
from tests.explain.test_faults import follow

pytestmark = pytest.mark.slow


def cut_off(site: Site, table: str) -> None:
    """Leave the first half of every data file of a table."""
    for path in (site.home / "warehouse" / "tables" / table).iterdir():
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def test_FM45_damaged_rows_of_the_store_are_named_and_the_command_mends_them(site: Site) -> None:
    site.run().assert_done()
    cut_off(site, STORE_TABLE)
    found = site.explained()
    assert [(cause.code, cause.subject) for cause in found.causes] == [("rows_altered", STORE_TABLE)]
    assert "cannot be read any more" in found.headline and found.commands == ("nba-features backfill --skip-preflight",)
    follow(site, found)
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
