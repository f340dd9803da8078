"""The CloudEvents function behind the topic of completions: one message in, at most one start of the store out."""

from __future__ import annotations

import datetime as dt
import threading
from typing import Any

from orchestration.outbox import Delivered, deliver
from orchestration.receivers import senders, topics
from orchestration.trigger import Reaction, on_completion
from schemas.clock import parse_instant, utc_now
from schemas.errors import UsageError
from schemas.settings import Settings, load_settings
from warehouse import open_warehouse
from warehouse.protocol import Warehouse

_lock = threading.Lock()
_open: dict[Settings, Warehouse] = {}


def _warehouse(settings: Settings) -> Warehouse:
    """Return the warehouse of this process, opened with its first message."""
    with _lock:
        if settings not in _open:
            _open[settings] = open_warehouse(settings)
        return _open[settings]


def _sent_at(event: Any, now: dt.datetime) -> dt.datetime:
    """Return when the message was sent, by the attributes of the event; now when they do not say."""
    time = event.get("time") if hasattr(event, "get") else None
    try:
        return parse_instant(time) if isinstance(time, str) else time if isinstance(time, dt.datetime) else now
    except UsageError:
        return now


def handle(event: Any) -> tuple[Reaction, Delivered]:
    """Take a CloudEvent; what it starts is sent at once, and whatever else waits to be sent with it.

    Raises:
        WarehouseError: nothing was decided; the platform must deliver the message again.
    """
    settings, now = load_settings(), utc_now()
    warehouse = _warehouse(settings)
    reaction = on_completion(warehouse, event.data, _sent_at(event, now), now, topics().trigger)
    return reaction, deliver(warehouse, senders(settings), utc_now)
