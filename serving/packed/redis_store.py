"""Packed rows in Redis: one value per entity and view, newest wins inside the server."""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

from feast.repo_config import FeastConfigBaseModel

from schemas.errors import StorageUnavailableError, UsageError
from serving.clean_errors import clean_errors
from serving.packed.layout import FINGERPRINT_BYTES, instant_of, microseconds
from serving.packed.store import PackedStore, Write

if TYPE_CHECKING:
    from feast import Entity, FeatureView, RepoConfig

ROWS_PER_CALL = 500
"""Rows of one script call, a slate: a longer one would keep readers waiting."""

# Compares event and created time with what is there, in the server, so that two writers cannot cross. Microseconds since
# 1970 are below 2^53, exact in Lua's doubles. Each view's keys stand in a sorted set by event time: for retention and removal.
# The first keys are these sets, one per view; then follow as many keys for each view. A script is one step to every reader.
KEEP = f"""
local views, head = tonumber(ARGV[1]), {FINGERPRINT_BYTES}
local rows = (#KEYS - views) / views
for i = 1, #KEYS - views do
  local key, new = KEYS[views + i], ARGV[1 + i]
  local old = redis.call('GETRANGE', key, head, head + 15)
  local event, created = struct.unpack('<i8i8', string.sub(new, head + 1, head + 16))
  local keep = true
  if #old == 16 then
    local had_event, had_created = struct.unpack('<i8i8', old)
    keep = event > had_event or (event == had_event and created >= had_created)
  end
  if keep then
    redis.call('SET', key, new)
    redis.call('ZADD', KEYS[math.floor((i - 1) / rows) + 1], event, key)
  end
end
return rows
"""
PAGE = 5_000
"""Rows of one call that only reads or removes."""
PRUNE = """
local found = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', ARGV[1], 'LIMIT', 0, ARGV[2])
for i = 1, #found do
  redis.call('DEL', found[i])
  redis.call('ZREM', KEYS[1], found[i])
end
return #found
"""


class PackedRedisOnlineStoreConfig(FeastConfigBaseModel):
    """Configuration: `url` is redis://host:port/database, one server, no cluster; `retention_days` None keeps every game."""

    type: Literal["serving.packed.redis_store.PackedRedisOnlineStore"] = "serving.packed.redis_store.PackedRedisOnlineStore"
    url: str = "redis://127.0.0.1:6379/0"
    retention_days: int | None = None


class PackedRedisOnlineStore(PackedStore):
    """All views of a request are read in one call, so that they are of one instant."""

    def __init__(self) -> None:
        super().__init__()
        self._clients: dict[str, Any] = {}
        self._lock = threading.Lock()

    def _client(self, config: RepoConfig) -> Any:
        import redis

        url = config.online_store.url
        with self._lock:
            if url not in self._clients:
                try:
                    self._clients[url] = redis.Redis.from_url(url, socket_connect_timeout=5, socket_timeout=30)
                except ValueError:
                    # Its words hold a part of the address, a password for one.
                    hint = "NBA_FEATURES_REDIS is redis://:password@host:6379/0; within a password / is %2F, # is %23 and ? is %3F"
                    with clean_errors():
                        raise UsageError("the address of Redis cannot be read", [], hint) from None
            return self._clients[url]

    def _call(self, run: Any) -> Any:
        """Return what the server answers; raise `StorageUnavailableError` when it does not."""
        import redis

        try:
            return run()
        except redis.RedisError as error:
            with clean_errors():
                raise StorageUnavailableError("the online store does not answer", [f"{type(error).__name__}: {error}"]) from None

    @staticmethod
    def _prefix(config: RepoConfig, view: str) -> bytes:
        return f"{config.project}/{view}/".encode()

    def _fetch(self, config: RepoConfig, asked: Sequence[tuple[str, Sequence[bytes]]]) -> list[list[bytes | None]]:
        client = self._client(config)
        keys: list[bytes] = []
        for view, view_keys in asked:
            prefix = self._prefix(config, view)
            keys += [prefix + key for key in view_keys]
        values = self._call(lambda: client.mget(keys)) if keys else []
        found, at = [], 0
        for _, view_keys in asked:
            found.append(values[at : at + len(view_keys)])
            at += len(view_keys)
        return found

    def _keep(self, config: RepoConfig, writes: Sequence[Write]) -> None:
        """Write slice by slice, each row to all views in one step: writes of the same keys go together, others on their own."""
        groups: dict[int, list[Write]] = {}
        for write in writes:
            groups.setdefault(id(write.keys), []).append(write)
        script = self._client(config).register_script(KEEP)
        for group in groups.values():
            indexes = [self._index(config, write.view) for write in group]
            prefixes = [self._prefix(config, write.view) for write in group]
            for at in range(0, len(group[0].keys), ROWS_PER_CALL):
                part = slice(at, at + ROWS_PER_CALL)
                keys = [prefix + key for prefix, write in zip(prefixes, group, strict=True) for key in write.keys[part]]
                rows = [row for write in group for row in write.rows[part]]
                call = partial(script, keys=[*indexes, *keys], args=[len(group), *rows])
                self._call(call)

    def stored(self, config: RepoConfig, view: FeatureView) -> Iterator[tuple[bytes, bytes]]:
        """Yield key and packed row of everything a view holds, page by page."""
        client, index, head = self._client(config), self._index(config, view.name), len(self._prefix(config, view.name))
        known = self._call(lambda: client.zrange(index, 0, -1))
        for at in range(0, len(known), PAGE):
            page = known[at : at + PAGE]
            rows = self._call(lambda page=page: client.mget(page))
            yield from ((key[head:], row) for key, row in zip(page, rows, strict=True) if row is not None)

    def remove(self, config: RepoConfig, view: FeatureView, keys: Sequence[bytes]) -> int:
        """Remove the rows of these keys; return how many there were."""
        client, index, prefix = self._client(config), self._index(config, view.name), self._prefix(config, view.name)
        removed = 0
        for at in range(0, len(keys), PAGE):
            page = [prefix + key for key in keys[at : at + PAGE]]
            pipe = client.pipeline(transaction=True)
            pipe.delete(*page)
            pipe.zrem(index, *page)
            removed += int(self._call(pipe.execute)[0])
        return removed

    @staticmethod
    def _index(config: RepoConfig, view: str) -> bytes:
        return f"{config.project}//{view}".encode()

    def _remove(self, config: RepoConfig, view: str, limit: str) -> int:
        client = self._client(config)
        script = client.register_script(PRUNE)
        removed = 0
        while True:
            done = int(self._call(lambda: script(keys=[self._index(config, view)], args=[limit, PAGE])))
            removed += done
            if done < PAGE:
                return removed

    def prune(self, config: RepoConfig, view: FeatureView, before: dt.datetime) -> int:
        """Remove the rows of a view with an event time before the instant; return how many."""
        return self._remove(config, view.name, f"({microseconds(before)}")

    def count(self, config: RepoConfig, view: FeatureView) -> int:
        """Return the number of rows of a view."""
        return int(self._call(lambda: self._client(config).zcard(self._index(config, view.name))))

    def newest_event(self, config: RepoConfig, view: FeatureView) -> dt.datetime | None:
        """Return the newest event time of a view."""
        found = self._call(lambda: self._client(config).zrange(self._index(config, view.name), -1, -1, withscores=True))
        return instant_of(int(found[0][1])) if found else None

    def update(
        self,
        config: RepoConfig,
        tables_to_delete: Sequence[FeatureView],
        tables_to_keep: Sequence[FeatureView],
        entities_to_delete: Sequence[Entity],
        entities_to_keep: Sequence[Entity],
        partial: bool,
    ) -> None:
        """Drop the rows of deleted views; a new view needs nothing."""
        for view in tables_to_delete:
            self._remove(config, view.name, "+inf")

    def teardown(self, config: RepoConfig, tables: Sequence[FeatureView], entities: Sequence[Entity]) -> None:
        """Drop the rows of the views."""
        for view in tables:
            self._remove(config, view.name, "+inf")
