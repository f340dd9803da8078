"""What the statements of a plan would read where reading is billed: the engine's own estimate, for which nothing runs."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

from orchestration.plan import BuildStage, Stage
from orchestration.runs import Run
from transformations.render import dates_statement
from warehouse.protocol import Warehouse


@dataclass(frozen=True)
class Estimate:
    """Bytes that the statement of a table would read, beside what one statement may."""

    table: str
    bytes: int
    budget: int

    @property
    def is_within(self) -> bool:
        """TRUE when the statement would be let run."""
        return self.bytes <= self.budget

    def line(self) -> str:
        """Return the estimate in words."""
        text = f"reads {self.bytes / 1e9:.3f} GB"
        more = f", more than the {self.budget / 1e9:.3f} GB of NBA_FEATURES_MAX_BYTES_BILLED: it would be refused"
        return text if self.is_within else text + more


def estimates(warehouse: Warehouse, stages: Sequence[Stage], as_of: dt.datetime, cutoff_minutes: int) -> dict[Stage, Estimate]:
    """Return what each statement of the plan would read; nothing where the engine bills nothing.

    Raises:
        WarehouseError: the statement would be refused as it is.
    """
    estimate, budget = getattr(warehouse, "bytes_processed", None), getattr(warehouse, "bytes_budget", None)
    if estimate is None or budget is None:
        return {}
    run = Run("dry-run", as_of, as_of, cutoff_minutes)
    found: dict[Stage, Estimate] = {}
    for stage in stages:
        if isinstance(stage, BuildStage):
            params = {**run.params(min(stage.dates), max(stage.dates)), "dates": sorted(stage.dates)}
            found[stage] = Estimate(stage.table, estimate(dates_statement(stage.table), params), budget)
    return found
