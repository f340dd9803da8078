"""The command line itself: help, usage errors, JSON, interruptions and faults of the program."""

from __future__ import annotations

import datetime as dt
import json
import os
import subprocess
import sys
from collections.abc import Iterator

import click
import pytest
from click.testing import CliRunner

from cli.commands import Commands
from cli.main import main
from cli.output import as_json, table
from schemas.errors import BlockedError, FeatureStoreError, StorageUnavailableError, UsageError, WaitingError
from tests.cli.calling import Answer, call, environment
from tests.house.tree import ROOT

COMMANDS = sorted(main.commands)
HELP_CPU_SECONDS = 0.5


def parameters(command: click.Command) -> Iterator[click.Option]:
    yield from (item for item in command.params if isinstance(item, click.Option))


def test_help_of_the_whole_names_every_command() -> None:
    for words in ((), ("--help",), ("-h",)):
        answer = call(None, *words)
        assert answer.status == 0 and not answer.err
        assert all(f"\n  {name} " in answer.out for name in COMMANDS) and "Exit status:" in answer.out
    assert {"ingest", "run", "backfill", "lookup", "training-set", "demo"} <= set(COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_and_option_says_what_it_is_for(name: str) -> None:
    answer = call(None, name, "--help")
    assert answer.status == 0 and not answer.err
    command = main.commands[name]
    assert command.help and command.get_short_help_str()
    options = [option for option in parameters(command) if not option.is_eager]
    silent = [option.name for option in options if not option.help and not option.hidden]
    assert not silent, f"without help: {silent}"
    assert all(option.opts[0] in answer.out for option in options if not option.hidden)


@pytest.mark.parametrize("name", ["ingest", "run", "backfill", "lookup", "training-set"])
def test_what_reports_can_report_in_json(name: str) -> None:
    assert "--json" in {word for option in parameters(main.commands[name]) for word in option.opts}


@pytest.mark.parametrize("words", [("--help",), ("run", "--help"), ("run", "--date", "soon"), ("frob",), ("--version",)])
def test_help_and_usage_errors_answer_at_once(words: tuple[str, ...]) -> None:
    spent = []
    for _ in range(2):
        child = subprocess.Popen(
            [sys.executable, "-m", "cli.main", *words],
            cwd=ROOT,
            env=environment(None),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        _, _, usage = os.wait4(child.pid, 0)
        child.returncode = 0
        spent.append(usage.ru_utime + usage.ru_stime)
    assert min(spent) < HELP_CPU_SECONDS


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("run",), "Missing option '--date'"),
        (("run", "--frob"), "No such option"),
        (("--frob",), "No such option"),
        (("frob",), "No such command 'frob'"),
        (("lookpu",), "Did you mean 'lookup'? see:"),
        (("run", "--date"), "requires an argument"),
        (("run", "--date", "2025-01-01", "more"), "unexpected extra argument"),
        (("ingest", "--source", "rumour"), "Invalid value for '--source'"),
        (("ingest", "--seed", "x"), "Invalid value for '--seed'"),
    ],
)
def test_a_wrong_request_is_one_line_with_the_way_to_help(words: tuple[str, ...], told: str) -> None:
    call(None, *words).assert_one_line(2, "usage", told, "--help")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--teams", "7"), "teams 7"),
        (("--season", "24"), "24"),
        (("--games-per-team", "500"), "games_per_team 500"),
        (("--seed", "-1"), "seed -1"),
    ],
)
def test_a_league_that_cannot_be_is_one_line(tmp_path: object, words: tuple[str, ...], told: str) -> None:
    call(None, "ingest", "--source", "simulated", "--dry-run", *words).assert_one_line(2, "usage", told)


def ending(error: BaseException, *words: str, traceback: str = "") -> Answer:
    """Return what a command says that ends with the error."""

    @click.group(cls=Commands)
    def group() -> None:
        """Group."""

    @group.command()
    @click.option("--json", "as_json", is_flag=True)
    def fail(as_json: bool) -> None:
        """Fail."""
        raise error

    result = CliRunner().invoke(group, ["fail", *words], env={"NBA_FEATURES_TRACEBACK": traceback or None})
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return Answer(result.exit_code, result.stdout, result.stderr)


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (UsageError("wrong"), 2),
        (BlockedError("held", ["a"], "look"), 3),
        (WaitingError("later"), 4),
        (StorageUnavailableError("full"), 1),
        (FeatureStoreError("several\nlines", ["of\ntext"]), 1),
    ],
    ids=lambda value: type(value).__name__,
)
def test_our_errors_end_in_one_line_and_their_status(error: FeatureStoreError, status: int) -> None:
    ending(error).assert_one_line(status, error.code)
    told = ending(error, "--json").assert_one_line(status, error.code).json
    assert told == json.loads(as_json(error.as_dict())) and told["exit_status"] == status


def test_a_fault_of_the_program_is_one_line_and_shown_when_asked_for() -> None:
    error = KeyError("two\nlines")
    ending(error).assert_one_line(1, "internal_error", "KeyError", "NBA_FEATURES_TRACEBACK=1")
    assert ending(error, "--json").json["error"] == "internal_error"
    with pytest.raises(KeyError):
        ending(error, traceback="1")


def test_an_interruption_is_one_line() -> None:
    answer = ending(KeyboardInterrupt())
    assert (answer.status, answer.err.strip()) == (1, "interrupted: nothing half-done is visible")


def test_json_knows_no_number_that_is_none() -> None:
    value = {dt.date(2025, 1, 1): [float("nan"), float("inf"), 1.5, None, True], "at": dt.datetime(2025, 1, 1, tzinfo=dt.UTC), "set": {3}}
    assert json.loads(as_json(value)) == {"2025-01-01": [None, None, 1.5, None, True], "at": "2025-01-01T00:00:00+00:00", "set": [3]}


def test_tables_line_up_and_say_what_they_leave_out(capsys: pytest.CaptureFixture[str]) -> None:
    table(("name", "rows"), [("first", 5), ("the second", 1234), ("third", None)], limit=2)
    assert capsys.readouterr().out.splitlines() == ["name        rows", "first          5", "the second  1234", "+1 more; --json shows all"]
    table(("name", "rows"), [])
    assert capsys.readouterr().out.splitlines() == ["name  rows"]
