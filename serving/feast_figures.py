"""Feast's own monitoring figures of one game date, computed when it is published and kept beside the registry."""

from __future__ import annotations

import datetime as dt
import warnings
from typing import TYPE_CHECKING, Any

from schemas.clock import eastern_date
from schemas.rules import STORE_TABLE
from schemas.settings import Settings
from serving.feature_store import open_feature_store
from serving.gate_facts import read_ledger
from serving.materialization_gate import PUBLISHED, midnight

if TYPE_CHECKING:
    from warehouse.protocol import Warehouse


def compute_figures(settings: Settings, warehouse: Warehouse, game_date: dt.date) -> dict[str, Any]:
    """Compute and keep the statistics of every feature view over a published date; say what was computed, or why nothing was.

    Feast counts days in UTC and a game date is US Eastern: the window is the Eastern day, the figures carry its date.
    """
    from feast.monitoring.monitoring_service import MonitoringService
    from feast.types import Array

    entry = read_ledger(warehouse, STORE_TABLE).get(game_date)
    if entry is None or entry.state != PUBLISHED:
        return {"status": "not computed: the date is not published", "features": 0, "views": 0}
    store = open_feature_store(settings, warehouse)
    views = store.list_feature_views()
    if not views:
        return {"status": "not computed: nothing is registered, run feast apply", "features": 0, "views": 0}

    class EasternDay(MonitoringService):
        """Feast's service over the Eastern day of a date."""

        @staticmethod
        def _to_date_range(start_date: dt.date | None, end_date: dt.date | None) -> tuple[dt.datetime, dt.datetime]:
            first = start_date or eastern_date(midnight(game_date))
            return midnight(first), midnight((end_date or first) + dt.timedelta(days=1)) - dt.timedelta(microseconds=1)

    service, features, failed = EasternDay(store), 0, []
    for view in views:
        # Feast takes a list for a category and fails on it, and on the whole view with it.
        names = [field.name for field in view.features if not isinstance(field.dtype, Array)]
        asked = {"feature_view_name": view.name, "feature_names": names, "start_date": game_date, "end_date": game_date}
        with warnings.catch_warnings():
            # Feast joins new figures to old ones in a way that pandas will change; there is nothing for the reader to do.
            warnings.simplefilter("ignore", FutureWarning)
            done = service.compute_metrics(project=store.project, granularity="daily", **asked)
        # Feast logs what fails of a view and calls the whole completed.
        features += done["computed_features"]
        failed += [] if done["computed_feature_views"] else [view.name]
    status = f"failed for {', '.join(failed)}" if failed else "computed"
    return {"status": status, "features": features, "views": len(views) - len(failed)}
