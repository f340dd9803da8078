"""A table built by SQL, and a view, has its contract and its statement under one name."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from schemas.contracts import load_contracts
from tests.house.tree import ROOT

SQL_ROOT = ROOT / "transformations"


def built_by() -> dict[str, str]:
    """Return how each table of the contracts is built."""
    return {name: contract.built_by for name, contract in load_contracts().items()}


def statements(root: Path) -> set[str]:
    """Return `dataset.table` of each SQL file in a dataset's folder."""
    return {f"{path.parent.name}.{path.stem}" for path in root.glob("nba_*/*.sql")}


def single_twins(builders: Mapping[str, str], root: Path) -> list[str]:
    """Return one line per table or view without its statement and per statement without its contract."""
    contracts = {name for name, builder in builders.items() if builder in ("sql", "view")}
    files = statements(root)
    lines = [
        f"{name} is built_by {builders[name]} and has no transformations/{name.replace('.', '/')}.sql" for name in sorted(contracts - files)
    ]
    for name in sorted(files - contracts):
        said = f"its contract says built_by {builders[name]}" if name in builders else "it has no contract"
        lines.append(f"transformations/{name.replace('.', '/')}.sql stands alone: {said}")
    return lines


def test_each_table_built_by_sql_has_its_twin() -> None:
    assert not single_twins(built_by(), SQL_ROOT)


def _tree(root: Path, *names: str) -> Path:
    for name in names:
        path = root / f"{name.replace('.', '/')}.sql"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("SELECT 1\n", encoding="utf-8")
    return root


def test_FM05_a_planted_missing_statement_is_found(tmp_path: Path) -> None:
    builders = {"nba_analytics.a": "sql", "nba_analytics.b": "sql", "nba_analytics.v": "view", "nba_raw.c": "ingest"}
    assert single_twins(builders, _tree(tmp_path, "nba_analytics.a", "nba_analytics.b", "nba_analytics.v")) == []
    (tmp_path / "nba_analytics" / "b.sql").unlink()
    (tmp_path / "nba_analytics" / "v.sql").unlink()
    assert single_twins(builders, tmp_path) == [
        "nba_analytics.b is built_by sql and has no transformations/nba_analytics/b.sql",
        "nba_analytics.v is built_by view and has no transformations/nba_analytics/v.sql",
    ]


def test_FM05_a_planted_statement_without_contract_is_found(tmp_path: Path) -> None:
    builders = {"nba_analytics.a": "sql", "nba_raw.c": "ingest"}
    _tree(tmp_path, "nba_analytics.a", "nba_analytics.stray", "nba_raw.c")
    assert single_twins(builders, tmp_path) == [
        "transformations/nba_analytics/stray.sql stands alone: it has no contract",
        "transformations/nba_raw/c.sql stands alone: its contract says built_by ingest",
    ]


def test_FM05_the_contracts_are_seen() -> None:
    assert len(built_by()) >= 8
