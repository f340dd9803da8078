"""How explanations are shown: the verdict first, the way to the cause, what is normal, the commands last."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from cli.output import table

if TYPE_CHECKING:
    from backfill.explain_reach import Explanation
    from orchestration.explain.findings import Cause

SHOWN_CAUSES = 5


def _title(text: str) -> None:
    click.echo()
    click.echo(click.style(text, bold=True))


def _say_causes(causes: Sequence[Cause]) -> None:
    for number, cause in enumerate(causes[:SHOWN_CAUSES], 1):
        _title(f"Cause {number} of {len(causes)} ({cause.severity}): {cause.fact}")
        for depth, step in enumerate(cause.chain):
            click.echo(f"  {'  ' * min(depth, 6)}{'-> ' if depth else ''}{step}")
    if len(causes) > SHOWN_CAUSES:
        click.echo(f"+{len(causes) - SHOWN_CAUSES} more; --json shows all")


def _say_list(title: str, lines: Sequence[str]) -> None:
    if lines:
        _title(title)
        for line in lines:
            click.echo(f"  {line}")


def _say_commands(causes: Sequence[Cause], commands: Sequence[str], reach: Sequence[str]) -> None:
    _say_list("What would be touched", reach)
    by_hand = tuple(dict.fromkeys(cause.by_hand for cause in causes if cause.by_hand))
    if by_hand:
        _say_list("First, by hand", by_hand)
    if commands:
        _title("Then run" if by_hand else "Run")
        for command in commands:
            click.echo(f"  {command}")


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.1f}%"


def _say_date(found: Any, full: bool) -> None:
    if found.categories:
        click.echo()
        rows = []
        for item in found.categories:
            worst = next((f for f in item.features if f.is_fault), None)
            why = f"{worst.feature}: {worst.reason} ({worst.rows} rows)" if worst else ""
            usual = "-" if item.normal_pct is None else f"{item.normal_pct:.1f}"
            rows.append((item.category, f"{item.quality_pct:.1f}", usual, "below normal" if item.is_unusual else "normal", why))
        table(("category", "quality", "usual", "", "because"), rows)
        if found.basis:
            click.echo(f"compared with {found.basis}")
    _say_causes(found.causes)
    if full or (found.standing and not found.causes):
        _say_list("Broken as on the dates before, not news", found.standing)
    if full:
        _say_list("Normal", found.normal)
        _say_list("Jobs", found.jobs)
        _say_list("Open events", found.events)


def _say_player(found: Any) -> None:
    if found.missing:
        click.echo()
        rows = [(m.feature, m.category, m.reason, "broken" if m.is_failure else "normal", m.table.split(".")[1]) for m in found.missing]
        table(("feature", "category", "reason", "", "table"), rows)
    _say_causes(found.causes)
    _say_list("Normal", found.normal)


def _say_feature(found: Any) -> None:
    click.echo(f"  {found.definition}; from {found.source}; fallback {found.fallback}")
    if found.sources:
        click.echo()
        total = sum(found.sources.values())
        sources = sorted({*found.sources, *found.usual_sources})
        rows = [
            (s, found.sources.get(s, 0), _percent(found.sources.get(s, 0) / total), _percent(found.usual_sources.get(s))) for s in sources
        ]
        table(("source", "rows", "share", "usual"), rows)
        click.echo()
        table(("value", "that date", "usual"), [(name, value, found.usual_values.get(name)) for name, value in found.values.items()])
        if found.basis:
            click.echo(f"compared with {found.basis}")
    _say_causes(found.causes)


def _say_season(found: Any) -> None:
    click.echo("  " + ", ".join(f"{count} {state.replace('_', ' ')}" for state, count in found.states.items()))
    _say_causes(found.causes)
    _say_list("Broken for long", found.standing)


def say_explanation(found: Explanation, reach: Sequence[str], full: bool) -> None:
    """Print an explanation for a person."""
    severity = getattr(found, "severity", None)
    click.echo((f"[{severity}] " if severity else "") + click.style(found.headline, bold=True))
    kind = type(found).__name__
    if kind == "DateExplanation":
        _say_date(found, full)
    elif kind == "PlayerExplanation":
        _say_player(found)
    elif kind == "FeatureExplanation":
        _say_feature(found)
    else:
        _say_season(found)
    _say_commands(found.causes, found.commands, reach)
