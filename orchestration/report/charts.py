"""The charts as Vega-Lite specifications; the rows they draw are on the page once, under a name."""

from __future__ import annotations

import datetime as dt
from functools import partial
from typing import TYPE_CHECKING, Any

from schemas.catalogue import load_catalogue
from schemas.rules import load_rules

if TYPE_CHECKING:
    from orchestration.report.data import ReportData

LEVEL_COLOURS = {
    "blocked": "#7a1f5c",
    "red": "#d1495b",
    "yellow": "#e6a117",
    "green": "#3a9d7c",
    "cold start": "#7d9ec0",
    "not built": "#8a8f98",
    "to come": "#c9ced6",
}
SEVERITY_COLOURS = {"P0": "#7a1f5c", "P1": "#d1495b", "P2": "#e6a117", "P3": "#5b8fd1"}
STATE_COLOURS = {
    "succeeded": "#3a9d7c",
    "partly": "#e6a117",
    "waiting": "#5b8fd1",
    "blocked": "#7a1f5c",
    "failed": "#d1495b",
    "died": "#5a5f69",
}
DAY = "%b %-d"
AT = "toDate(datum.date)"
"""A date's place on an axis of time; the field itself stays the text that tooltips show and a click goes to."""
SERIES = ["#3d7dca", "#d1495b", "#e6a117", "#3a9d7c", "#8d6cc3", "#5a5f69"]


def _scale(colours: dict[str, str]) -> Any:
    import altair as alt

    return alt.Scale(domain=list(colours), range=list(colours.values()))


def _axis(title: str | None = None, **more: Any) -> Any:
    import altair as alt

    return alt.Axis(title=title, **more)


def _legend(**more: Any) -> Any:
    import altair as alt

    return alt.Legend(title=None, orient="top", **more)


def _tips(*names: str) -> list[Any]:
    import altair as alt

    return [alt.Tooltip(name, title=name.split(":")[0].replace("_", " ")) for name in names]


def _dates() -> Any:
    import altair as alt

    return alt.X("date:O", axis=_axis(labelAngle=-60, labelOverlap=True, ticks=False))


def _whole_width(chart: Any, height: Any) -> Any:
    """Return the chart as wide as its place on the page, axis labels included."""
    import altair as alt

    return chart.properties(width="container", height=height, autosize=alt.AutoSizeParams(type="fit-x", contains="padding"))


def calendar() -> Any:
    """Return the calendar: weeks across, weekdays down, one square per game date in the colour of its level."""
    import altair as alt

    days = "['Mon','Tue','Wed','Thu','Fri','Sat','Sun']"
    base = (
        alt.Chart(alt.NamedData("days"))
        .transform_calculate(at="toDate(datum.date + 'T12:00:00')")
        .transform_calculate(weekday=f"{days}[(day(datum.at) + 6) % 7]", week="datum.at - ((day(datum.at) + 6) % 7) * 86400000")
        .transform_calculate(monday="timeFormat(datum.week, '%Y-%m-%d')", number="timeFormat(datum.at, '%-d')")
        .encode(
            x=alt.X("monday:O", axis=_axis(labelExpr="timeFormat(toDate(datum.value + 'T12:00:00'), '%b %-d')", labelAngle=-45)),
            y=alt.Y("weekday:O", sort=["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"], axis=_axis(ticks=False, domain=False)),
            tooltip=[
                alt.Tooltip("date:N"),
                alt.Tooltip("level:N"),
                alt.Tooltip("severity:N"),
                alt.Tooltip("rows:Q"),
                alt.Tooltip("ready:Q"),
                alt.Tooltip("batch_score:Q", title="batch score"),
                alt.Tooltip("headline:N"),
            ],
        )
    )
    squares = base.mark_rect(cornerRadius=4, cursor="pointer", stroke="transparent", strokeWidth=2).encode(
        color=alt.Color("level:N", scale=_scale(LEVEL_COLOURS), legend=_legend(columns=4)),
    )
    is_pale = "indexof(['yellow', 'cold start', 'to come'], datum.level) >= 0"
    ink = alt.condition(is_pale, alt.value("#1d2129"), alt.value("#ffffff"))
    numbers = base.mark_text(fontSize=10, cursor="pointer").encode(text="number:N", color=ink)
    return (squares + numbers).properties(width={"step": 26}, height={"step": 26})


def categories(with_refused: bool = True) -> Any:
    """Return the mean quality of each category by date; what the gate refused, if anything, is ringed."""
    import altair as alt

    names: Any = [category.name for category in load_catalogue().categories]
    base = (
        alt.Chart(alt.NamedData("days"))
        .transform_fold(names, as_=["category", "quality"])
        .transform_filter("isValid(datum.quality)")
        .transform_calculate(at=AT)
        .encode(
            x=alt.X("at:T", axis=_axis(format=DAY, labelOverlap=True), scale=alt.Scale(type="utc")),
            y=alt.Y("quality:Q", axis=_axis("mean quality"), scale=alt.Scale(domain=[0, 100])),
            color=alt.Color("category:N", scale=alt.Scale(domain=names, range=SERIES[: len(names)]), legend=_legend(columns=3)),
            tooltip=_tips("date:N", "category:N", "quality:Q", "level:N"),
        )
    )
    line = base.mark_line(strokeWidth=1.5, opacity=0.85)
    points = base.mark_point(filled=True, size=28, cursor="pointer", opacity=0.9)
    refused = base.transform_filter("datum.level == 'blocked'").mark_point(filled=False, size=140, strokeWidth=2, cursor="pointer")
    return _whole_width(line + points + refused if with_refused else line + points, 260)


def heat_map() -> Any:
    """Return features by dates, coloured by the share of rows from the source chosen above it."""
    import altair as alt

    canonical = list(reversed(load_rules().canonical_sources))
    source = alt.param(name="source", value=canonical[0], bind=alt.binding_select(options=canonical, name="Share of rows whose source is "))
    chart = (
        alt.Chart(alt.NamedData("sources"))
        .add_params(source)
        .transform_calculate(share="datum[source]")
        .mark_rect(cursor="pointer")
        .encode(
            x=_dates(),
            y=alt.Y("feature:O", sort=list(load_catalogue().names), axis=_axis(ticks=False, labelLimit=200)),
            color=alt.Color(
                "share:Q",
                scale=alt.Scale(domain=[0, 1], interpolate="rgb"),
                legend=_legend(format="%", gradientLength=180),
            ),
            tooltip=[
                alt.Tooltip("date:N"),
                alt.Tooltip("feature:N"),
                alt.Tooltip("rows:Q"),
                *(alt.Tooltip(f"{name}:Q", format=".1%") for name in canonical),
            ],
        )
    )
    return _whole_width(chart, 13 * len(load_catalogue().features))


def lines() -> Any:
    """Return the share of rows with a points line by date, with the usual share of each date."""
    import altair as alt

    base = alt.Chart(alt.NamedData("days")).transform_filter("isValid(datum.line_share)").encode(x=_dates())
    usual = base.mark_line(strokeDash=[4, 3], color="#8a8f98", strokeWidth=1.5).encode(y=alt.Y("usual_line_share:Q"))
    own = base.mark_bar(cursor="pointer", color="#3d7dca").encode(
        y=alt.Y("line_share:Q", axis=_axis("rows with a line", format="%"), scale=alt.Scale(domain=[0, 1])),
        tooltip=[
            alt.Tooltip("date:N"),
            alt.Tooltip("lines:Q"),
            alt.Tooltip("rows:Q"),
            alt.Tooltip("line_share:Q", format=".1%", title="share"),
            alt.Tooltip("usual_line_share:Q", format=".1%", title="usual"),
        ],
    )
    return _whole_width(own + usual, 180)


def components() -> Any:
    """Return the batch score of each date, stacked of its components, with the score that predictions need."""
    import altair as alt

    rules = load_rules().batch
    names: Any = list(rules.components)
    bars = (
        alt.Chart(alt.NamedData("days"))
        .transform_filter("isValid(datum.batch_score)")
        .transform_fold(names, as_=["component", "points"])
        .mark_bar(cursor="pointer")
        .encode(
            x=_dates(),
            y=alt.Y("points:Q", axis=_axis("points"), scale=alt.Scale(domain=[0, 100]), stack="zero"),
            color=alt.Color("component:N", scale=alt.Scale(domain=names, range=SERIES), legend=_legend(columns=2)),
            tooltip=[
                alt.Tooltip("date:N"),
                alt.Tooltip("component:N"),
                alt.Tooltip("points:Q"),
                alt.Tooltip("batch_score:Q"),
                alt.Tooltip("band:N"),
            ],
        )
    )
    needed = (
        alt.Chart(alt.NamedData("days"))
        .mark_rule(strokeDash=[5, 4], strokeWidth=1.5, color="#d1495b")
        .encode(y=alt.datum(rules.prediction_min))
    )
    return _whole_width(bars + needed, 240)


def events() -> Any:
    """Return the events: dates across, severities down, larger where there are more."""
    import altair as alt

    chart = (
        alt.Chart(alt.NamedData("events"))
        .transform_calculate(at=AT)
        .mark_circle(cursor="pointer", opacity=0.8)
        .encode(
            x=alt.X("at:T", axis=_axis(format=DAY, labelOverlap=True), scale=alt.Scale(type="utc", padding=14)),
            y=alt.Y("severity:O", sort=list(SEVERITY_COLOURS), axis=_axis(), scale=alt.Scale(domain=list(SEVERITY_COLOURS))),
            size=alt.Size("count():Q", legend=None, scale=alt.Scale(range=[50, 360])),
            color=alt.Color("severity:N", scale=_scale(SEVERITY_COLOURS), legend=None),
            tooltip=[alt.Tooltip("date:N"), alt.Tooltip("severity:N"), alt.Tooltip("count():Q", title="events")],
            detail="date:N",
        )
    )
    return _whole_width(chart, 140)


def runs(data: ReportData) -> Any:
    """Return how long each run took, by when it started."""
    import altair as alt

    started = [dt.datetime.fromisoformat(str(run["started"])) for run in data.runs]
    is_one_day = max(started) - min(started) < dt.timedelta(days=1)
    axis = _axis("started (UTC)", format="%H:%M:%S" if is_one_day else DAY, labelOverlap=True)

    chart = (
        alt.Chart(alt.NamedData("runs"))
        .mark_point(filled=True, size=80, opacity=0.85)
        .encode(
            x=alt.X("started:T", axis=axis, scale=alt.Scale(type="utc", padding=14)),
            y=alt.Y("seconds:Q", axis=_axis("seconds")),
            color=alt.Color("state:N", scale=_scale(STATE_COLOURS), legend=_legend(columns=3)),
            shape=alt.Shape("command:N", legend=_legend(columns=3, symbolFillColor="#8a8f98", symbolStrokeColor="#8a8f98")),
            tooltip=[alt.Tooltip(f"{name}:N") for name in ("run", "command", "state", "first", "last")]
            + [alt.Tooltip("seconds:Q"), alt.Tooltip("rows:Q")],
        )
    )
    return _whole_width(chart, 200)


def feature_sources() -> Any:
    """Return, for one date, the sources of each feature as shares of its rows."""
    import altair as alt

    canonical: Any = list(load_rules().canonical_sources)
    colours = dict(zip(canonical, ["#3a9d7c", "#e6a117", "#3d7dca", "#d1495b"], strict=False))
    chart = (
        alt.Chart(alt.NamedData("sources"))
        .transform_fold(canonical, as_=["source", "share"])
        .mark_bar()
        .encode(
            x=alt.X("share:Q", axis=_axis("share of rows", format="%", tickCount=5), stack="zero", scale=alt.Scale(domain=[0, 1])),
            y=alt.Y("feature:O", sort=list(load_catalogue().names), axis=_axis(ticks=False, labelLimit=200)),
            color=alt.Color("source:N", scale=_scale(colours), legend=_legend(columns=2)),
            tooltip=[alt.Tooltip("feature:N"), alt.Tooltip("source:N"), alt.Tooltip("share:Q", format=".1%"), alt.Tooltip("rows:Q")],
        )
    )
    return _whole_width(chart, 15 * len(load_catalogue().features))


def specifications(data: ReportData) -> dict[str, dict[str, Any]]:
    """Return the charts of a page by the id of their place on it."""
    single = data.start == data.end
    wanted = (
        {"sources": feature_sources} if single else {"calendar": calendar, "categories": categories, "sources": heat_map, "lines": lines}
    )
    wanted |= {} if single else {"components": components}
    if not data.sources:
        # Nothing is built: there are dates to show and no rows.
        wanted = {name: chart for name, chart in wanted.items() if name == "calendar"}
    if data.events and not single:
        wanted["events"] = events
    if data.runs:
        wanted["runs"] = partial(runs, data)
    if not any(day["level"] == "blocked" for day in data.days):
        wanted = {name: partial(categories, False) if chart is categories else chart for name, chart in wanted.items()}
    return {name: chart().to_dict() for name, chart in wanted.items()}
