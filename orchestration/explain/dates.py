"""Explain dates: what became of each, what is not normal about it, why, and what to run."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from orchestration.altered import checked
from orchestration.dependencies import check
from orchestration.explain import remedies
from orchestration.explain.causes import (
    cause_of_store_alone,
    causes_of_features,
    causes_of_gaps,
    causes_of_gate,
    causes_of_jobs,
    causes_of_lines,
    causes_of_never_built,
    severity_of,
    short,
)
from orchestration.explain.facts import Facts, read_facts
from orchestration.explain.findings import SEVERITIES, Cause, DateExplanation, FeatureFinding, worst
from orchestration.explain.jobs import jobs_of
from orchestration.explain.labels import category_findings, feature_findings
from orchestration.lineage import upstream_fingerprints
from orchestration.plan import dated_tables
from quality.reason_words import in_words
from schemas.clock import eastern_date
from schemas.contracts import contract
from schemas.rules import STORE_TABLE
from warehouse.protocol import Warehouse

AFTERWARDS = ("rows_altered", "online_older", "inputs_changed")
"""What befell rows after they were published: the events of their night are not about it."""
HISTORY = "nba_orchestration.materialization_history"
REACHED = f"SELECT MAX(recorded_at) AS written_at, MAX(end_time) AS reached FROM {HISTORY} WHERE state = 'succeeded'"
SAID = {
    "published": "is published",
    "warned": "is published, with warnings",
    "damaged": "was published, and its rows cannot be read now",
    "blocked": "is blocked: its new rows are not served",
    "waiting": "waits: the store has not been built",
    "never_built": "has never been built",
    "to_come": "is still to come",
}


def state_of(facts: Facts, date: dt.date) -> str:
    """Return what became of the last build of the store for the date."""
    entry = facts.ledger.get((STORE_TABLE, date))
    if entry is not None and entry["state"] == "blocked":
        return "blocked"
    if entry is not None and entry["state"] == "published" and STORE_TABLE in facts.damaged:
        return "damaged"
    if date in facts.days:
        fate = (facts.metrics.get(date) or {}).get("fate")
        return "warned" if fate == "warned" else "published"
    if any(run["state"] == "waiting" for run in facts.runs_about(date)[:1]):
        return "waiting"
    return "to_come" if date > eastern_date(facts.now) else "never_built"


def _stale_inputs(warehouse: Warehouse, facts: Facts, date: dt.date) -> tuple[str, ...]:
    """Return the tables of the date whose inputs have changed since they were built."""
    found = []
    for table in dated_tables():
        entry = facts.ledger.get((table, date))
        if entry is None or entry["state"] not in ("published", "blocked") or entry["upstream_fingerprint"] is None:
            continue
        if upstream_fingerprints(warehouse, contract(table), (date,))[date] != entry["upstream_fingerprint"]:
            found.append(table)
    return tuple(found)


def _damaged(facts: Facts, date: dt.date) -> Iterator[Cause]:
    """Yield of each table of the date that its rows cannot be read, whatever became of the build: nothing can be made from them."""
    for table in dated_tables():
        lost = facts.damaged.get(table, ())
        if not lost:
            continue
        if date in lost:
            fact = f"the rows of {date} in {short(table)} cannot be read any more: their file is damaged or gone"
        else:
            fact = f"rows of {len(lost)} other dates in {short(table)} cannot be read any more, and none of the table until they are mended"
        entry, command = facts.ledger.get((table, date)), remedies.make_damaged_again()
        yield Cause("rows_altered", table, "P1", fact, (fact,), (command,), run_id=entry["run_id"] if entry else None, dates=(date,))


def _altered(warehouse: Warehouse, facts: Facts, date: dt.date) -> Iterator[Cause]:
    """Yield of each table made for the date that the rows a reader finds are not those that were published."""
    yield from _damaged(facts, date)
    for item in checked(warehouse, date, dated_tables()):
        if item.is_altered:
            fact = f"the rows of {date} in {short(item.table)} are not those that were published"
            run_id = facts.ledger[item.table, date]["run_id"]
            command = remedies.mend_ledger()
            yield Cause("rows_altered", item.table, "P1", fact, (fact,), (command,), run_id=run_id, dates=(date,))


def _not_online(warehouse: Warehouse, facts: Facts, date: dt.date) -> Iterator[Cause]:
    """Yield that the online store holds older rows than those published."""
    entry = facts.ledger.get((STORE_TABLE, date))
    found = warehouse.query(REACHED).to_pylist()[0]
    if entry is None or entry["state"] != "published" or found["written_at"] is None:
        return
    if entry["updated_at"] > found["written_at"] and date <= found["reached"].date():
        fact = f"{date} was built again at {entry['updated_at']:%Y-%m-%d %H:%M} UTC, after the online store was last written"
        yield Cause("online_older", STORE_TABLE, "P3", fact, (fact,), (remedies.mend_ledger(),), run_id=entry["run_id"], dates=(date,))


def _stale(warehouse: Warehouse, facts: Facts, date: dt.date) -> Iterator[Cause]:
    tables = _stale_inputs(warehouse, facts, date)
    if tables:
        fact = f"what {', '.join(short(name) for name in tables)} of {date} was made from has changed since"
        yield Cause("inputs_changed", tables[0], "P3", fact, (fact,), (remedies.run_again(facts, date),), dates=(date,))


def _causes(warehouse: Warehouse, facts: Facts, date: dt.date, features: Sequence[FeatureFinding], deep: bool) -> tuple[Cause, ...]:
    state = state_of(facts, date)
    if state in ("never_built", "to_come"):
        found = list(causes_of_never_built(facts, date))
        # A date that was due may be missing because what it is made from never came: that is told with it.
        if state == "never_built":
            found += causes_of_gaps(warehouse, facts, date, f"nothing is published of {date}", True)
            found += _damaged(facts, date)
        return _in_order(found)
    if state == "damaged":
        return tuple(_altered(warehouse, facts, date))
    symptom = f"{date} {SAID[state]}"
    found = list(causes_of_jobs(facts, date, symptom))
    if state == "waiting" and not found:
        # What the last run waited for has come since, and nobody has gone on from there.
        found = [cause_of_store_alone(facts, date, symptom)]
    of_features = list(causes_of_features(facts, date, features))
    known = {(cause.code, cause.subject): cause for cause in found}
    # The way by the features says more than the way by the jobs; the cause is the same.
    for cause in of_features:
        known[cause.code, cause.subject] = cause
    day = facts.day(date)
    age = (facts.metrics.get(date) or {}).get("data_age_game_days") or 0
    suspicious = state in ("blocked", "waiting") or bool(of_features) or age > 0 or (day is not None and bool(day.stale))
    for cause in causes_of_gaps(warehouse, facts, date, symptom, suspicious):
        known.setdefault((cause.code, cause.subject), cause)
    for cause in causes_of_lines(facts, date):
        known.setdefault((cause.code, cause.subject), cause)
    found = list(known.values())
    found += [cause for cause in causes_of_gate(facts, date, bool(found)) if not any(other.subject == cause.subject for other in found)]
    if deep:
        known_of = {cause.subject for cause in found if cause.subject not in facts.damaged}
        found += [cause for cause in _altered(warehouse, facts, date) if cause.subject not in known_of]
        found += _not_online(warehouse, facts, date)
        if not found:
            found += _stale(warehouse, facts, date)
    return _in_order(found)


def _in_order(found: Sequence[Cause]) -> tuple[Cause, ...]:
    order = {severity: place for place, severity in enumerate(SEVERITIES)}
    return tuple(sorted(found, key=lambda cause: order[cause.severity]))


def _sentences(features: Sequence[FeatureFinding], basis: str, rows: int) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return what is broken as it was before, and what is normal, each reason in one sentence."""
    standing: dict[str, list[FeatureFinding]] = {}
    normal: dict[str, list[FeatureFinding]] = {}
    for item in features:
        if not item.is_fault:
            (standing if item.is_failure else normal).setdefault(item.reason, []).append(item)

    def sentence(reason: str, items: list[FeatureFinding]) -> str:
        most = max(items, key=lambda item: item.rows)
        usual = f"; {100 * most.normal_share:.0f} % on {basis}" if basis else ""
        return f"{reason}: {most.words[0].lower()}{most.words[1:]} ({most.rows} of {rows} rows{usual})"

    return (
        tuple(sentence(reason, items) for reason, items in standing.items()),
        tuple(sentence(reason, items) for reason, items in normal.items()),
    )


def _figures(facts: Facts, date: dt.date) -> dict[str, Any]:
    day, metrics = facts.day(date), facts.metrics.get(date)
    if day is None:
        return {}
    figures: dict[str, Any] = {
        "score": day.score,
        **{f"{level}_rows": count for level, count in day.levels.items()},
        "ready_rows": day.ready,
        "line_rows": day.lines,
        "failure_defaults": day.failures,
        "phase3_fallbacks": day.fallbacks,
        "stale_rows": day.stale,
    }
    if metrics:
        figures |= {"batch_score": metrics["quality_score"], "band": metrics["band"], "prediction_ready": metrics["is_prediction_ready"]}
    return figures


def _event_lines(facts: Facts, date: dt.date) -> tuple[str, ...]:
    return tuple(
        f"{event['severity']} {event['resolution_status']}: {short(event['table_name'])}, {in_words(event['reason_code'])}"
        for event in facts.events_by_date.get(date, ())
        if event["resolution_status"] in ("open", "acknowledged") and event["severity"] != "info"
    )


def sentence(text: str) -> str:
    """Return the text as a sentence; a name at its beginning keeps its spelling."""
    first = text.split(" ", 1)[0]
    return (text if "_" in first else text[:1].upper() + text[1:]).rstrip(".") + "."


def _headline(facts: Facts, date: dt.date, causes: Sequence[Cause]) -> str:
    state, day = state_of(facts, date), facts.day(date)
    head = f"{date} {SAID[state]}"
    if day and state in ("published", "warned"):
        head += f", {day.ready} of {day.rows} rows ready to serve"
    if causes:
        more = sum(cause.severity != "info" for cause in causes[1:])
        return f"{head}. {sentence(causes[0].fact)}" + (f" And {more} more." if more else "")
    return f"{head}; nothing has to be done." if state == "warned" else f"{head}; nothing is wrong with it."


def _severity(facts: Facts, date: dt.date, causes: Sequence[Cause]) -> str | None:
    """Return the worst of the causes, and of the open events of the date where these may be theirs; None without a cause."""
    found = worst([cause.severity for cause in causes])
    if found is None or all(cause.code in AFTERWARDS for cause in causes):
        return found
    return severity_of(facts, date, found)


def explain_date(warehouse: Warehouse, facts: Facts, date: dt.date, deep: bool = True) -> DateExplanation:
    """Return the explanation of one date; `deep` also reads its rows again and looks at what came after it."""
    state, day = state_of(facts, date), facts.day(date)
    if deep and state in ("waiting", "blocked") and not facts.damaged:
        facts.gate.update({(item.job, date): item for item in check(warehouse, date)})
    features = feature_findings(facts, date)
    causes = _causes(warehouse, facts, date, features, deep)
    comparison = facts.comparisons[date]
    standing, normal = _sentences(features, comparison.basis, day.rows if day else 0)
    metrics: Mapping[str, Any] = facts.metrics.get(date) or {}
    real = [cause for cause in causes if cause.severity != "info"]
    return DateExplanation(
        date=date,
        state=state,
        severity=_severity(facts, date, real),
        headline=_headline(facts, date, causes),
        rows=day.rows if day else 0,
        expected_rows=metrics.get("expected_row_count"),
        figures=_figures(facts, date),
        basis=comparison.basis,
        categories=category_findings(facts, date, features),
        causes=causes,
        standing=standing,
        normal=normal,
        jobs=tuple(
            f"{state.name}: {state.state.replace('_', ' ')}" + (f", {state.rows} rows" if state.is_ready else "")
            for state in jobs_of(facts, date)
        ),
        events=_event_lines(facts, date),
    )


def explain_dates(warehouse: Warehouse, dates: Sequence[dt.date], now: dt.datetime, deep: bool = True) -> dict[dt.date, DateExplanation]:
    """Return the explanation of each date, everything on record read once."""
    if not dates:
        return {}
    facts = read_facts(warehouse, dates, now)
    return {date: explain_date(warehouse, facts, date, deep) for date in facts.dates}
