"""Lookups over HTTP: routes of ours on Feast's feature server.

`GET /v1/players/{player}`, `GET /v1/slate` and `POST /v1/lookup` answer with verdicts and vectors as compact JSON, or as an
Arrow stream where the request accepts one. `GET /v1/health` says that the process lives, `GET /v1/ready` that it can answer,
`GET /metrics` what it has answered.
"""

from __future__ import annotations

import datetime as dt
import json
import re
import threading
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from schemas.catalogue import load_catalogue
from schemas.clock import parse_date
from schemas.errors import FeatureStoreError, UnknownNameError, UsageError
from serving.lookup import NOT_FOUND, STALE, VERDICTS, Lookup, answer_slate
from serving.model_registry import serving_problems
from serving.slate import Slate, read_slate, refuse_unknown_players

if TYPE_CHECKING:
    from feast import FeatureStore

    from warehouse.protocol import Warehouse

ARROW = "application/vnd.apache.arrow.stream"
MAX_BODY = 64_000
MAX_PLAYERS = 1_000
PLAYER = re.compile(r"[^\W_][\w'.-]{0,79}")
FIELDS = {"date", "service", "players", "strict", "mask_defaults"}
QUALITY = ("quality_tier", "quality_alert_level", "feature_quality_score")
TRUTH = {"true": True, "1": True, "false": False, "0": False, "": False}
SLATE_SECONDS = 5.0
"""How long a slate is answered from memory; a row that does not match it is looked at again at once."""


@dataclass(frozen=True)
class Asked:
    """A validated request; no players means the whole slate."""

    date: dt.date
    service: str
    players: tuple[str, ...] | None = None
    strict: bool = False
    mask_defaults: bool = False


def _truth(value: Any, name: str) -> bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.lower() in TRUTH:
        return TRUTH[value.lower()]
    raise UsageError(f"{name} is true or false", [str(value)[:40]])


def asked_for(given: Mapping[str, Any]) -> Asked:
    """Return a validated request; raise `UsageError` for a field too many, `UnknownNameError` for an unknown service."""
    surplus = sorted(set(given) - FIELDS)
    if surplus:
        raise UsageError("unknown fields", [name[:40] for name in surplus[:10]], f"known: {', '.join(sorted(FIELDS))}")
    if not isinstance(given.get("date"), str) or not isinstance(given.get("service"), str):
        raise UsageError("date and service are needed, as text", hint="date=2025-01-31&service=points_v3_37features")
    load_catalogue().service(given["service"][:80])
    players = given.get("players")
    if players is not None:
        if not isinstance(players, list) or not 0 < len(players) <= MAX_PLAYERS:
            raise UsageError(f"players is a list of 1 to {MAX_PLAYERS} names")
        wrong = [str(name)[:40] for name in players if not isinstance(name, str) or not PLAYER.fullmatch(name)]
        if wrong:
            raise UsageError("not names of players", wrong[:10], "a player is named by his player_lookup, for example lebronjames")
        players = tuple(dict.fromkeys(players))
    flags = [_truth(given.get(name, False), name) for name in ("strict", "mask_defaults")]
    return Asked(parse_date(given["date"][:20]), given["service"], players, *flags)


@dataclass
class Slates:
    """Slates by date and contract problems by service, each kept for a few seconds. The warehouse is read by one thread at a time."""

    warehouse: Warehouse
    seconds: float = SLATE_SECONDS
    _kept: dict[Any, tuple[float, Any]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def _get(self, mark: Any, read: Callable[[], Any], *, fresh: bool) -> Any:
        kept = self._kept.get(mark)
        if not fresh and kept is not None and time.monotonic() - kept[0] < self.seconds:
            return kept[1]
        with self._lock:
            found = read()
            if len(self._kept) > 64:
                self._kept.clear()
            self._kept[mark] = (time.monotonic(), found)
        return found

    def slate(self, date: dt.date, *, fresh: bool = False) -> Slate:
        """Return the slate of a date."""
        found: Slate = self._get(date, lambda: read_slate(self.warehouse, date), fresh=fresh)
        return found

    def problems(self, service: str, *, fresh: bool = False) -> tuple[str, ...]:
        """Return how the contracts in production differ from what the store supplies."""
        found: tuple[str, ...] = self._get(("problems", service), lambda: serving_problems(self.warehouse, service), fresh=fresh)
        return found

    def refuse_unknown(self, slate: Slate, players: Sequence[str]) -> None:
        """Raise `UnknownNameError` for players that nobody knows."""
        if set(players) - set(slate.rows):
            with self._lock:
                refuse_unknown_players(self.warehouse, slate, players)


@dataclass
class LookupService:
    """Answers requests: the slate from memory, the values from the online store."""

    store: FeatureStore
    slates: Slates

    def answer(self, asked: Asked) -> Lookup:
        """Return the verdicts; what looks old against a kept slate is judged by a fresh one."""
        found = self._answer(asked, fresh=False)
        if any(answer.verdict in (STALE, NOT_FOUND) for answer in found.answers) or not found.answers:
            found = self._answer(asked, fresh=True)
        return found

    def _answer(self, asked: Asked, *, fresh: bool) -> Lookup:
        slate = self.slates.slate(asked.date, fresh=fresh)
        named = list(slate.rows) if asked.players is None else asked.players
        self.slates.refuse_unknown(slate, named)
        problems = self.slates.problems(asked.service, fresh=fresh)
        return answer_slate(
            self.store, asked.service, slate, named, strict=asked.strict, mask_defaults=asked.mask_defaults, problems=problems
        )


def as_json(found: Lookup) -> bytes:
    """Return a lookup as compact JSON."""
    answers = []
    for answer in found.answers:
        row = answer.as_dict()
        answers.append({**row, "quality": {name: answer.quality.get(name) for name in QUALITY}})
    return json.dumps({**found.head(), "answers": answers}, separators=(",", ":"), allow_nan=False).encode()


def as_arrow(found: Lookup) -> bytes:
    """Return a lookup as an Arrow stream: a row per player, a column per feature, NULL where there is no vector."""
    import io

    import pyarrow as pa

    answers = found.answers
    columns: dict[str, Any] = {
        "player_lookup": pa.array([a.player_lookup for a in answers], pa.string()),
        "game_id": pa.array([a.game_id for a in answers], pa.string()),
        "verdict": pa.array([a.verdict for a in answers], pa.string()),
        "reasons": pa.array([list(a.reasons) for a in answers], pa.list_(pa.string())),
        "event_timestamp": pa.array([a.event_timestamp for a in answers], pa.timestamp("us", tz="UTC")),
    }
    for at, name in enumerate(found.features):
        columns[name] = pa.array([a.vector[at] if a.vector else None for a in answers], pa.float64())
    told = {"service": found.service, "feature_schema_version": found.schema_version, "game_date": found.game_date.isoformat()}
    rows = pa.table(columns).replace_schema_metadata(told)
    stream = io.BytesIO()
    with pa.ipc.new_stream(stream, rows.schema) as writer:
        writer.write_table(rows)
    return stream.getvalue()


def _error(error: FeatureStoreError) -> Response:
    status = 404 if isinstance(error, UnknownNameError) else 400 if isinstance(error, UsageError) else 503
    return Response(json.dumps(error.as_dict()), status, media_type="application/json")


async def _body(request: Request) -> dict[str, Any]:
    """Return the JSON object of a request; raise `UsageError` when it is too long or none."""
    raw = b""
    async for part in request.stream():
        raw += part
        if len(raw) > MAX_BODY:
            raise UsageError(f"the body is longer than {MAX_BODY} bytes")
    try:
        found = json.loads(raw)
    except (ValueError, RecursionError):
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


def lookup_routes(service: LookupService, metrics: Metrics) -> list[Route]:
    """Return the routes of ours."""

    def timed(name: str, asked: Callable[[Request], Awaitable[Asked]]) -> Callable[[Request], Awaitable[Response]]:
        async def route(request: Request) -> Response:
            start = time.perf_counter()
            try:
                found = await run_in_threadpool(service.answer, await asked(request))
                metrics.count(found)
                wants_arrow = ARROW in request.headers.get("accept", "")
                response = (
                    Response(as_arrow(found), media_type=ARROW) if wants_arrow else Response(as_json(found), media_type="application/json")
                )
            except FeatureStoreError as error:
                response = _error(error)
            metrics.seconds.labels(name).observe(time.perf_counter() - start)
            metrics.requests.labels(name, str(response.status_code)).inc()
            return response

        return route

    async def single(request: Request) -> Asked:
        return asked_for({**request.query_params, "players": [request.path_params["player"]]})

    async def slate(request: Request) -> Asked:
        return asked_for(dict(request.query_params))

    async def batch(request: Request) -> Asked:
        return asked_for(await _body(request))

    async def health(_: Request) -> Response:
        return Response(b'{"status":"alive"}', media_type="application/json")

    async def ready(_: Request) -> Response:
        try:
            await run_in_threadpool(service.store.list_feature_services)
            await run_in_threadpool(service.slates.problems, load_catalogue().services[0].name, fresh=True)
        except FeatureStoreError as error:
            return _error(error)
        return Response(b'{"status":"ready"}', media_type="application/json")

    async def figures(_: Request) -> Response:
        return Response(generate_latest(metrics.registry), media_type="text/plain; version=0.0.4")

    return [
        Route("/v1/players/{player}", timed("player", single), methods=["GET"]),
        Route("/v1/slate", timed("slate", slate), methods=["GET"]),
        Route("/v1/lookup", timed("lookup", batch), methods=["POST"]),
        Route("/v1/health", health, methods=["GET"]),
        Route("/v1/ready", ready, methods=["GET"]),
        Route("/metrics", figures, methods=["GET"]),
    ]


def build_app(store: FeatureStore, warehouse: Warehouse) -> Any:
    """Return Feast's feature server with the lookup routes before its own."""
    from feast.feature_server import get_app

    app = get_app(store)
    app.router.routes[:0] = lookup_routes(LookupService(store, Slates(warehouse)), Metrics())
    return app


def serve(store: FeatureStore, warehouse: Warehouse, host: str, port: int) -> None:
    """Answer until SIGTERM or SIGINT; requests under way are finished first."""
    import uvicorn

    uvicorn.run(build_app(store, warehouse), host=host, port=port, access_log=False, timeout_graceful_shutdown=10, limit_concurrency=512)
