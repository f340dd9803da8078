"""After a repair: write the repaired dates to the online store again, forward to where it had come."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from schemas.clock import eastern_date, utc_now
from schemas.contracts import contract
from schemas.rules import STORE_TABLE
from serving.gate_facts import GatedTable, read_facts
from serving.materialization_gate import last_allowed_end, midnight
from warehouse.protocol import Warehouse

if TYPE_CHECKING:
    from feast import FeatureStore

REACHED = """
SELECT MAX(end_time) AS end_time FROM nba_orchestration.materialization_history WHERE state = 'succeeded'
"""


@dataclass(frozen=True)
class Replay:
    """The interval to materialize again: from the first repaired date to the end of the last one that was ever materialized."""

    start: dt.datetime
    end: dt.datetime

    def line(self) -> str:
        """Return the replay as one line."""
        span = f"{self.start:%Y-%m-%dT%H:%M:%S} to {self.end:%Y-%m-%dT%H:%M:%S} (UTC)"
        return f"materialize {span}: forward, so that no older value replaces a newer one"


def gated_store() -> GatedTable:
    """Return the store as the materialization gate reads it."""
    spec = contract(STORE_TABLE)
    return GatedTable(spec.name, spec.partition or "game_date", spec.as_of_column or "event_timestamp", ("player_lookup", "game_id"))


def plan_replay(warehouse: Warehouse, dates: Sequence[dt.date]) -> Replay | None:
    """Return what to materialize again after these dates were made again; None when none of them was ever online."""
    return plan_replay_from(warehouse, midnight(min(dates))) if dates else None


def plan_replay_from(warehouse: Warehouse, start: dt.datetime) -> Replay | None:
    """Return what to materialize again from an instant on; None when the online store never came so far."""
    reached = warehouse.query(REACHED).to_pylist()[0]["end_time"]
    if reached is None:
        return None
    # Rows made again may have moved to a later instant of their date: the date where it had come to is written whole.
    whole = midnight(eastern_date(reached - dt.timedelta(microseconds=1)) + dt.timedelta(days=1))
    if start >= whole:
        return None
    allowed = last_allowed_end(read_facts(warehouse, gated_store(), start, whole), utc_now())
    end = min(whole, allowed) if allowed is not None else start
    return Replay(start, end) if end > start else None


def run_replay(store: FeatureStore, replay: Replay) -> None:
    """Materialize the interval through the gate, oldest first.

    Raises:
        BlockedError: the gate refuses a date of it.
    """
    store.materialize(start_date=replay.start, end_date=replay.end)
