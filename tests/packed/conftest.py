"""One set of definitions on four online stores: Feast's own on SQLite and Redis, and the packed ones."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from feast import FeatureStore
from feast.repo_config import RepoConfig

from tests.packed.definitions import OBJECTS, VIEWS, frame

PACKED = {
    "sqlite": "serving.packed.sqlite_store.PackedSqliteOnlineStore",
    "redis": "serving.packed.redis_store.PackedRedisOnlineStore",
}
ENGINES = tuple(PACKED)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="session")
def redis_port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """A Redis of the tests' own on a free loopback port."""
    server = shutil.which("redis-server")
    if server is None:
        pytest.skip("redis-server is not installed (Debian, Ubuntu: apt install redis-server)")
    port, folder = free_port(), tmp_path_factory.mktemp("redis")
    options = ["--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", str(folder), "--databases", "512"]
    process = subprocess.Popen([server, *options], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.02)
        yield port
    finally:
        process.terminate()
        process.wait(10)


_databases = iter(range(512))


def open_store(folder: Path, online: dict[str, Any], name: str) -> FeatureStore:
    """Return an applied store with a registry and an online store of its own."""
    config = RepoConfig(
        project="parity",
        provider="local",
        registry=str(folder / f"{name}.registry"),
        online_store=online,
        entity_key_serialization_version=3,
    )
    store = FeatureStore(config=config)
    store.apply(OBJECTS)
    return store


Opener = Callable[..., FeatureStore]


@pytest.fixture(scope="module")
def opener(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Opener:
    """Open a store by engine, packed or stock."""

    def opened(engine: str, *, packed: bool, **options: Any) -> FeatureStore:
        name = f"{engine}_{'packed' if packed else 'stock'}"
        folder = tmp_path_factory.mktemp(name)
        if engine == "redis":
            port, database = request.getfixturevalue("redis_port"), next(_databases)
            packed_place = {"url": f"redis://127.0.0.1:{port}/{database}"}
            stock = {"type": "redis", "connection_string": f"127.0.0.1:{port},db={database}"}
        else:
            packed_place = {"path": str(folder / "online.db")}
            stock = {"type": "sqlite", "path": str(folder / "online.db")}
        online = {"type": PACKED[engine], **packed_place, **options} if packed else stock
        return open_store(folder, online, name)

    return opened


@pytest.fixture(params=ENGINES, scope="module")
def engine(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def packed(opener: Opener, engine: str) -> FeatureStore:
    """An empty packed store."""
    return opener(engine, packed=True)


@pytest.fixture(scope="module")
def pair(opener: Opener, engine: str) -> tuple[FeatureStore, FeatureStore]:
    """A packed and a stock store that were given the same rows; tests only read them."""
    stores = opener(engine, packed=True), opener(engine, packed=False)
    for store in stores:
        for view in VIEWS:
            store.write_to_online_store(view.name, frame(view))
    return stores
