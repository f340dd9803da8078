"""What a check is: a condition on a row or a figure of a date, with the reason code it blocks under.

Checks are built by functions from the catalogue, the store's contract and the rules; the gate declares one expectation
per check. Reason codes are stable and name the feature or column: `out_of_range:points_avg_last_5`.
"""

from __future__ import annotations

from dataclasses import dataclass

CRITICAL = "critical"
WARNING = "warning"


@dataclass(frozen=True)
class RowCheck:
    """A condition every row must meet; `violated` is SQL over the enriched rows, and NULL counts as violated."""

    code: str
    column: str
    violated: str
    severity: str = CRITICAL

    @property
    def name(self) -> str:
        """Name of its column in the audit relation: rows that violate it, by date."""
        return self.code.replace(":", "__")


@dataclass(frozen=True)
class DateCheck:
    """A figure of a date and its bounds.

    `value` is SQL over the aggregates of one date, `applies` says on which dates it is judged. `shown` and `limit` are
    SQL for the figure and the threshold a reader is told, where these differ from the value judged.
    """

    code: str
    column: str
    metric: str
    value: str
    low: float | None = None
    high: float | None = None
    above: bool = False
    applies: str = "rows > 0"
    shown: str | None = None
    limit: str | None = None
    severity: str = CRITICAL

    @property
    def name(self) -> str:
        """Name of its column in the audit relation: the value, or NULL where it does not apply."""
        return self.code.replace(":", "__")

    def broken_by(self, value: float) -> bool:
        """TRUE when the value is outside the bounds; `above` makes the lower bound exclusive."""
        too_low = self.low is not None and (value <= self.low if self.above else value < self.low)
        return too_low or (self.high is not None and value > self.high) or value != value

    @property
    def bound(self) -> float | None:
        """The bound a reader is told when there is no `limit`: the lower one, else the upper."""
        return self.low if self.low is not None else self.high


def quoted(text: str) -> str:
    """Return the text as an SQL string."""
    return "'" + text.replace("'", "''") + "'"


def in_list(texts: tuple[str, ...]) -> str:
    """Return the texts as an SQL list in parentheses."""
    return "(" + ", ".join(quoted(text) for text in texts) + ")"


def mask(indices: tuple[int, ...]) -> int:
    """Return the bit mask with one bit per feature index."""
    return sum(1 << index for index in indices)
