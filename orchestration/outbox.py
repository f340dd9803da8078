"""What must reach somebody outside: written with what it tells of, sent after the write, tried again until it arrives.

The record is the truth: a process that dies, a server that is down or an address that is not configured lose nothing; what nobody
has been configured to take for a week is closed there as undeliverable. Who takes
a delivery may see it twice, when a process dies between sending and noting that it was sent; its id tells.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import re
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from schemas.errors import DeliveryError, FeatureStoreError, LeaseHeldError, WarehouseError
from warehouse.protocol import UNPARTITIONED, RecordWrite, Warehouse

DELIVERIES = "nba_orchestration.deliveries"
WAITING = f"SELECT * FROM {DELIVERIES} WHERE state = 'waiting'"
KNOWN = f"SELECT delivery_id FROM {DELIVERIES} WHERE delivery_id IN UNNEST(@ids)"
MESSAGE, NOTIFICATION = "message", "notification"
BACK_OFF = tuple(dt.timedelta(minutes=minutes) for minutes in (1, 5, 15, 60, 360))
GIVEN_UP = dt.timedelta(days=7)
"""What is for a receiver that has not been configured for so long is closed, on record."""
ABSENT = re.compile(r"absent since (\S+?)[.,]?(?= |$)")
SECONDS = 5.0
"""Longest that one command waits for receivers, all of them together."""


class Sender(Protocol):
    """Hands one delivery to its receiver."""

    def send(self, delivery: Mapping[str, Any]) -> None:
        """Return when the receiver has taken it; raise `DeliveryError` when it has not, without the address in the text."""


@dataclass(frozen=True)
class Delivered:
    """What a round of deliveries did."""

    sent: tuple[str, ...] = ()
    failed: tuple[tuple[str, str], ...] = ()
    waiting: int = 0
    closed: tuple[str, ...] = ()


def delivery_id(target: str, dedup_key: str) -> str:
    """Return the id of a delivery: the same thing told to the same receiver has the same one."""
    return hashlib.sha256(f"{target}\n{dedup_key}".encode()).hexdigest()[:32]


def delivery(kind: str, target: str, dedup_key: str, title: str, body: str, at: dt.datetime, run_id: str, **more: Any) -> dict[str, Any]:
    """Return the row of something to deliver."""
    return {
        "delivery_id": delivery_id(target, dedup_key),
        "kind": kind,
        "target": target,
        "dedup_key": dedup_key,
        "title": title,
        "body": body,
        "state": "waiting",
        "attempts": 0,
        "created_at": at,
        "next_attempt_at": at,
        "run_id": run_id,
        **more,
    }


def message(topic: str, key: str, facts: Mapping[str, Any], at: dt.datetime, run_id: str, game_date: dt.date) -> dict[str, Any]:
    """Return the row of a message for a program: JSON, with its own id inside for whoever must tell doubles."""
    body = json.dumps({**facts, "message_id": delivery_id(topic, key)}, sort_keys=True, default=str)
    return delivery(MESSAGE, topic, key, f"{topic} {game_date}", body, at, run_id, game_date=game_date)


def enqueue(warehouse: Warehouse, rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Write what is to be delivered, each thing once; return the ids that are new."""
    ids = [row["delivery_id"] for row in rows]
    if not ids:
        return []
    for last_try in (False, True):
        known = set(warehouse.query(KNOWN, {"ids": ids}).column("delivery_id").to_pylist())
        new = [row for row in rows if row["delivery_id"] not in known]
        if not new:
            return []
        try:
            warehouse.record([RecordWrite(DELIVERIES, new, replace=False)])
            break
        except WarehouseError:
            # Another process may have written one of them in between.
            if last_try:
                raise
    return [row["delivery_id"] for row in new]


def _bounded(call: Callable[[], None], seconds: float) -> None:
    """Run the call on a thread of its own and give up on it after some seconds; the thread ends with the process."""
    caught: list[BaseException] = []

    def run() -> None:
        try:
            call()
        except Exception as error:  # noqa: BLE001 - whatever a receiver does, the caller goes on
            caught.append(error)

    thread = threading.Thread(target=run, name="delivery", daemon=True)
    thread.start()
    thread.join(seconds)
    if thread.is_alive():
        raise DeliveryError("the receiver did not answer in time", [f"{seconds:.1f} s"])
    if caught:
        error = caught[0]
        # The text of a foreign error may hold the address; its kind may not.
        raise error if isinstance(error, FeatureStoreError) else DeliveryError("the receiver could not be reached", [type(error).__name__])


def _absent_since(row: Mapping[str, Any], at: dt.datetime) -> dt.datetime:
    """Return since when the attempts have found no receiver, without one that found it in between."""
    found = ABSENT.search(row["last_error"] or "")
    return dt.datetime.fromisoformat(found[1]) if found else at


def _without_receiver(row: Mapping[str, Any], at: dt.datetime, give_up: bool) -> dict[str, Any]:
    """Return the row after an attempt that found no receiver: it waits, and is closed when that has been so for days."""
    since, attempts = _absent_since(row, at), row["attempts"] + 1
    error = DeliveryError("no receiver of that name is configured", [row["target"], f"absent since {since.isoformat()}"]).line()[:500]
    if give_up or at - since >= GIVEN_UP:
        return {**row, "attempts": attempts, "state": "undeliverable", "last_error": error}
    return {**row, "attempts": attempts, "next_attempt_at": at + BACK_OFF[min(attempts, len(BACK_OFF)) - 1], "last_error": error}


def _attempt(row: Mapping[str, Any], sender: Sender | None, at: dt.datetime, seconds: float, give_up: bool) -> dict[str, Any]:
    """Try once and return the row as it is afterwards."""
    if sender is None:
        return _without_receiver(row, at, give_up)
    attempts = row["attempts"] + 1
    try:
        if seconds <= 0:
            raise DeliveryError("no time was left for this receiver")
        _bounded(lambda: sender.send(row), seconds)
    except FeatureStoreError as error:
        pause = BACK_OFF[min(attempts, len(BACK_OFF)) - 1]
        return {**row, "attempts": attempts, "next_attempt_at": at + pause, "last_error": error.line()[:500]}
    return {**row, "attempts": attempts, "state": "delivered", "delivered_at": at, "last_error": None}


def deliver(
    warehouse: Warehouse,
    senders: Mapping[str, Sender],
    now: Callable[[], dt.datetime],
    seconds: float = SECONDS,
    ids: Sequence[str] | None = None,
    drop_unknown: bool = False,
) -> Delivered:
    """Send what waits and is due, within so many seconds in all; `ids` are tried whether due or not, and nothing else.

    A failure is recorded with the instant of the next attempt. What is for a receiver that has not been configured for seven days
    is closed as undeliverable, on record; with `drop_unknown` at once, due or not. While another process delivers, nothing is done.
    """
    began = now()
    sent: list[str] = []
    failed: list[tuple[str, str]] = []
    closed: list[str] = []
    try:
        with warehouse.lease(DELIVERIES, UNPARTITIONED, UNPARTITIONED, "deliveries"):
            waiting = warehouse.query(WAITING).to_pylist()
            due = [
                row
                for row in waiting
                if (row["next_attempt_at"] <= began if ids is None else row["delivery_id"] in ids)
                or (drop_unknown and row["target"] not in senders)
            ]
            for row in sorted(due, key=lambda row: (row["created_at"], row["delivery_id"])):
                left = seconds - (now() - began).total_seconds()
                after = _attempt(row, senders.get(row["target"]), now(), left, drop_unknown)
                warehouse.record([RecordWrite(DELIVERIES, [after])])
                if after["state"] == "delivered":
                    sent.append(row["delivery_id"])
                elif after["state"] == "undeliverable":
                    closed.append(row["delivery_id"])
                else:
                    failed.append((row["delivery_id"], after["last_error"]))
            return Delivered(tuple(sent), tuple(failed), len(waiting) - len(sent) - len(closed), tuple(closed))
    except LeaseHeldError:
        return Delivered(tuple(sent), tuple(failed), len(warehouse.query(WAITING).to_pylist()), tuple(closed))
