"""`nba-features serve`."""

from __future__ import annotations

import click


def _require_address(host: str, port: int) -> None:
    """Raise `UsageError` when nobody can listen there: the web server would end with a status that means something else."""
    import socket

    from schemas.errors import UsageError

    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        with socket.socket(family, kind, protocol) as there:
            there.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            there.bind(address)
    except OSError as error:
        hint = f"{(error.strerror or str(error)).lower()}; give another --port, or a --host of this machine"
        raise UsageError("nobody can listen there", [f"{host}:{port}"], hint) from None


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on; the routes ask for no password.")
@click.option("--port", default=6566, show_default=True, type=click.IntRange(1, 65535), help="Port to listen on.")
@click.option(
    "--log-lookups",
    default=0.0,
    show_default=True,
    type=click.FloatRange(0, 1),
    help="Share of the lookups kept for the replay of nba-features skew; at most 50 answers of each.",
)
def serve(host: str, port: int, log_lookups: float) -> None:
    """Answer lookups over HTTP: single players, games, slates and batches under /v1, health, readiness, metrics, get-online-features.

    SIGTERM ends it: requests under way are answered first.
    """
    from schemas.settings import load_settings
    from serving.feature_store import open_feature_store
    from serving.http_routes import serve as answer
    from serving.lookup_log import LookupLog, log_folder
    from warehouse import open_warehouse

    _require_address(host, port)
    settings = load_settings()
    warehouse = open_warehouse(settings)
    click.echo(f"listening on http://{host}:{port}", err=True)
    log = LookupLog(log_folder(settings), log_lookups) if log_lookups else None
    answer(open_feature_store(settings, warehouse), warehouse, host, port, log)
