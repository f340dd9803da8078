"""What a plan would read, before anything runs."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any, cast

from orchestration.estimate import Estimate, estimates
from orchestration.plan import AwaitStage, BuildStage
from schemas.clock import UTC
from schemas.rules import STORE_TABLE
from schemas.settings import Settings
from transformations.render import dates_statement
from warehouse.embedded import EmbeddedWarehouse
from warehouse.protocol import Warehouse

DATE = dt.date(2025, 1, 20)
AS_OF = dt.datetime(2025, 1, 20, 22, tzinfo=UTC)
STAGES = (AwaitStage(DATE, False), BuildStage(STORE_TABLE, (DATE,), "asked for"))


class Billing:
    """An engine that bills what it reads."""

    bytes_budget = 2_000_000_000

    def __init__(self) -> None:
        self.asked: list[tuple[str, dict[str, Any]]] = []

    def bytes_processed(self, sql: str, params: dict[str, Any]) -> int:
        self.asked.append((sql, params))
        return 2_000_000_001


def test_each_statement_is_estimated_as_it_would_run_and_the_gate_is_not() -> None:
    engine = Billing()
    found = estimates(cast(Warehouse, engine), STAGES, AS_OF, 60)
    assert list(found) == [STAGES[1]]
    ((sql, params),) = engine.asked
    assert sql == dates_statement(STORE_TABLE)
    assert (params["dates"], params["start_date"], params["as_of"], params["cutoff_minutes"]) == ([DATE], DATE, AS_OF, 60)


def test_a_statement_over_the_budget_is_told() -> None:
    (found,) = estimates(cast(Warehouse, Billing()), STAGES, AS_OF, 60).values()
    assert not found.is_within
    assert found.line() == "reads 2.000 GB, more than the 2.000 GB of NBA_FEATURES_MAX_BYTES_BILLED: it would be refused"
    assert Estimate(STORE_TABLE, 2_000_000_000, 2_000_000_000).line() == "reads 2.000 GB"


def test_nothing_is_said_where_nothing_is_billed(tmp_path: Path) -> None:
    assert estimates(EmbeddedWarehouse(Settings("embedded", tmp_path, None)), STAGES, AS_OF, 60) == {}
