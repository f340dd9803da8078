"""The columns that are stored against those the contracts declare: what is due, and doing it in place."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

from orchestration.plan import others_tables
from schemas.contracts import load_contracts
from schemas.errors import UsageError
from schemas.migration_files import Migration, load_migrations
from warehouse.protocol import RecordWrite, Warehouse

APPLIED = "nba_orchestration.schema_migrations"


@dataclass(frozen=True)
class AddColumn:
    """A column that rows stored before do not have: it reads as NULL there until they are made again."""

    table: str
    column: str
    partitions: int

    def line(self) -> str:
        """Return the step as one line."""
        return f"add {self.table}.{self.column}: in place, NULL on {self.partitions} partitions until they are made again"


@dataclass(frozen=True)
class DropColumn:
    """A column that is stored, is declared no more, and was retired by a migration."""

    table: str
    column: str
    partitions: int
    migration: str

    def line(self) -> str:
        """Return the step as one line."""
        return f"drop {self.table}.{self.column} from {self.partitions} partitions ({self.migration}): only with --override-drop-columns"


@dataclass(frozen=True)
class Unexplained:
    """A column that is stored and that neither a contract nor a migration knows."""

    table: str
    column: str

    def line(self) -> str:
        """Return the finding as one line."""
        return f"{self.table}.{self.column} is stored, and neither contract nor migration knows it: it is left alone"


Step = AddColumn | DropColumn | Unexplained


@dataclass(frozen=True)
class MigrationPlan:
    """Migrations not yet applied, and what the stored columns call for."""

    pending: tuple[Migration, ...]
    steps: tuple[Step, ...]

    def lines(self) -> list[str]:
        """Return the plan in words."""
        return [*(f"migration {item.label}: {item.why}" for item in self.pending), *(step.line() for step in self.steps)]


def plan_migrations(warehouse: Warehouse, migrations: Sequence[Migration] | None = None) -> MigrationPlan:
    """Return what is due; nothing is changed, and tables of another owner are none of our business."""
    known = load_migrations() if migrations is None else tuple(migrations)
    applied = {row["number"] for row in warehouse.query(f"SELECT number FROM {APPLIED}").to_pylist()}
    retired = {(table, name): item.label for item in known for table, names in item.drops.items() for name in names}
    steps: list[Step] = []
    others = others_tables(warehouse)
    for table, spec in load_contracts().items():
        if spec.built_by in ("view", "record") or table in others:
            continue
        stored = warehouse.stored_columns(table)
        whole = len(warehouse.partitions(table))
        if not stored:
            continue
        steps += [AddColumn(table, name, whole - stored.get(name, 0)) for name in spec.column_names if stored.get(name, 0) < whole]
        for name in sorted(set(stored) - set(spec.column_names)):
            steps.append(
                DropColumn(table, name, stored[name], retired[table, name]) if (table, name) in retired else Unexplained(table, name)
            )
    return MigrationPlan(tuple(item for item in known if item.number not in applied), tuple(steps))


def apply_migrations(warehouse: Warehouse, plan: MigrationPlan, at: dt.datetime, override_drop_columns: bool = False) -> tuple[Step, ...]:
    """Apply what is due and return the steps taken; adding needs nothing but the record, for absent columns read as NULL.

    Raises:
        UsageError: columns are to be dropped and the override is off; nothing was changed.
    """
    drops = [step for step in plan.steps if isinstance(step, DropColumn)]
    if drops and not override_drop_columns:
        raise UsageError(
            "stored columns would be dropped", [f"{step.table}.{step.column}" for step in drops], "say so with --override-drop-columns"
        )
    for table in sorted({step.table for step in drops}):
        warehouse.drop_columns(table, [step.column for step in drops if step.table == table])
    dropped = {item.number: [f"{t}.{c}" for t, names in item.drops.items() for c in names] for item in plan.pending}
    rows = [
        {"number": item.number, "title": item.title, "columns_dropped": ",".join(dropped[item.number]) or None, "applied_at": at}
        for item in plan.pending
    ]
    if rows:
        warehouse.record([RecordWrite(APPLIED, rows)])
    return tuple(step for step in plan.steps if not isinstance(step, Unexplained))
