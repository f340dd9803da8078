"""The gate of the feature store: what of a staged or published range may be published, date by date, and why not.

One statement computes the audit relation over the whole range, one validation judges it, and every failure belongs to a date
and a column. A gate that cannot run has failed: whatever goes wrong, every date asked for is blocked with `gate_error`.
"""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from quality.audit_relation import ExpectedSlate, audit_relation
from quality.checks import CRITICAL, DateCheck, RowCheck
from quality.date_checks import date_checks
from quality.expectations import Declared, GateError, declare, evaluate
from quality.row_checks import row_checks
from quality.trailing import Trailing
from quality.verdicts import GATE_ERROR, DateVerdict, Finding, GateReport, fate_of
from schemas.catalogue import Catalogue, load_catalogue
from schemas.contracts import load_contracts
from schemas.errors import FeatureStoreError, UsageError
from schemas.rules import STORE_TABLE, Rules, load_rules

if TYPE_CHECKING:
    import duckdb

__all__ = ["DateVerdict", "ExpectedSlate", "Finding", "GateReport", "StoreGate", "Trailing"]

Figures = Mapping[str, list[Any]]


@dataclass(frozen=True)
class StoreGate:
    """Judges store rows by the rules; `rows` replaces the row checks built from catalogue, contract and rules."""

    catalogue: Catalogue
    rules: Rules
    rows: tuple[RowCheck, ...]
    dates: tuple[DateCheck, ...] | None = None

    @classmethod
    def default(cls) -> StoreGate:
        """Return the gate over the project's own catalogue, contract and rules."""
        catalogue, rules = load_catalogue(), load_rules()
        return cls(catalogue, rules, row_checks(catalogue, rules))

    def audit(
        self,
        connection: duckdb.DuckDBPyConnection,
        relation: str,
        expected: Mapping[dt.date, ExpectedSlate],
        trailing: Mapping[dt.date, Trailing] | None = None,
    ) -> GateReport:
        """Judge the rows of a relation (a view or scan with the contract's columns) against the slates asked for.

        `trailing` holds the figures of the days before each date; without it the warnings against them are not declared.
        Any fault on the way blocks every date asked for.

        Raises:
            UsageError: no date was asked for.
        """
        if not expected:
            raise UsageError("the gate was asked about no date")
        began = time.perf_counter()
        dates = self.dates if self.dates is not None else date_checks(self.catalogue, self.rules, trailing is not None)
        declared = len(self.rows) + len(dates)
        try:
            return self._audit(connection, relation, expected, trailing, dates, began)
        except Exception as error:  # noqa: BLE001 - fail closed: a gate that errs blocks
            return failed_report(expected, declared, error, time.perf_counter() - began, self.rules)

    def _audit(
        self,
        connection: duckdb.DuckDBPyConnection,
        relation: str,
        expected: Mapping[dt.date, ExpectedSlate],
        trailing: Mapping[dt.date, Trailing] | None,
        dates: Sequence[DateCheck],
        began: float,
    ) -> GateReport:
        total = _readable_rows(connection, relation)
        audit = audit_relation(connection, relation, expected, self.rows, dates, self.catalogue, self.rules, trailing)
        figures: Figures = audit.to_pydict()
        _assert_complete(figures, expected, total)
        judged = [check for check in dates if any(figures[f"applies__{check.name}"])]
        suite = declare(self.rows, judged)
        outcome = evaluate(audit.select([one.column for one in suite]), suite)
        _assert_agreement(outcome, figures, self.rows, judged, suite)
        verdicts = {}
        undated = _undated(figures)
        for position, date in enumerate(figures["game_date"]):
            if date is not None:
                found = (*self._findings(figures, position, dates), *undated)
                findings = tuple(sorted(found, key=lambda finding: (finding.severity != CRITICAL, finding.reason_code)))
                cold = figures["cold_start"][position]
                verdicts[date] = DateVerdict(date, fate_of(findings, self.rules), figures["rows"][position], cold, findings)
        return GateReport(verdicts, len(suite), len(outcome), total, time.perf_counter() - began)

    def _findings(self, figures: Figures, position: int, dates: Sequence[DateCheck]) -> Iterator[Finding]:
        rows = figures["rows"][position]
        if not figures["asked"][position]:
            yield Finding("unexpected_date", CRITICAL, "game_date", "rows", rows, 0, rows)
        for row_check in self.rows:
            if count := figures[row_check.name][position]:
                yield Finding(row_check.code, row_check.severity, row_check.column, "rows_violating", count, 0, count)
        for check in dates:
            if not figures[f"applies__{check.name}"][position]:
                continue
            value = figures[check.name][position]
            if value is None:
                # Where a figure is due and absent, nothing was checked.
                yield Finding(f"not_evaluated:{check.code}", CRITICAL, check.column, check.metric, None, check.bound, rows)
            elif check.broken_by(value):
                told, limit = figures[f"shown__{check.name}"][position], figures[f"limit__{check.name}"][position]
                yield Finding(check.code, check.severity, check.column, check.metric, told, limit, rows)


class MissingColumnsError(GateError):
    """The relation lacks columns of the contract."""

    code = "missing_columns"


def failed_report(dates: Iterable[dt.date], declared: int, error: Exception, seconds: float, rules: Rules) -> GateReport:
    """Return the report of a gate that could not run: every date is blocked, by the missing columns when that is why."""
    text = error.line() if isinstance(error, FeatureStoreError) else f"{type(error).__name__}: {error}"
    detail = " ".join(text.split())[:500]
    if isinstance(error, MissingColumnsError):
        findings = tuple(Finding(f"missing_column:{name}", CRITICAL, name, "columns", None, None, 0, detail) for name in error.values)
    else:
        findings = (Finding(GATE_ERROR, CRITICAL, "", "gate", None, None, 0, detail),)
    verdicts = {date: DateVerdict(date, fate_of(findings, rules), 0, False, findings) for date in sorted(dates)}
    return GateReport(verdicts, declared, 0, 0, seconds)


def _readable_rows(connection: duckdb.DuckDBPyConnection, relation: str) -> int:
    present = {row[0] for row in connection.execute(f"DESCRIBE SELECT * FROM {relation}").fetchall()}
    missing = [name for name in load_contracts()[STORE_TABLE].column_names if name not in present]
    if missing:
        raise MissingColumnsError("columns of the contract are missing", missing)
    counted = connection.execute(f"SELECT COUNT(*) FROM {relation}").fetchone()
    return int(counted[0]) if counted else 0


def _assert_complete(figures: Figures, expected: Mapping[dt.date, ExpectedSlate], total: int) -> None:
    asked = [date for date, wanted in zip(figures["game_date"], figures["asked"], strict=True) if wanted]
    if asked != sorted(expected):
        raise GateError("the audit does not speak of exactly the dates asked for", set(expected) ^ set(asked))
    if sum(figures["rows"]) != total:
        raise GateError("the audit lost rows", [f"{sum(figures['rows'])} of {total}"])


def _assert_agreement(
    outcome: Mapping[str, bool], figures: Figures, rows: Sequence[RowCheck], dates: Sequence[DateCheck], suite: Sequence[Declared]
) -> None:
    """Refuse an outcome that the figures themselves contradict, so that neither side can pass a date alone."""
    held = {check.name: not any(figures[check.name]) for check in rows}
    for check in dates:
        values = [value for value in figures[check.name] if value is not None]
        held[check.name] = bool(values) and not any(check.broken_by(value) for value in values)
    wrong = [one.column for one in suite if held[one.column] != outcome[one.column]]
    if wrong:
        raise GateError("the library and the figures disagree", wrong)


def _undated(figures: Figures) -> tuple[Finding, ...]:
    """Return the finding for rows without a date: they belong to no date, so they block all."""
    lost = sum(rows for date, rows in zip(figures["game_date"], figures["rows"], strict=True) if date is None)
    return (Finding("null:game_date", CRITICAL, "game_date", "rows_violating", lost, 0, lost),) if lost else ()
