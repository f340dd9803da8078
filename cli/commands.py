"""How a command ends: an error is one line on standard error and an exit status, never a traceback."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

import click

from cli.feast_import import import_feast_unchecked
from cli.output import begin_command, has_said_json, say_json
from schemas.errors import ExitStatus, FeatureStoreError, UsageError

TRACEBACK = "NBA_FEATURES_TRACEBACK"


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _usage(error: click.ClickException) -> FeatureStoreError:
    """Return an error of the option parser as one of ours."""
    context = getattr(error, "ctx", None)
    path = context.command_path if context else "nba-features"
    found = FeatureStoreError(_one_line(error.format_message()), (), f"see: {path} --help")
    found.code, found.exit_status = "usage", ExitStatus(error.exit_code)
    return found


def _unforeseen(error: Exception) -> FeatureStoreError:
    """Return a fault of the program as one line; where it happened is shown when it is asked for."""
    found = FeatureStoreError(_one_line(f"{type(error).__name__}: {error}"), (), f"set {TRACEBACK}=1 and run again to see where")
    found.code = "internal_error"
    return found


class Commands(click.Group):
    """A group whose commands print errors as one line and exit with their status."""

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        **extra: Any,
    ) -> Any:
        """Run a command line and leave with its exit status."""
        words = list(sys.argv[1:] if args is None else args) or ["--help"]
        if args is None:
            # A process of its own: what is done to its imports ends with it.
            import_feast_unchecked()
        begin_command()
        try:
            _refuse_empty(words)
            status = super().main(words, prog_name, complete_var, standalone_mode=False, **extra)
        except click.Abort:
            click.echo("interrupted: nothing half-done is visible", err=True)
            sys.exit(int(ExitStatus.ERROR))
        except FeatureStoreError as error:
            # First: what Feast's classes raise is an exception of click as well, and keeps the status of its own class.
            _leave(error, words)
        except click.ClickException as error:
            _leave(_usage(error), words)
        except Exception as error:
            if os.environ.get(TRACEBACK):
                raise
            _leave(_unforeseen(error), words)
        sys.exit(status if isinstance(status, int) else int(ExitStatus.DONE))


def _refuse_empty(words: Sequence[str]) -> None:
    """Refuse an option with nothing in it: an unset shell variable must not widen a request to everything."""
    for place, word in enumerate(words):
        before = words[place - 1] if place else ""
        if not word.strip():
            raise UsageError("an argument is empty", [before] if before.startswith("-") else [], "leave it out or give it a value")
        if word.startswith("--") and word.endswith("="):
            raise UsageError("an argument is empty", [word.removesuffix("=")], "leave it out or give it a value")


def _leave(error: FeatureStoreError, words: Sequence[str]) -> NoReturn:
    if "--json" in words and not has_said_json():
        say_json(error.as_dict())
    click.echo(f"{error.code}: {_one_line(error.line())}", err=True)
    sys.exit(int(error.exit_status))
