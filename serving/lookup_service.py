"""Lookups one after the other: slates from memory, values from the online store."""

from __future__ import annotations

import datetime as dt
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from schemas.errors import UsageError
from serving.lookup import Lookup, answer_slate, only_ready
from serving.lookup_log import LookupLog
from serving.lookup_requests import Asked
from serving.model_registry import serving_problems
from serving.slate import Slate, expected_players, game_date_of, read_slate, refuse_unknown_players
from serving.verdicts import INCOMPATIBLE, NOT_FOUND, STALE

if TYPE_CHECKING:
    from feast import FeatureStore

    from warehouse.protocol import Warehouse

SLATE_SECONDS = 5.0
"""How long a slate is answered from memory; a row that does not match it is looked at again."""
FRESH_SECONDS = 0.25
"""How old a slate may be that counts as fresh: a row that stays stale must not have every request read the warehouse."""
DOUBTFUL = frozenset({STALE, NOT_FOUND, INCOMPATIBLE})
"""Verdicts that a slate read anew may take back."""
KEPT = 64
"""Answers of the warehouse that are kept at a time."""


@dataclass
class Slates:
    """What the warehouse says of dates, games and services, kept for a few seconds. It is read by one thread at a time."""

    warehouse: Warehouse
    seconds: float = SLATE_SECONDS
    _kept: dict[Any, tuple[float, Any]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def _get(self, mark: Any, read: Callable[[], Any], *, fresh: bool = False) -> Any:
        asked_at, age = time.monotonic(), min(self.seconds, FRESH_SECONDS) if fresh else self.seconds
        kept = self._kept.get(mark)
        if kept is not None and asked_at - kept[0] < age:
            return kept[1]
        with self._lock:
            # Whoever waited for another reader takes what that one has found.
            kept = self._kept.get(mark)
            if kept is not None and kept[0] > asked_at:
                return kept[1]
            begun = time.monotonic()
            found = read()
            if len(self._kept) > KEPT:
                self._kept.clear()
            self._kept[mark] = (begun, found)
        return found

    def slate(self, date: dt.date, *, fresh: bool = False) -> Slate:
        """Return the slate of a date."""
        found: Slate = self._get(date, lambda: read_slate(self.warehouse, date), fresh=fresh)
        return found

    def problems(self, service: str, *, fresh: bool = False) -> tuple[str, ...]:
        """Return how the contracts in production differ from what the store supplies."""
        found: tuple[str, ...] = self._get(("problems", service), lambda: serving_problems(self.warehouse, service), fresh=fresh)
        return found

    def game_date(self, game: str) -> dt.date:
        """Return the date of a game."""
        found: dt.date = self._get(("date", game), lambda: game_date_of(self.warehouse, game))
        return found

    def expected(self, slate: Slate, game: str, *, fresh: bool = False) -> tuple[str, ...]:
        """Return the players expected in a game."""
        found: tuple[str, ...] = self._get(("players", game), lambda: expected_players(self.warehouse, slate, game), fresh=fresh)
        return found

    def refuse_unknown(self, slate: Slate, players: Sequence[str]) -> None:
        """Raise `UnknownNameError` for players that nobody knows."""
        if not slate.rows.keys() >= set(players):
            with self._lock:
                refuse_unknown_players(self.warehouse, slate, players)


@dataclass
class LookupService:
    """Answers requests; `log` keeps a share of the answers for the replay."""

    store: FeatureStore
    slates: Slates
    log: LookupLog | None = None

    def answer(self, asked: Asked) -> Lookup:
        """Return the verdicts; what looks old against a kept slate is judged by a fresh one."""
        found = self._answer(asked, fresh=False)
        if not DOUBTFUL.isdisjoint(found.verdicts) or not found.players:
            found = self._answer(asked, fresh=True)
        if asked.strict:
            # Last: what a kept slate makes look old would be dropped before anybody has looked again.
            found = only_ready(found)
        if self.log is not None:
            self.log.add(found)
        return found

    def _answer(self, asked: Asked, *, fresh: bool) -> Lookup:
        date = asked.date
        if asked.game is not None:
            of_game = self.slates.game_date(asked.game)
            if date not in (None, of_game):
                raise UsageError(f"the game is not played on {date}", [f"{asked.game}: {of_game}"])
            date = of_game
        if date is None:
            raise UsageError("a date or a game is needed")
        slate = self.slates.slate(date, fresh=fresh)
        named = asked.players
        if asked.game is not None:
            named = self.slates.expected(slate, asked.game, fresh=fresh)
        elif named is not None:
            self.slates.refuse_unknown(slate, named)
        problems = self.slates.problems(asked.service, fresh=fresh)
        return answer_slate(self.store, asked.service, slate, named, mask_defaults=asked.mask_defaults, problems=problems)
