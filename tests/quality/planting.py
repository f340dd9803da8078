"""One range with a fault on every second date and a good slate between: one audit shows them all."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import duckdb
import pyarrow as pa

from quality.gate import DateVerdict, ExpectedSlate, GateReport, StoreGate, Trailing
from tests.quality.store_rows import FIRST, SCHEMA, USUAL, Pattern, changed, store_rows


@dataclass(frozen=True)
class Fault:
    """A slate with something wrong: other patterns, columns replaced where the condition holds, or both; and the reasons due."""

    reasons: frozenset[str]
    patterns: Sequence[Pattern] = USUAL
    where: str = "player_lookup = 'player00x00'"
    assignments: Mapping[str, str] = field(default_factory=dict)
    games: int = 6

    def rows(self, date: dt.date) -> pa.Table:
        """Return the rows of the date with the fault in them."""
        rows = store_rows(1, self.games, patterns=self.patterns, first=date)
        return changed(rows, self.where, **self.assignments) if self.assignments else rows


def fault(*reasons: str, **fields: Any) -> Fault:
    """Return a fault due these reasons; keywords that are not fields of a fault are assignments of columns."""
    own = {name: fields.pop(name) for name in ("patterns", "where", "games") if name in fields}
    return Fault(frozenset(reasons), assignments=fields, **own)


@dataclass(frozen=True)
class Planted:
    """The report over a range with faults, by the name of the fault."""

    report: GateReport
    dates: Mapping[str, dt.date]

    def verdict(self, name: str) -> DateVerdict:
        """Return the verdict of the date the fault was planted on."""
        return self.report.verdicts[self.dates[name]]

    def neighbour(self, name: str) -> DateVerdict:
        """Return the verdict of the good date that follows it."""
        return self.report.verdicts[self.dates[name] + dt.timedelta(days=1)]


def audit(rows: pa.Table, slates: Mapping[dt.date, ExpectedSlate], trailing: Mapping[dt.date, Trailing] | None = None) -> GateReport:
    """Run the gate over Arrow rows."""
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.register("store", rows)
        return StoreGate.default().audit(connection, "store", slates, trailing)


def plant(faults: Mapping[str, Fault]) -> Planted:
    """Audit one range in which each fault has its date, with a good date after it."""
    dates = {name: FIRST + dt.timedelta(days=2 * position) for position, name in enumerate(faults)}
    tables, slates = [], {}
    for name, date in dates.items():
        after = date + dt.timedelta(days=1)
        tables += [faults[name].rows(date), store_rows(1, first=after)]
        slates[date] = ExpectedSlate(store_rows(1, faults[name].games, first=date).num_rows, faults[name].games)
        slates[after] = ExpectedSlate(tables[-1].num_rows, 6)
    return Planted(audit(pa.concat_tables([table.cast(SCHEMA) for table in tables]), slates), dates)
