"""Two handlers at once, step by step: every read and write of the warehouse waits for its turn, and the order is given."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any

STEPS = ("query", "record")


class Turns:
    """Lets one of several threads take its next step, in the order given; when the order is used up, the first that still runs."""

    def __init__(self, order: Sequence[int], threads: int) -> None:
        self.order = list(order)
        self.running = set(range(threads))
        self.changed = threading.Condition()
        self.steps = 0

    def _whose(self) -> int:
        while self.order and self.order[0] not in self.running:
            self.order.pop(0)
        return self.order[0] if self.order else min(self.running)

    def take(self, thread: int, step: Callable[[], Any]) -> Any:
        with self.changed:
            assert self.changed.wait_for(lambda: self._whose() == thread, timeout=60)
            if self.order:
                self.order.pop(0)
            self.steps += 1
            # The step runs inside: no two of them at the same time, which SQLite would not allow either.
            try:
                return step()
            finally:
                self.changed.notify_all()

    def end(self, thread: int) -> None:
        with self.changed:
            self.running.discard(thread)
            self.changed.notify_all()


class Stepped:
    """A warehouse of one thread whose steps wait for their turn."""

    def __init__(self, warehouse: Any, turns: Turns, thread: int) -> None:
        self._warehouse, self._turns, self._thread = warehouse, turns, thread

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._warehouse, name)
        if name not in STEPS:
            return found
        return lambda *given, **named: self._turns.take(self._thread, lambda: found(*given, **named))


def at_once(warehouses: Sequence[Any], work: Callable[[Any, int], None], order: Sequence[int]) -> int:
    """Do the work on every warehouse in a thread of its own, interleaved as the order says; return the number of steps."""
    turns, errors = Turns(order, len(warehouses)), []

    def run(thread: int) -> None:
        try:
            work(Stepped(warehouses[thread], turns, thread), thread)
        except Exception as error:  # noqa: BLE001 - the test raises it again
            errors.append(error)
        finally:
            turns.end(thread)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(len(warehouses))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    if errors:
        raise errors[0]
    return turns.steps
