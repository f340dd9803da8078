"""One tree of errors: each has a stable code, the offending values and a hint, and an exit status."""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum

SHOWN_VALUES = 10


class ExitStatus(IntEnum):
    """Exit status of every command."""

    DONE = 0
    ERROR = 1
    USAGE = 2
    BLOCKED = 3
    WAITING = 4
    PARTLY = 5


def shown(values: Iterable[object]) -> str:
    """Join the first ten values, sorted, and say how many more there are."""
    texts = sorted({str(value) for value in values})
    more = len(texts) - SHOWN_VALUES
    return ", ".join(texts[:SHOWN_VALUES]) + (f", +{more} more" if more > 0 else "")


class FeatureStoreError(Exception):
    """Root of the tree: a fact, the offending values (ten at most) and a hint."""

    code = "error"
    exit_status = ExitStatus.ERROR

    def __init__(self, fact: str, values: Iterable[object] = (), hint: str = "") -> None:
        self.fact = fact
        self.values = tuple(str(value) for value in values)
        self.hint = hint
        super().__init__(self.line())

    def line(self) -> str:
        """Return the error as one line of text."""
        text = self.fact.rstrip(".")
        if self.values:
            text += f": {shown(self.values)}"
        text += "" if text.endswith("?") else "."
        return f"{text} {self.hint}".rstrip()

    def as_dict(self) -> dict[str, object]:
        """Return the error for `--json`, with every offending value."""
        return {
            "error": self.code,
            "exit_status": int(self.exit_status),
            "fact": self.fact,
            "values": list(self.values),
            "hint": self.hint,
        }


class UsageError(FeatureStoreError):
    """The request itself is wrong: an unknown name, a value that is not a date."""

    code = "usage"
    exit_status = ExitStatus.USAGE


class UnknownNameError(UsageError):
    """A feature, table, service, player or job of that name does not exist."""

    code = "unknown_name"


class DefinitionError(FeatureStoreError):
    """A file of `schemas/` or a statement contradicts itself or another."""

    code = "invalid_definition"


class SourceError(FeatureStoreError):
    """A source cannot be read: no such folder, a missing file or column."""

    code = "invalid_source"


class NoGamesError(UsageError):
    """The schedule holds no game on the dates asked for."""

    code = "no_games"


class WarehouseError(FeatureStoreError):
    """The warehouse refused or failed; the last good state is kept."""

    code = "warehouse"


class StorageUnavailableError(WarehouseError):
    """The warehouse cannot be written: full disk, read-only folder, no rights."""

    code = "storage_unavailable"


class LeaseHeldError(WarehouseError):
    """Another writer works on the same table and range."""

    code = "lease_held"


class ReadBackError(WarehouseError):
    """What was read back after a write is not what was written."""

    code = "read_back_mismatch"


class StaleDefinitionError(WarehouseError):
    """The running code is older than what a partition was built with."""

    code = "stale_definition"


class BlockedError(FeatureStoreError):
    """The gate refused the rows; the last good partition stays."""

    code = "blocked"
    exit_status = ExitStatus.BLOCKED


class WaitingError(FeatureStoreError):
    """An upstream job has not delivered for the date."""

    code = "waiting_for_upstream"
    exit_status = ExitStatus.WAITING


class DeliveryError(FeatureStoreError):
    """A notification or message did not reach its receiver; it is kept and tried again."""

    code = "not_delivered"


class ReplayMismatchError(FeatureStoreError):
    """A training set made again, or held against another, is not the same rows in the same bytes."""

    code = "replay_mismatch"


class PartlyDoneError(FeatureStoreError):
    """Some of what was asked for is not done."""

    code = "partly_done"
    exit_status = ExitStatus.PARTLY
