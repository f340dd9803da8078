"""With --json a command prints one document, whether it ends well or not."""

from __future__ import annotations

import json

import click
import pytest
from click.testing import CliRunner

from cli.commands import Commands
from cli.output import say_json
from schemas.errors import BlockedError


@click.group(cls=Commands)
def group() -> None:
    """Hold the command."""


@group.command()
@click.option("--json", "as_json", is_flag=True)
@click.option("--fail", type=click.Choice(["before", "after", "never"]))
def audit(as_json: bool, fail: str) -> None:
    """Print what was found and fail before it, after it or not at all."""
    if fail == "before":
        raise BlockedError("one date is blocked")
    if as_json:
        say_json({"failed": 1})
    if fail == "after":
        raise BlockedError("one date is blocked")


@pytest.mark.parametrize(
    ("fail", "status", "key"), [("before", 3, "error"), ("after", 3, "failed"), ("never", 0, "failed"), ("before", 3, "error")]
)
def test_one_document_is_printed(fail: str, status: int, key: str) -> None:
    result = CliRunner().invoke(group, ["audit", "--json", "--fail", fail])
    assert result.exit_code == status
    assert key in json.loads(result.stdout)
    assert result.stderr.count("blocked: one date is blocked") == (fail != "never")
