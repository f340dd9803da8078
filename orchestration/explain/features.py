"""Explain one feature on a date: where its values came from, how that compares with what is normal, and why."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from orchestration.explain.dates import SAID, explain_date, sentence, state_of
from orchestration.explain.facts import BLOCKED_TABLE, Facts, read_facts
from orchestration.explain.feeds import FEED_OF
from orchestration.explain.findings import Cause, FeatureFinding, merged_commands
from orchestration.explain.labels import feature_findings
from schemas.catalogue import Feature, load_catalogue
from schemas.rules import STORE_TABLE
from warehouse.protocol import Warehouse


@dataclass(frozen=True)
class FeatureExplanation:
    """A feature on a date: its sources against the usual ones, its values against the usual ones, causes and commands."""

    feature: str
    date: dt.date
    headline: str
    definition: str
    source: str
    fallback: str
    sources: Mapping[str, int]
    usual_sources: Mapping[str, float]
    values: Mapping[str, float | None]
    usual_values: Mapping[str, float | None]
    basis: str
    findings: tuple[FeatureFinding, ...]
    causes: tuple[Cause, ...]
    reach: tuple[str, ...] = ()

    @property
    def commands(self) -> tuple[str, ...]:
        """Commands of all causes, each once."""
        return merged_commands(self.causes)

    def as_dict(self) -> dict[str, Any]:
        """Return the explanation for `--json`."""
        return {**asdict(self), "commands": list(self.commands)}


def _sources(facts: Facts, date: dt.date, index: int) -> tuple[dict[str, int], dict[str, float]]:
    own: Counter[str] = Counter()
    for (i, source, _), count in facts.label_counts(date).items():
        own[source] += count * (i == index)
    usual: Counter[str] = Counter()
    for other in facts.comparisons[date].dates:
        for (i, source, _), count in facts.labels.get((other, False), Counter()).items():
            usual[source] += count * (i == index)
    total = sum(usual.values())
    shares = {source: round(count / total, 4) for source, count in usual.items() if count} if total else {}
    return {source: count for source, count in own.items() if count}, shares


def _values(warehouse: Warehouse, facts: Facts, date: dt.date, feature: Feature) -> tuple[dict[str, Any], dict[str, Any]]:
    columns = ", ".join(
        f"{text} AS {name}"
        for name, text in (
            ("mean", f"AVG({feature.name})"),
            ("lowest", f"MIN({feature.name})"),
            ("highest", f"MAX({feature.name})"),
            ("deviation", f"STDDEV({feature.name})"),
        )
    )
    real = f"feature_{feature.index}_source != 'default'"
    table = BLOCKED_TABLE if date in facts.blocked_days else STORE_TABLE
    own = warehouse.query(f"SELECT {columns} FROM {table} WHERE game_date = @date AND {real}", {"date": date}).to_pylist()[0]
    others = facts.comparisons[date].dates
    sql = f"SELECT {columns} FROM {STORE_TABLE} WHERE game_date IN UNNEST(@dates) AND {real}"
    usual = warehouse.query(sql, {"dates": list(others)}).to_pylist()[0] if others else dict.fromkeys(own)
    return {k: _rounded(v) for k, v in own.items()}, {k: _rounded(v) for k, v in usual.items()}


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)


def explain_feature(warehouse: Warehouse, name: str, date: dt.date, now: dt.datetime) -> FeatureExplanation:
    """Return why a feature is as it is on a date.

    Raises:
        UnknownNameError: there is no such feature.
    """
    feature = load_catalogue().feature(name)
    facts = read_facts(warehouse, (date,), now)
    whole, state = explain_date(warehouse, facts, date), state_of(facts, date)
    findings = tuple(item for item in feature_findings(facts, date) if item.feature == name)
    tables = {*feature.tables, FEED_OF[feature.stale_with], *(item.table for item in findings if item.is_fault)}
    no_rows = facts.day(date) is None
    concerned = any(item.is_fault for item in findings)
    kinds = ("gate:", "raw", "lines")

    def is_about(cause: Cause) -> bool:
        return no_rows or (cause.subject in tables and (concerned or cause.code.startswith(kinds)))

    causes = tuple(cause for cause in whole.causes if is_about(cause))
    sources, usual = _sources(facts, date, feature.index)
    rows = sum(sources.values())
    real = rows - sources.get("default", 0)
    if no_rows:
        head = f"{name} on {date}: {date} {SAID[state]}"
    else:
        head = f"{name} on {date}: {real} of {rows} rows have a value of their own"
        if usual:
            head += f", {100 * (1 - usual.get('default', 0.0)):.0f} % are usual"
    why = f". {sentence(causes[0].fact)}" if causes else "; that is normal." if not no_rows else "."
    values, usual_values = ({}, {}) if no_rows else _values(warehouse, facts, date, feature)
    return FeatureExplanation(
        name,
        date,
        head + why,
        f"{feature.definition} ({feature.unit})",
        feature.primary_source,
        feature.fallback,
        sources,
        usual,
        values,
        usual_values,
        facts.comparisons[date].basis,
        findings,
        causes,
    )
