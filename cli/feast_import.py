"""Feast's import, in a process of the command line, without the type checks that it compiles into its own classes."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from importlib.abc import MetaPathFinder
from types import ModuleType
from typing import Any


def _as_it_is(target: Any = None, **_: Any) -> Any:
    """Return what is decorated, or a decorator that does: the two ways to write `typechecked`."""
    return _as_it_is if target is None else target


class _BeforeFeast(MetaPathFinder):
    """Finds nothing; is asked for `feast` before anybody else, and acts then."""

    def find_spec(self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None) -> None:
        if name == "feast":
            sys.meta_path.remove(self)
            import typeguard

            decorator: Callable[..., Any] = _as_it_is
            typeguard.typechecked = decorator


def import_feast_unchecked() -> None:
    """Let Feast, when it is imported, leave out `typeguard.typechecked` on its classes; nothing is imported now.

    The decorator parses a module anew for each of its methods: 2.7 of the 3.7 seconds that importing Feast takes
    (decision 0020). It guards the constructors of definitions, which `feast apply` and every other program still do.
    """
    if "feast" not in sys.modules and not any(isinstance(finder, _BeforeFeast) for finder in sys.meta_path):
        sys.meta_path.insert(0, _BeforeFeast())
