"""Lookups over HTTP: routes of ours on Feast's feature server.

`GET /v1/players/{player}`, `GET /v1/games/{game}`, `GET /v1/slate` and `POST /v1/lookup` answer with verdicts and vectors as
compact JSON, or as an Arrow stream where the request accepts one. `GET /v1/health` says that the process lives,
`GET /v1/ready` that it can answer, `GET /metrics` what it has answered.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import orjson
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from schemas.catalogue import load_catalogue
from schemas.errors import FeatureStoreError, StorageUnavailableError, UnknownNameError, UsageError
from serving.lookup import Lookup
from serving.lookup_log import LookupLog
from serving.lookup_requests import MAX_BODY, Asked, asked_for
from serving.lookup_service import LookupService, Slates
from serving.online_rows import read_online
from serving.verdicts import VERDICTS
from serving.wire import ARROW, JSON, as_arrow, as_json, dumped

if TYPE_CHECKING:
    from feast import FeatureStore

    from warehouse.protocol import Warehouse

GRACE_SECONDS = 10
"""How long requests under way may take to end after SIGTERM."""
AT_ONCE = 512
"""Connections answered at a time; further ones are told to come again (503)."""
FEAST_READS = ("/get-online-features", "/health")
"""Routes of Feast's server that read. Those that write stay away: the server asks for no password."""


def _error(error: FeatureStoreError) -> Response:
    status = 404 if isinstance(error, UnknownNameError) else 400 if isinstance(error, UsageError) else 503
    return Response(dumped(error.as_dict()), status, media_type=JSON)


async def _body(request: Request) -> dict[str, Any]:
    """Return the JSON object of a request; raise `UsageError` when it is too long or none."""
    raw = b""
    async for part in request.stream():
        raw += part
        if len(raw) > MAX_BODY:
            raise UsageError(f"the body is longer than {MAX_BODY} bytes")
    try:
        found = orjson.loads(raw)
    except orjson.JSONDecodeError:
        raise UsageError("the body is no JSON") from None
    if not isinstance(found, dict):
        raise UsageError("the body is no JSON object")
    return found


class Metrics:
    """What the process has answered, for Prometheus."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter("nba_features_requests", "Requests answered", ["route", "status"], registry=self.registry)
        self.verdicts = Counter("nba_features_verdicts", "Players answered", ["service", "verdict"], registry=self.registry)
        buckets = (0.0005, 0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.064, 0.125, 0.25, 0.5, 1, 2, 4)
        self.seconds = Histogram("nba_features_seconds", "Time to answer", ["route"], registry=self.registry, buckets=buckets)

    def count(self, found: Lookup) -> None:
        """Count the verdicts of a lookup."""
        counts = found.counts()
        for verdict in VERDICTS:
            if counts[verdict]:
                self.verdicts.labels(found.service, verdict).inc(counts[verdict])


def _probe(service: LookupService) -> None:
    """Ask registry, warehouse and online store once each; raise what they raise."""
    contract = load_catalogue().services[0]
    service.slates.problems(contract.name, fresh=True)
    read_online(service.store, contract.name, contract.features, (["nobody"], ["0000000000"]))


def lookup_routes(service: LookupService, metrics: Metrics) -> list[Route]:
    """Return the routes of ours."""

    def timed(name: str, asked: Callable[[Request], Awaitable[Asked]]) -> Callable[[Request], Awaitable[Response]]:
        def answered(wanted: Asked, write: Callable[[Lookup], bytes]) -> bytes:
            found = service.answer(wanted)
            metrics.count(found)
            return write(found)

        async def route(request: Request) -> Response:
            start, status = time.perf_counter(), 500
            try:
                write, kind = (as_arrow, ARROW) if ARROW in request.headers.get("accept", "") else (as_json, JSON)
                # In a thread: a slate whose warehouse has to be read again keeps nobody else waiting.
                response = Response(await run_in_threadpool(answered, await asked(request), write), media_type=kind)
                status = response.status_code
            except FeatureStoreError as error:
                response = _error(error)
                status = response.status_code
            finally:
                # What nobody expected leaves as 500 and is counted as that.
                metrics.seconds.labels(name).observe(time.perf_counter() - start)
                metrics.requests.labels(name, str(status)).inc()
            return response

        return route

    async def single(request: Request) -> Asked:
        return asked_for({**request.query_params, "players": [request.path_params["player"]]})

    async def game(request: Request) -> Asked:
        return asked_for({**request.query_params, "game": request.path_params["game"]})

    async def slate(request: Request) -> Asked:
        return asked_for(dict(request.query_params))

    async def batch(request: Request) -> Asked:
        return asked_for(await _body(request))

    async def health(_: Request) -> Response:
        return Response(b'{"status":"alive"}', media_type=JSON)

    async def ready(_: Request) -> Response:
        try:
            await run_in_threadpool(_probe, service)
        except FeatureStoreError as error:
            return Response(dumped(error.as_dict()), 503, media_type=JSON)
        return Response(b'{"status":"ready"}', media_type=JSON)

    async def figures(_: Request) -> Response:
        return Response(generate_latest(metrics.registry), media_type="text/plain; version=0.0.4")

    return [
        Route("/v1/players/{player}", timed("player", single), methods=["GET"]),
        Route("/v1/games/{game}", timed("game", game), methods=["GET"]),
        Route("/v1/slate", timed("slate", slate), methods=["GET"]),
        Route("/v1/lookup", timed("lookup", batch), methods=["POST"]),
        Route("/v1/health", health, methods=["GET"]),
        Route("/v1/ready", ready, methods=["GET"]),
        Route("/metrics", figures, methods=["GET"]),
    ]


def build_app(store: FeatureStore, warehouse: Warehouse, log: LookupLog | None = None) -> Any:
    """Return Feast's feature server with the lookup routes before its own, of which those remain that read."""
    from feast.feature_server import get_app

    app = get_app(store)
    reads = [route for route in app.router.routes if getattr(route, "path", None) in FEAST_READS]
    app.router.routes[:] = [*lookup_routes(LookupService(store, Slates(warehouse), log), Metrics()), *reads]
    return app


def serve(store: FeatureStore, warehouse: Warehouse, host: str, port: int, log: LookupLog | None = None) -> None:
    """Answer until SIGTERM or SIGINT; requests under way are finished first, then the log of lookups is written."""
    import gc
    import signal

    import uvicorn

    app = build_app(store, warehouse, log)
    # What has been imported stays: the collector need not walk it while requests wait.
    gc.collect()
    gc.freeze()
    # When it has shut down, the server raises the signal again for whoever was there before it: that must not end the process
    # before the log is written.
    signal.signal(signal.SIGTERM, lambda *_: None)
    try:
        uvicorn.run(
            app,
            host=host,
            port=port,
            access_log=False,
            log_level="warning",
            timeout_graceful_shutdown=GRACE_SECONDS,
            limit_concurrency=AT_ONCE,
        )
    finally:
        if log is not None:
            with suppress(StorageUnavailableError):
                log.flush()
