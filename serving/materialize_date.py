"""Write one game date, or the last few, into the online store: the interval that `feast materialize` would be given."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

from schemas.errors import BlockedError
from schemas.rules import STORE_TABLE
from schemas.settings import Settings
from serving.feature_store import apply_definitions, open_feature_store
from serving.gate_facts import read_ledger
from serving.materialization_gate import PUBLISHED, midnight

if TYPE_CHECKING:
    from warehouse.protocol import Warehouse

LAST = f"SELECT COUNT(*) AS n, MAX(event_timestamp) AS last_event FROM {STORE_TABLE} WHERE game_date = @game_date"


def materialize_date(settings: Settings, warehouse: Warehouse, game_date: dt.date, days: int, now: dt.datetime) -> dict[str, Any]:
    """Materialize the dates up to the given one through the gate; a registry nobody has applied to is applied to first.

    The interval ends with the date, or now where that is earlier, but never before the last row of the date.

    Raises:
        BlockedError: the date is not published, or the gate refuses the slice.
    """
    entry = read_ledger(warehouse, STORE_TABLE).get(game_date)
    if entry is None or entry.state != PUBLISHED:
        why = f"{game_date} is {entry.state}" if entry else f"{game_date} has never been built"
        raise BlockedError("the date is not published", [why], f"run: nba-features run --date {game_date}")
    (found,) = warehouse.query(LAST, {"game_date": game_date}).to_pylist()
    start = midnight(game_date - dt.timedelta(days=days - 1))
    end = min(midnight(game_date + dt.timedelta(days=1)), now)
    if found["last_event"] is not None:
        end = max(end, found["last_event"])
    store = open_feature_store(settings, warehouse)
    if not store.list_feature_views():
        apply_definitions(store)
    store.materialize(start_date=start, end_date=end)
    return {"game_date": game_date, "rows": found["n"], "views": len(store.list_feature_views()), "start": start, "end": end}
