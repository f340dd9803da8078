"""Explain a season: its dates by what became of them, and each cause once with all the dates it spoiled."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from orchestration.explain import remedies
from orchestration.explain.dates import explain_date, state_of
from orchestration.explain.facts import Facts, read_facts
from orchestration.explain.findings import Cause, DateExplanation, merged_commands, worst
from orchestration.slates import game_dates, seasons
from schemas.clock import eastern_date
from schemas.errors import UnknownNameError
from warehouse.protocol import Warehouse

NEEDS_LOOKING = ("blocked", "waiting", "never_built", "damaged")
SHOWN_DATES = 6


@dataclass(frozen=True)
class SeasonExplanation:
    """A season: dates by state, causes over many dates, what is broken as a standing condition, and the commands."""

    season: str
    first: dt.date
    last: dt.date
    headline: str
    severity: str | None
    states: Mapping[str, int]
    causes: tuple[Cause, ...]
    standing: tuple[str, ...]
    dates: Mapping[dt.date, str]
    reach: tuple[str, ...] = ()

    @property
    def commands(self) -> tuple[str, ...]:
        """Commands of all causes, each once."""
        return merged_commands(self.causes)

    def as_dict(self) -> dict[str, Any]:
        """Return the explanation for `--json`."""
        return {**asdict(self), "commands": list(self.commands)}


def _spans(dates: Sequence[dt.date]) -> str:
    shown = ", ".join(str(date) for date in dates[:SHOWN_DATES])
    return shown + (f" and {len(dates) - SHOWN_DATES} more" if len(dates) > SHOWN_DATES else "")


def gathered(facts: Facts, found: Mapping[dt.date, DateExplanation]) -> tuple[Cause, ...]:
    """Return the causes of many dates, each once: those of one kind about one table are one cause of all their dates."""
    groups: dict[tuple[str, str], list[tuple[dt.date, Cause]]] = {}
    for date, explanation in found.items():
        for cause in explanation.causes:
            if cause.severity != "info":
                groups.setdefault((cause.code, cause.subject), []).append((date, cause))
    causes = []
    for (code, subject), items in groups.items():
        dates = tuple(sorted({date for date, _ in items}))
        first = items[0][1]
        if len(dates) == 1:
            causes.append(first)
            continue
        others = [command for command in first.commands if command.split()[1] != "run"]
        commands = (*others, *([remedies.build_dates(facts, dates)] if len(others) < len(first.commands) else []))
        fact = f"{len(dates)} dates ({_spans(dates)}): {first.fact}; and so on"
        severity = worst([cause.severity for _, cause in items]) or first.severity
        causes.append(Cause(code, subject, severity, fact, first.chain, commands, first.by_hand, first.run_id, dates))
    order = {severity: place for place, severity in enumerate(("P0", "P1", "P2", "P3", "info"))}
    return tuple(sorted(causes, key=lambda cause: (order[cause.severity], -len(cause.dates))))


def explain_season(warehouse: Warehouse, season: str, now: dt.datetime) -> SeasonExplanation:
    """Return what went wrong in a season and why.

    Raises:
        UnknownNameError: the schedule knows no such season.
    """
    known = seasons(warehouse)
    if season not in known:
        raise UnknownNameError("unknown season", [season], "known: " + ", ".join(known))
    first, last = known[season][0], known[season][1]
    facts = read_facts(warehouse, _played(warehouse, first, last, now), now)
    found = {date: explain_date(warehouse, facts, date, deep=False) for date in facts.dates}
    states = Counter(state_of(facts, date) for date in facts.dates)
    causes = gathered(facts, found)
    standing: Counter[str] = Counter()
    for explanation in found.values():
        standing.update({text.partition(" (")[0] for text in explanation.standing})
    bad = sum(states[state] for state in NEEDS_LOOKING)
    spoiled = len({date for cause in causes for date in cause.dates} & set(found))
    head = f"{season}: {len(found)} dates have come, {states['published'] + states['warned']} are published"
    head += f", {bad} are not" if bad else ""
    head += f"; {spoiled} dates have a cause to look at." if spoiled else "; nothing is wrong with it."
    return SeasonExplanation(
        season,
        first,
        last,
        head,
        worst([item.severity for item in found.values() if item.severity]),
        dict(states),
        causes,
        tuple(f"{text}, on {count} dates" for text, count in standing.most_common()),
        {date: item.headline for date, item in found.items() if item.causes},
    )


def _played(warehouse: Warehouse, first: dt.date, last: dt.date, now: dt.datetime) -> tuple[dt.date, ...]:
    return tuple(date for date in game_dates(warehouse, first, min(last, eastern_date(now)))) or (first,)
