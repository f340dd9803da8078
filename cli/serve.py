"""`nba-features serve`."""

from __future__ import annotations

import click


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on; the routes ask for no password.")
@click.option("--port", default=6566, show_default=True, type=click.IntRange(1, 65535), help="Port to listen on.")
def serve(host: str, port: int) -> None:
    """Answer lookups over HTTP: /v1/players/NAME, /v1/slate, /v1/lookup, /v1/health, /v1/ready, /metrics and Feast's own routes."""
    from schemas.settings import load_settings
    from serving.feature_store import open_feature_store
    from serving.http_routes import serve as answer
    from warehouse import open_warehouse

    settings = load_settings()
    warehouse = open_warehouse(settings)
    click.echo(f"listening on http://{host}:{port}", err=True)
    answer(open_feature_store(settings, warehouse), warehouse, host, port)
