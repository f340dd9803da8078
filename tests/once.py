"""One folder per test run for what is dear to build: the first process that asks builds it, the others wait and read."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable
from pathlib import Path


def built_once(root: Path, name: str, build: Callable[[Path], None]) -> Path:
    """Return the folder of this name below the root of the test run, built by whoever comes first.

    It is shared: a test that writes works on a copy.
    """
    base = root.parent if os.environ.get("PYTEST_XDIST_WORKER") else root
    folder, done = base / name, base / f"{name}.done"
    with (base / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not done.exists():
            build(folder)
            done.touch()
    return folder
