"""The published week on either packed store, and a materialization that kills its own process at a chosen step."""

from __future__ import annotations

import datetime as dt
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from feast import FeatureStore
from feast.repo_config import RepoConfig

from feature_repo.feature_views import FEATURE_VIEWS
from schemas.settings import load_settings
from serving import feature_store as opened
from serving.feature_store import _configuration, apply_definitions, open_feature_store, repository_folder
from serving.materialization_gate import midnight
from serving.packed import redis_store, sqlite_store
from tests.feast.conftest import Site
from tests.feast.store_rows import store_table
from warehouse import open_warehouse

ROOT = Path(__file__).resolve().parent.parent.parent
REFS = [f"{view.name}:{field.name}" for view in FEATURE_VIEWS for field in view.features]
NAMES = [ref.split(":")[1] for ref in REFS]
SQLITE_STEPS = ("first view", "last view", "written")
REDIS_STEPS = ("first call", "written")


def use(site: Site, online: dict[str, Any] | None) -> FeatureStore:
    """Make a store with this online store the home's store; None is the packed SQLite file."""
    if online is not None:
        raw = _configuration(site.settings) | {"online_store": online}
        config = RepoConfig(**raw)
        config.repo_path = repository_folder()
        opened._stores[site.settings.home] = FeatureStore(config=config)
    apply_definitions(site.store)
    return site.store


def on_redis(port: int, database: int) -> dict[str, Any]:
    return {"type": "serving.packed.redis_store.PackedRedisOnlineStore", "url": f"redis://127.0.0.1:{port}/{database}"}


def online_values(store: FeatureStore, dates: list[dt.date]) -> list[dict[str, Any] | None]:
    """Return what is online of the players of these dates, None where there is no row."""
    rows = store_table(dates)
    found = store.get_online_features(REFS, {name: rows.column(name).to_pylist() for name in ("player_lookup", "game_id")}).to_dict()
    lines = [dict(zip(NAMES, values, strict=True)) for values in zip(*(found[name] for name in NAMES), strict=True)]
    return [line if line["quality_tier"] else None for line in lines]


def _die(*_: Any, **__: Any) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


class _Counted:
    """A connection that acts in place of the N-th statement that spreads rows over a view's table."""

    def __init__(self, connection: Any, at: int, act: Callable[[], None]) -> None:
        self.connection, self.at, self.act, self.count = connection, at, act, 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self.connection, name)

    def execute(self, sql: str, *given: Any) -> Any:
        self.count += sql.lstrip().startswith("INSERT")
        if self.count == self.at:
            self.act()
        return self.connection.execute(sql, *given)


def in_the_middle(view: int, act: Callable[[], None]) -> Callable[..., Any]:
    """Return a transaction of the SQLite store in which half of the rows are written, and this view's next ones are due."""
    real = sqlite_store.PackedSqliteOnlineStore._transaction

    def stopped(self: Any, config: Any, views: Any, work: Any) -> Any:
        return real(self, config, views, lambda connection: work(_Counted(connection, len(FEATURE_VIEWS) + view + 1, act)))

    return stopped


def _die_in_rows(view: int) -> None:
    sqlite_store.STAGED_ROWS = 2
    sqlite_store.PackedSqliteOnlineStore._transaction = in_the_middle(view, _die)  # type: ignore[method-assign]


def _die_after_call() -> None:
    redis_store.ROWS_PER_CALL = 2
    real = redis_store.PackedRedisOnlineStore._call

    def killed(self: Any, run: Any) -> Any:
        answer = real(self, run)
        if "script" in str(getattr(run, "func", "")).lower():
            _die()
        return answer

    redis_store.PackedRedisOnlineStore._call = killed  # type: ignore[method-assign]


def main(step: str, start: str, end: str, url: str) -> None:
    """Materialize the dates and die at the step."""
    settings = load_settings()
    site = Site(settings, open_warehouse(settings))
    store = open_feature_store(settings, site.warehouse)
    if url:
        store = use(site, {"type": "serving.packed.redis_store.PackedRedisOnlineStore", "url": url})
    if step == "first call":
        _die_after_call()
    elif step == "written":
        import serving.gated_provider as provider

        provider.read_back = _die  # type: ignore[assignment]
    else:
        _die_in_rows(0 if step == "first view" else len(FEATURE_VIEWS) - 1)
    store.materialize(midnight(dt.date.fromisoformat(start)), midnight(dt.date.fromisoformat(end) + dt.timedelta(days=1)))


def killed_materialization(site: Site, step: str, date: dt.date, url: str = "") -> None:
    """Materialize a date in another process that kills itself at the step."""
    environ = {**os.environ, "NBA_FEATURES_HOME": str(site.settings.home)}
    program = [sys.executable, "-m", "tests.feast.online_sites", step, str(date), str(date), url]
    ended = subprocess.run(program, cwd=ROOT, env=environ, capture_output=True, text=True, check=False, timeout=120)
    assert ended.returncode == -signal.SIGKILL, ended.stderr[-2000:]


if __name__ == "__main__":
    main(*sys.argv[1:])
