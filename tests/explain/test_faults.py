"""Each fault of a night: its event, the explanation that names its true cause, and commands that repair it when they are run."""

from __future__ import annotations

import shlex

import pytest

from orchestration.explain.findings import DateExplanation
from schemas.rules import STORE_TABLE, load_rules
from tests.explain.conftest import Site
from tests.explain.faults import FAULTS, FM08_FALLBACK, PAIRS, Fault, planted
from tests.house.tree import ROOT

pytestmark = pytest.mark.slow
EVENTS = "SELECT severity, reason_code, resolution_status FROM nba_orchestration.data_quality_events WHERE game_date = @date"
NEEDED = ("P0", "P1", "P2")


def causes_of(found: DateExplanation) -> set[tuple[str, str]]:
    return {(cause.code, cause.subject) for cause in found.causes}


def follow(site: Site, found: DateExplanation) -> None:
    """Run the commands just as they are printed; one that cannot finish yet says so, and the last one finishes."""
    assert found.commands
    for command in found.commands:
        program, *words = shlex.split(command)
        assert program == "nba-features"
        answer = site.call(*words)
        may_wait = command != found.commands[-1] and words[0] == "backfill"
        assert answer.status == 0 or (may_wait and answer.status == 5), (command, answer.out, answer.err)


def assert_whole(site: Site, faults: tuple[Fault, ...]) -> None:
    """Tonight is published, good enough for predictions, and the next watch leaves nothing of what was planted to be said."""
    site.watched().assert_done()
    after = site.explained()
    assert after.state in ("published", "warned"), after.headline
    assert not causes_of(after) & {fault.cause for fault in faults}, after.causes
    assert after.severity not in NEEDED, after.causes
    (metrics,) = site.rows(f"SELECT * FROM {STORE_TABLE}_quality_metrics WHERE game_date = @date", date=site.tonight)
    assert metrics["is_prediction_ready"] and metrics["quality_score"] >= load_rules().batch.prediction_min
    still = [e for e in site.rows(EVENTS, date=site.tonight) if e["severity"] in ("P0", "P1") and e["resolution_status"] == "open"]
    assert not still


ALWAYS = 6
"""So many faults run with every test, the others and most pairs with `make test-long`."""


@pytest.mark.parametrize("fault", [pytest.param(f, marks=[] if n < ALWAYS else [pytest.mark.long]) for n, f in enumerate(FAULTS)], ids=str)
def test_FM08_FM09_FM10_FM19_FM45_FM55_FM56_FM57_FM60_FM63_a_fault_is_explained_and_repaired(site: Site, fault: Fault) -> None:
    with planted(site, (fault,)):
        site.watched()
        found = site.explained()
        assert fault.cause in causes_of(found), (found.headline, causes_of(found))
        assert found.causes[0].severity != "info"
        cause = next(cause for cause in found.causes if (cause.code, cause.subject) == fault.cause)
        assert fault.said in cause.fact and cause.chain and cause.chain[-1] == cause.fact
        severity, reason = fault.event
        told = [(e["severity"], e["reason_code"]) for e in site.rows(EVENTS, date=site.tonight)]
        assert any(one == severity and code.startswith(reason) for one, code in told), told
        # A night of which nothing can be served is P0, whatever the fault itself is worth.
        unserved = any(code == "not_served" for _, code in told)
        assert found.severity == ("P0" if unserved else severity)
        shown = site.call("explain", "--date", str(site.tonight)).assert_done().out
        assert cause.fact in shown and all(command in shown for command in found.commands)
        assert shown.rstrip().endswith(found.commands[-1])
        follow(site, found)
    assert_whole(site, (fault,))


def test_FM08_a_job_left_out_of_a_night_that_had_been_made_is_named_too(site: Site) -> None:
    site.run().assert_done()
    site.run(*FM08_FALLBACK.words)
    found = site.explained()
    assert (found.state, causes_of(found)) == ("blocked", {FM08_FALLBACK.cause})


@pytest.mark.parametrize(
    "pair",
    [pytest.param(pair, marks=[] if number < 1 else [pytest.mark.long]) for number, pair in enumerate(PAIRS)],
    ids=lambda pair: " and ".join(str(fault) for fault in pair),
)
def test_two_faults_at_once_are_both_named_and_both_repaired(site: Site, pair: tuple[Fault, ...]) -> None:
    with planted(site, pair):
        found = site.explained()
        missing = {fault.cause for fault in pair} - causes_of(found)
        for _ in range(2):
            follow(site, found)
            # A fault that stopped the night may hide what lies behind it until it is out of the way.
            found = site.explained()
            missing -= causes_of(found)
            if not found.causes:
                break
        assert not missing
    assert_whole(site, pair)


def test_every_cause_that_the_code_can_name_has_been_planted_or_is_a_condition_of_data() -> None:
    planted_codes = {fault.cause[0] for fault in FAULTS}
    assert {"job_left_out", "job_failed", "job_blocked", "older_than_its_inputs", "run_stopped", "never_ran"} <= planted_codes
    assert {"raw_rows_missing", "raw_games_missing", "feed_silent", "gate:gate_error", "rows_altered"} <= planted_codes
    assert (ROOT / "docs" / "runbook.md").is_file()
