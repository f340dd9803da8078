"""Measure a block of code: wall time, CPU time over all threads, and the peak of resident memory."""

from __future__ import annotations

import os
import platform
import resource
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

STATUS = Path("/proc/self/status")
CLEAR = Path("/proc/self/clear_refs")


@dataclass
class Reading:
    """Seconds on the clock, seconds of CPU, peak memory in MB, and what else there is to say."""

    wall: float = 0.0
    cpu: float = 0.0
    rss_mb: float = 0.0
    facts: dict[str, Any] = field(default_factory=dict)


def _forget_peak() -> bool:
    """Start the kernel's peak anew, so that preparations do not count; FALSE where it cannot be done."""
    try:
        CLEAR.write_text("5", encoding="ascii")
    except OSError:
        return False
    return True


def _peak_mb(is_fresh: bool) -> float:
    if is_fresh:
        line = next(text for text in STATUS.read_text(encoding="ascii").splitlines() if text.startswith("VmHWM"))
        return int(line.split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


@contextmanager
def measured() -> Iterator[Reading]:
    """Measure the block; the reading is complete when the block has ended."""
    reading = Reading()
    is_fresh = _forget_peak()
    wall, cpu = time.perf_counter(), time.process_time()
    yield reading
    reading.wall, reading.cpu = time.perf_counter() - wall, time.process_time() - cpu
    reading.rss_mb = _peak_mb(is_fresh)


def machine() -> str:
    """Return processor, cores, memory, load and versions in one line."""
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines() if Path("/proc/cpuinfo").exists() else []
    model = next(
        (line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.processor() or "unknown processor"
    )
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    versions = ", ".join(f"{name} {metadata.version(name)}" for name in ("duckdb", "pyarrow", "sqlglot", "feast", "great-expectations"))
    return f"{model}, {os.cpu_count()} cores, {memory:.0f} GB; Python {platform.python_version()}, {versions}"


def load_average() -> float:
    """Return the number of processes that wanted a core over the last minute: above the cores, wall times say little."""
    return os.getloadavg()[0]


def import_everything() -> None:
    """Import what every step needs, so that no step is charged for it."""
    import duckdb
    import great_expectations
    import pandas
    import pyarrow.compute
    import sqlglot

    assert all((duckdb, great_expectations, pandas, pyarrow.compute, sqlglot))
