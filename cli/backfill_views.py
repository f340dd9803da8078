"""How plans, outcomes and progress of a backfill are shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from cli.output import say_json, table

if TYPE_CHECKING:
    from backfill.cascade_run import CascadeOutcome
    from backfill.only_columns import Filled
    from backfill.plan import Plan
    from backfill.preflight import Absent
    from backfill.request import Frozen
    from backfill.runner import Outcome
    from backfill.states import PartitionState

HEADERS = ("table", "expected", "present", "missing", "differs", "stale", "blocked", "order", "runs")
SHOWN = 20


def _spans(span: Sequence[Any]) -> str:
    return f"{span[0]} to {span[1]}"


def _absent_counts(absent: Sequence[Absent]) -> list[tuple[str, int, int, str]]:
    found: dict[str, list[Absent]] = {}
    for item in absent:
        found.setdefault(item.table, []).append(item)
    return [(name, len(items), sum(i.games for i in items), "needed" if items[0].needed else "optional") for name, items in found.items()]


def say_plan(plan: Plan, frozen: Frozen, absent: Sequence[Absent], as_json: bool) -> None:
    """Print what there is, what is wrong with it, and the stages."""
    calendar = plan.calendar
    rows = plan.table_rows()
    games = sum(calendar.games[date] for date in calendar.dates)
    if as_json:
        say_json(
            {
                "as_of": frozen.as_of,
                "resumed": frozen.resumed,
                "asked": calendar.asked,
                "effective": calendar.effective,
                "dates": len(calendar.dates),
                "games": games,
                "tables": rows,
                "stages": [stage.line() for stage in plan.stages],
                "rows": plan.rows,
                "absent_inputs": [item.line() for item in absent],
                "unfinished": [_state(name, item) for name, item in plan.unfinished()],
            }
        )
        return
    click.echo(f"asked {_spans(calendar.asked)}, effective {_spans(calendar.effective)}, as of {frozen.as_of:%Y-%m-%d %H:%M} UTC")
    if frozen.resumed:
        click.echo(f"goes on with {frozen.resumed}, which was interrupted: its instant is kept")
    click.echo(f"the schedule holds {games} games on {len(calendar.dates)} dates\n")
    table(HEADERS, [[row[name] for name in HEADERS] for row in rows])
    if absent:
        click.echo()
        table(("absent input", "dates", "games", ""), _absent_counts(absent))
    click.echo(f"\n{len(plan.stages)} stages, about {plan.rows} rows")
    for stage in plan.stages:
        click.echo(f"  {stage.line()}")
    _say_states("not tried", [(name, item) for name, item in plan.unfinished() if not item.retry])


def _state(name: str, item: PartitionState) -> dict[str, Any]:
    return {"table": name, "date": item.date, "state": item.state.value, "why": item.why}


def _say_states(title: str, states: Sequence[tuple[str, PartitionState]]) -> None:
    for name, item in states[:SHOWN]:
        click.echo(f"  {title}: {name} {item.date}, {item.state.value}{': ' + item.why if item.why else ''}")
    if len(states) > SHOWN:
        click.echo(f"  +{len(states) - SHOWN} more; --json shows all")


def say_outcome(outcome: Outcome, as_json: bool) -> None:
    """Print what was done and what of the request is not verified."""
    rows = [
        (
            r.stage.table,
            r.stage.dates[0],
            r.stage.dates[-1],
            r.rows,
            len(r.published),
            len(r.current),
            len(r.blocked),
            len(r.failed),
            f"{r.seconds:.2f}",
        )
        for r in outcome.results
    ]
    if as_json:
        say_json(
            {
                "run_id": outcome.run_id,
                "exit_status": int(outcome.exit_status),
                "resumed": outcome.frozen.resumed,
                "stages": rows,
                "unverified": [_state(name, item) for name, item in outcome.unverified],
            }
        )
        return
    if rows:
        table(("table", "start", "end", "rows", "published", "as they were", "blocked", "failed", "seconds"), rows)
    dates = len(outcome.plan.calendar.dates)
    if not outcome.unverified:
        click.echo(f"\n{dates} dates of {len(outcome.plan.tables)} tables are verified{'' if rows else '; there was nothing to do'}")
        return
    click.echo(f"\n{len(outcome.unverified)} partitions are not as they should be:")
    _say_states("not verified", outcome.unverified)


def say_status(status: Mapping[str, Any] | None, as_json: bool) -> None:
    """Print how far the latest backfill has come."""
    if as_json:
        say_json(status)
        return
    if status is None:
        click.echo("no backfill is on record")
        return
    left = "" if status["seconds_left"] is None else f", about {status['seconds_left']:.0f} s left"
    click.echo(f"{status['run_id']} ({status['start']} to {status['end']}): {status['state']}")
    click.echo(f"{status['done']} of {status['stages']} stages, {status['rows']} rows, {status['rows_per_second']:.0f} rows/s{left}")
    for line in status["running"]:
        click.echo(f"  now: {line}")
    if status["detail"]:
        click.echo(f"  {status['detail']}")


def say_cascade(done: CascadeOutcome, as_json: bool) -> None:
    """Print what a cascade found, did and left alone."""
    if as_json:
        say_json(done.as_dict())
        return
    for line in done.lines():
        click.echo(line)


def say_filled(filled: Filled, as_json: bool) -> None:
    """Print which columns were filled on which dates, and that all others are as they were."""
    if as_json:
        say_json(filled.as_dict())
        return
    verb = "filled" if filled.run_id else "would be filled"
    click.echo(f"{', '.join(filled.columns)} {verb} on {len(filled.dates)} dates, {filled.rows} rows; every other column is as it was")
    for date, why in sorted(filled.left.items()):
        click.echo(f"  left as it was: {date}, {why}")
