"""A run that began before newer code was at work must not write over it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from orchestration.ledger import entries
from orchestration.runs import Run
from schemas.code_version import code_version
from schemas.errors import StaleDefinitionError
from warehouse.protocol import Warehouse

HINT = "start the run again with the present code, or write over it with --override-newer-build"


def refuse_stale_code(warehouse: Warehouse, table: str, dates: Sequence[dt.date], run: Run) -> None:
    """Refuse dates that another version of the code built after this run had begun.

    A version alone does not say which of two is newer; that its run began later does.

    Raises:
        StaleDefinitionError: naming the dates and the other version; nothing was staged.
    """
    if run.override_newer_build:
        return
    mine = code_version()
    known = entries(warehouse, table, min(dates), max(dates))
    newer = {date: row for date, row in known.items() if row["updated_at"] > run.started_at and row["code_version"] != mine}
    touched = sorted(set(newer) & set(dates))
    if touched:
        others = sorted({str(newer[date]["code_version"]) for date in touched})
        raise StaleDefinitionError(
            f"{table} was built by other code ({', '.join(others)}) after this run began with {mine}", [str(date) for date in touched], HINT
        )
