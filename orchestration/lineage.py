"""Fingerprints of what a partition was built from: a change upstream shows without rebuilding."""

from __future__ import annotations

import datetime as dt
import hashlib
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from itertools import accumulate
from operator import xor

from schemas.contracts import READ_WINDOWS, TableContract
from warehouse.protocol import Partition, Warehouse

DAY = dt.timedelta(days=1)


def _number(table: str, partition: Partition) -> int:
    text = f"{table}|{partition.key}|{partition.fingerprint}"
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=16).digest(), "big")


class _Windowed:
    """XOR over the fingerprints of a table's partitions between two dates, each window in two look-ups."""

    def __init__(self, table: str, partitions: Sequence[Partition]) -> None:
        self.keys = [partition.key for partition in partitions]
        self.running = [0, *accumulate((_number(table, partition) for partition in partitions), xor)]

    def between(self, low: dt.date, high: dt.date) -> int:
        return self.running[bisect_right(self.keys, high)] ^ self.running[bisect_left(self.keys, low)]


def upstream_fingerprints(warehouse: Warehouse, spec: TableContract, dates: Sequence[dt.date]) -> dict[dt.date, str]:
    """Return for each date the hash over all upstream partitions its rows may read, by the contract's windows."""
    if not dates:
        return {}
    sources = []
    for table, name in sorted(spec.reads.items()):
        window = READ_WINDOWS[name]
        low = None if window is None else min(dates) - window[0] * DAY
        found = warehouse.partitions(table, low, None if window is None else max(dates))
        sources.append((_Windowed(table, list(found.values())), window))
    result = {}
    for date in dates:
        parts = [
            source.running[-1] if window is None else source.between(date - window[0] * DAY, date - window[1] * DAY)
            for source, window in sources
        ]
        mixed = hashlib.blake2b(b"".join(part.to_bytes(16, "big") for part in parts), digest_size=12)
        result[date] = mixed.hexdigest()
    return result
