"""Foreseeable errors inside Feast's commands: one line and exit status 1, never a traceback."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import click

from schemas.errors import FeatureStoreError

_shown: dict[type[FeatureStoreError], type[FeatureStoreError]] = {}


def _shown_class(kind: type[FeatureStoreError]) -> type[FeatureStoreError]:
    """Return the subclass of an error that Feast's command line prints as one line."""
    if kind not in _shown:
        _shown[kind] = type(kind.__name__, (kind, click.ClickException), {"__doc__": kind.__doc__, "__module__": kind.__module__})
    return _shown[kind]


@contextmanager
def clean_errors() -> Iterator[None]:
    """Raise errors of our tree as click exceptions of the same class and code.

    Feast's command line is built on click, which prints such an exception as one line and exits with 1. Callers in Python
    still catch the class they know.
    """
    try:
        yield
    except click.ClickException:
        raise
    except FeatureStoreError as error:
        raise _shown_class(type(error))(error.fact, error.values, error.hint) from error
