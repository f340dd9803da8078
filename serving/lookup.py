"""Look up tonight's slate in the online store: a verdict per player, and a vector only where one may be used."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from schemas.catalogue import load_catalogue
from schemas.errors import UsageError
from serving.model_registry import serving_problems
from serving.online_rows import read_online
from serving.slate import EPOCH, MICROSECOND, Slate, expected_players, game_date_of, read_slate, refuse_unknown_players
from serving.verdicts import INCOMPATIBLE, NOT_FOUND, NOT_READY, READY, STALE, VERDICTS, Reasons, judge_rows
from warehouse.protocol import Warehouse

if TYPE_CHECKING:
    from feast import FeatureStore

__all__ = ["INCOMPATIBLE", "NOT_FOUND", "NOT_READY", "READY", "STALE", "VERDICTS", "Answer", "Lookup", "answer_slate", "lookup"]

NO_TIME = np.iinfo(np.int64).min
"""Event time of an answer without a row."""


@dataclass(frozen=True)
class Answer:
    """One player's answer; `vector` is in the service's order and is given only to a ready row.

    `masked` names the features whose default was replaced by NaN.
    """

    player_lookup: str
    game_id: str | None
    verdict: str
    reasons: Reasons = ()
    vector: tuple[float | None, ...] | None = None
    quality: Mapping[str, Any] = field(default_factory=dict)
    event_timestamp: dt.datetime | None = None
    masked: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Return the answer for JSON, NaN as null."""
        vector = None if self.vector is None else [None if v is None or v != v else v for v in self.vector]
        instant = self.event_timestamp.isoformat() if self.event_timestamp else None
        lists = {"reasons": list(self.reasons), "masked": list(self.masked)}
        return {**vars(self), **lists, "vector": vector, "event_timestamp": instant, "quality": dict(self.quality)}


@dataclass(frozen=True, eq=False)
class Lookup:
    """The answers for a slate, in the order of the players, column by column; `answers` gives them one by one.

    `slate_reasons` says why the date has no published rows at all.

    `matrix` is players x features in the service's order, NaN for NULL, for a masked default and in every row that is not
    ready; `nulls` tells a NULL apart. `events` are microseconds, `NO_TIME` without a row. `quality` holds None where there is
    no row to speak of.
    """

    service: str
    features: tuple[str, ...]
    game_date: dt.date
    players: tuple[str, ...]
    games: tuple[str | None, ...]
    verdicts: tuple[str, ...]
    reasons: tuple[Reasons, ...]
    matrix: np.ndarray[Any, Any]
    nulls: np.ndarray[Any, Any]
    hidden: np.ndarray[Any, Any] | None
    events: np.ndarray[Any, Any]
    quality: Mapping[str, Sequence[Any]]
    schema_version: str = ""
    slate_reasons: Reasons = ()

    @cached_property
    def answers(self) -> tuple[Answer, ...]:
        """The answers one by one."""
        rows, nulls, events = self.matrix.tolist(), self.nulls.tolist(), self.events.tolist()
        found = []
        for at, verdict in enumerate(self.verdicts):
            is_ready, has_row = verdict == READY, events[at] != NO_TIME
            vector = tuple(None if null else value for value, null in zip(rows[at], nulls[at], strict=True)) if is_ready else None
            quality = {name: column[at] for name, column in self.quality.items()} if has_row else {}
            instant = EPOCH + events[at] * MICROSECOND if has_row else None
            found.append(
                Answer(self.players[at], self.games[at], verdict, self.reasons[at], vector, quality, instant, tuple(self.masked(at)))
            )
        return tuple(found)

    def masked(self, at: int) -> list[str]:
        """Return the features of an answer whose default was replaced by NaN."""
        if self.hidden is None or self.verdicts[at] != READY:
            return []
        return [self.features[place] for place in np.nonzero(self.hidden[at])[0].tolist()]

    def counts(self) -> dict[str, int]:
        """Return the number of answers per verdict."""
        return {verdict: self.verdicts.count(verdict) for verdict in VERDICTS}

    def as_dict(self) -> dict[str, Any]:
        """Return the lookup for `--json`."""
        return {**self.head(), "answers": [answer.as_dict() for answer in self.answers]}

    def head(self) -> dict[str, Any]:
        """Return what the answers have in common, for `--json` and HTTP."""
        return {
            "service": self.service,
            "feature_schema_version": self.schema_version,
            "features": list(self.features),
            "game_date": self.game_date.isoformat(),
            "reasons": list(self.slate_reasons),
            "counts": self.counts(),
        }


def _hidden(slate: Slate, places: Sequence[int] | slice, features: Sequence[str]) -> np.ndarray[Any, Any]:
    """Return TRUE where a feature's value is a default; an input that is no catalogue feature has none."""
    index = {feature.name: feature.index for feature in load_catalogue().features}
    defaults = slate.defaults[places]
    found = np.zeros((len(defaults), len(features)), bool)
    inside = [at for at, name in enumerate(features) if name in index]
    found[:, inside] = defaults[:, [index[features[at]] for at in inside]]
    return found


def _picked(found: Lookup, places: Sequence[int], players: Sequence[str], absent: Reasons) -> Lookup:
    """Return the answers at these places for these players; at -1 a player is not found, for the reasons given."""
    at = np.array(places, int)
    off = at < 0

    def rows(array: np.ndarray[Any, Any], blank: Any) -> np.ndarray[Any, Any]:
        whole = np.full((len(at), *array.shape[1:]), blank, array.dtype)
        whole[~off] = array[at[~off]]
        return whole

    def column(values: Sequence[Any], blank: Any) -> tuple[Any, ...]:
        return tuple(blank if place < 0 else values[place] for place in places)

    return replace(
        found,
        players=tuple(players),
        games=column(found.games, None),
        verdicts=column(found.verdicts, NOT_FOUND),
        reasons=column(found.reasons, absent),
        matrix=rows(found.matrix, np.nan),
        nulls=rows(found.nulls, True),
        hidden=None if found.hidden is None else rows(found.hidden, False),
        events=rows(found.events, NO_TIME),
        quality={name: column(values, None) for name, values in found.quality.items()},
    )


def answer_slate(
    store: FeatureStore,
    service: str,
    slate: Slate,
    named: Sequence[str] | None,
    *,
    strict: bool = False,
    mask_defaults: bool = False,
    problems: Sequence[str] = (),
) -> Lookup:
    """Return the verdicts for these players, or all, of a slate that was read before.

    `problems` is what makes the model's contract differ from what the store supplies: with any, no vector leaves; nor does one
    of a slate that was made under another definition.
    """
    contract = load_catalogue().service(service)
    whole = named is None or tuple(named) == slate.players
    players = slate.players if named is None or whole else tuple(player for player in named if player in slate.place)
    places: slice | list[int] = slice(None) if whole else [slate.place[player] for player in players]
    games = slate.games if whole else [slate.games[slate.place[player]] for player in players]
    rows = read_online(store, service, contract.features, (players, games))
    published = slate.events[places]
    verdicts, reasons = judge_rows(contract, published, slate.created[places], rows)
    is_row = np.fromiter((verdict != NOT_FOUND for verdict in verdicts), bool, rows.rows) & ~rows.incompatible
    told = (*slate.differs, *problems)
    if told:
        reasons = [why if verdict == NOT_FOUND else told for verdict, why in zip(verdicts, reasons, strict=True)]
        verdicts = [verdict if verdict == NOT_FOUND else INCOMPATIBLE for verdict in verdicts]
    is_ready = np.fromiter((verdict == READY for verdict in verdicts), bool, rows.rows)
    matrix = rows.values
    hidden = _hidden(slate, places, contract.features) if mask_defaults else None
    if hidden is not None:
        matrix = np.where(hidden, np.nan, matrix)
    if not is_ready.all():
        matrix = np.where(is_ready[:, None], matrix, np.nan)
    newest = published if is_ready.all() else np.where(is_ready, published, rows.events.max(axis=0))
    found = Lookup(
        service,
        contract.features,
        slate.game_date,
        players,
        tuple(games),
        tuple(verdicts),
        tuple(reasons),
        np.ascontiguousarray(matrix),
        rows.nulls if hidden is None else rows.nulls & ~hidden,
        hidden,
        newest if is_row.all() else np.where(is_row, newest, NO_TIME),
        rows.quality,
        load_catalogue().schema_version,
        slate.reasons,
    )
    if named is not None and len(players) != len(named):
        at = {player: place for place, player in enumerate(players)}
        found = _picked(found, [at.get(player, -1) for player in named], named, slate.reasons or ("not_on_slate",))
    return only_ready(found) if strict else found


def only_ready(found: Lookup) -> Lookup:
    """Return the ready answers alone."""
    ready = [at for at, verdict in enumerate(found.verdicts) if verdict == READY]
    return found if len(ready) == len(found.verdicts) else _picked(found, ready, [found.players[at] for at in ready], ())


def lookup(
    store: FeatureStore,
    warehouse: Warehouse,
    service: str,
    game_date: dt.date | None = None,
    players: Sequence[str] | None = None,
    *,
    game_id: str | None = None,
    strict: bool = False,
    mask_defaults: bool = False,
) -> Lookup:
    """Return a verdict for each player of the slate, for everybody expected in one game, or for the players named.

    With `strict` only ready rows are returned; with `mask_defaults` a value that is a default reads NaN.

    Raises:
        UnknownNameError: no such service, game or player; a known player without a row on the date is `not_found`.
        UsageError: neither a date nor a game, or a game of another date or with players.
    """
    load_catalogue().service(service)
    if game_id is not None:
        if players is not None:
            raise UsageError("a game stands for all its players", [game_id], "name a game, or players and a date")
        of_game = game_date_of(warehouse, game_id)
        if game_date not in (None, of_game):
            raise UsageError(f"the game is not played on {game_date}", [f"{game_id}: {of_game}"])
        game_date = of_game
    if game_date is None:
        raise UsageError("a date or a game is needed")
    slate = read_slate(warehouse, game_date)
    named = list(dict.fromkeys(players)) if players is not None else None
    if game_id is not None:
        named = list(expected_players(warehouse, slate, game_id))
    elif named is not None:
        refuse_unknown_players(warehouse, slate, named)
    problems = serving_problems(warehouse, service)
    return answer_slate(store, service, slate, named, strict=strict, mask_defaults=mask_defaults, problems=problems)
