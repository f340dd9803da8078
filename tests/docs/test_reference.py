"""The generated pages are what the code says today, and no command goes without words."""

from __future__ import annotations

import click
import pytest

from cli.main import main
from cli.reference import pages
from tests.house.tree import ROOT


@pytest.mark.parametrize("name", sorted(pages()))
def test_a_generated_page_is_up_to_date(name: str) -> None:
    path = ROOT / "docs" / name
    assert path.is_file(), f"{name} is missing; run: make docs"
    assert path.read_text(encoding="utf-8") == pages()[name], f"{name} is out of date; run: make docs"


def _commands(group: click.Group, prefix: str = "nba-features") -> list[tuple[str, click.Command]]:
    found: list[tuple[str, click.Command]] = []
    for name, command in group.commands.items():
        found.append((f"{prefix} {name}", command))
        if isinstance(command, click.Group):
            found += _commands(command, f"{prefix} {name}")
    return found


@pytest.mark.parametrize(("name", "command"), _commands(main), ids=lambda value: value if isinstance(value, str) else "")
def test_every_command_and_option_has_help(name: str, command: click.Command) -> None:
    assert command.help, f"{name} has no help"
    silent = [p.name for p in command.params if isinstance(p, click.Option) and not p.help]
    assert not silent, f"options of {name} without help: {silent}"


def test_a_stale_page_would_be_noticed() -> None:
    assert pages()["reference/features.md"] != pages()["reference/tables.md"]
    assert all(text.startswith("<!-- Generated") for text in pages().values())
