"""Translations of long statements, kept on disk: the same few are asked for by every process, and parsing them takes seconds."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from contextlib import suppress
from functools import lru_cache
from importlib import metadata
from pathlib import Path

from warehouse.googlesql import placed, table_names, translation

LONG = 2000
"""Characters from which on a statement is worth a file."""

MOST_FILES = 300
MOST_KNOWN = 500


@lru_cache(maxsize=1)
def _translator() -> str:
    """Return a fingerprint of all that decides how a statement is translated."""
    import warehouse.googlesql

    digest = hashlib.sha256(metadata.version("sqlglot").encode())
    for file in sorted(Path(warehouse.googlesql.__file__).parent.glob("*.py")):
        digest.update(file.read_bytes())
    return digest.hexdigest()


class Translations:
    """Table names and DuckDB's text of statements; the folder is a cache that may be deleted at any time."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._known: dict[tuple[str, tuple[str, ...]], tuple[frozenset[str], str]] = {}

    def find(self, sql: str, relations: Mapping[str, str] | None = None) -> tuple[frozenset[str], str]:
        """Return the tables a statement reads, and its translation with the given relations in their places.

        Raises:
            DefinitionError: a construct outside the portable subset.
        """
        replaced = tuple(sorted(relations or ()))
        key = (sql, replaced)
        if key not in self._known:
            if len(self._known) >= MOST_KNOWN:
                self._known.clear()
            self._known[key] = self._kept(sql, replaced) if len(sql) >= LONG else (table_names(sql), translation(sql, replaced))
        names, text = self._known[key]
        return names, placed(text, relations or {})

    def _kept(self, sql: str, replaced: tuple[str, ...]) -> tuple[frozenset[str], str]:
        digest = hashlib.sha256("\0".join((_translator(), sql, *replaced)).encode()).hexdigest()
        file = self.folder / f"{digest[:32]}.json"
        with suppress(OSError, ValueError, KeyError, TypeError, AttributeError):
            found = json.loads(file.read_text(encoding="utf-8"))
            # A file that was cut off or meddled with does not pass for a translation.
            if found["sha256"] == hashlib.sha256(found["text"].encode()).hexdigest():
                return frozenset(found["tables"]), found["text"]
        names, text = table_names(sql), translation(sql, replaced)
        self._keep(file, {"sha256": hashlib.sha256(text.encode()).hexdigest(), "tables": sorted(names), "text": text})
        return names, text

    def _keep(self, file: Path, found: Mapping[str, object]) -> None:
        """Write the file whole or not at all; where nothing can be written, nothing is kept."""
        with suppress(OSError):
            self.folder.mkdir(parents=True, exist_ok=True)
            files = sorted(self.folder.glob("*.json"), key=lambda path: path.stat().st_mtime)
            for old in files[: max(0, len(files) - MOST_FILES)]:
                old.unlink(missing_ok=True)
            scratch = file.with_suffix(f".{os.getpid()}.tmp")
            scratch.write_text(json.dumps(found), encoding="utf-8")
            scratch.replace(file)
