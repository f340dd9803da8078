"""Why a date is as it is: each cause with the way from the symptom to it, and what to run."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator, Sequence

from orchestration.explain import remedies
from orchestration.explain.facts import Facts, Row
from orchestration.explain.feeds import BOXES, FEED_OF, LINES, SHOTS, WORDS, Gap, gaps_behind, lines_far_below, quarantined, silent_since
from orchestration.explain.findings import Cause, FeatureFinding, worst
from orchestration.explain.jobs import JobState, job_state, root_jobs, skipped_by, stopped_run, waits_for
from orchestration.plan import summaries
from quality.reason_words import in_words, kind_of
from schemas.catalogue import load_catalogue
from schemas.clock import eastern_date
from schemas.contracts import load_contracts
from schemas.rules import STORE_TABLE
from warehouse.protocol import Warehouse

BLOCKING, WARNING = "P1", "P3"


def short(table: str) -> str:
    """Return a table's name without its dataset."""
    return table.split(".")[-1]


def _when(run: Row | None) -> str:
    return f"run {run['run_id']} of {run['started_at']:%Y-%m-%d %H:%M} UTC" if run else "a run that left no record"


def _about(event: Row, subject: str) -> bool:
    """TRUE for an event of a table itself, or one that names it, or a feature whose values come from it; all of them are the store's."""
    if subject in (STORE_TABLE, event["table_name"]):
        return True
    named = event["reason_code"].partition(":")[2]
    feature = load_catalogue().by_name.get(named)
    behind = (*feature.tables, FEED_OF[feature.stale_with]) if feature else ()
    return subject in (named, *behind) or short(subject) == named


def severity_of(facts: Facts, date: dt.date, otherwise: str, subject: str = STORE_TABLE) -> str:
    """Return the worst severity of the open events of a date about a table, by default of all of them, or another when that is worse."""
    events = facts.events_by_date.get(date, ())
    said = [event["severity"] for event in events if event["resolution_status"] in ("open", "acknowledged") and _about(event, subject)]
    metrics = facts.metrics.get(date)
    said += [metrics["severity"]] if metrics and metrics["severity"] and subject == STORE_TABLE else []
    return worst([*(item for item in said if item != "info"), otherwise]) or otherwise


def _raw_of(code: str) -> tuple[str, str]:
    """Return the raw table a reason code names, and the rest of the code; empty when it names none."""
    for name, spec in load_contracts().items():
        if spec.built_by == "ingest" and code.startswith(f"{name}:"):
            return name, code.removeprefix(f"{name}:")
    return "", code


def _of_raw_values(facts: Facts, state: JobState, chain: Sequence[str]) -> Iterator[Cause]:
    """Yield the causes of a job that was refused for values of a raw table it reads."""
    raw = {table: rest for code in state.reasons for table, rest in [_raw_of(code)] if table}
    for table, code in raw.items():
        yield Cause(
            "raw_rows_invalid",
            table,
            severity_of(facts, state.date, BLOCKING, table),
            f"rows of {table} of {state.date} are invalid: {in_words(code)}",
            (*chain, f"{table}: {in_words(code)}"),
            (remedies.ingest_again(facts), remedies.run_again(facts, state.date)),
            f"correct the {WORDS.get(table, short(table))} of {state.date} at their source first",
            state.run_id,
            (state.date,),
        )


def cause_of_job(facts: Facts, state: JobState, chain: Sequence[str]) -> Iterator[Cause]:
    """Yield why a job is not ready for a date."""
    run = facts.runs.get(state.run_id or "")
    date, again = state.date, (remedies.run_again(facts, state.date),)
    severity = severity_of(facts, date, BLOCKING, state.job)

    def cause(code: str, fact: str, by_hand: str = "", commands: tuple[str, ...] = again) -> Cause:
        return Cause(code, state.job, severity, fact, (*chain, fact), commands, by_hand, state.run_id, (date,))

    # A job that is left out takes its rows of an earlier run along.
    left_out = skipped_by(facts, state.job, date) if state.state in ("never_ran", "no_rows") else None
    if left_out is not None:
        yield cause("job_left_out", f"{short(state.job)} did not run for {date}: {_when(left_out)} was told to leave it out (--skip)")
    elif state.state == "never_ran":
        stopped = stopped_run(facts, date)
        if stopped is not None:
            yield cause("run_stopped", f"{short(state.job)} did not run for {date}: {_when(stopped)} ended as {_ended(stopped)}")
        else:
            yield cause("job_never_ran", f"{short(state.job)} did not run for {date}: no run on record has tried it")
    elif state.state == "failed":
        yield cause("job_failed", f"{short(state.job)} failed for {date} in {_when(run)}: {state.detail or 'no reason recorded'}")
    elif state.state == "blocked" and any(_raw_of(code)[0] for code in state.reasons):
        yield from _of_raw_values(facts, state, [*chain, f"{short(state.job)} was refused by its own audit ({', '.join(state.reasons)})"])
    elif state.state == "blocked":
        said = "; ".join(in_words(code) for code in state.reasons) or "no reason recorded"
        yield cause("job_blocked", f"{short(state.job)} was made for {date} and refused by its own audit: {said} ({_when(run)})")
    elif state.state == "no_rows" and state.detail:
        yield cause("job_without_rows", f"{short(state.job)} has no rows for {date}: {_in_plain(state.detail)} ({_when(run)})")
    elif state.state == "no_rows":
        yield cause("job_without_rows", f"{short(state.job)} ended without any row for {date} ({_when(run)})")
    elif state.state == "rows_missing":
        yield cause("rows_missing", f"{short(state.job)} has {state.rows} of the {state.expected} rows the slate of {date} calls for")
    elif state.state == "rows_changed_since":
        now = facts.readable[state.job].get(date)
        yield cause(
            "rows_changed_since",
            f"{short(state.job)} reported {state.rows} rows for {date} and {now.rows if now else 0} can be read now",
            commands=(remedies.mend_ledger(), *again),
        )
    else:
        yield cause(
            "older_than_its_inputs", f"{short(state.job)} of {date} is older than what it is made from: its inputs came after it ran"
        )


def _in_plain(detail: str) -> str:
    """Return the detail of a completion with its state in words: `taken out of use: older_than_its_inputs`."""
    return detail.replace("_", " ") if detail.startswith("taken out of use") else detail


def _ended(run: Row) -> str:
    if run["state"] == "running":
        return "a process that is gone without a word"
    return f"{run['state']}: {run['detail'] or 'no word why'}"


def causes_of_jobs(facts: Facts, date: dt.date, symptom: str) -> Iterator[Cause]:
    """Yield why the store of a date could not be made: the jobs that broke by themselves."""
    waiting = [state.name for state in waits_for(facts, date)]
    for state in root_jobs(facts, date):
        chain = [symptom, *([f"the store waits for {', '.join(waiting)}"] if waiting else [])]
        yield from cause_of_job(facts, state, chain)


def causes_of_gaps(warehouse: Warehouse, facts: Facts, date: dt.date, symptom: str, whole: bool) -> Iterator[Cause]:
    """Yield raw rows that never arrived, or arrived for some games only: one cause for each table."""
    found: dict[str, list[Gap]] = {}
    for gap in gaps_behind(facts, date, whole):
        found.setdefault(gap.table, []).append(gap)
    for table, gaps in found.items():
        why = next((text for gap in reversed(gaps) if (text := quarantined(warehouse, facts, gap))), "")
        shown = [gap.line() for gap in gaps[-3:]] + ([f"and of {len(gaps) - 3} dates before"] if len(gaps) > 3 else [])
        fact = "; ".join(shown) + (f" ({why})" if why else "")
        commands = (
            (remedies.ingest_again(facts), remedies.cascade())
            if table in (BOXES, SHOTS, "nba_raw.team_boxscores")
            else (
                remedies.ingest_again(facts),
                remedies.run_again(facts, date),
            )
        )
        by_hand = f"see that the source holds the {WORDS[table]} of {', '.join(str(gap.date) for gap in gaps[-3:])}"
        is_partial = all(gap.found for gap in gaps)
        yield Cause(
            "raw_games_missing" if is_partial else "raw_rows_missing",
            table,
            severity_of(facts, date, WARNING, table),
            fact,
            (symptom, f"{table} is short", fact),
            commands,
            by_hand,
            dates=tuple(gap.date for gap in gaps),
        )


def causes_of_lines(facts: Facts, date: dt.date) -> Iterator[Cause]:
    """Yield that far fewer players have a line than usual, when that is so."""
    found = lines_far_below(facts, date)
    if found is not None and date in facts.raw[LINES]:
        fact = (
            f"{100 * found[0]:.0f} % of the rows of {date} have a points line, {100 * found[1]:.0f} % are usual: the feed is there and thin"
        )
        commands = (remedies.ingest_again(facts), remedies.run_again(facts, date))
        by_hand = f"see whether the source holds more points lines of {date} now"
        yield Cause("lines_far_below", LINES, severity_of(facts, date, WARNING, LINES), fact, (fact,), commands, by_hand, dates=(date,))


def _way(date: dt.date, items: Sequence[FeatureFinding], table: str) -> list[str]:
    categories = ", ".join(dict.fromkeys(item.category for item in items))
    names = ", ".join(item.feature for item in items[:4]) + (f" and {len(items) - 4} more" if len(items) > 4 else "")
    rows, share = max(item.rows for item in items), max(item.share for item in items)
    return [
        f"{categories} of {date} is below normal",
        f"{names}: {rows} rows ({100 * share:.0f} %) without their value, normal {100 * items[0].normal_share:.0f} %",
        f"the reason given is {items[0].reason}: {items[0].words[0].lower()}{items[0].words[1:]}",
        f"the value comes from {table}",
    ]


def causes_of_features(facts: Facts, date: dt.date, features: Sequence[FeatureFinding]) -> Iterator[Cause]:
    """Yield why features are missing beyond what is normal: the job behind their table, else its rows for some players."""
    faults: dict[str, list[FeatureFinding]] = {}
    for item in features:
        if item.is_fault and item.is_failure:
            faults.setdefault(item.table, []).append(item)
    for table, items in faults.items():
        chain = _way(date, items, table)
        if load_contracts()[table].built_by == "sql":
            state = job_state(facts, table, date) if (table, date) in facts.completions or table not in summaries() else None
            if state is not None and not state.is_ready:
                roots = [root for root in root_jobs(facts, date) if root.job != table] if state.state == "never_ran" else []
                yield from cause_of_job(facts, (*roots, state)[0], chain)
                continue
        if load_contracts()[table].built_by == "ingest":
            yield _silent(facts, date, table, items, chain)
            continue
        feeds = dict.fromkeys(FEED_OF[load_catalogue().feature(item.feature).stale_with] for item in items)
        if any(gap.table in feeds for gap in gaps_behind(facts, date)):
            continue
        rows = max(item.rows for item in items)
        fact = f"{short(table)} ran for {date} and has no value of {rows} rows in {', '.join(item.feature for item in items[:4])}"
        feed = next(iter(feeds))
        yield Cause(
            "values_missing",
            table,
            severity_of(facts, date, WARNING, table),
            fact,
            (*chain, fact),
            (remedies.ingest_again(facts), remedies.cascade(), remedies.run_again(facts, date)),
            f"see whether the source holds the {WORDS.get(feed, feed)} of these players' games",
            dates=(date,),
        )


def _silent(facts: Facts, date: dt.date, table: str, items: Sequence[FeatureFinding], chain: Sequence[str]) -> Cause:
    last = silent_since(facts, table, date)
    since = f"since {last}" if last else "for weeks"
    fact = f"the {WORDS[table]} have been silent {since}, so {', '.join(item.feature for item in items)} of {date} cannot be known"
    commands = (remedies.ingest_again(facts), remedies.run_again(facts, date))
    by_hand = f"see why no {WORDS[table]} come in"
    return Cause("feed_silent", table, severity_of(facts, date, WARNING, table), fact, (*chain, fact), commands, by_hand, dates=(date,))


CONSEQUENCES = ("red_share", "matchup_mean", "category_defaulted", "ready_share_drop", "coverage_drop", "mean_shift")
"""What the gate says when features are missing: the missing features say why."""


def causes_of_gate(facts: Facts, date: dt.date, explained: bool) -> Iterator[Cause]:
    """Yield what the gate refused by itself; what only follows from missing features is left out once these are explained."""
    entry = facts.ledger.get((STORE_TABLE, date))
    if entry is None or entry["state"] != "blocked":
        return
    codes = [code for code in (entry["reasons"] or "").split(",") if code]
    own = [code for code in codes if kind_of(code) not in CONSEQUENCES] or ([] if explained else codes)
    for code in own:
        kind, _, column = code.partition(":")
        event = next((e for e in facts.events_by_date.get(date, ()) if e["reason_code"] == code), None)
        figures = ""
        if event is not None and event["metric_value"] is not None:
            limit = "" if event["threshold"] is None else f", {event['threshold']:g} allowed"
            figures = f" ({event['metric_name']} {event['metric_value']:g}{limit})"
        feature = load_catalogue().by_name.get(column)
        chain = [f"the gate refused the rows of {date}: {in_words(code)}{figures}"]
        subject, by_hand = STORE_TABLE, ""
        commands: tuple[str, ...] = (remedies.run_again(facts, date),)
        if kind in ("gate_error", "missing_column"):
            fact = f"the gate could not run for {date}, so it refused the rows: {_detail(event)}"
        elif kind.startswith("upstream_blocked"):
            fact, subject = f"{short(column)} of {date} was refused, and older rows of it must not stand in", column
        elif feature is not None:
            subject = feature.tables[0]
            fact = f"the values of {column} are wrong inside: {in_words(code)}{figures}; they come from {subject}"
            by_hand = f"see what {FEED_OF[feature.stale_with]} holds for {date}, and correct it at its source"
            commands = (remedies.ingest_again(facts), remedies.cascade(), remedies.run_again(facts, date))
        else:
            fact = f"{in_words(code)}{figures}"
        yield Cause(
            f"gate:{kind}",
            subject,
            severity_of(facts, date, BLOCKING, subject),
            fact,
            (*chain, fact),
            commands,
            by_hand,
            entry["run_id"],
            (date,),
        )


def _detail(event: Row | None) -> str:
    if event is None or not event["details_json"]:
        return "no detail recorded"
    try:
        return str(json.loads(event["details_json"]).get("detail") or "no detail recorded")
    except ValueError:
        return "its detail cannot be read"


def causes_of_never_built(facts: Facts, date: dt.date) -> Iterator[Cause]:
    """Yield why there is nothing at all of a date: no run, or one that ended on the way."""
    today = eastern_date(facts.now)
    stopped, again, symptom = stopped_run(facts, date), (remedies.run_again(facts, date),), f"nothing is published of {date}"
    first, severity = next(iter(root_jobs(facts, date)), None), severity_of(facts, date, BLOCKING)
    if stopped is not None and (first is None or first.state == "never_ran"):
        fact = f"{_when(stopped)} ended as {_ended(stopped)}"
        yield Cause("run_stopped", STORE_TABLE, severity, fact, (symptom, fact), again, "", stopped["run_id"], (date,))
        return
    if first is None:
        yield cause_of_store_alone(facts, date, symptom)
        return
    if facts.runs_about(date) or first.state != "never_ran" or _any_completion(facts, date):
        yield from causes_of_jobs(facts, date, symptom)
        return
    if date > today:
        fact = f"{date} is still to come: no run has worked on it, and {first.name} is the first job to run"
        yield Cause("not_due", first.job, "info", fact, (fact,), again, dates=(date,))
        return
    fact = f"no run has worked on {date}: {first.name} is the first of the jobs that wait to be run"
    yield Cause("never_ran", first.job, severity, fact, (symptom, fact), again, dates=(date,))


def cause_of_store_alone(facts: Facts, date: dt.date, symptom: str) -> Cause:
    """Return that every job before the store has delivered and the store itself was not made."""
    state, again = job_state(facts, STORE_TABLE, date), (remedies.run_again(facts, date),)
    chain = (symptom, f"every job before the store has delivered for {date}")
    if state.state == "failed":
        fact = f"the store failed for {date} in {_when(facts.runs.get(state.run_id or ''))}: {state.detail or 'no reason recorded'}"
        return Cause("job_failed", STORE_TABLE, severity_of(facts, date, BLOCKING), fact, (*chain, fact), again, "", state.run_id, (date,))
    fact = f"the store has not been started for {date}, though all it is made from is there"
    return Cause("never_ran", STORE_TABLE, severity_of(facts, date, BLOCKING), fact, (*chain, fact), again, dates=(date,))


def _any_completion(facts: Facts, date: dt.date) -> bool:
    return any(day == date and job in facts.readable for job, day in facts.completions)
