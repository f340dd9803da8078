"""What an explanation is made of: features beyond normal, causes with the way from symptom to cause, and commands."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

SEVERITIES = ("P0", "P1", "P2", "P3", "info")


def worst(severities: Sequence[str]) -> str | None:
    """Return the most urgent severity; None of none."""
    return min(severities, key=SEVERITIES.index, default=None)


@dataclass(frozen=True)
class FeatureFinding:
    """A feature that some rows do not have from its primary source, and how that compares with what is normal for the date."""

    feature: str
    category: str
    source: str
    reason: str
    words: str
    is_failure: bool
    rows: int
    share: float
    normal_share: float
    normal_most: float
    is_unusual: bool
    table: str

    @property
    def is_standing(self) -> bool:
        """TRUE when something is broken just as it was on the dates before."""
        return self.is_failure and not self.is_unusual

    @property
    def is_fault(self) -> bool:
        """TRUE when it is not how the world is, nor how the dates before were."""
        return self.is_unusual


@dataclass(frozen=True)
class CategoryFinding:
    """A category on the date: its mean quality, what it is on the compared dates, and the features that pull it down."""

    category: str
    quality_pct: float
    normal_pct: float | None
    is_unusual: bool
    features: tuple[FeatureFinding, ...] = ()


@dataclass(frozen=True)
class Cause:
    """One cause: what it is about, the fact in a sentence, the way to it, and what to run.

    `code` is stable. `by_hand` says what a person must do before the commands help, where commands alone do not.
    """

    code: str
    subject: str
    severity: str
    fact: str
    chain: tuple[str, ...] = ()
    commands: tuple[str, ...] = ()
    by_hand: str = ""
    run_id: str | None = None
    dates: tuple[dt.date, ...] = ()


@dataclass(frozen=True)
class DateExplanation:
    """A date from its verdict to the commands; `state` is what became of its last build."""

    date: dt.date
    state: str
    severity: str | None
    headline: str
    rows: int
    expected_rows: int | None
    figures: dict[str, Any] = field(default_factory=dict)
    basis: str = ""
    categories: tuple[CategoryFinding, ...] = ()
    causes: tuple[Cause, ...] = ()
    standing: tuple[str, ...] = ()
    normal: tuple[str, ...] = ()
    jobs: tuple[str, ...] = ()
    events: tuple[str, ...] = ()
    reach: tuple[str, ...] = ()

    @property
    def commands(self) -> tuple[str, ...]:
        """Commands of all causes, each once, in the order in which they are to be run."""
        return merged_commands(self.causes)

    def as_dict(self) -> dict[str, Any]:
        """Return the explanation for `--json`."""
        return {**asdict(self), "commands": list(self.commands)}


def merged_commands(causes: Sequence[Cause]) -> tuple[str, ...]:
    """Return the commands of the causes, each once: what brings data first, what builds from it last."""
    rank = {"ingest": 0, "doctor": 1, "backfill": 2, "run": 3}
    found = dict.fromkeys(command for cause in causes for command in cause.commands)
    return tuple(sorted(found, key=lambda command: rank.get(command.split()[1], 4)))
