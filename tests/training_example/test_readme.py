"""The example's own page names commands, options and files that exist."""

from __future__ import annotations

import re
import shlex

import click

from examples.points_model.__main__ import main
from tests.docs.test_how_to import LINK, commands_in, problem_of
from tests.house.tree import ROOT

FOLDER = ROOT / "examples" / "points_model"
TEXT = (FOLDER / "README.md").read_text(encoding="utf-8")


def test_commands_of_the_store_exist() -> None:
    lines = commands_in(TEXT)
    assert {line.split()[0] for line in lines} >= {"ingest", "backfill", "run", "models"}
    assert not [problem for line in lines if (problem := problem_of(line))]


def test_commands_of_the_example_exist() -> None:
    lines = re.findall(r"^python -m examples\.points_model (.*?)\s*(?:#.*)?$", TEXT, re.MULTILINE)
    assert len(lines) == 3
    for line in lines:
        name, *words = shlex.split(line)
        command = main.commands[name]
        assert isinstance(command, click.Command)
        known = {option for parameter in command.params for option in parameter.opts}
        assert {word for word in words if word.startswith("--")} <= known


def test_every_module_is_told_of_and_every_link_leads_somewhere() -> None:
    assert not [target for target in LINK.findall(TEXT) if not (FOLDER / target).exists()]
    modules = {path.name for path in FOLDER.glob("*.py")} - {"__init__.py", "__main__.py"}
    assert modules == set(re.findall(r"\[(\w+\.py)\]", TEXT))
