"""Online reads of a slate: the packed stores beside Feast's own and beside a bare read, in one process and one run."""

from __future__ import annotations

import datetime as dt
import shutil
import socket
import sqlite3
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

import click

from schemas.settings import load_settings

PLAYERS = 400
SERVICE = "points_v3_37features"
EVENT = dt.datetime(2025, 1, 6, 23, tzinfo=dt.UTC)
TITLE = "Online reads: packed rows beside the stock stores"
MATRIX = "400 players, the service, as a matrix"


def _rows(views: Any) -> Any:
    """Return one row per player with a value for every field of the views, one in nine NULL."""
    import numpy as np
    import pyarrow as pa

    from schemas.contracts import contract

    rng = np.random.default_rng(7)
    columns: dict[str, Any] = {
        "player_lookup": [f"player{n:03d}" for n in range(PLAYERS)],
        "game_id": [f"00225{n % 15:05d}" for n in range(PLAYERS)],
    }
    kinds = {column.name: column.type for column in contract("nba_predictions.ml_feature_store_v2").columns}
    for view in views:
        for field in view.features:
            kind = kinds[field.name]
            if kind == "FLOAT64":
                columns[field.name] = pa.array(rng.uniform(0, 50, PLAYERS), mask=rng.uniform(size=PLAYERS) < 1 / 9)
            elif kind == "ARRAY<STRING>":
                columns[field.name] = pa.array([["stale_upstream"] if n % 7 == 0 else [] for n in range(PLAYERS)], pa.list_(pa.string()))
            else:
                columns[field.name] = {"STRING": ["gold"], "BOOL": [True], "INT64": [3]}[kind] * PLAYERS
    columns["event_timestamp"] = pa.array([EVENT] * PLAYERS, pa.timestamp("us", tz="UTC"))
    columns["created_timestamp"] = columns["event_timestamp"]
    return pa.table(columns)


@contextmanager
def _redis() -> Iterator[int | None]:
    """Run a Redis server on a free loopback port; None where none is installed."""
    server = shutil.which("redis-server")
    if server is None:
        yield None
        return
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    process = subprocess.Popen([server, "--port", str(port), "--bind", "127.0.0.1", "--save", ""], stdout=subprocess.DEVNULL)
    try:
        for _ in range(500):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.01)
        yield port
    finally:
        process.terminate()
        process.wait(10)


def _store(folder: Path, online: dict[str, Any]) -> Any:
    """Return an applied store of a home of its own, filled with the rows."""
    from feast import FeatureStore
    from feast.repo_config import RepoConfig
    from feast.utils import _convert_arrow_to_proto

    from serving.feature_store import _configuration, apply_definitions
    from serving.packed.store import PackedStore

    folder.mkdir(parents=True)
    settings = replace(load_settings(), home=folder)
    (folder / "feast").mkdir()
    raw = _configuration(settings) | {"online_store": online}
    raw["registry"] = raw["registry"] | {"path": f"sqlite:///{folder / 'feast' / 'registry.db'}"}
    store = FeatureStore(config=RepoConfig(**raw))
    apply_definitions(store)
    views = store.list_feature_views()
    rows = _rows(views)
    keeper = store._get_provider().online_store
    for view in views:
        if isinstance(keeper, PackedStore):
            keeper.write_arrow(store.config, view, rows)
        else:
            keys = {column.name: column.dtype.to_value_type() for column in view.entity_columns}
            keeper.online_write_batch(store.config, view, _convert_arrow_to_proto(rows, view, keys), None)
    return store


def _milliseconds(act: Callable[[], Any], runs: int) -> dict[str, float]:
    """Return median and 99th percentile on the clock and the median of CPU time, after runs that do not count."""
    for _ in range(max(3, runs // 10)):
        act()
    taken, cpu = [], []
    for _ in range(runs):
        start, busy = time.perf_counter(), time.process_time()
        act()
        taken.append((time.perf_counter() - start) * 1000)
        cpu.append((time.process_time() - busy) * 1000)
    taken.sort()
    p99 = taken[min(len(taken) - 1, int(len(taken) * 0.99))]
    return {"p50": round(median(taken), 3), "p99": round(p99, 3), "cpu": round(median(cpu), 3)}


def _keys(count: int) -> dict[str, list[str]]:
    return {"player_lookup": [f"player{n:03d}" for n in range(count)], "game_id": [f"00225{n % 15:05d}" for n in range(count)]}


def _raw_read(store: Any, path: Path) -> Callable[[], Any]:
    """Return a bare read of the service's packed rows: one statement and the bytes as a matrix, nothing else."""
    import numpy as np

    from serving.packed.keys import encoded, text_keys
    from serving.packed.layout import layout_of

    service = store.get_feature_service(SERVICE)
    names = [projection.name for projection in service.feature_view_projections]
    layouts = [layout_of(store.get_feature_view(name).features) for name in names]
    connection = sqlite3.connect(path)
    keys = text_keys({name: encoded(values) for name, values in _keys(PLAYERS).items()})
    columns = ", ".join(f"v{at}.packed" for at in range(len(names)))
    joins = " ".join(f'LEFT JOIN "nba_features_{name}" v{at} ON v{at}.entity_key = k.column1' for at, name in enumerate(names))
    statement = f"SELECT {columns} FROM (VALUES {','.join(['(?)'] * len(keys))}) k {joins}"

    def read() -> Any:
        found = zip(*connection.execute(statement, keys).fetchall(), strict=True)
        parts = [np.frombuffer(b"".join(rows), layout.record)["slots"] for rows, layout in zip(found, layouts, strict=True)]
        return np.concatenate(parts, axis=1)

    return read


def _paths(store: Any, runs: int) -> dict[str, Any]:
    service = store.get_feature_service(SERVICE)
    everything = [f"{view.name}:{field.name}" for view in store.list_feature_views() for field in view.features]
    many, one = _keys(PLAYERS), _keys(1)
    return {
        "400 players, the service, to dict": _milliseconds(lambda: store.get_online_features(service, many).to_dict(), runs),
        "400 players, all seven views, to dict": _milliseconds(lambda: store.get_online_features(everything, many).to_dict(), runs),
        "one player, the service, to dict": _milliseconds(lambda: store.get_online_features(service, one).to_dict(), runs * 3),
    }


def run(runs: int = 60) -> dict[str, Any]:
    """Measure every path; milliseconds. The stock stores are run a tenth as often: they are slow."""
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as scratch, _redis() as port:
        folder = Path(scratch)
        places = {"sqlite": ({"path": str(folder / "packed.db")}, {"type": "sqlite", "path": str(folder / "stock.db")})}
        if port is not None:
            stock = {"type": "redis", "connection_string": f"127.0.0.1:{port},db=1"}
            places["redis"] = ({"url": f"redis://127.0.0.1:{port}/0"}, stock)
        for engine, (ours, theirs) in places.items():
            kind = f"serving.packed.{engine}_store.Packed{engine.capitalize()}OnlineStore"
            packed = _store(folder / f"{engine}-packed", {"type": kind, **ours})
            found[f"{engine}, packed"] = _paths(packed, runs)
            service = packed.get_feature_service(SERVICE)
            matrix = _milliseconds(lambda p=packed, s=service: p.get_online_features(s, _keys(PLAYERS)).to_numpy(), runs)
            found[f"{engine}, packed"][MATRIX] = matrix
            if engine == "sqlite":
                found["bare read"] = {MATRIX: _milliseconds(_raw_read(packed, folder / "packed.db"), runs)}
            found[f"{engine}, stock"] = _paths(_store(folder / f"{engine}-stock", theirs), max(3, runs // 10))
    return found


def table(found: dict[str, Any]) -> str:
    """Return the figures as a Markdown table, with the ratio of CPU time to the stock store's or to the bare read's."""
    lines = ["| path | store | p50 ms | p99 ms | CPU ms | against | ratio |", "|---|---|---|---|---|---|---|"]
    bare = found["bare read"][MATRIX]["cpu"]
    for store, paths in found.items():
        for path, figures in paths.items():
            stock = found.get(store.replace("packed", "stock"), {}).get(path)
            against, ratio = "", ""
            if store.endswith("packed") and stock:
                against, ratio = "the stock store", f"{stock['cpu'] / figures['cpu']:.0f} x faster"
            elif path == MATRIX and store == "sqlite, packed":
                against, ratio = "the bare read", f"{figures['cpu'] / bare:.2f} x its time"
            lines.append(f"| {path} | {store} | {figures['p50']} | {figures['p99']} | {figures['cpu']} | {against} | {ratio} |")
    return "\n".join(lines)


def online_section(machine: str, load: float, runs: int = 60) -> str:
    """Return the section of docs/benchmarks.md."""
    told = (
        f"{PLAYERS} players, `{SERVICE}`, one value in nine NULL; all stores in one process. CPU is the process's own, without the"
        " Redis server's. The bare read is one statement on the packed file and the bytes as a matrix."
    )
    return f"## {TITLE}\n\n{told}\n\n{table(run(runs))}\n\nMachine: {machine}; load average {load:.1f}\n"


@click.command()
@click.option("--runs", default=60, show_default=True, type=click.IntRange(10), help="Requests of each kind.")
def main(runs: int) -> None:
    """Measure online reads and print the table."""
    click.echo(table(run(runs)))


if __name__ == "__main__":
    main()
