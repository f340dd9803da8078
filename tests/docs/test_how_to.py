"""The pages for people name commands and options that exist, links that lead somewhere, and code that runs."""

from __future__ import annotations

import datetime as dt
import os
import re
import shlex
from pathlib import Path

import click
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from pyarrow import csv

from cli.main import main
from schemas.settings import load_settings
from tests.house.tree import ROOT
from transformations.ingest.simulated_league import SimulatedLeague
from warehouse import open_warehouse

PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
COMMAND = re.compile(r"^(?:\$ )?(?:\w+=\S+ )*nba-features ([a-z].*?)\s*(?:#.*|\|.*|>.*)?$", re.MULTILINE)
INLINE = re.compile(r"`nba-features ([a-z][^`]*)`")
LINK = re.compile(r"\]\((?!https?:|#)([^)#]+)(?:#[^)]*)?\)")


def commands_in(text: str) -> list[str]:
    """Return the command lines a page shows, in code blocks and in running text."""
    return [*COMMAND.findall(text), *INLINE.findall(text)]


def problem_of(line: str) -> str | None:
    """Return what is wrong with a command line, judged by its command, sub-command and the names of its options."""
    words = shlex.split(line)
    command: click.Command = main
    while isinstance(command, click.Group) and words and not words[0].startswith("-"):
        found = command.commands.get(words[0])
        if found is None:
            return f"no command {words[0]} in: {line}"
        command, words = found, words[1:]
    known = {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)} | {"--help", "-h"}
    unknown = [word for word in words if word.startswith("--") and word.partition("=")[0] not in known]
    return f"no option {', '.join(unknown)} in: {line}" if unknown else None


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_every_command_on_a_page_exists(page: Path) -> None:
    problems = [problem for line in commands_in(page.read_text(encoding="utf-8")) if (problem := problem_of(line))]
    assert not problems


def test_the_pages_show_commands() -> None:
    shown = {line.split()[0] for page in PAGES for line in commands_in(page.read_text(encoding="utf-8"))}
    assert {"ingest", "run", "backfill", "lookup", "training-set"} <= shown


def test_FM05_a_planted_wrong_command_is_found() -> None:
    text = "```\n$ nba-features backfil --season 2024-25\nnba-features run --date 2025-01-20 --forse   # tonight\n```\n"
    text += "`nba-features lookup --date x`"
    assert [problem_of(line) for line in commands_in(text)] == [
        "no command backfil in: backfil --season 2024-25",
        "no option --forse in: run --date 2025-01-20 --forse",
        None,
    ]


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_every_link_leads_somewhere(page: Path) -> None:
    broken = [target for target in LINK.findall(page.read_text(encoding="utf-8")) if not (page.parent / target).exists()]
    assert not broken


def test_the_code_for_own_data_runs_and_refuses_what_the_page_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    page = (ROOT / "docs" / "how-to" / "own-data.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    assert len(blocks) == 2
    league = SimulatedLeague(teams=4, games_per_team=6, played_through=dt.date(2024, 11, 15))
    (tmp_path / "csv").mkdir()
    delivered = league.deliver().tables
    for name, table in delivered.items():
        if name == "nba_raw.player_boxscores":
            points = pc.if_else(pa.array([row == 16 for row in range(table.num_rows)]), pa.scalar(300, pa.int64()), table["points"])
            table = table.set_column(table.schema.get_field_index("points"), "points", points)
        csv.write_csv(table, tmp_path / "csv" / f"{name.split('.')[1]}.csv")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NBA_FEATURES_HOME", str(tmp_path / "home"))
    exec("\n".join(blocks), {"__name__": "page"})  # the code of the page itself is what is tested
    expected = re.search(r"^player_boxscores\.csv 17 .*$", page, re.MULTILINE)
    assert expected
    assert capsys.readouterr().out.strip() == expected.group()
    warehouse = open_warehouse(load_settings({**os.environ}))
    for name, table in delivered.items():
        read = warehouse.query(f"SELECT * FROM {name}")
        assert read.num_rows == table.num_rows - (name == "nba_raw.player_boxscores")
    assert warehouse.query("SELECT COUNT(*) AS n FROM nba_raw.quarantine").to_pylist() == [{"n": 1}]
