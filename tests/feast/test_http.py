"""Lookups over HTTP: verdicts as the lookup gives them, bad requests refused clearly, figures for Prometheus."""

from __future__ import annotations

import datetime as dt
import http.client
import json
import threading
import time
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlencode

import pyarrow as pa
import pytest
import uvicorn

from schemas.errors import StorageUnavailableError
from serving.http_routes import build_app
from serving.lookup import lookup
from serving.lookup_requests import MAX_BODY, MAX_PLAYERS, asked_for
from serving.lookup_service import LookupService, Slates
from serving.materialization_gate import midnight
from serving.slate import read_slate
from serving.wire import ARROW, as_json
from tests.feast.conftest import WEEK, Site
from tests.feast.store_rows import WRITTEN, block, player, publish, store_table, table_of

V3 = "points_v3_37features"
TODAY = WEEK[-1]
QUERY = {"date": TODAY.isoformat(), "service": V3}


@pytest.fixture
def tonight(week: Site) -> Site:
    week.store.materialize(midnight(WEEK[0]), midnight(TODAY + dt.timedelta(days=1)))
    publish(week.warehouse, table_of("nba_raw.players", {"player_lookup": ["restingstar"]}, 1), "nba_raw.players")
    return week


class Answer:
    """What the server answered."""

    def __init__(self, response: http.client.HTTPResponse) -> None:
        self.status_code = response.status
        self.headers = {name.lower(): value for name, value in response.getheaders()}
        self.content = response.read()

    @property
    def text(self) -> str:
        return self.content.decode()

    def json(self) -> Any:
        return json.loads(self.content)


class Client:
    """A client of a server on a loopback port."""

    def __init__(self, port: int) -> None:
        self.port = port

    def _send(self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        connection.request(method, path, body, dict(headers or {}))
        try:
            return Answer(connection.getresponse())
        finally:
            connection.close()

    def get(self, path: str, params: Mapping[str, str] | None = None, headers: Mapping[str, str] | None = None) -> Answer:
        return self._send("GET", f"{path}?{urlencode(params or {})}", headers=headers)

    def post(self, path: str, json: Any = None, content: bytes | None = None) -> Answer:
        return self._send("POST", path, content if content is not None else dumped(json), {"content-type": "application/json"})


def dumped(value: Any) -> bytes:
    return json.dumps(value).encode()


@pytest.fixture
def client(tonight: Site) -> Iterator[Client]:
    """The server, on a free loopback port, stopped as SIGTERM would stop it."""
    server = uvicorn.Server(uvicorn.Config(build_app(tonight.store, tonight.warehouse), host="127.0.0.1", port=0, log_level="error"))
    thread = threading.Thread(target=server.run)
    thread.start()
    deadline = time.monotonic() + 90
    while not server.started and time.monotonic() < deadline:
        time.sleep(0.01)
    (listening,) = server.servers
    yield Client(listening.sockets[0].getsockname()[1])
    server.should_exit = True
    thread.join(30)
    assert not thread.is_alive()


def test_a_slate_answers_as_the_lookup_does(tonight: Site, client: Client) -> None:
    expected = lookup(tonight.store, tonight.warehouse, V3, TODAY)
    found = client.get("/v1/slate", params=QUERY)
    assert found.status_code == 200
    body = found.json()
    assert body["features"] == list(expected.features) and body["counts"]["ready"] == 4
    assert [answer["vector"] for answer in body["answers"]] == [list(answer.vector or ()) for answer in expected.answers]
    assert b": " not in found.content


def test_one_player_and_a_batch(client: Client) -> None:
    one = client.get(f"/v1/players/{player(1)}", params=QUERY).json()
    assert [(a["player_lookup"], a["verdict"]) for a in one["answers"]] == [(player(1), "ready")]
    batch = client.post("/v1/lookup", json={**QUERY, "players": [player(2), "restingstar", player(2)]}).json()
    assert [(a["player_lookup"], a["verdict"]) for a in batch["answers"]] == [(player(2), "ready"), ("restingstar", "not_found")]
    strict = client.post("/v1/lookup", json={**QUERY, "players": [player(2), "restingstar"], "strict": True}).json()
    assert [a["player_lookup"] for a in strict["answers"]] == [player(2)]


def test_a_slate_as_arrow_holds_the_same_values(client: Client) -> None:
    found = client.get("/v1/slate", params=QUERY, headers={"accept": ARROW})
    assert found.headers["content-type"] == ARROW
    rows = pa.ipc.open_stream(found.content).read_all()
    plain = client.get("/v1/slate", params=QUERY).json()
    assert rows.schema.metadata[b"service"].decode() == V3
    for row, answer in zip(rows.to_pylist(), plain["answers"], strict=True):
        assert [row[name] for name in plain["features"]] == answer["vector"]


def test_everybody_expected_in_a_game(tonight: Site, client: Client) -> None:
    game = store_table([TODAY]).column("game_id")[0].as_py()
    publish(tonight.warehouse, table_of("nba_raw.schedule", {"game_id": [game], "game_date": [TODAY]}, 1), "nba_raw.schedule")
    expected = {"player_lookup": [player(0), "unbuilt"], "game_id": [game] * 2, "game_date": [TODAY] * 2}
    table = "nba_analytics.upcoming_player_game_context"
    publish(tonight.warehouse, table_of(table, expected, 2), table)
    wanted = [(player(0), "ready"), (player(2), "ready"), ("unbuilt", "not_found")]
    for answer in (
        client.get(f"/v1/games/{game}", params={"service": V3}),
        client.get(f"/v1/games/{game}", params=QUERY),
        client.post("/v1/lookup", json={"service": V3, "game": game}),
    ):
        assert answer.status_code == 200, answer.text
        assert [(a["player_lookup"], a["verdict"]) for a in answer.json()["answers"]] == wanted
    assert client.get(f"/v1/games/{game}", params={**QUERY, "date": str(WEEK[0])}).status_code == 400
    assert client.get("/v1/games/0099999999", params={"service": V3}).status_code == 404
    assert client.get("/v1/games/007", params={"service": V3}).status_code == 400


def test_masked_defaults_are_null_and_named(week: Site) -> None:
    publish(week.warehouse, store_table([TODAY], default_feature_indices=[[0, 2], [], [], []]))
    week.store.materialize(midnight(TODAY), midnight(TODAY + dt.timedelta(days=1)))
    for as_asked in ({"strict": True}, {}):
        found = lookup(week.store, week.warehouse, V3, TODAY, mask_defaults=True, **as_asked)
        body = json.loads(as_json(found))
        plain = json.loads(json.dumps(found.as_dict()))
        for answer, full in zip(body["answers"], plain["answers"], strict=True):
            quality = {name: full["quality"][name] for name in answer["quality"]}
            assert answer == {**full, "quality": quality}
        assert body["answers"][0]["masked"] == [body["features"][0], body["features"][2]]
        assert {**body, "answers": []} == {**plain, "answers": []}


BAD: dict[str, tuple[int, dict[str, Any]]] = {
    "no date": (400, {"service": V3}),
    "a date that is none": (400, {**QUERY, "date": "2025-02-30"}),
    "an unknown service": (404, {**QUERY, "service": "points_v9"}),
    "an unknown player": (404, {**QUERY, "players": ["nobody"]}),
    "a field too many": (400, {**QUERY, "drop": "table"}),
    "players that are no list": (400, {**QUERY, "players": "lebronjames"}),
    "nobody": (400, {**QUERY, "players": []}),
    "too many players": (400, {**QUERY, "players": ["a"] * (MAX_PLAYERS + 1)}),
    "a name that is none": (400, {**QUERY, "players": ["x' OR 1=1"]}),
    "a number for a name": (400, {**QUERY, "players": [7]}),
    "a game and players": (400, {"service": V3, "game": "0022400001", "players": ["a"]}),
    "a game that is no name": (400, {"service": V3, "game": "1' OR '1'='1"}),
    "a game that is a list": (400, {"service": V3, "game": ["0022400001"]}),
    "a name of a service without end": (400, {**QUERY, "service": "x" * 500}),
    "a flag that is none": (400, {**QUERY, "strict": "perhaps"}),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_request_is_refused_clearly(client: Client, name: str) -> None:
    status, body = BAD[name]
    found = client.post("/v1/lookup", json=body)
    assert found.status_code == status, found.text
    assert set(found.json()) == {"error", "exit_status", "fact", "values", "hint"}


@pytest.mark.parametrize("raw", [b"", b"[1]", b"{", b"\xff\xfe", b"[" * 5000, b'"' + b"x" * MAX_BODY + b'"'])
def test_a_body_that_is_no_request_is_refused(client: Client, raw: bytes) -> None:
    found = client.post("/v1/lookup", content=raw)
    assert found.status_code == 400
    assert len(found.content) < 1000


def counted(client: Client) -> dict[str, float]:
    """Return what the server says it has counted; Feast lets Prometheus count for the whole process, over several servers."""
    lines = [line.rsplit(" ", 1) for line in client.get("/metrics").text.splitlines() if not line.startswith("#")]
    return {name: float(value) for name, value in lines}


def test_health_readiness_and_figures(client: Client) -> None:
    assert client.get("/v1/health").json() == {"status": "alive"}
    assert client.get("/v1/ready").json() == {"status": "ready"}
    figures = []
    # A count shows up with its first request: what is compared are the second ones.
    for _ in range(2):
        assert client.get("/v1/slate", params=QUERY).status_code == 200
        assert client.get("/v1/slate", params={}).status_code == 400
        figures.append(counted(client))
    before, after = figures
    grown = {name: value - before.get(name, 0) for name, value in after.items() if "_total" in name and value != before.get(name, 0)}
    assert grown == {
        'nba_features_requests_total{route="slate",status="200"}': 1,
        'nba_features_requests_total{route="slate",status="400"}': 1,
        f'nba_features_verdicts_total{{service="{V3}",verdict="ready"}}': 4,
    }


def test_a_server_whose_online_store_fails_is_alive_and_not_ready(tonight: Site, client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any) -> None:
        raise StorageUnavailableError("the online store does not answer")

    monkeypatch.setattr(type(tonight.store.provider.online_store), "_fetch", broken)
    assert client.get("/v1/health").status_code == 200
    for path, params in (("/v1/ready", {}), ("/v1/slate", QUERY)):
        found = client.get(path, params=params)
        assert (found.status_code, found.json()["error"]) == (503, "storage_unavailable")


def test_what_nobody_expected_is_counted_as_500(tonight: Site, client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(type(tonight.store.provider.online_store), "_fetch", broken)
    assert client.get("/v1/slate", params=QUERY).status_code == 500
    assert 'nba_features_requests_total{route="slate",status="500"} 1.0' in client.get("/metrics").text


def test_a_correction_is_seen_at_once_although_the_slate_is_kept(tonight: Site, client: Client) -> None:
    assert client.get("/v1/slate", params=QUERY).json()["counts"]["ready"] == 4
    later = [stamp.as_py() + dt.timedelta(minutes=5) for stamp in store_table([TODAY]).column("event_timestamp")]
    publish(tonight.warehouse, store_table([TODAY], event_timestamp=later))
    tonight.store.materialize(midnight(TODAY), midnight(TODAY + dt.timedelta(days=1)))
    assert client.get("/v1/slate", params=QUERY).json()["counts"]["ready"] == 4


def test_strict_keeps_a_ready_row_that_the_kept_slate_makes_look_old(tonight: Site) -> None:
    service = LookupService(tonight.store, Slates(tonight.warehouse, seconds=60.0))
    asked = asked_for({**QUERY, "strict": True})
    assert service.answer(asked).counts()["ready"] == 4
    publish(tonight.warehouse, store_table([TODAY], created_timestamp=[dt.datetime(2025, 2, 2, tzinfo=dt.UTC), *[WRITTEN] * 3]))
    tonight.store.materialize(midnight(TODAY), midnight(TODAY + dt.timedelta(days=1)))
    slates, kept = service.slates, service.slates._kept
    slates._kept = {mark: (at - 1.0, found) for mark, (at, found) in kept.items()}
    found = service.answer(asked)
    assert found.counts()["ready"] == len(found.players) == 4


def test_a_blocked_date_is_seen_when_the_kept_slate_is_old(tonight: Site) -> None:
    slates = Slates(tonight.warehouse, seconds=0.0)
    assert len(slates.slate(TODAY).rows) == 4
    block(tonight.warehouse, TODAY)
    assert slates.slate(TODAY).rows == {}


def test_a_player_who_stays_absent_does_not_have_every_request_read_the_warehouse(tonight: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    reads: list[dt.date] = []

    def counted(warehouse: Any, date: dt.date) -> Any:
        reads.append(date)
        return read_slate(warehouse, date)

    monkeypatch.setattr("serving.lookup_service.read_slate", counted)
    monkeypatch.setattr("serving.lookup_service.FRESH_SECONDS", 60.0)
    service = LookupService(tonight.store, Slates(tonight.warehouse, seconds=60.0))
    for _ in range(5):
        assert service.answer(asked_for({**QUERY, "players": ["restingstar"]})).verdicts == ("not_found",)
    assert len(reads) == 1
    monkeypatch.setattr("serving.lookup_service.FRESH_SECONDS", 0.0)
    service.answer(asked_for({**QUERY, "players": ["restingstar"]}))
    assert len(reads) == 2


def test_feasts_own_route_that_reads_answers_too(client: Client) -> None:
    wanted = {
        "feature_service": V3,
        "entities": {"player_lookup": [player(0)], "game_id": [store_table([TODAY]).column("game_id")[0].as_py()]},
    }
    found = client.post("/get-online-features", content=json.dumps(wanted))
    assert found.status_code == 200
    assert "points_avg_last_5" in found.json()["metadata"]["feature_names"]


@pytest.mark.parametrize(
    "path", ["/materialize", "/materialize-incremental", "/push", "/write-to-online-store", "/retrieve-online-documents"]
)
def test_no_route_writes(tonight: Site, client: Client, path: str) -> None:
    from feast.feature_server import get_app

    assert path in {getattr(route, "path", None) for route in get_app(tonight.store).router.routes}, "Feast still has it"
    assert client.post(path, json={}).status_code == 404
