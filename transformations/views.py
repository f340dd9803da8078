"""The views: their queries, and the statements that create them in BigQuery."""

from __future__ import annotations

from functools import lru_cache

from schemas.contracts import contract, load_contracts
from transformations.render import body


def view_names() -> tuple[str, ...]:
    """Return the names of the views."""
    return tuple(sorted(name for name, spec in load_contracts().items() if spec.built_by == "view"))


def view_statement(view: str) -> str:
    """Return the GoogleSQL query of a view, its columns in the order of the contract."""
    columns = ",\n  ".join(contract(view).column_names)
    return f"SELECT\n  {columns}\nFROM (\n{body(view)}\n) AS viewed"


@lru_cache(maxsize=1)
def view_statements() -> dict[str, str]:
    """Return the queries of all views by name, as `Warehouse.define_views` takes them."""
    return {view: view_statement(view) for view in view_names()}


def create_view(view: str) -> str:
    """Return the statement that creates a view in BigQuery, with the descriptions of the contract."""
    spec = contract(view)
    columns = ",\n  ".join(f"{column.name} OPTIONS (description = {_literal(column.description)})" for column in spec.columns)
    head = f"CREATE OR REPLACE VIEW {view} (\n  {columns}\n)\nOPTIONS (description = {_literal(spec.description)})"
    return f"{head}\nAS\n{view_statement(view)}"


def _literal(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
