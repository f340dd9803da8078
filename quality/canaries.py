"""The canaries: what is watched every night, declared in `canaries.yaml`, and how one reading is judged by those before it."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from functools import lru_cache
from pathlib import Path
from typing import Any

from schemas.errors import DefinitionError
from schemas.yaml_files import read_yaml

FILE = Path(__file__).with_name("canaries.yaml")
SOURCES = ("rows", "features", "feeds", "games", "published", "served", "score", "deliveries")
SIDES = ("high", "low", "both", "zero")
HEALS = ("date", "later")
# Turns a median of distances into what the standard deviation of normal readings would be.
ROBUST = 1.4826


@dataclass(frozen=True)
class Canary:
    """One thing watched. `measure` and `count` are GoogleSQL over the rows of a date, for sources that are tables.

    `least` is the distance from the trailing median that is never a fault; `least_share_of_spread` gives it instead as a share
    of the feature's own spread within the date.
    """

    name: str
    over: str
    bad: str
    spreads: float
    severity: str
    heals_by: str
    meaning: str
    measure: str = ""
    count: str = ""
    least: float = 0.0
    least_share_of_spread: float = 0.0
    limit: float | None = None

    def problems(self) -> list[str]:
        """Return what is wrong with the declaration."""
        checks = (
            (self.over in SOURCES, f"unknown source {self.over}"),
            (self.bad in SIDES, f"unknown side {self.bad}"),
            (self.heals_by in HEALS, f"unknown heals_by {self.heals_by}"),
            (self.severity in ("P0", "P1", "P2", "P3"), f"unknown severity {self.severity}"),
            ((self.over in ("rows", "features")) == bool(self.measure), "a measure belongs to rows and features, and only to them"),
            (self.spreads >= 0 and self.least >= 0, "spreads and least are distances"),
        )
        return [f"{self.name}: {text}" for holds, text in checks if not holds]


@dataclass(frozen=True)
class Watch:
    """All canaries, the days they are compared with, and how many values of a feature a date must have to be read."""

    trailing_days: int
    min_dates: int
    min_values: int
    canaries: tuple[Canary, ...]

    def by_source(self, source: str) -> tuple[Canary, ...]:
        """Return the canaries over a source."""
        return tuple(canary for canary in self.canaries if canary.over == source)

    def named(self, name: str) -> Canary:
        """Return the canary of that name."""
        return next(canary for canary in self.canaries if canary.name == name)


@lru_cache(maxsize=4)
def load_watch(path: Path = FILE) -> Watch:
    """Load the canaries; raise `DefinitionError` with everything that is wrong at once."""
    raw = read_yaml(path)
    known = {field.name for field in fields(Canary)}
    problems = [f"{row.get('name')}: unknown key {key}" for row in raw["canaries"] for key in row if key not in known]
    if problems:
        raise DefinitionError("the canaries are not well declared", problems)
    try:
        watch = Watch(raw["trailing_days"], raw["min_dates"], raw["min_values"], tuple(Canary(**row) for row in raw["canaries"]))
    except TypeError as error:
        raise DefinitionError("a canary lacks a key", [error]) from None
    names = [canary.name for canary in watch.canaries]
    problems = [text for canary in watch.canaries for text in canary.problems()]
    problems += [f"{name}: declared twice" for name in sorted(set(names)) if names.count(name) > 1]
    if problems or not 1 <= watch.min_dates <= watch.trailing_days:
        raise DefinitionError("the canaries are not well declared", problems or ["min_dates must lie within trailing_days"])
    return watch


@dataclass(frozen=True)
class Reading:
    """One reading of a canary about one thing, with what it was held against; `low` and `high` are None where there is no bound.

    `is_forced` marks a reading that the rules call a fault whatever came before.
    """

    canary: Canary
    about: str
    table: str
    value: float
    low: float | None
    high: float | None
    dates: int
    median: float | None
    severity: str
    is_forced: bool = False

    @property
    def reason_code(self) -> str:
        """Stable reason: the canary, and what it is about."""
        return f"{self.canary.name}:{self.about}" if self.about else self.canary.name

    @property
    def bound(self) -> float | None:
        """Bound that the reading broke; of a clean one the bound on the side that counts."""
        if self.low is not None and not self.value >= self.low:
            return self.low
        return self.high if self.high is not None else self.low

    @property
    def is_fault(self) -> bool:
        """TRUE when the reading is beyond a bound, or no number at all."""
        if self.is_forced:
            return True
        if self.canary.bad == "zero":
            return self.high is not None and self.value == 0
        return any(not held for held in (self.low is None or self.value >= self.low, self.high is None or self.value <= self.high))

    def line(self) -> str:
        """Return the reading in words."""
        against = "" if self.median is None else f", {self.median:.4g} on {self.dates} dates before"
        bound = "" if self.bound is None else f" against {self.bound:.4g}"
        return f"{self.reason_code}: {self.value:.4g}{bound}{against}"


def robust_spread(values: Sequence[float]) -> float:
    """Return the spread of the values, by their median distance from the median."""
    middle = statistics.median(values)
    return ROBUST * statistics.median(abs(value - middle) for value in values)


def judged(
    canary: Canary,
    value: float,
    past: Sequence[float],
    min_dates: int,
    about: str = "",
    table: str = "",
    spread_within: float | None = None,
    severity: str | None = None,
) -> Reading:
    """Hold a reading against those before it; without enough of them against the canary's limit, and without one against nothing."""
    worst = severity or canary.severity
    if len(past) < min_dates:
        low = canary.limit if canary.bad in ("low", "both") else None
        high = canary.limit if canary.bad in ("high", "both") else None
        return Reading(canary, about, table, value, low, high, len(past), None, worst)
    middle = statistics.median(past)
    if canary.bad == "zero":
        # Zero is a fault only where it is not what this has always been.
        always_varies = min(past) > 0
        return Reading(canary, about, table, value, None, 0.0 if always_varies else None, len(past), middle, worst)
    distance = max(canary.spreads * robust_spread(past), canary.least, canary.least_share_of_spread * (spread_within or 0.0))
    low = middle - distance if canary.bad in ("low", "both") else None
    high = middle + distance if canary.bad in ("high", "both") else None
    return Reading(canary, about, table, value, low, high, len(past), middle, worst)


def still_broken(canary: Canary, value: float, event: Mapping[str, Any]) -> bool:
    """TRUE when a reading is as bad as the bound an event was raised with: a fault that lasts must not become its own baseline."""
    threshold, first = event.get("threshold"), event.get("metric_value")
    if canary.bad == "zero":
        return value == 0
    if threshold is None or first is None:
        return False
    return not (value <= threshold if first > threshold else value >= threshold)
