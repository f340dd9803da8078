"""Whether the rows a reader finds of a date are those that the ledger says were published."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from orchestration.ledger import entries
from warehouse.protocol import Warehouse


@dataclass(frozen=True)
class Checked:
    """A table whose rows of a date are published: whether they can be read, and are those on record."""

    table: str
    is_damaged: bool
    is_altered: bool

    @property
    def is_whole(self) -> bool:
        """TRUE when a reader finds just what was published."""
        return not self.is_damaged and not self.is_altered

    def line(self) -> str:
        """Return what is wrong in words, with the command that mends it."""
        name = self.table.split(".")[1]
        if self.is_damaged:
            return f"the rows of {name} cannot be read any more; run: nba-features backfill --skip-preflight"
        return f"the rows of {name} that are readable are not those the gate let pass; run: nba-features doctor --repair"


def checked(warehouse: Warehouse, game_date: dt.date, tables: Sequence[str]) -> Iterator[Checked]:
    """Yield each of the tables that has published rows of the date by the ledger.

    While a file of any date is damaged nothing of its table can be read, so every date of it counts as damaged.
    """
    for table in tables:
        entry = entries(warehouse, table, game_date, game_date).get(game_date)
        if entry is None or entry["state"] != "published":
            continue
        damaged = bool(warehouse.damaged(table))
        part = None if damaged else warehouse.readable(table, game_date, game_date).get(game_date)
        yield Checked(table, damaged, not damaged and (part.fingerprint if part else None) != entry["fingerprint"])
