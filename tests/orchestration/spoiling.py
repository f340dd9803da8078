"""Faults planted in what a statement yields."""

from __future__ import annotations

from typing import Any

import pytest

from schemas.contracts import TableContract, contract
from warehouse.protocol import Staged, Warehouse


def spoil(warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch, table: str, where: str = "TRUE", **columns: str) -> None:
    """Let the statement of the table yield only the rows of `where`, and these expressions in its columns."""
    stage_query = warehouse.stage_query

    def spoiled(spec: TableContract, sql: str, *given: Any, **named: Any) -> Staged:
        if spec.name == table:
            texts = [f"{columns[name]} AS {name}" if name in columns else name for name in contract(table).column_names]
            sql = f"SELECT {', '.join(texts)} FROM (\n{sql}\n) AS made WHERE {where}"
        return stage_query(spec, sql, *given, **named)

    monkeypatch.setattr(warehouse, "stage_query", spoiled)
