"""What is measured on: the real seasons where NBA_DATA_DIR names them, else one season of the simulated league."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from orchestration.slates import seasons
from schemas.settings import Settings

if TYPE_CHECKING:
    from transformations.ingest.delivery import Source
    from warehouse.protocol import Warehouse

LONG_AFTER = dt.datetime(2030, 1, 1, tzinfo=dt.UTC)
"""An as-of instant at which everything has been played."""


def source(settings: Settings) -> Source:
    """Return the real data, or the simulated league where there is none."""
    if settings.data_dir is not None:
        from transformations.ingest.box_score_folder import BoxScoreFolder

        return BoxScoreFolder(settings.data_dir)
    from transformations.ingest.simulated_league import SimulatedLeague

    return SimulatedLeague()


def source_name(settings: Settings) -> str:
    """Say in words what is measured on."""
    return "the real seasons of NBA_DATA_DIR" if settings.data_dir else "one season of the simulated league, for want of NBA_DATA_DIR"


def season_dates(warehouse: Warehouse) -> dict[str, list[dt.date]]:
    """Return the game dates of each season."""
    from orchestration.slates import game_dates

    return {season: sorted(game_dates(warehouse, first, last)) for season, (first, last, _) in seasons(warehouse).items()}
