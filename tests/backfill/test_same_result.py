"""Whatever the order of dates and the size of chunks, the result is the same."""

from __future__ import annotations

from pathlib import Path

import pytest

from backfill.request import Request
from backfill.runner import Outcome
from tests.backfill.site import Site
from warehouse import open_warehouse


@pytest.mark.slow
def test_order_of_dates_and_size_of_chunks_change_nothing(raw_site: Site, first_backfill: tuple[Path, Outcome]) -> None:
    """The later season first, in pieces, its last dates one by one; the earlier season after it."""
    dates = first_backfill[1].plan.calendar.dates
    later = [date for date in dates if date.year == 2024]
    assert raw_site.backfill(Request(dates=tuple(later[-2:]), date_by_date=True)).exit_status == 0
    assert raw_site.backfill(Request(season="2024-25", rows_per_stage=1500)).exit_status == 0
    assert raw_site.backfill().exit_status == 0
    expected = open_warehouse(raw_site.settings.__class__(**{**raw_site.settings.__dict__, "home": first_backfill[0]}))
    try:
        other = Site(raw_site.settings, expected, raw_site.now)
        assert raw_site.fingerprints() == other.fingerprints()
        assert raw_site.store_rows() == other.store_rows()
    finally:
        expected.close()
