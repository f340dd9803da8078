"""Start the store when the fourth job has completed: once, whoever sees it, however often and in whatever order it is told.

The state is `phase_completions`. A start is claimed by inserting one row whose key says which start of the date it is; the
warehouse lets one of several insert it. The message that starts the store is written in the same transaction, so a claim
without its message, or a message without its claim, cannot exist.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from orchestration.completion_messages import CompletionMessage, read_completion, refusal
from orchestration.event_log import record_events
from orchestration.gate_state import READY, Gate, gate
from orchestration.outbox import DELIVERIES, message
from orchestration.outcome import COMPLETIONS
from orchestration.runs import RUNS, has_died
from quality.events import MESSAGE, event_id
from schemas.contracts import contract
from schemas.errors import UsageError, WarehouseError
from schemas.rules import STORE_TABLE, load_rules
from warehouse.protocol import RecordWrite, Warehouse

START = f"{STORE_TABLE}:start"
OF_RUN = f"SELECT status FROM {COMPLETIONS} WHERE job = @job AND game_date = @game_date AND run_id = @run_id"
OF_JOB = f"""
SELECT status, completed_at, run_id, detail
FROM {COMPLETIONS}
WHERE job = @job AND game_date = @game_date
ORDER BY completed_at, run_id
"""
SINCE = f"""
SELECT run_id, command, state, holder, started_at
FROM {RUNS}
WHERE started_at >= @at AND start_date <= @game_date AND end_date >= @game_date
ORDER BY started_at, run_id
"""
BUILDING = ("run", "backfill")
"""Commands that make the store; what only looks at a date says nothing of its start."""
EARLY = dt.timedelta(minutes=10)
"""How far the clock of a job may run ahead."""

RECORDED, DUPLICATE, REFUSED = "recorded", "duplicate", "refused"
STARTED, NOT_READY, CLAIMED, BUILT = "started", "not_ready", "already_started", "already_built"


@dataclass(frozen=True)
class Reaction:
    """What a message did: whether it was new, and whether it started the store."""

    message: str
    store: str
    game_date: dt.date | None = None
    why: tuple[str, ...] = ()

    @property
    def started(self) -> bool:
        """TRUE for the one message that started the store."""
        return self.store == STARTED


def _told_again(warehouse: Warehouse, told: CompletionMessage, sent_at: dt.datetime) -> CompletionMessage:
    """Return a message without a run id under a name of its own when the job has said something else since it first said this."""
    known = warehouse.query(OF_JOB, {"job": told.job, "game_date": told.game_date}).to_pylist()
    if not told.nameless or told.run_id not in {row["run_id"] for row in known}:
        return told
    latest = known[-1]
    if latest["run_id"].startswith(told.run_id) or sent_at <= latest["completed_at"]:
        return told
    return replace(told, run_id=f"{told.run_id}-{sent_at:%Y%m%dT%H%M%S%f}")


def _record(warehouse: Warehouse, told: CompletionMessage) -> bool:
    """Write the completion unless the run has said how it ended already; tell whether it was new.

    A job of ours writes its row after read-back, before it says so: that row stands.
    """
    key = {"job": told.job, "game_date": told.game_date, "run_id": told.run_id}
    if warehouse.query(OF_RUN, key).num_rows:
        return False
    try:
        warehouse.record([RecordWrite(COMPLETIONS, [told.completion()], replace=False)])
    except WarehouseError:
        # Another handler may have written the same one in between; anything else is a fault.
        if warehouse.query(OF_RUN, key).num_rows:
            return False
        raise
    return True


def _is_latest(warehouse: Warehouse, told: CompletionMessage) -> bool:
    """TRUE when the job has said nothing of the date later: a failure that came late is history."""
    return bool(warehouse.query(OF_JOB, {"job": told.job, "game_date": told.game_date}).to_pylist()[-1]["run_id"] == told.run_id)


def _inputs(found: Gate) -> str:
    """Return what tells one set of completions from another: job and run of all four."""
    text = "\n".join(f"{job.job} {job.run_id}" for job in sorted(found.jobs, key=lambda job: job.job))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _ended_badly(warehouse: Warehouse, game_date: dt.date, since: dt.datetime, now: dt.datetime) -> bool:
    """TRUE when the latest run for the date since an instant did not succeed; one that died has left no completion of the store."""
    rows = warehouse.query(SINCE, {"at": since, "game_date": game_date}).to_pylist()
    runs = [row for row in rows if json.loads(row["command"]).get("command") in BUILDING]
    return bool(runs) and (has_died(warehouse, runs[-1], now) or runs[-1]["state"] not in ("running", "succeeded"))


def _may_start(
    found: Gate, starts: list[Mapping[str, Any]], builds: list[Mapping[str, Any]], inputs: str, ended_badly: Callable[[dt.datetime], bool]
) -> str:
    """Say whether a ready gate starts the store: not when these rows are in it already, and a second time only after a failure.

    A later start of the same date needs two things: the build since the last one did not succeed, by its completion or by the
    record of its run, and a job has delivered anew.
    """
    newest = max(job.completed_at for job in found.jobs if job.completed_at is not None)
    if builds and builds[-1]["status"] == "success" and builds[-1]["completed_at"] >= newest:
        return BUILT
    if not starts:
        return STARTED
    last = starts[-1]
    if json.loads(last["detail"])["inputs"] == inputs:
        return CLAIMED
    failed = any(row["completed_at"] >= last["completed_at"] and row["status"] != "success" for row in builds[-1:])
    return STARTED if failed or ended_badly(last["completed_at"]) else CLAIMED


def start_store(warehouse: Warehouse, game_date: dt.date, at: dt.datetime, topic: str) -> Reaction:
    """Start the store of the date if the gate is ready and nobody has; raise `WarehouseError` when that cannot be told."""
    found = gate(warehouse, game_date)
    if found.state != READY:
        return Reaction(RECORDED, NOT_READY, game_date, found.reasons)
    inputs, builds, starts = (
        _inputs(found),
        *(warehouse.query(OF_JOB, {"job": job, "game_date": game_date}).to_pylist() for job in (STORE_TABLE, START)),
    )
    verdict = _may_start(found, starts, builds, inputs, lambda since: _ended_badly(warehouse, game_date, since, at))
    if verdict != STARTED:
        return Reaction(RECORDED, verdict, game_date)
    claim = f"start-{len(starts) + 1:04d}"
    facts = {"analysis_date": game_date.isoformat(), "start": claim, "trigger_source": "four_way_dependency_complete"}
    upstream = {job.name: {"row_count": job.rows, "run_id": job.run_id} for job in found.jobs}
    note = message(topic, f"{game_date}|{claim}", {**facts, "upstream_completions": upstream}, at, claim, game_date)
    row = {
        "phase": "trigger",
        "game_date": game_date,
        "job": START,
        "status": "success",
        "record_count": len(found.jobs),
        "run_id": claim,
        "completed_at": at,
        "detail": json.dumps({"inputs": inputs, "delivery_id": note["delivery_id"]}, sort_keys=True),
    }
    try:
        warehouse.record([RecordWrite(COMPLETIONS, [row], replace=False), RecordWrite(DELIVERIES, [note], replace=False)])
    except WarehouseError:
        claims = warehouse.query(OF_JOB, {"job": START, "game_date": game_date}).to_pylist()
        if any(item["run_id"] == claim for item in claims):
            return Reaction(RECORDED, CLAIMED, game_date)
        raise
    return Reaction(RECORDED, STARTED, game_date)


def _refused(warehouse: Warehouse, error: UsageError, data: Any, at: dt.datetime) -> Reaction:
    """Record a message that cannot be read: sending it again would not mend it, and it must not be lost."""
    mark = refusal(error, data)
    event = {
        "event_id": event_id(COMPLETIONS, None, f"message_refused:{mark}", "messages"),
        "event_timestamp": at,
        "event_type": MESSAGE,
        "severity": "P2",
        "table_name": COMPLETIONS,
        "reason_code": f"message_refused:{mark}",
        "resolution_status": "open",
        "details_json": json.dumps({"error": error.line(), "message": str(data)[:2000]}, sort_keys=True),
        "run_id": "messages",
    }
    record_events(warehouse, [event])
    return Reaction(REFUSED, NOT_READY, None, (error.line(),))


def _job_failed(warehouse: Warehouse, told: CompletionMessage, at: dt.datetime) -> None:
    event = {
        "event_id": event_id(STORE_TABLE, told.game_date, f"job_failed:{told.job}", told.run_id),
        "event_timestamp": at,
        "event_type": "dependency_gate",
        "severity": load_rules().gate.event_severities["critical"],
        "table_name": STORE_TABLE,
        "game_date": told.game_date,
        "reason_code": f"job_failed:{told.job}",
        "fate": "blocked",
        "resolution_status": "open",
        "details_json": json.dumps(
            {"job": told.job, "status": told.status, "detail": told.detail, "job_run_id": told.run_id}, sort_keys=True
        ),
        "run_id": told.run_id,
    }
    record_events(warehouse, [event])


def on_completion(warehouse: Warehouse, data: Any, sent_at: dt.datetime, now: dt.datetime, topic: str) -> Reaction:
    """Take one completion message: record it, and start the store when it is the one that was missing.

    A duplicate looks at the gate as well: the first copy's handler may have died between recording and claiming.

    Raises:
        WarehouseError: the records cannot be read or written; the message must be sent again.
    """
    try:
        told = read_completion(data, min(sent_at, now))
        if told.completed_at > now + EARLY:
            raise UsageError("the job says it completed in the future", [told.completed_at.isoformat()])
    except UsageError as error:
        return _refused(warehouse, error, data, now)
    told = _told_again(warehouse, told, min(sent_at, now))
    new = _record(warehouse, told)
    if new and told.status != "success" and _is_latest(warehouse, told):
        _job_failed(warehouse, told, now)
    reaction = start_store(warehouse, told.game_date, now, topic)
    return Reaction(RECORDED if new else DUPLICATE, reaction.store, told.game_date, reaction.why)


def success_message(topic: str, game_date: dt.date, completion: Mapping[str, Any], score: float | None, at: dt.datetime) -> dict[str, Any]:
    """Return the message predictions wait for, one per successful build of the store."""
    facts = {
        "processor": contract(STORE_TABLE).table,
        "analysis_date": game_date.isoformat(),
        "status": completion["status"],
        "row_count": completion["record_count"],
        "quality_score": score,
        "run_id": completion["run_id"],
        "timestamp": completion["completed_at"].isoformat(),
    }
    return message(topic, f"{STORE_TABLE}|{game_date}|{completion['run_id']}", facts, at, completion["run_id"], game_date)
