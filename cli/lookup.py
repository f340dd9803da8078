"""`nba-features lookup`."""

from __future__ import annotations

import datetime as dt

import click

from cli.options import DATE, json_option
from cli.output import say_json, table


@click.command()
@click.option("--date", "game_date", type=DATE, default=None, help="Game date, US Eastern.")
@click.option("--game", "game_id", default=None, help="Everybody expected in this game; its date needs not be given.")
@click.option("--players", default=None, help="Player keys, comma-separated. Default: the whole slate.")
@click.option("--service", default="points_v3_37features", show_default=True, help="Model contract whose features are wanted.")
@click.option("--strict", is_flag=True, help="Only ready rows.")
@click.option("--mask-defaults", is_flag=True, help="Give NaN (null in JSON) in the place of every default.")
@json_option
def lookup(
    game_date: dt.date | None,
    game_id: str | None,
    players: str | None,
    service: str,
    strict: bool,
    mask_defaults: bool,
    as_json: bool,
) -> None:
    """Look up vectors in the online store, each with a verdict; only a ready row has a vector."""
    from schemas.catalogue import load_catalogue
    from schemas.errors import UsageError

    wanted = None if players is None else [name.strip() for name in players.split(",") if name.strip()]
    if wanted == []:
        raise UsageError("no player is named", [players], "write their player_lookup, comma-separated, or leave --players out")
    if game_date is None and game_id is None:
        raise UsageError("a date or a game is needed", [], "give --date YYYY-MM-DD or --game ID")
    contract = load_catalogue().service(service)
    from schemas.settings import load_settings
    from serving.feature_store import open_feature_store
    from serving.lookup import lookup as look_up
    from warehouse import open_warehouse

    settings = load_settings()
    warehouse = open_warehouse(settings)
    found = look_up(
        open_feature_store(settings, warehouse),
        warehouse,
        service,
        game_date,
        wanted,
        game_id=game_id,
        strict=strict,
        mask_defaults=mask_defaults,
    )
    if as_json:
        say_json(found.as_dict())
        return
    shown = contract.features[:4]
    rows = []
    for answer in found.answers:
        values = dict(zip(contract.features, answer.vector, strict=True)) if answer.vector else {}
        cells = [("" if values.get(name) is None else f"{values[name]:.2f}") for name in shown]
        reasons = ", ".join(answer.reasons[:2]) + (f", +{len(answer.reasons) - 2} more" if len(answer.reasons) > 2 else "")
        rows.append((answer.player_lookup, answer.game_id, answer.verdict, answer.quality.get("quality_tier"), *cells, reasons))
    table(("player", "game", "verdict", "tier", *shown, "reasons"), rows, limit=60)
    counts = ", ".join(f"{count} {verdict}" for verdict, count in found.counts().items() if count)
    why = f" ({', '.join(found.slate_reasons)})" if found.slate_reasons else ""
    click.echo(
        f"\n{service} on {found.game_date}: {counts or 'nobody'}{why}; vectors hold {len(contract.features)} features (--json shows them)"
    )
