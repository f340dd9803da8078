"""Work done in a process of its own, which may die."""

from __future__ import annotations

import os
import pickle
import signal
import traceback
from collections.abc import Callable
from typing import Any

DIED = 77
NOBODY = 65534
SECONDS = 60


def die(*_: Any, **__: Any) -> None:
    """End the process as if the power had failed: no handler runs, nothing is flushed."""
    os._exit(DIED)


def fork(work: Callable[[], Any], as_nobody: bool = False) -> tuple[int, int]:
    """Start the work in a child; return its number and where its answer can be read."""
    answer, out = os.pipe()
    pid = os.fork()
    if pid:
        os.close(out)
        return pid, answer
    status = 1
    try:
        signal.alarm(SECONDS)
        os.close(answer)
        if as_nobody and os.geteuid() == 0:
            os.setgroups([])
            os.setgid(NOBODY)
            os.setuid(NOBODY)
        try:
            told: Any = work()
            status = 0
        except BaseException as error:  # noqa: BLE001 - whatever it was is told to the parent
            told = (type(error).__name__, str(error), traceback.format_exc())
        with os.fdopen(out, "wb") as stream:
            pickle.dump(told, stream)
    finally:
        os._exit(status)


def join(pid: int, answer: int) -> tuple[int, Any]:
    """Wait for the child; return its exit status and what it told, None when it died."""
    with os.fdopen(answer, "rb") as stream:
        told = stream.read()
    _, status = os.waitpid(pid, 0)
    return os.waitstatus_to_exitcode(status), pickle.loads(told) if told else None


def in_child(work: Callable[[], Any], as_nobody: bool = False) -> tuple[int, Any]:
    """Do the work in a child and wait for it."""
    return join(*fork(work, as_nobody))
