"""Try again while upstream is late: a bounded number of times, with clock and sleep given by the caller."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from schemas.errors import FeatureStoreError, LeaseHeldError, StorageUnavailableError, WaitingError

T = TypeVar("T")
WORTH_WAITING_FOR = (WaitingError, LeaseHeldError, StorageUnavailableError)
"""A job that is late, a writer that is busy, a disk or server that is away: each may be over in a while. A refusal is not."""


@dataclass(frozen=True)
class Patience:
    """How often something is tried again, and the pause before each time."""

    retries: int
    every: dt.timedelta


def patiently(attempt: Callable[[], T], patience: Patience, sleep: Callable[[float], None], report: Callable[[str], None]) -> T:
    """Return what the attempt returns; the error of the last try when all were in vain.

    Each try is a run of its own on record. Anything but waiting ends the tries at once.
    """
    for done in range(patience.retries + 1):
        try:
            return attempt()
        except WORTH_WAITING_FOR as error:
            if done == patience.retries:
                raise
            report(_words(error, done + 1, patience))
        sleep(patience.every.total_seconds())
    raise AssertionError("the last try returns or raises")


def _words(error: FeatureStoreError, tried: int, patience: Patience) -> str:
    return f"[wait {tried}/{patience.retries}] {error.line()} Trying again in {duration_text(patience.every)}"


def duration_text(span: dt.timedelta) -> str:
    """Return a duration as it is written on the command line."""
    seconds = int(span.total_seconds())
    for size, unit in ((3600, "h"), (60, "m")):
        if seconds % size == 0:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"
