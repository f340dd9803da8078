"""What the gate says of each date: its fate and the findings behind it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from schemas.rules import Rules, load_rules

PUBLISHED = "published"
BLOCKED = "blocked"
GATE_ERROR = "gate_error"


@dataclass(frozen=True)
class Finding:
    """One failed check of a date: the figure seen, the figure allowed and how many rows it concerns."""

    reason_code: str
    severity: str
    column: str
    metric: str
    value: float | None
    threshold: float | None
    rows: int
    detail: str = ""

    def line(self) -> str:
        """Return the finding as one line of text."""
        figures = (
            ""
            if self.value is None
            else f": {self.metric} {self.value:g}" + ("" if self.threshold is None else f" against {self.threshold:g}")
        )
        return f"{self.severity} {self.reason_code}{figures}" + (f" ({self.detail})" if self.detail else "")


@dataclass(frozen=True)
class DateVerdict:
    """The fate of one date: published, warned or blocked, with every finding, worst first."""

    date: dt.date
    fate: str
    rows: int
    cold_start: bool
    findings: tuple[Finding, ...] = ()

    @property
    def passed(self) -> bool:
        """TRUE when the date may be published."""
        return self.fate != BLOCKED

    @property
    def reasons(self) -> tuple[str, ...]:
        """Reason codes of what blocks the date; of what it is warned about when nothing does."""
        wanted = [f for f in self.findings if f.severity == "critical"] or self.findings
        return tuple(finding.reason_code for finding in wanted)


@dataclass(frozen=True)
class GateReport:
    """Verdicts of a range, one per date asked for or found, with what was declared and what was really evaluated."""

    verdicts: Mapping[dt.date, DateVerdict]
    expectations_declared: int
    expectations_evaluated: int
    rows: int
    seconds: float

    @property
    def blocked(self) -> tuple[dt.date, ...]:
        """Dates that must not be published."""
        return tuple(date for date, verdict in self.verdicts.items() if not verdict.passed)

    @property
    def passed(self) -> tuple[dt.date, ...]:
        """Dates that may be published, those with warnings included."""
        return tuple(date for date, verdict in self.verdicts.items() if verdict.passed)

    def with_findings(self, more: Mapping[dt.date, Sequence[Finding]]) -> GateReport:
        """Return the report with further findings of some of its dates, their fates judged again."""
        if not more:
            return self
        rules, verdicts = load_rules(), dict(self.verdicts)
        for date, found in more.items():
            if date not in verdicts:
                continue
            findings = (*verdicts[date].findings, *found)
            ordered = tuple(sorted(findings, key=lambda finding: (finding.severity != "critical", finding.reason_code)))
            verdicts[date] = replace(verdicts[date], fate=fate_of(ordered, rules), findings=ordered)
        return replace(self, verdicts=verdicts)


def fate_of(findings: tuple[Finding, ...], rules: Rules) -> str:
    """Return the worst fate the severities of the findings call for."""
    fates = {rules.gate.fates[finding.severity] for finding in findings}
    return BLOCKED if BLOCKED in fates else min(fates) if fates else PUBLISHED
