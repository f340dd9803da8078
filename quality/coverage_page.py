"""The coverage page: figures of `measure_coverage` as Markdown, for people."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from quality.coverage_report import FLAGGED_ABOVE, Coverage, Explanation, FeatureSeason, RedDate
from quality.reason_words import in_words
from schemas.rules import load_rules

UNEXPLAINED = "**Not explained: look at it.**"


def _table(headers: Sequence[str], rows: Iterable[Sequence[object]]) -> Iterator[str]:
    yield "| " + " | ".join(headers) + " |"
    yield "|---" + "|---:" * (len(headers) - 1) + "|"
    for row in rows:
        yield "| " + " | ".join(str(cell) for cell in row) + " |"


def percent(part: int, whole: int) -> str:
    """Return a share in per cent with one decimal; a share that is not zero never reads as 0.0."""
    if part == 0:
        return "0"
    share = 100 * part / whole
    return "<0.1" if share < 0.05 else ">99.9" if part < whole and share >= 99.95 else f"{share:.1f}"


def _levels(coverage: Coverage) -> Iterator[str]:
    rules = load_rules()
    headers = ("season", "dates", "rows", *(f"{name} %" for name in (*rules.tier_names, *rules.alert_levels)), "ready %", "for training %")
    rows = [
        (
            season.season,
            season.dates,
            season.rows,
            *(percent(season.tiers[name], season.rows) for name in rules.tier_names),
            *(percent(season.levels[name], season.rows) for name in rules.alert_levels),
            percent(season.ready, season.rows),
            percent(season.training, season.rows),
        )
        for season in coverage.seasons
    ]
    yield from _table(headers, rows)


def _date_line(item: RedDate) -> str:
    why = [in_words(code) for code in item.reasons]
    if item.is_cold_start:
        why.insert(0, in_words("cold_start"))
    state = "blocked" if item.is_blocked else "published"
    return f"| {item.date} | {state} | {item.red} of {item.rows} | {'; '.join(why) or 'no event says why'} |"


def _red_dates(coverage: Coverage) -> Iterator[str]:
    cold = sum(item.is_cold_start for item in coverage.red_dates)
    blocked = sum(item.is_blocked for item in coverage.red_dates)
    if not coverage.red_dates:
        yield "No date is blocked, and none has more red rows than the gate lets through."
        return
    yield f"{len(coverage.red_dates)} dates: {blocked} blocked, {cold} cold starts."
    yield ""
    yield from ("| date | state | red rows | why |", "|---|---|---|---|")
    yield from (_date_line(item) for item in coverage.red_dates)


def _main_reason(item: FeatureSeason) -> str:
    if item.main_reason is None:
        return ""
    return f"`{item.main_reason}` {percent(item.reasons[item.main_reason], item.rows)}"


def _features(coverage: Coverage, season: str) -> Iterator[str]:
    sources = load_rules().canonical_sources
    mine = [item for item in coverage.features if item.season == season]
    rows = [
        (
            f"`{item.feature}`",
            *(percent(item.sources.get(source, 0), item.rows) for source in sources),
            percent(item.failures, item.rows) + (" (!)" if item.is_flagged else ""),
            _main_reason(item),
        )
        for item in mine
    ]
    yield from _table(("feature", *(f"{source} %" for source in sources), "failures %", "main reason of a default"), rows)


def _flagged(coverage: Coverage, explanations: Sequence[Explanation]) -> Iterator[str]:
    if not coverage.flagged:
        yield f"No feature has defaults of class failure in more than {FLAGGED_ABOVE:.0%} of the rows of a season."
        return
    yield "| season | features | failures % | reason | why the data lacks it |"
    yield "|---|---|---:|---|---|"
    groups: dict[tuple[str, str | None, str | None], list[FeatureSeason]] = {}
    for item in coverage.flagged:
        why = next((one.why for one in explanations if one.is_about(item)), None)
        groups.setdefault((item.season, item.main_failure, why), []).append(item)
    for (season, reason, why), items in groups.items():
        names = ", ".join(f"`{item.feature}`" for item in items)
        shares = ", ".join(dict.fromkeys(percent(item.failures, item.rows) for item in items))
        yield f"| {season} | {names} | {shares} | `{reason}` | {why or UNEXPLAINED} |"


def coverage_page(coverage: Coverage, source: str, explanations: Sequence[Explanation] = ()) -> str:
    """Return the page; `source` says in words which data it is about, `explanations` why that data lacks what it lacks."""
    limit = load_rules().gate.red_share_max
    lines = [
        "# Coverage",
        "",
        f"How much of the feature store is real, on {source}, {coverage.first} to {coverage.last}. Written by `nba-features coverage`;",
        "all figures are aggregates over the rows of the store and of blocked dates. Shares are in per cent of the season's rows.",
        "",
        "## Tiers and alert levels by season",
        "",
        *_levels(coverage),
        "",
        "`ready` rows may be served, those `for training` may enter a training set.",
        "",
        "## Red dates",
        "",
        f"Dates that are blocked, or on which more than {limit:.0%} of the rows are red.",
        "",
        *_red_dates(coverage),
        "",
        "## Features that fail more than they should",
        "",
        "A default is of class failure when a value should exist and does not.",
        f"A feature with such defaults in more than {FLAGGED_ABOVE:.0%} of a season's rows is flagged (!).",
        "",
        *_flagged(coverage, explanations),
    ]
    for season in coverage.seasons:
        lines += ["", f"## {season.season}", "", *_features(coverage, season.season)]
    return "\n".join(lines) + "\n"
