"""Feast's type checks: left out by a process of the command line, kept by every other program."""

from __future__ import annotations

import subprocess
import sys

import pytest

PROGRAM = """
import sys
import cli.commands
from cli.feast_import import import_feast_unchecked
{before}
import feast
from feast.types import Int64
try:
    feast.Field(name=1, dtype=Int64)
except Exception as error:
    print(type(error).__name__)
else:
    print("taken")
print(any(type(finder).__name__ == "_BeforeFeast" for finder in sys.meta_path))
"""


def told(before: str) -> list[str]:
    done = subprocess.run([sys.executable, "-c", PROGRAM.format(before=before)], capture_output=True, text=True, timeout=120, check=True)
    return done.stdout.split()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("before", "expected"),
    [
        ("", ["TypeCheckError", "False"]),
        ("import_feast_unchecked(); import_feast_unchecked()", ["taken", "False"]),
        ("import feast; import_feast_unchecked()", ["TypeCheckError", "False"]),
    ],
    ids=["another program", "the command line", "too late"],
)
def test_only_the_command_line_leaves_the_checks_out(before: str, expected: list[str]) -> None:
    assert told(before) == expected


def test_nothing_is_imported_ahead() -> None:
    command = [sys.executable, "-X", "importtime", "-m", "cli.main", "--version"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    imported = {line.rsplit("|", 1)[1].strip() for line in done.stderr.splitlines()}
    assert "cli.feast_import" in imported
    assert not imported & {"typeguard", "feast"}
