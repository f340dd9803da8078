"""What may be asked over HTTP: bounded, validated, and refused clearly."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from schemas.catalogue import load_catalogue
from schemas.clock import parse_date
from schemas.errors import UsageError

MAX_BODY = 64_000
MAX_PLAYERS = 1_000
PLAYER = re.compile(r"[^\W_][\w'.-]{0,79}")
GAME = re.compile(r"[0-9A-Za-z]{10}")
FIELDS = {"date", "service", "players", "game", "strict", "mask_defaults"}
TRUTH = {"true": True, "1": True, "false": False, "0": False, "": False}


@dataclass(frozen=True)
class Asked:
    """A validated request: players of a date, everybody expected in a game, or without either the whole slate."""

    date: dt.date | None
    service: str
    players: tuple[str, ...] | None = None
    strict: bool = False
    mask_defaults: bool = False
    game: str | None = None


def _truth(value: Any, name: str) -> bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.lower() in TRUTH:
        return TRUTH[value.lower()]
    raise UsageError(f"{name} is true or false", [str(value)[:40]])


def _text(given: Mapping[str, Any], name: str, limit: int) -> str | None:
    value = given.get(name)
    if value is None:
        return None
    if not isinstance(value, str) or len(value) > limit:
        raise UsageError(f"{name} is text of at most {limit} characters", [str(value)[:40]])
    return value


def _players(given: Any) -> tuple[str, ...] | None:
    if given is None:
        return None
    if not isinstance(given, list) or not 0 < len(given) <= MAX_PLAYERS:
        raise UsageError(f"players is a list of 1 to {MAX_PLAYERS} names")
    wrong = [str(name)[:40] for name in given if not isinstance(name, str) or not PLAYER.fullmatch(name)]
    if wrong:
        raise UsageError("not names of players", wrong[:10], "a player is named by his player_lookup, for example lebronjames")
    return tuple(dict.fromkeys(given))


def asked_for(given: Mapping[str, Any]) -> Asked:
    """Return a validated request; raise `UsageError` for a field too many, `UnknownNameError` for an unknown service."""
    surplus = sorted(set(given) - FIELDS)
    if surplus:
        raise UsageError("unknown fields", [name[:40] for name in surplus[:10]], f"known: {', '.join(sorted(FIELDS))}")
    date, service, game = _text(given, "date", 20), _text(given, "service", 80), _text(given, "game", 20)
    players = _players(given.get("players"))
    if service is None or (date is None and game is None):
        raise UsageError("service and a date or a game are needed, as text", hint="date=2025-01-31&service=points_v3_37features")
    if game is not None and (players is not None or not GAME.fullmatch(game)):
        raise UsageError("a game is named by its ten characters and stands for all its players", [game])
    load_catalogue().service(service)
    flags = [_truth(given.get(name, False), name) for name in ("strict", "mask_defaults")]
    return Asked(None if date is None else parse_date(date), service, players, flags[0], flags[1], game)
