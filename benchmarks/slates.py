"""A home with a published and materialized slate whose every row tells its version, and a server over it."""

from __future__ import annotations

import contextlib
import datetime as dt
import http.client
import io
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.runner import ROOT
from schemas.catalogue import load_catalogue
from schemas.settings import Settings, load_settings

if TYPE_CHECKING:
    import pyarrow as pa
    from feast import FeatureStore

    from warehouse.protocol import Warehouse

PLAYERS = 400
TODAY = dt.date(2025, 1, 10)
SERVICE = "points_v3_37features"
VERSIONS = 97
"""So many versions of a row can be told apart."""
WRITTEN = dt.datetime(2025, 2, 1, 12, tzinfo=dt.UTC)


def version_value(name: str, version: int) -> float:
    """Return a feature's value in every row of a version: as far along its range as the version says."""
    feature = load_catalogue().by_name[name]
    return round(feature.min + (feature.max - feature.min) * (version % VERSIONS) / VERSIONS, 6)


def version_vectors() -> dict[tuple[float, ...], int]:
    """Return the version by the vector that its rows have."""
    names = load_catalogue().service(SERVICE).features
    return {tuple(version_value(name, version) for name in names): version for version in range(VERSIONS)}


def version_rows(version: int, dates: Sequence[dt.date] = (TODAY,), players: int = PLAYERS) -> pa.Table:
    """Return rows of the store, each feature at the version's value; a later version was written later."""
    import pyarrow as pa

    from tests.feast.store_rows import store_table

    rows = len(dates) * players
    stamps = [WRITTEN + dt.timedelta(seconds=version)] * rows
    table = store_table(dates, players, created_timestamp=stamps)
    for feature in load_catalogue().features:
        column = pa.array([version_value(feature.name, version)] * rows, pa.float64())
        table = table.set_column(table.column_names.index(feature.name), table.schema.field(feature.name), column)
    return table


def span(dates: Sequence[dt.date]) -> tuple[dt.datetime, dt.datetime]:
    """Return the interval of these game dates."""
    from serving.materialization_gate import midnight

    return midnight(min(dates)), midnight(max(dates) + dt.timedelta(days=1))


def quiet_materialize(store: FeatureStore, dates: Sequence[dt.date]) -> None:
    """Materialize the dates without Feast's progress on the terminal."""
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        store.materialize(*span(dates))


@dataclass(frozen=True)
class Place:
    """An open home."""

    settings: Settings
    warehouse: Warehouse
    store: FeatureStore


def opened(home: Path) -> Place:
    """Return the home, its warehouse and its Feast store with the definitions applied."""
    from serving.feature_store import apply_definitions, open_feature_store
    from warehouse import open_warehouse

    settings = load_settings({**os.environ, "NBA_FEATURES_HOME": str(home)})
    warehouse = open_warehouse(settings)
    store = open_feature_store(settings, warehouse)
    with contextlib.redirect_stdout(io.StringIO()):
        apply_definitions(store)
    return Place(settings, warehouse, store)


def published(home: Path, dates: Sequence[dt.date] = (TODAY,), players: int = PLAYERS) -> Place:
    """Return a home in which version 0 of the slates of these dates is published and materialized."""
    from tests.feast.store_rows import publish

    place = opened(home)
    publish(place.warehouse, version_rows(0, dates, players))
    quiet_materialize(place.store, dates)
    return place


@contextmanager
def server(home: Path, *options: str) -> Iterator[int]:
    """Run `nba-features serve` on a free loopback port; on leaving it is ended by SIGTERM, as a service manager would."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    environ = {**os.environ, "NBA_FEATURES_HOME": str(home), "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "cli.main", "serve", "--port", str(port), *options]
    process = subprocess.Popen(command, cwd=ROOT, env=environ, stderr=subprocess.PIPE, text=True)
    try:
        _wait(process, port)
        yield port
    finally:
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate(timeout=30)
    if process.returncode:
        raise RuntimeError(f"the server ended with status {process.returncode}: {said[-500:]}")


def _wait(process: subprocess.Popen[str], port: int) -> None:
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(OSError), Client(port) as client:
            if client.get("/v1/ready")[0] == 200:
                return
        time.sleep(0.1)
    raise RuntimeError("the server does not become ready")


class Client:
    """One connection that is kept open."""

    def __init__(self, port: int) -> None:
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *raised: object) -> None:
        self.connection.close()

    def get(self, path: str, accept: str = "application/json") -> tuple[int, bytes]:
        """Return status and body."""
        self.connection.request("GET", path, headers={"accept": accept})
        response = self.connection.getresponse()
        return response.status, response.read()

    def post(self, path: str, body: bytes) -> tuple[int, bytes]:
        """Return status and body."""
        self.connection.request("POST", path, body, {"content-type": "application/json"})
        response = self.connection.getresponse()
        return response.status, response.read()


def slate_path(**more: Any) -> str:
    """Return the path of the whole slate."""
    extra = "".join(f"&{name}={value}" for name, value in more.items())
    return f"/v1/slate?date={TODAY}&service={SERVICE}{extra}"


def player_path(number: int) -> str:
    """Return the path of one player."""
    return f"/v1/players/player{number:03d}?date={TODAY}&service={SERVICE}"
