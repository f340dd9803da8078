"""The suite: one Great Expectations expectation per check, over the audit relation, and an account of what was evaluated.

The library calls an empty frame, an all-NULL column and an empty suite a success, and an exception a mere failure. So what
it says is never taken alone: what was declared, what was evaluated, exceptions and the agreement with the figures themselves
are asserted here, outside it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from quality.checks import DateCheck, RowCheck
from schemas.errors import FeatureStoreError

if TYPE_CHECKING:
    import pyarrow as pa


class GateError(FeatureStoreError):
    """The gate could not run as declared; nothing it said can be relied on."""

    code = "gate_error"


@dataclass(frozen=True)
class Declared:
    """One expectation: on which column of the audit relation, with which bounds, and how severe a failure is."""

    column: str
    severity: str
    description: str
    low: float | None = None
    high: float | None = None
    above: bool = False

    @property
    def on_minimum(self) -> bool:
        """TRUE when the least value decides; no check has both bounds."""
        return self.low is not None

    def build(self) -> Any:
        """Return a new expectation: one object belongs to one suite."""
        from quality.gx_duckdb import ExpectColumnMaxWithin, ExpectColumnMinWithin

        notes = {"severity": self.severity, "description": self.description}
        if self.on_minimum:
            return ExpectColumnMinWithin(column=self.column, min_value=self.low, strict_min=self.above, **notes)
        return ExpectColumnMaxWithin(column=self.column, max_value=self.high, **notes)


def declare(rows: Sequence[RowCheck], dates: Sequence[DateCheck]) -> tuple[Declared, ...]:
    """Return the suite as data: the rows that violate a row check are at most 0, the figure of a date check within its bounds."""
    suite = [Declared(check.name, check.severity, f"no row violates {check.code}", high=0) for check in rows]
    suite += [
        Declared(check.name, check.severity, f"{check.metric} of {check.column}", check.low, check.high, check.above) for check in dates
    ]
    return tuple(suite)


def _exception(info: Mapping[str, Any]) -> str | None:
    """Return the message of an exception the library swallowed; its two forms of `exception_info` are both read."""
    if "raised_exception" in info:
        return str(info.get("exception_message")) if info["raised_exception"] else None
    return "; ".join(str(item.get("exception_message")) for item in info.values()) or None


def evaluate(audit: pa.Table, suite: Sequence[Declared]) -> dict[str, bool]:
    """Run the suite and return, by column, whether it held.

    Raises:
        GateError: no expectation, no rows, an exception inside one, or not exactly the declared ones evaluated.
    """
    from quality.gx_duckdb import validate

    if not suite:
        raise GateError("the suite is empty", hint="a gate without expectations has checked nothing")
    if audit.num_rows == 0:
        raise GateError("there is no date to evaluate")
    results = validate(audit, [one.build() for one in suite])
    outcome: dict[str, bool] = {}
    exceptions = []
    for result in results:
        column = result.expectation_config.kwargs.get("column")
        outcome[str(column)] = bool(result.success)
        if message := _exception(result.exception_info or {}):
            exceptions.append(f"{column}: {' '.join(message.split())[:200]}")
    if exceptions:
        raise GateError("an exception inside an expectation", exceptions)
    if len(results) != len(suite) or set(outcome) != {one.column for one in suite}:
        raise GateError("not exactly the declared expectations were evaluated", [f"declared {len(suite)}", f"evaluated {len(results)}"])
    return outcome
