"""Read rendered statements and say where one could see more than it may: a missing bound in time, a clock, an undeclared table.

Three rules, for every read of a warehouse table in every SELECT:

* the partition column is bounded on both sides by the dates asked for, reaching back no further than the contract's window;
* box scores and what is made of them are cut at the as-of date;
* rows of a time-stamped source meet `<= cutoff` in the SELECT that reads them, or in one that only selects from it:
  nothing is counted, ranked or summed before.
"""

from __future__ import annotations

from collections.abc import Iterator

import sqlglot
from sqlglot import exp
from sqlglot.optimizer.scope import Scope, traverse_scope

from schemas.contracts import READ_WINDOWS, TableContract, contract, load_contracts

CLOCKS = (exp.CurrentDate, exp.CurrentTimestamp, exp.CurrentDatetime, exp.CurrentTime)


def _conditions(select: exp.Select) -> Iterator[exp.Expression]:
    """Yield the conditions a row must meet, of WHERE and of every inner join, taken apart at AND."""
    stack = [select.args["where"].this] if select.args.get("where") else []
    stack += [join.args["on"] for join in select.args.get("joins") or [] if join.args.get("on") and join.side not in ("LEFT", "FULL")]
    while stack:
        part = stack.pop().unnest()
        if isinstance(part, exp.And):
            stack += [part.left, part.right]
        else:
            yield part


def _is_column(node: exp.Expression, name: str) -> bool:
    return isinstance(node, exp.Column) and node.name == name


def _text(node: exp.Expression) -> str:
    return node.sql(dialect="bigquery")


def _bounds(select: exp.Select, column: str) -> tuple[list[str], list[str]]:
    """Return the lower and the upper bounds of a column as text, each with its operator."""
    low, high = [], []
    for part in _conditions(select):
        if isinstance(part, exp.Between) and _is_column(part.this, column):
            low.append(">= " + _text(part.args["low"]))
            high.append("<= " + _text(part.args["high"]))
        elif isinstance(part, exp.GTE | exp.GT) and _is_column(part.this, column):
            low.append((">= " if isinstance(part, exp.GTE) else "> ") + _text(part.expression))
        elif isinstance(part, exp.LTE | exp.LT) and _is_column(part.this, column):
            high.append(("<= " if isinstance(part, exp.LTE) else "< ") + _text(part.expression))
    return low, high


def _window_problems(reader: TableContract, source: TableContract, select: exp.Select) -> Iterator[str]:
    """Yield what is wrong with the bounds of one read."""
    window = READ_WINDOWS.get(reader.reads.get(source.name, ""), ())
    if source.name not in reader.reads:
        yield "is not among the tables its contract says it reads"
        return
    if window is None or source.partition is None:
        return
    low, high = _bounds(select, source.partition)
    oldest, newest = window
    allowed_low = {f">= DATE_SUB(@start_date, INTERVAL '{days}' DAY)" for days in range(1, oldest + 1)} | {">= @start_date"}
    allowed_low |= {text.replace("'", "") for text in allowed_low}
    if not allowed_low & set(low):
        yield f"has no lower bound within {oldest} days of @start_date"
    allowed_high = {"< @end_date"} if newest else {"< @end_date", "<= @end_date"}
    if not allowed_high & set(high):
        yield f"has no upper bound {' or '.join(sorted(allowed_high))}"
    happened = source.as_of_rule == "event_date" and source.as_of_column == source.partition
    if happened and "< @as_of_date" not in high:
        yield "is not cut at the as-of date"


def _stamp(source: TableContract) -> str | None:
    return source.as_of_column if source.as_of_rule == "snapshot" else None


def _filtered(select: exp.Select) -> set[str]:
    """Return the time columns that are held against a cutoff."""
    return {
        part.this.name
        for part in _conditions(select)
        if isinstance(part, exp.LTE) and isinstance(part.this, exp.Column) and _is_column(part.expression, "cutoff")
    }


def _combines_rows(select: exp.Select) -> bool:
    outer = [*select.expressions, *filter(None, [select.args.get("qualify")])]
    return bool(select.args.get("group")) or any(node.find(exp.AggFunc, exp.Window) for node in outer)


def problems(table: str, sql: str) -> list[str]:
    """Return one line per read that could see too much."""
    reader, known = contract(table), load_contracts()
    tree = sqlglot.parse_one(sql, read="bigquery")
    found = [f"{table} reads the clock: {_text(node)}" for node in tree.find_all(*CLOCKS)]
    unfiltered: dict[int, set[str]] = {}
    read: set[str] = set()
    for scope in traverse_scope(tree):
        stamps: set[str] = set()
        for inner in scope.set_operation_scopes:
            stamps |= unfiltered.get(id(inner), set())
        for _, source in scope.selected_sources.values():
            if isinstance(source, Scope):
                stamps |= unfiltered.get(id(source), set())
            elif source.db and isinstance(scope.expression, exp.Select):
                name = f"{source.db}.{source.name}"
                read.add(name)
                found += [f"{table}: {name} {text}" for text in _window_problems(reader, known[name], scope.expression)]
                stamps |= {column for column in [_stamp(known[name])] if column}
        if isinstance(scope.expression, exp.Select):
            stamps -= _filtered(scope.expression)
            if stamps and _combines_rows(scope.expression):
                found.append(f"{table}: rows are combined before {', '.join(sorted(stamps))} meets the cutoff")
        if stamps and scope.is_root:
            found.append(f"{table}: {', '.join(sorted(stamps))} never meets the cutoff")
        unfiltered[id(scope)] = stamps
    found += [f"{table} is said to read {name} and does not" for name in sorted(set(reader.reads) - read)]
    return list(dict.fromkeys(found))
