"""`nba-features quality`."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import click

from cli.options import DATE, json_option
from cli.output import say_json, table

if TYPE_CHECKING:
    from quality.player_summary import PlayerRow
    from quality.summary import QualitySummary


def _percent(part: float, whole: float) -> str:
    return f"{100 * part / whole:.1f}%" if whole else "-"


def _say_summary(found: QualitySummary, as_text: str) -> None:
    rows = found.rows
    click.echo(f"{as_text}: {found.dates} dates, {rows} rows, mean score {found.score:.2f}")
    click.echo("tiers   " + ", ".join(f"{name} {count} ({_percent(count, rows)})" for name, count in found.tiers.items() if count))
    click.echo("levels  " + ", ".join(f"{name} {count} ({_percent(count, rows)})" for name, count in found.alert_levels.items() if count))
    ready = (("quality", found.quality_ready), ("training", found.training_ready), ("production", found.production_ready))
    click.echo("ready   " + ", ".join(f"{name} {_percent(count, rows)}" for name, count in ready))
    if found.blocked_dates:
        click.echo("blocked " + ", ".join(str(date) for date in found.blocked_dates[:10]))
    click.echo()
    headers = ("category", "quality", "defaults", "lowest", "on")
    table(headers, [(c.category, c.quality_pct, f"{100 * c.default_share:.1f}%", c.lowest_pct, c.lowest_date) for c in found.categories])
    if found.worst_dates:
        click.echo()
        listed = [
            (
                d.date,
                "blocked" if d.is_blocked else "",
                d.rows,
                d.red_rows,
                d.failure_defaults,
                f"{d.lowest_category} {d.lowest_category_pct}",
            )
            for d in found.worst_dates
        ]
        table(("worst dates", "", "rows", "red", "failures", "lowest category"), listed)
        worst = found.worst_dates[0]
        click.echo(f"\n{worst.date}: {', '.join(worst.alerts) or 'no alert over the whole date'}")
        for feature, reason, count in worst.features:
            click.echo(f"  {feature}: {reason} ({count} rows)")
    if found.worst_features:
        click.echo()
        table(
            ("worst features", "category", "reason", "rows", "dates", "first", "last"),
            [(f.feature, f.category, f.reason, f.rows, f.dates, f.first_date, f.last_date) for f in found.worst_features],
            limit=10,
        )
    click.echo()
    table(
        ("trend", "dates", "rows", "score", "matchup", "red", "ready"),
        [(p.label, p.dates, p.rows, p.score, p.matchup_pct, _percent(p.red_share, 1), _percent(p.ready_share, 1)) for p in found.trend],
    )


def _say_player(player: str, rows: tuple[PlayerRow, ...]) -> None:
    click.echo(f"{player}: {len(rows)} rows")
    table(
        ("date", "opponent", "score", "tier", "level", "ready", "matchup", "history", "defaults"),
        [
            (
                r.date,
                r.opponent,
                r.score,
                r.tier,
                r.alert_level,
                "yes" if r.is_quality_ready and not r.is_blocked else "no",
                r.matchup_pct,
                r.player_history_pct,
                r.required_defaults,
            )
            for r in rows[-30:]
        ],
    )
    for row in rows[-1:]:
        click.echo(f"\n{row.date}: {', '.join(row.alerts) or 'no alerts'}")
        for feature, reason, kind in row.reasons:
            click.echo(f"  {feature}: {reason} ({kind})")


@click.command()
@click.option("--date", "game_date", type=DATE, default=None, help="One game date.")
@click.option("--start", type=DATE, default=None, help="First game date.")
@click.option("--end", type=DATE, default=None, help="Last game date.")
@click.option("--season", default=None, help="Season label such as 2023-24, instead of dates.")
@click.option("--player", default=None, help="Player key such as lebronjames: that player's rows.")
@json_option
def quality(
    game_date: dt.date | None, start: dt.date | None, end: dt.date | None, season: str | None, player: str | None, as_json: bool
) -> None:
    """Show tiers, alert levels, categories, the worst dates and features with their reasons, and the trend.

    Without dates: everything there is. Blocked rows are counted with the others and named.
    """
    from orchestration.slates import range_asked
    from orchestration.views import define_views
    from schemas.clock import eastern_date, utc_now
    from schemas.errors import NoGamesError, UsageError
    from schemas.settings import load_settings
    from warehouse import open_warehouse

    if game_date and (start or end or season):
        raise UsageError("give either a date, a range or a season", [game_date])
    warehouse = open_warehouse(load_settings())
    first, last = (game_date, game_date) if game_date else range_asked(warehouse, start, end, season, eastern_date(utc_now()))
    define_views(warehouse)
    if player:
        from quality.player_summary import player_summary

        rows = player_summary(warehouse, player, first, last)
        say_json({"player": player, "rows": [row.as_dict() for row in rows]}) if as_json else _say_player(player, rows)
        return
    from quality.summary import quality_summary

    found = quality_summary(warehouse, first, last)
    if found is None:
        raise NoGamesError("nothing is built between these dates", [f"{first} to {last}"], "run: nba-features run or backfill")
    say_json(found.as_dict()) if as_json else _say_summary(found, str(first) if first == last else f"{first} to {last}")
