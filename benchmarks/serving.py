"""Lookups over HTTP and materialization: ours beside Feast's own routes and stores and beside the physical limit, in one run."""

from __future__ import annotations

import contextlib
import datetime as dt
import io
import json
import sqlite3
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import click

from benchmarks.slates import (
    PLAYERS,
    SERVICE,
    TODAY,
    Client,
    Place,
    opened,
    player_path,
    published,
    quiet_materialize,
    server,
    slate_path,
    span,
)

TITLE = "Lookups over HTTP, and materialization"
SEASONS = 330
"""Dates of the large materialization: as many rows as five seasons of slates, at 400 players a date."""
Figures = dict[str, float]


def _requests(act: Callable[[], Any], runs: int) -> Figures:
    for _ in range(max(5, runs // 10)):
        act()
    taken = []
    for _ in range(runs):
        start = time.perf_counter()
        act()
        taken.append((time.perf_counter() - start) * 1000)
    taken.sort()
    return {"p50": round(median(taken), 2), "p99": round(taken[min(len(taken) - 1, int(len(taken) * 0.99))], 2)}


def _expect(answer: tuple[int, bytes]) -> bytes:
    if answer[0] != 200:
        raise RuntimeError(f"status {answer[0]}: {answer[1][:200]!r}")
    return answer[1]


def _in_process(place: Place, runs: int) -> dict[str, Figures]:
    """Return the same lookups without a network."""
    from serving.lookup_requests import asked_for
    from serving.lookup_service import LookupService, Slates
    from serving.wire import as_json

    service = LookupService(place.store, Slates(place.warehouse, 1e9))
    whole = asked_for({"date": str(TODAY), "service": SERVICE})
    one = asked_for({"date": str(TODAY), "service": SERVICE, "players": ["player007"]})
    return {
        "lookup in Python, one player": _requests(lambda: service.answer(one), runs * 3),
        f"lookup in Python, {PLAYERS} players": _requests(lambda: service.answer(whole), runs),
        f"lookup in Python to JSON, {PLAYERS} players": _requests(lambda: as_json(service.answer(whole)), runs),
    }


def http_figures(home: Path, runs: int) -> dict[str, Figures]:
    """Return milliseconds by path, on loopback over one connection."""
    place = published(home)
    rows = place.warehouse.query(
        "SELECT player_lookup, game_id FROM nba_predictions.ml_feature_store_v2 WHERE game_date = @date", {"date": TODAY}
    )
    entities = {name: rows.column(name).to_pylist() for name in ("player_lookup", "game_id")}
    first = {name: values[:1] for name, values in entities.items()}
    stock_many, stock_one = (json.dumps({"feature_service": SERVICE, "entities": keys}).encode() for keys in (entities, first))
    batch = json.dumps({"date": str(TODAY), "service": SERVICE, "players": entities["player_lookup"]}).encode()
    found = _in_process(place, runs)
    with server(home) as port, Client(port) as client:
        answers = json.loads(_expect(client.get(slate_path())))["answers"]
        if sum(answer["verdict"] == "ready" for answer in answers) != PLAYERS:
            raise RuntimeError("the slate is not ready")
        found["GET /v1/health"] = _requests(lambda: _expect(client.get("/v1/health")), runs * 3)
        found["GET /v1/players, one player"] = _requests(lambda: _expect(client.get(player_path(7))), runs * 3)
        found[f"GET /v1/slate, {PLAYERS} players, JSON"] = _requests(lambda: _expect(client.get(slate_path())), runs)
        arrow = "application/vnd.apache.arrow.stream"
        found[f"GET /v1/slate, {PLAYERS} players, Arrow"] = _requests(lambda: _expect(client.get(slate_path(), arrow)), runs)
        found[f"POST /v1/lookup, {PLAYERS} players, JSON"] = _requests(lambda: _expect(client.post("/v1/lookup", batch)), runs)
        found["Feast's POST /get-online-features, one player"] = _requests(
            lambda: _expect(client.post("/get-online-features", stock_one)), max(10, runs // 3)
        )
        found[f"Feast's POST /get-online-features, {PLAYERS} players"] = _requests(
            lambda: _expect(client.post("/get-online-features", stock_many)), max(5, runs // 10)
        )
    return found


def _seconds(act: Callable[[], Any], runs: int, before: Callable[[], Any] | None = None) -> Figures:
    walls, cpus = [], []
    for _ in range(runs):
        if before is not None:
            before()
        start, busy = time.perf_counter(), time.process_time()
        act()
        walls.append(time.perf_counter() - start)
        cpus.append(time.process_time() - busy)
    return {"wall": round(median(walls), 3), "cpu": round(median(cpus), 3)}


def _plain_write(place: Place, dates: list[dt.date], folder: Path) -> Callable[[], Any]:
    """Return the plain way: rows that are packed already, all views in one transaction of a file of its own, nothing else."""
    from serving.online_audit import _pulled, packed_store
    from serving.packed.store import packed_writes

    views = place.store.list_feature_views()
    rows = _pulled(place.store, views)
    if packed_store(place.store) is None:
        raise RuntimeError("the store is not a packed one")
    writes = packed_writes(views, rows)
    count = 0

    def write() -> None:
        nonlocal count
        count += 1
        connection = sqlite3.connect(folder / f"bare-{len(dates)}-{count}.db", isolation_level=None)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("BEGIN")
        for item in writes:
            connection.execute(f"CREATE TABLE {item.view} (k BLOB PRIMARY KEY, e INTEGER, c INTEGER, p BLOB) WITHOUT ROWID")
            rows = sorted(zip(item.keys, item.events, item.created, item.rows, strict=True))
            connection.executemany(f"INSERT INTO {item.view} VALUES (?, ?, ?, ?)", rows)
        connection.execute("COMMIT")
        connection.close()

    return write


def _emptied(place: Place) -> None:
    """Remove every row of the online store."""
    from serving.online_audit import packed_store

    online = packed_store(place.store)
    for view in place.store.list_feature_views() if online is not None else ():
        online.prune(place.store.config, view, dt.datetime(2100, 1, 1, tzinfo=dt.UTC))


def _stock(place: Place, folder: Path) -> Any:
    """Return a store over the same warehouse with Feast's own online store and engine, and no gate."""
    from feast import FeatureStore
    from feast.repo_config import RepoConfig

    from serving.feature_store import _configuration, apply_definitions

    folder.mkdir()
    raw = _configuration(place.settings) | {"online_store": {"type": "sqlite", "path": str(folder / "stock.db")}, "provider": "local"}
    raw["registry"] = {"registry_type": "sql", "path": f"sqlite:///{folder / 'registry.db'}"}
    raw.pop("batch_engine")
    store = FeatureStore(config=RepoConfig(**raw))
    with contextlib.redirect_stdout(io.StringIO()):
        apply_definitions(store)
    return store


def write_figures(folder: Path, runs: int, dates: int, *, with_stock: bool = True) -> dict[str, Figures]:
    """Return seconds of materializing slates of so many dates: ours, a plain write of the same bytes, Feast's own."""
    from tests.feast.store_rows import publish, store_table

    days = [TODAY - dt.timedelta(days=back) for back in range(dates)]
    place = opened(folder / "home")
    publish(place.warehouse, store_table(days, PLAYERS))
    what = f"{dates * PLAYERS:,} rows, 7 views"
    # Imports, and the plan of the pull.
    quiet_materialize(place.store, days[:1])
    found = {
        f"{what}: ours, gate and read-back included": _seconds(lambda: quiet_materialize(place.store, days), runs, lambda: _emptied(place))
    }
    found[f"{what}: the plain write"] = _seconds(_plain_write(place, days, folder), runs)
    if not with_stock:
        return found
    stock = _stock(place, folder / "stock")

    def by_feast() -> None:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            stock.materialize(*span(days))

    found[f"{what}: Feast's SQLite store and engine"] = _seconds(by_feast, 1)
    return found


def serving_section(machine: str, load: float, runs: int = 100) -> str:
    """Return the section of docs/benchmarks.md."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        requests = http_figures(folder / "http", runs)
        (folder / "one").mkdir()
        (folder / "many").mkdir()
        writes = {**write_figures(folder / "one", 5, 1), **write_figures(folder / "many", 2, SEASONS)}
    lines = ["| request | p50 ms | p99 ms |", "|---|---|---|"]
    lines += [f"| {name} | {found['p50']} | {found['p99']} |" for name, found in requests.items()]
    lines += ["", "| materialization | s | CPU s |", "|---|---|---|"]
    lines += [f"| {name} | {found['wall']} | {found['cpu']} |" for name, found in writes.items()]
    told = (
        f"`{SERVICE}`; one client with one open connection on loopback, client and server on the same machine. Materialization fills an"
        " empty online store; the plain write is the same bytes row by row into one empty SQLite file, a table for each view, in one"
        " transaction."
    )
    return f"## {TITLE}\n\n{told}\n\n" + "\n".join(lines) + f"\n\nMachine: {machine}; load average {load:.1f}\n"


@click.command()
@click.option("--runs", default=100, show_default=True, type=click.IntRange(10), help="Requests of each kind.")
@click.option("--http-only", is_flag=True, help="Leave materialization out.")
@click.option("--dates", default=0, help="Just the materialization of so many dates.")
@click.option("--no-stock", is_flag=True, help="Leave Feast's own store out of --dates: it takes minutes.")
def main(runs: int, http_only: bool, dates: int, no_stock: bool) -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as scratch:
        if http_only:
            for name, figures in http_figures(Path(scratch) / "http", runs).items():
                click.echo(f"{name}: {figures}")
        elif dates:
            for name, figures in write_figures(Path(scratch), 2, dates, with_stock=not no_stock).items():
                click.echo(f"{name}: {figures}")
        else:
            click.echo(serving_section("this machine", 0.0, runs))


if __name__ == "__main__":
    main()
