"""What a training set is asked for: everything that decides its rows, so that the same request gives the same bytes."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from schemas.catalogue import load_catalogue
from schemas.clock import UTC, parse_date, parse_instant
from schemas.errors import UsageError

CUTOFF_MINUTES = 60


@dataclass(frozen=True)
class TrainingSetRequest:
    """Service, dates (both included), the instant by which everything must have been written, and the filters.

    `training_ready` keeps training-ready rows alone, `max_failure_defaults` bounds the required features that hold a default
    because something broke, `structural_defaults` keeps rows with defaults by nature (never met this opponent).
    `cutoff_minutes` before tip-off the closing line is read.

    Raises:
        UnknownNameError: no such service.
        UsageError: the range ends before it starts, or the instant has no zone.
    """

    service: str
    start: dt.date
    end: dt.date
    known_by: dt.datetime
    training_ready: bool = True
    max_failure_defaults: int = 0
    structural_defaults: bool = True
    cutoff_minutes: int = CUTOFF_MINUTES

    def __post_init__(self) -> None:
        load_catalogue().service(self.service)
        if self.start > self.end:
            raise UsageError("the range ends before it starts", [f"{self.start} to {self.end}"])
        if self.known_by.tzinfo is None:
            raise UsageError("the instant has no zone", [self.known_by], "give known_by in UTC")
        if self.max_failure_defaults < 0 or self.cutoff_minutes < 1:
            raise UsageError("a count below its least", [self.max_failure_defaults, self.cutoff_minutes])
        object.__setattr__(self, "known_by", self.known_by.astimezone(UTC))

    @property
    def features(self) -> tuple[str, ...]:
        """The service's features in the model's order."""
        return load_catalogue().service(self.service).features

    def params(self) -> dict[str, Any]:
        """Return the parameters of the statement that finds the rows."""
        row = dict(vars(self))
        return {"start_date": row.pop("start"), "end_date": row.pop("end"), **{k: v for k, v in row.items() if k != "service"}}

    def as_dict(self) -> dict[str, Any]:
        """Return the request for a manifest."""
        return {
            name: value.isoformat() if isinstance(value, dt.date) else value
            for name, value in ((field.name, getattr(self, field.name)) for field in fields(self))
        }


def request_from(row: Mapping[str, Any]) -> TrainingSetRequest:
    """Return the request of a manifest; raise `UsageError` when it is none."""
    names = {field.name for field in fields(TrainingSetRequest)}
    differing = sorted(names ^ set(row))
    if differing:
        raise UsageError("the request of the manifest has other fields", differing)
    whole, flags, texts = (
        ("max_failure_defaults", "cutoff_minutes"),
        ("training_ready", "structural_defaults"),
        ("service", "start", "end", "known_by"),
    )
    wrong = [name for name in whole if type(row[name]) is not int]
    wrong += [name for name in flags if type(row[name]) is not bool]
    wrong += [name for name in texts if type(row[name]) is not str]
    if wrong:
        raise UsageError("the request of the manifest has values of another type", wrong)
    instants = {"start": parse_date(row["start"]), "end": parse_date(row["end"]), "known_by": parse_instant(row["known_by"])}
    return TrainingSetRequest(**{**row, **instants})
