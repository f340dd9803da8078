"""Numbered migrations: what was added to the tables and what was retired, one file each, in order."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from schemas.contracts import SCHEMAS, TableContract, load_contracts
from schemas.errors import DefinitionError
from schemas.yaml_files import read_yaml

FOLDER = SCHEMAS / "migrations"
NAME = re.compile(r"(\d{4})_[a-z0-9_]+\.yaml")
KEYS = {"number", "title", "why", "creates", "adds", "drops"}


@dataclass(frozen=True)
class Migration:
    """One step of the schema: tables it creates, and columns it adds to and drops from tables, by table."""

    number: int
    title: str
    why: str
    creates: tuple[str, ...] = ()
    adds: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    drops: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def label(self) -> str:
        """Number and title."""
        return f"{self.number:04d} {self.title}"


def _migration(path: Path) -> Migration:
    row: dict[str, Any] = read_yaml(path)
    found = NAME.fullmatch(path.name)
    if found is None or set(row) - KEYS or not {"number", "title", "why"} <= set(row) or int(found[1]) != row["number"]:
        raise DefinitionError(
            "a migration is not as it should be", [path.name], f"name it NNNN_words.yaml with the keys {', '.join(sorted(KEYS))}"
        )
    columns = {key: {table: tuple(names) for table, names in row.get(key, {}).items()} for key in ("adds", "drops")}
    return Migration(row["number"], row["title"], row["why"], tuple(row.get("creates", ())), **columns)


def _contradictions(migrations: Sequence[Migration], contracts: Mapping[str, TableContract]) -> list[str]:
    """List what the migrations say and the contracts do not; the last word on a column counts."""
    problems = (
        [] if [m.number for m in migrations] == list(range(1, len(migrations) + 1)) else ["the numbers do not run from 1 without a gap"]
    )
    last: dict[tuple[str, str], tuple[bool, str]] = {}
    for item in migrations:
        problems += [f"{item.label} creates {name}, which has no contract" for name in item.creates if name not in contracts]
        for stays, columns in ((True, item.adds), (False, item.drops)):
            last |= {(table, name): (stays, item.label) for table, names in columns.items() for name in names}
    for (table, name), (stays, label) in last.items():
        declared = table in contracts and name in contracts[table].by_name
        if declared != stays:
            problems.append(
                f"{label} {'adds' if stays else 'drops'} {table}.{name}, which its contract {'declares' if declared else 'lacks'}"
            )
    return problems


def load_migrations(folder: Path = FOLDER, contracts: Mapping[str, TableContract] | None = None) -> tuple[Migration, ...]:
    """Return all migrations in order; raise `DefinitionError` with everything in which they contradict the contracts."""
    migrations = tuple(_migration(path) for path in sorted(folder.glob("*.yaml")))
    problems = _contradictions(migrations, load_contracts() if contracts is None else contracts)
    if problems:
        raise DefinitionError("migrations and contracts contradict each other", problems)
    return migrations
