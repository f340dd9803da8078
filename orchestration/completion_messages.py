"""What a job says when it has ended: the message on the wire, read strictly, and the same written by our own jobs."""

from __future__ import annotations

import base64
import binascii
import datetime as dt
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from orchestration.outbox import message
from orchestration.plan import job_names
from schemas.clock import parse_date, parse_instant
from schemas.contracts import contract
from schemas.errors import FeatureStoreError, UsageError
from schemas.rules import load_rules

STATUSES = ("success", "failed", "blocked", "skipped")
LARGEST_BYTES = 100_000


@dataclass(frozen=True)
class CompletionMessage:
    """A Phase 4 job says how it ended for a date; `rows` is what it claims, the table is what counts."""

    job: str
    game_date: dt.date
    status: str
    rows: int
    run_id: str
    completed_at: dt.datetime
    detail: str | None = None
    nameless: bool = False

    def completion(self) -> dict[str, Any]:
        """Return the message as a row of `phase_completions`."""
        return {
            "phase": f"phase{contract(self.job).phase}",
            "game_date": self.game_date,
            "job": self.job,
            "status": self.status,
            "record_count": self.rows,
            "run_id": self.run_id,
            "completed_at": self.completed_at,
            "detail": self.detail,
        }


def decoded(data: Any) -> Mapping[str, Any]:
    """Return the JSON object in the data of a CloudEvent: Pub/Sub's envelope with base64, or the object itself.

    Raises:
        UsageError: it is neither, or larger than any completion.
    """
    inner = data.get("message") if isinstance(data, Mapping) else None
    try:
        if isinstance(inner, Mapping) and isinstance(inner.get("data"), str):
            if len(inner["data"]) > LARGEST_BYTES:
                raise UsageError("the message is larger than any completion", [f"{len(inner['data'])} bytes"])
            data = json.loads(base64.b64decode(inner["data"], validate=True))
        elif isinstance(data, str | bytes):
            data = json.loads(data)
    except (binascii.Error, ValueError, RecursionError) as error:
        raise UsageError("the message is no JSON in base64", [type(error).__name__]) from None
    if not isinstance(data, Mapping):
        raise UsageError("the message is no JSON object", [type(data).__name__])
    try:
        json.dumps(data, ensure_ascii=False, default=str).encode()
    except (UnicodeEncodeError, ValueError, RecursionError) as error:
        # Half a surrogate pair is JSON, and no text that a warehouse could keep.
        raise UsageError("the message holds what cannot be written down", [type(error).__name__]) from None
    return data


def _text(facts: Mapping[str, Any], *names: str) -> str:
    found = next((facts[name] for name in names if facts.get(name) not in (None, "")), None)
    if not isinstance(found, str):
        raise UsageError("the message lacks a text", [" or ".join(names)])
    return found


def _rows(facts: Mapping[str, Any]) -> int:
    count = next((facts[name] for name in ("row_count", "record_count") if name in facts), 0)
    if isinstance(count, bool) or not isinstance(count, int) or not 0 <= count < 2**31:
        raise UsageError("the message has no row count", [count])
    return count


def read_completion(data: Any, sent_at: dt.datetime) -> CompletionMessage:
    """Return the completion in the data of a CloudEvent; `sent_at` stands in for a missing `completed_at`.

    Names of fields: processor (or job), analysis_date (or game_date), status, row_count (or record_count), and where the sender
    knows them run_id, completed_at, detail. Without a run id equal messages are one completion.

    Raises:
        UsageError: it is not the completion of a Phase 4 job; the text says what is wrong with it.
    """
    facts = decoded(data)
    (job,) = job_names([_text(facts, "processor", "job")])
    if job not in load_rules().phase4_jobs:
        raise UsageError("the store does not wait for this job", [job])
    date, status = parse_date(_text(facts, "analysis_date", "game_date")), _text(facts, "status").lower()
    if status not in STATUSES:
        raise UsageError("unknown status", [status], "known: " + ", ".join(STATUSES))
    at = parse_instant(_text(facts, "completed_at")) if facts.get("completed_at") else sent_at
    rows = _rows(facts)
    told = "\n".join(str(part) for part in (job, date, status, rows, at.isoformat() if facts.get("completed_at") else ""))
    run_id = facts.get("run_id") or "message-" + hashlib.sha256(told.encode()).hexdigest()[:16]
    if not isinstance(run_id, str) or len(run_id) > 200:
        raise UsageError("the message has no usable run_id", [str(run_id)[:50]])
    detail = facts.get("detail")
    return CompletionMessage(
        job, date, status, rows, run_id, at, detail[:500] if isinstance(detail, str) else None, not facts.get("run_id")
    )


def announcements(topic: str, completions: Sequence[Mapping[str, Any]], at: dt.datetime) -> list[dict[str, Any]]:
    """Return the messages that tell of completed Phase 4 jobs, one per job, date and run, for the outbox."""
    jobs = load_rules().phase4_jobs
    result = []
    for row in completions:
        if row["job"] not in jobs:
            continue
        facts = {
            "processor": row["job"].split(".")[1],
            "analysis_date": row["game_date"].isoformat(),
            "status": row["status"],
            "row_count": row["record_count"],
            "run_id": row["run_id"],
            "completed_at": row["completed_at"].isoformat(),
        }
        key = f"{row['job']}|{row['game_date']}|{row['run_id']}"
        result.append(message(topic, key, facts, at, row["run_id"], row["game_date"]))
    return result


def refusal(error: FeatureStoreError, data: Any) -> str:
    """Return a short fingerprint of a message that cannot be read, so that its copies are one event."""
    text = json.dumps(data, sort_keys=True, default=str)[:LARGEST_BYTES]
    return hashlib.sha256(f"{error.code}\n{text}".encode()).hexdigest()[:12]
