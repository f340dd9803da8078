"""Events of the gate: rows for `nba_orchestration.data_quality_events` with ids that a rerun repeats."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from collections.abc import Mapping
from typing import Any

from quality.verdicts import GATE_ERROR, DateVerdict, Finding, GateReport
from schemas.rules import STORE_TABLE, Rules, load_rules

EVENTS = "nba_orchestration.data_quality_events"
STORE_GATE, TABLE_GATE, DEPENDENCY_GATE, CANARY, MESSAGE = "store_gate", "table_gate", "dependency_gate", "canary", "completion_message"
SEVERITIES = ("P0", "P1", "P2", "P3", "info")
LIVE = ("open", "acknowledged")


def subject(event: Mapping[str, Any]) -> tuple[Any, ...]:
    """Return what an event is about, whatever the run that saw it."""
    return (event["event_type"], event["table_name"], event.get("game_date"), event["reason_code"])


def worst(*severities: str) -> str:
    """Return the worst of the severities."""
    return min(severities, key=SEVERITIES.index)


def event_id(table: str, date: dt.date | None, reason_code: str, run_id: str) -> str:
    """Return the id of an event: 32 hexadecimal digits that depend on what it is about and the run alone."""
    text = "\n".join((table, date.isoformat() if date else "", reason_code, run_id))
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def event_severity(finding: Finding, rules: Rules) -> str:
    """Return P0 for a gate that could not run, else what the rules say of the finding's severity."""
    if finding.reason_code == GATE_ERROR or finding.reason_code.startswith("missing_column:"):
        return rules.gate.error_event_severity
    return rules.gate.event_severities[finding.severity]


def _event(verdict: DateVerdict, finding: Finding, severity: str, status: str, run_id: str, at: dt.datetime, table: str) -> dict[str, Any]:
    return {
        "event_id": event_id(table, verdict.date, finding.reason_code, run_id),
        "event_timestamp": at,
        "event_type": STORE_GATE if table == STORE_TABLE else TABLE_GATE,
        "severity": severity,
        "table_name": table,
        "game_date": verdict.date,
        "metric_name": finding.metric,
        "metric_value": finding.value,
        "threshold": finding.threshold,
        "reason_code": finding.reason_code,
        "columns": finding.column or None,
        "fate": verdict.fate,
        "resolution_status": status,
        "resolved_at": None,
        "details_json": json.dumps({"rows": finding.rows, "rows_of_date": verdict.rows, "detail": finding.detail}, sort_keys=True),
        "related_event_id": None,
        "run_id": run_id,
    }


def gate_events(report: GateReport, run_id: str, at: dt.datetime, table: str) -> list[dict[str, Any]]:
    """Return one open event per finding, and one for information per date that starts cold."""
    rules = load_rules()
    events = []
    for verdict in report.verdicts.values():
        events += [_event(verdict, f, event_severity(f, rules), "open", run_id, at, table) for f in verdict.findings]
        if verdict.cold_start:
            note = Finding("cold_start", "info", "quality_alert_level", "rows", verdict.rows, None, verdict.rows)
            events.append(_event(verdict, note, "info", "acknowledged", run_id, at, table))
    return events
