"""The runbook's steps, run as they stand against a league with the fault of their section planted."""

from __future__ import annotations

import re
import shlex

import pytest

from orchestration.explain.remedies import ingest_again
from schemas.clock import utc_now
from tests.explain.conftest import Site, ingest_words
from tests.explain.faults import FAULTS, planted
from tests.explain.test_faults import assert_whole
from tests.house.tree import ROOT

RUNBOOK = ROOT / "docs" / "runbook.md"
DATE = "2025-01-21"
SECTION = re.compile(r"^### (?P<title>.+?)\n(?P<body>.*?)(?=^### |^## |\Z)", re.MULTILINE | re.DOTALL)
PLANTED = re.compile(r"<!-- planted: (.+?) -->")
BLOCK = re.compile(r"^```\n(.*?)^```", re.MULTILINE | re.DOTALL)
ENDS = (0, 3, 4, 5)
"""How a step may end while the fault is there: done, blocked, waiting or partly done; never with an error or as bad usage."""


def sections() -> dict[str, tuple[str, list[str]]]:
    """Return the planted fault and the commands of each section by its title."""
    found = {}
    for match in SECTION.finditer(RUNBOOK.read_text(encoding="utf-8")):
        fault = PLANTED.search(match["body"])
        commands = [line for text in BLOCK.findall(match["body"]) for line in text.splitlines() if line]
        found[match["title"]] = (fault.group(1) if fault else "", commands)
    return found


def test_every_section_has_a_planted_fault_and_commands() -> None:
    known = {fault.name for fault in FAULTS}
    assert len(sections()) >= 10
    for title, (fault, commands) in sections().items():
        assert fault in known, title
        assert commands and all(command.startswith("nba-features ") for command in commands), title
    text = RUNBOOK.read_text(encoding="utf-8")
    assert [name for name in ("## P0", "## P1", "## P2 and P3") if name not in text] == []


SHORT = 2
"""So many sections run with every test; the others with `make test-long`."""


@pytest.mark.slow
@pytest.mark.parametrize(
    "title", [pytest.param(title, marks=[] if number < SHORT else [pytest.mark.long]) for number, title in enumerate(sections())]
)
def test_the_steps_of_a_section_repair_its_fault(site: Site, title: str) -> None:
    name, commands = sections()[title]
    fault = next(fault for fault in FAULTS if fault.name == name)
    with planted(site, (fault,)):
        for command in commands:
            _, *words = shlex.split(command.replace(DATE, str(site.tonight)))
            if words == ["ingest"]:
                words = list(ingest_words(site.yesterday))
            words += ["--as-of", site.as_of] if words[0] == "run" else []
            answer = site.call(*words)
            assert answer.status in ENDS, (command, answer.out, answer.err)
        assert answer.status in (0, 5), (command, answer.out, answer.err)
    assert_whole(site, (fault,))


@pytest.mark.slow
def test_the_ingest_to_repeat_is_the_one_that_was_typed(site: Site) -> None:
    from orchestration.explain.facts import read_facts

    warehouse = site.warehouse()
    facts = read_facts(warehouse, (site.tonight,), utc_now())
    warehouse.close()
    assert ingest_again(facts) == "nba-features " + " ".join(ingest_words(site.yesterday))
