"""Player names: the key of a player, and which known player a bookmaker's or a transaction list's spelling means."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from schemas.errors import DefinitionError
from schemas.yaml_files import read_yaml

ALIAS_FILE = Path(__file__).with_name("player_aliases.yaml")
SUFFIXES = frozenset({"jr", "sr", "ii", "iii", "iv", "v"})
# Letters that Unicode does not decompose into a base letter and an accent.
_PLAIN = str.maketrans({"đ": "d", "Đ": "D", "ł": "l", "Ł": "L", "ø": "o", "Ø": "O", "ß": "ss", "æ": "ae", "Æ": "Ae", "ı": "i"})
_BRACKETS = re.compile(r"\([^)]*\)|\[[^\]]*\]")
_BIRTH = re.compile(r"\(b\.\s*\d{4}", re.IGNORECASE)
SHORTEST_GIVEN_PREFIX = 3


def strip_accents(name: str) -> str:
    """Return the name with accented letters replaced by plain ones."""
    decomposed = unicodedata.normalize("NFKD", name.translate(_PLAIN))
    return "".join(letter for letter in decomposed if not unicodedata.combining(letter))


def _words(name: str) -> list[str]:
    words = re.split(r"[\s,]+", strip_accents(name).lower())
    return [word for word in (re.sub(r"[^a-z0-9]", "", part) for part in words) if word]


def player_key(name: str) -> str:
    """Return the player key: lower-case letters and digits of the accent-stripped name, suffix kept (`jarenjacksonjr`)."""
    return "".join(_words(name))


def _bare_words(name: str) -> list[str]:
    words = _words(name)
    while len(words) > 1 and words[-1] in SUFFIXES:
        words.pop()
    return words


def match_key(name: str) -> str:
    """Return the key without a suffix: the form in which spellings of two sources are compared."""
    return "".join(_bare_words(name))


def spellings(name: str) -> tuple[str, ...]:
    """Return the names a cell may stand for, best first: both sides of a slash, brackets and bullets dropped, order as written."""
    text = _BRACKETS.sub(" ", name.replace("•", " "))
    parts = [" ".join(part.split()) for part in text.split("/")]
    return tuple(dict.fromkeys(part for part in parts if player_key(part)))


def _parts(name: str) -> tuple[str, str]:
    """Return given names (joined) and surname (joined, suffix dropped)."""
    words = _bare_words(name)
    return words[0], "".join(words[1:])


@dataclass(frozen=True)
class KnownPlayer:
    """A player of the box scores: key and full name."""

    player_lookup: str
    player_name: str


class _Index:
    """The forms under which a group of players can be found."""

    def __init__(self, players: Iterable[KnownPlayer]) -> None:
        self.keys: dict[str, set[str]] = {}
        self.matches: dict[str, set[str]] = {}
        self.surnames: dict[str, set[tuple[str, str]]] = {}
        for player in players:
            given, surname = _parts(player.player_name)
            self.keys.setdefault(player_key(player.player_name), set()).add(player.player_lookup)
            self.matches.setdefault(match_key(player.player_name), set()).add(player.player_lookup)
            self.surnames.setdefault(surname, set()).add((given, player.player_lookup))

    def exact(self, name: str) -> set[str]:
        return self.keys.get(player_key(name)) or self.matches.get(match_key(name)) or set()

    def turned(self, name: str) -> set[str]:
        """Players whose name is this one with the surname first."""
        words = _words(name)
        return self.matches.get(match_key(" ".join([words[-1], *words[:-1]])), set()) if len(words) > 1 else set()

    def initials(self, name: str) -> set[str]:
        """Players with this surname whose given name the initials fit: `A. Coffey`, `Christian James McCollum`."""
        words = _bare_words(name)
        if len(words) < 2:
            return set()
        found = {key for given, key in self.surnames.get(words[-1], ()) if _initials_fit(words[:-1], given)}
        return found | {key for given, key in self.surnames.get("".join(words[1:]), ()) if _initials_fit(words[:1], given)}

    def shortened(self, name: str) -> set[str]:
        """Players with this surname, one given name beginning with the other: `Herb Jones`, `Brook Robert Lopez`."""
        words = _bare_words(name)
        surnames = {"".join(words[1:]), words[-1]} if len(words) > 1 else set()
        return {key for surname in surnames for other, key in self.surnames.get(surname, ()) if _prefix(words[0], other)}


def _initials_fit(given: list[str], known: str) -> bool:
    """TRUE when `a` or `bj` stands for a longer given name, or several given names for the initials of the known one."""
    if len(given) > 1:
        return "".join(word[0] for word in given) == known
    return min(len(given[0]), len(known)) <= 2 and given[0][0] == known[0]


def _prefix(one: str, other: str) -> bool:
    short, long = sorted((one, other), key=len)
    return len(short) >= SHORTEST_GIVEN_PREFIX and long.startswith(short)


@lru_cache(maxsize=1)
def load_aliases(path: Path = ALIAS_FILE) -> Mapping[str, str]:
    """Return player key by match key of a spelling that no rule explains; raise `DefinitionError` for a malformed table."""
    rows = read_yaml(path)["aliases"]
    wrong = [f"{spelling}: {known}" for spelling, known in rows.items() if match_key(spelling) == match_key(known)]
    if wrong:
        raise DefinitionError("aliases that say nothing", wrong)
    return {match_key(spelling): player_key(known) for spelling, known in rows.items()}


class PlayerNames:
    """Finds the known player a spelling means, first among the players at hand, then among all."""

    def __init__(self, players: Iterable[KnownPlayer], aliases: Mapping[str, str] | None = None) -> None:
        self._players = {player.player_lookup: player for player in players}
        self._all = _Index(self._players.values())
        self._near: dict[frozenset[str], _Index] = {}
        self._aliases = load_aliases() if aliases is None else aliases

    def _index(self, near: frozenset[str]) -> _Index:
        if near not in self._near:
            self._near[near] = _Index(self._players[key] for key in near if key in self._players)
        return self._near[near]

    def find(self, name: str, near: Collection[str] = ()) -> str | None:
        """Return the player key a spelling means, or None when nobody or more than one player fits.

        `near` are the keys of the players who may be meant: those of the two teams of a game, or of one team. Initials and
        shortened given names count among them only; a full name also finds a player elsewhere, unless the source marks
        him off from a namesake by his birth date.
        """
        close = self._index(frozenset(near))
        forms = spellings(name)
        for found in self._candidates(forms, close, namesake=bool(_BIRTH.search(name))):
            if len(found) == 1:
                return next(iter(found))
        return None

    def _candidates(self, forms: tuple[str, ...], close: _Index, namesake: bool) -> Iterator[set[str]]:
        for form in forms:
            yield close.exact(form)
        for form in forms:
            alias = self._aliases.get(match_key(form))
            yield {alias} if alias in self._players else set()
        if not namesake:
            for form in forms:
                yield self._all.exact(form)
        for rule in (close.turned, close.initials, close.shortened):
            for form in forms:
                yield rule(form)
        if not namesake:
            for form in forms:
                yield self._all.turned(form)
