"""The weekly review: the trend against the days before, which upstream fails most, how long things take, what readiness lost."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import fmean, median
from typing import Any

from orchestration.explain.facts import request_of
from orchestration.outcome import COMPLETIONS
from orchestration.quality_events import EVENTS
from orchestration.runs import RUNS
from schemas.contracts import load_contracts
from schemas.rules import STORE_TABLE, load_rules
from warehouse.protocol import Warehouse

METRICS = f"{STORE_TABLE}_quality_metrics"
PREDICTIONS = "nba_predictions.player_prop_predictions"
WITHIN = "game_date BETWEEN @low AND @high"

QUALITY = f"""
SELECT game_date, quality_tier, COUNT(*) AS row_count, COUNTIF(is_quality_ready) AS ready_rows
FROM {STORE_TABLE} WHERE {WITHIN} GROUP BY game_date, quality_tier
"""
PREDICTED = f"""
SELECT
  p.model_id,
  p.quality_tier,
  COUNT(*) AS predictions,
  COUNTIF(p.quality_alert_level != 'green') AS not_green,
  COUNTIF(g.points IS NOT NULL) AS played,
  ROUND(AVG(ABS(p.predicted_value - g.points)), 3) AS mean_error
FROM {PREDICTIONS} AS p
LEFT JOIN nba_analytics.player_game_summary AS g
  ON g.player_lookup = p.player_lookup AND g.game_id = p.game_id AND g.is_played AND g.game_date BETWEEN @low AND @high
WHERE p.game_date BETWEEN @low AND @high
GROUP BY p.model_id, p.quality_tier
"""


@dataclass(frozen=True)
class Period:
    """Means over the dates of a period."""

    dates: int
    rows: int
    score: float | None
    ready_share: float | None
    fallback_share: float | None
    blocked: int
    not_ready: int


@dataclass(frozen=True)
class Upstream:
    """How a job did: completions, those that were no success by their status, and the gate's complaints about it."""

    job: str
    runs: int
    failures: Mapping[str, int]
    gate: Mapping[str, int]

    @property
    def failed(self) -> int:
        """Completions that were no success, and complaints of the gate."""
        return sum(self.failures.values()) + sum(self.gate.values())


@dataclass(frozen=True)
class Review:
    """What the weekly review shows."""

    start: dt.date
    end: dt.date
    now: Period
    before: Period
    dates: tuple[Mapping[str, Any], ...]
    components: Mapping[str, tuple[float, float]]
    upstreams: tuple[Upstream, ...]
    durations: tuple[Mapping[str, Any], ...]
    readiness_lost: tuple[tuple[str, int, int], ...]
    events: Mapping[str, int]
    predictions: tuple[Mapping[str, Any], ...] | None

    def as_dict(self) -> dict[str, Any]:
        """Return the review for `--json`."""
        return asdict(self)


def _period(metrics: Sequence[Mapping[str, Any]], quality: Sequence[Mapping[str, Any]]) -> Period:
    rows, ready = sum(row["row_count"] for row in quality), sum(row["ready_rows"] for row in quality)
    return Period(
        len(metrics),
        rows,
        round(fmean(row["quality_score"] for row in metrics), 2) if metrics else None,
        round(ready / rows, 4) if rows else None,
        round(fmean(row["fallback_share"] for row in metrics), 4) if metrics else None,
        sum(row["fate"] == "blocked" for row in metrics),
        sum(not row["is_prediction_ready"] for row in metrics),
    )


def _upstreams(completions: Sequence[Mapping[str, Any]], events: Sequence[Mapping[str, Any]]) -> tuple[Upstream, ...]:
    runs: Counter[str] = Counter()
    failed: dict[str, Counter[str]] = {}
    gate: dict[str, Counter[str]] = {}
    for row in completions:
        runs[row["job"]] += 1
        if row["status"] not in ("success", "skipped"):
            failed.setdefault(row["job"], Counter())[row["status"]] += 1
    for row in events:
        kind, _, job = row["reason_code"].partition(":")
        if row["event_type"] == "dependency_gate" and job:
            gate.setdefault(job, Counter())[kind] += 1
    found = [Upstream(job, runs[job], dict(failed.get(job, {})), dict(gate.get(job, {}))) for job in {*runs, *failed, *gate}]
    return tuple(sorted(found, key=lambda item: (-item.failed, item.job)))


def _durations(runs: Sequence[Mapping[str, Any]], start: dt.date, end: dt.date) -> tuple[dict[str, Any], ...]:
    seconds: dict[str, list[float]] = {}
    for run in runs:
        about = run["start_date"] is not None and run["start_date"] <= end and run["end_date"] >= start
        if about and run["ended_at"] is not None:
            command = str(request_of(run).get("command") or "unknown")
            seconds.setdefault(command, []).append((run["ended_at"] - run["started_at"]).total_seconds())
    return tuple(
        {"command": name, "runs": len(took), "median_seconds": round(median(took), 2), "longest_seconds": round(max(took), 2)}
        for name, took in sorted(seconds.items())
    )


def _lost(metrics: Sequence[Mapping[str, Any]]) -> tuple[tuple[str, int, int], ...]:
    """Return why dates were not ready for predictions, with dates and rows lost, most rows first."""
    dates: Counter[str] = Counter()
    rows: Counter[str] = Counter()
    for row in metrics:
        if row["is_prediction_ready"]:
            continue
        why = "blocked by the gate" if row["fate"] == "blocked" else row["severity_reason"] or "score too low"
        dates[why] += 1
        rows[why] += row["row_count"]
    return tuple((why, dates[why], count) for why, count in rows.most_common())


def _predictions(warehouse: Warehouse, span: Mapping[str, Any]) -> tuple[Mapping[str, Any], ...] | None:
    """Return the predictions of the period by model and by the tier of the row each stood on, with their error once played.

    None where no such table is kept.
    """
    if PREDICTIONS not in load_contracts():
        return None
    return tuple(sorted(warehouse.query(PREDICTED, span).to_pylist(), key=lambda row: (row["model_id"], row["quality_tier"])))


def read_review(warehouse: Warehouse, end: dt.date, days: int) -> Review:
    """Return the review of so many days up to a date, held against as many days before them."""
    start = end - dt.timedelta(days=days - 1)
    earlier = {"low": start - dt.timedelta(days=days), "high": start - dt.timedelta(days=1)}
    span = {"low": start, "high": end}
    every = {"low": earlier["low"], "high": end}
    metrics = warehouse.query(f"SELECT * FROM {METRICS} WHERE {WITHIN} ORDER BY game_date", every).to_pylist()
    quality = warehouse.query(QUALITY, every).to_pylist()
    ours, theirs = ([row for row in metrics if (row["game_date"] >= start) == recent] for recent in (True, False))
    completions = warehouse.query(f"SELECT job, status, game_date FROM {COMPLETIONS} WHERE {WITHIN}", span).to_pylist()
    events = warehouse.query(f"SELECT event_type, reason_code, severity, resolution_status FROM {EVENTS} WHERE {WITHIN}", span).to_pylist()
    ready: dict[dt.date, list[int]] = {}
    for row in quality:
        counts = ready.setdefault(row["game_date"], [0, 0])
        counts[0] += row["ready_rows"]
        counts[1] += row["row_count"]

    def mean(name: str, part: Sequence[Mapping[str, Any]]) -> float:
        return round(fmean(row[f"{name}_score"] for row in part), 2) if part else 0.0

    return Review(
        start,
        end,
        _period(ours, [row for row in quality if row["game_date"] >= start]),
        _period(theirs, [row for row in quality if row["game_date"] < start]),
        tuple({**row, "ready_rows": ready.get(row["game_date"], [0, 0])[0]} for row in ours),
        {name: (mean(name, ours), mean(name, theirs)) for name in load_rules().batch.components},
        _upstreams(completions, events),
        _durations(warehouse.query(f"SELECT * FROM {RUNS}").to_pylist(), start, end),
        _lost(ours),
        dict(Counter(row["severity"] for row in events if row["severity"] != "info")),
        _predictions(warehouse, span),
    )
