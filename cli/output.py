"""How commands speak: errors in one line, tables for people, JSON for programs, progress for anything slow."""

from __future__ import annotations

import datetime as dt
import json
import math
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import click

Progress = Callable[[str, int, int], None]
_json_said: ContextVar[bool] = ContextVar("json_said", default=False)


def _plain(value: Any) -> Any:
    """Return the value in what JSON knows: texts as keys, dates in ISO form, and no number that is none."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, dt.date | dt.datetime):
        return value.isoformat()
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, str | int):
        return value
    return [_plain(item) for item in value] if isinstance(value, Iterable) else str(value)


def as_json(value: Any) -> str:
    """Return the value as JSON; dates and instants in ISO form, NaN as null."""
    return json.dumps(_plain(value), indent=2, allow_nan=False)


def say_json(value: Any) -> None:
    """Print the value as JSON on standard output."""
    click.echo(as_json(value))
    _json_said.set(True)


def begin_command() -> None:
    """Forget what a command before this one has printed."""
    _json_said.set(False)


def has_said_json() -> bool:
    """Tell whether the present command has printed its JSON; a second document after it could not be parsed."""
    return _json_said.get()


def table(headers: Sequence[str], rows: Iterable[Sequence[Any]], limit: int | None = None) -> None:
    """Print a table with columns as wide as needed; say how many rows were left out beyond the limit."""
    texts = [["" if cell is None else str(cell) for cell in row] for row in rows]
    shown = texts if limit is None else texts[:limit]
    widths = [max(len(header), *(len(row[i]) for row in shown)) if shown else len(header) for i, header in enumerate(headers)]
    numeric = [bool(shown) and all(_is_number(row[i]) for row in shown) for i in range(len(headers))]

    def line(cells: Sequence[str]) -> str:
        return "  ".join(c.rjust(w) if n else c.ljust(w) for c, w, n in zip(cells, widths, numeric, strict=True)).rstrip()

    click.echo(click.style(line(headers), bold=True))
    for row in shown:
        click.echo(line(row))
    if len(texts) > len(shown):
        click.echo(f"+{len(texts) - len(shown)} more; --json shows all")


def _is_number(text: str) -> bool:
    return not text or text.lstrip("-").replace(".", "", 1).replace(",", "").replace("%", "", 1).isdigit()


@contextmanager
def progress_lines(quiet: bool) -> Iterator[Progress | None]:
    """Yield a progress callback that keeps one line of standard error up to date; None when nobody watches."""
    if quiet:
        yield None
        return
    on_terminal = sys.stderr.isatty()
    written = 0

    def report(what: str, done: int, total: int) -> None:
        nonlocal written
        text = f"[{done + 1 if done < total else total}/{total}] {what}"[:150]
        if on_terminal:
            click.echo("\r" + text.ljust(written), err=True, nl=False)
            written = len(text)
        else:
            click.echo(text, err=True)

    try:
        yield report
    finally:
        if on_terminal and written:
            click.echo("\r" + " " * written + "\r", err=True, nl=False)
