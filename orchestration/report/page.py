"""The page: sections with a chart and the table behind it, and an article for each date, rendered into one file."""

from __future__ import annotations

import datetime as dt
import json
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from orchestration.report.charts import specifications
from orchestration.report.data import LEVELS, ReportData
from schemas.catalogue import load_catalogue
from schemas.rules import load_rules

TEMPLATES = Path(__file__).with_name("template")
MOST_EVENTS = 2000
"""More events than this are on the page as a count only; `nba-features events list` has them all."""


@dataclass(frozen=True)
class Column:
    """A column of a table: the key of its value and how it is shown."""

    name: str
    title: str
    number: bool = False
    is_date: bool = False
    is_level: bool = False
    wide: bool = False


@dataclass(frozen=True)
class Table:
    """A table behind a chart."""

    caption: str
    columns: tuple[Column, ...]
    rows: Sequence[Mapping[str, Any]]
    open: bool = False


@dataclass(frozen=True)
class Section:
    """A part of the page; `chart` is the id of its chart, if it has one."""

    id: str
    title: str
    about: str
    tables: tuple[Table, ...]
    chart: str | None = None
    wide: bool = False
    nothing: str = ""


def shown(value: Any) -> str:
    """Return a value as it stands in a table."""
    if value is None:
        return ""
    if isinstance(value, dt.datetime):
        return f"{value:%Y-%m-%d %H:%M}"
    return f"{value:g}" if isinstance(value, float) and value != round(value, 2) else str(value)


DATE = Column("date", "date", is_date=True)
LEVEL = Column("level", "level", is_level=True)


def _numbers(names: Iterable[str]) -> tuple[Column, ...]:
    return tuple(Column(name, name.replace("_", " "), number=True) for name in names)


def _heat_table(data: ReportData) -> Table:
    """Return features by dates: the share of rows whose value is the default."""
    default = "default"
    found: dict[str, dict[str, Any]] = {}
    for row in data.sources:
        found.setdefault(row["feature"], {"feature": row["feature"]})[str(row["date"])] = row[default]
    dates = [str(day["date"]) for day in data.days]
    columns = (Column("feature", "feature"), *(Column(date, date, number=True) for date in dates))
    rows = [{**dict.fromkeys(dates), **found[name]} for name in load_catalogue().names if name in found]
    return Table("Share of defaults by feature and date", columns, rows)


def _sections(data: ReportData) -> tuple[Section, ...]:
    rules, catalogue = load_rules(), load_catalogue()
    days, names = data.days, [category.name for category in catalogue.categories]
    blocked = [day for day in days if day["level"] == "blocked"]
    levels = [f"{level}_rows" for level in rules.alert_levels]
    severity = Column("severity", "severity", is_level=True)
    figures = (DATE, LEVEL, severity, *_numbers(("games", "rows", "expected", "ready", *levels, "score")))
    headline = Column("headline", "in words", wide=True)
    share = (*_numbers(("lines", "rows", "line_share", "usual_line_share")),)
    events = data.events[:MOST_EVENTS]
    of_events = (
        DATE,
        severity,
        Column("table", "table"),
        Column("what", "what", wide=True),
        *_numbers(("figure", "allowed")),
        Column("state", "state"),
        Column("seen", "seen (UTC)"),
    )
    of_runs = (*(Column(name, name) for name in ("run", "command", "state", "started", "first", "last")), *_numbers(("seconds", "rows")))
    return (
        Section(
            "calendar",
            "Calendar",
            "One square per game date, in the colour of its level: blocked by the gate, red or yellow for something to look at,"
            " green for nothing. Cold start: red by nature, because nobody has played yet.",
            (Table("Dates", (*figures, headline), days),),
            "calendar",
            wide=True,
        ),
        Section(
            "blocked",
            "Blocked dates",
            "What the gate refused: readable, never served.",
            (
                Table(
                    "Blocked dates",
                    (DATE, Column("severity", "severity", is_level=True), *_numbers(("rows",)), headline),
                    blocked,
                    open=True,
                ),
            )
            if blocked
            else (),
            nothing="No date is blocked.",
        ),
        Section(
            "categories",
            "Categories",
            "Mean quality of each category, defaults counted as 0. A hollow ring is a refused date.",
            (Table("Categories by date", (DATE, LEVEL, *_numbers(names)), days),),
            "categories",
        ),
        Section(
            "sources",
            "Sources",
            "Where each feature's values came from, date by date.",
            (_heat_table(data),),
            "sources",
            wide=True,
        ),
        Section(
            "lines",
            "Lines",
            "Share of rows with a points line; dashed, what is usual for the date.",
            (Table("Lines by date", (DATE, *share), days),),
            "lines",
        ),
        Section(
            "components",
            "Batch score",
            f"Six components that sum to 100; predictions need {rules.batch.prediction_min:g}, the dashed line.",
            (Table("Batch score by date", (DATE, *_numbers((*rules.batch.components, "batch_score")), Column("band", "band")), days),),
            "components",
        ),
        Section(
            "events",
            "Events",
            "What gates and checks saw, P0 the most urgent." + (f" The first {MOST_EVENTS}." if len(data.events) > MOST_EVENTS else ""),
            (Table("Events", of_events, events),) if events else (),
            "events" if events else None,
            nothing="No event was raised.",
        ),
        Section(
            "runs",
            "Runs",
            "How long each run took that worked on these dates.",
            (Table("Runs", of_runs, data.runs),) if data.runs else (),
            "runs" if data.runs else None,
            nothing="No run is on record.",
        ),
        Section("dates", "Dates", "", ()),
    )


def _single_sections(data: ReportData) -> tuple[Section, ...]:
    canonical = load_rules().canonical_sources
    by_id = {section.id: section for section in _sections(data)}
    sources = Table("Sources by feature", (Column("feature", "feature"), *_numbers(("rows", *canonical))), data.sources)
    of_players = (
        *(Column(name, name) for name in ("player", "team", "opponent")),
        *_numbers(("score", "matchup")),
        Column("tier", "tier"),
        LEVEL,
        Column("ready", "ready"),
        Column("broken", "broken", wide=True),
        Column("normal", "normal", wide=True),
    )
    events = by_id["events"]
    return (
        Section(
            "sources",
            "Sources",
            "Where each feature's values came from.",
            (sources,) if data.sources else (),
            "sources",
            nothing="No rows.",
        ),
        Section(
            "players",
            "Rows",
            "Every row of the date, the lowest score first.",
            (Table("Rows", of_players, data.players, open=True),) if data.players else (),
            nothing="There are no rows.",
        ),
        Section(events.id, events.title, events.about, events.tables, None, nothing=events.nothing),
        by_id["runs"],
    )


def _tiles(data: ReportData) -> list[dict[str, str]]:
    days = data.days
    rows, ready = sum(day["rows"] for day in days), sum(day["ready"] for day in days if day["level"] != "blocked")
    scores = [day["batch_score"] for day in days if day["batch_score"] is not None]
    counts = {level: sum(day["level"] == level for day in days) for level in LEVELS}
    worst = sum(event["severity"] in ("P0", "P1") and event["state"] in ("open", "acknowledged") for event in data.events)
    return [
        {"title": "game dates", "value": str(len(days))},
        {"title": "blocked", "value": str(counts["blocked"])},
        {"title": "red or yellow", "value": str(counts["red"] + counts["yellow"])},
        {"title": "rows", "value": f"{rows:,}"},
        {"title": "ready to serve", "value": f"{100 * ready / rows:.1f} %" if rows else "-"},
        {"title": "with a points line", "value": f"{100 * sum(day['lines'] for day in days) / rows:.1f} %" if rows else "-"},
        {"title": "mean batch score", "value": f"{sum(scores) / len(scores):.1f}" if scores else "-"},
        {"title": "open P0 and P1", "value": str(worst)},
    ]


def _plain(value: Any) -> Any:
    if isinstance(value, dt.datetime):
        return value.strftime("%Y-%m-%dT%H:%M:%SZ")
    return value.isoformat() if isinstance(value, dt.date) else value


def _columnar(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    columns = list(rows[0]) if rows else []
    return {"columns": columns, "rows": [[_plain(row[name]) for name in columns] for row in rows]}


def _script_json(value: Any) -> str:
    """Return JSON that cannot end the script element it stands in."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False, allow_nan=False).replace("<", "\\u003c")


BUNDLE = """
import sys, vl_convert
sys.stdout.reconfigure(encoding="utf-8", newline="")
sys.stdout.write(vl_convert.javascript_bundle("window.nbaEmbed = vegaEmbed;"))
"""


@lru_cache(maxsize=1)
def chart_library() -> str:
    """Return Vega, Vega-Lite and Vega-Embed as one script that puts `nbaEmbed` on the page.

    It is bundled in a process of its own: the engine reserves some thirty gigabytes of addresses, and a process that
    holds them can no longer fork.
    """
    done = subprocess.run([sys.executable, "-c", BUNDLE], capture_output=True, text=True, encoding="utf-8", check=True)
    return done.stdout.replace("</script", "<\\/script")


def _months(days: Sequence[Mapping[str, Any]]) -> list[tuple[str, list[Mapping[str, Any]]]]:
    found: dict[str, list[Mapping[str, Any]]] = {}
    for day in days:
        found.setdefault(f"{day['date']:%B %Y}", []).append(day)
    return list(found.items())


def render_page(data: ReportData) -> str:
    """Return the page as HTML that asks nothing of any network."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup

    environment = Environment(loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    known = {day["date"] for day in data.days}
    single = data.start == data.end
    environment.globals.update(shown=shown, has_date=lambda value: not single and value in known)
    by_date = {day["date"]: day for day in data.days}
    dates = list(by_date)
    articles = [
        {
            "explanation": data.explanations[date],
            "day": by_date[date],
            "before": dates[place - 1] if place else None,
            "after": dates[place + 1] if place + 1 < len(dates) else None,
        }
        for place, date in enumerate(dates)
    ]
    charts = specifications(data)
    sections = _single_sections(data) if single else _sections(data)
    rows = {"days": data.days, "sources": data.sources, "events": data.events[:MOST_EVENTS], "runs": data.runs}
    tables = {name: _columnar(items) for name, items in rows.items()}
    return environment.get_template("page.html.j2").render(
        data=data,
        single=single,
        sections=[section if section.chart in charts else replace(section, chart=None) for section in sections],
        tiles=_tiles(data),
        months=_months(data.days),
        articles=articles,
        # Text that is JSON or a script is no markup: `_script_json` and `chart_library` see to what could end its element.
        data_json=Markup(_script_json({"tables": tables})),
        charts_json=Markup(_script_json(charts)),
        library=Markup(chart_library()),
    )
