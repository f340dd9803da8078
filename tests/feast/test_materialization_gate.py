"""The gate's decision, over facts made by hand."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

import pytest

from schemas.clock import UTC
from schemas.errors import BlockedError, FeatureStoreError, UsageError
from serving.materialization_gate import DateRead, GateFacts, LedgerEntry, judge, last_allowed_end, midnight, pasted
from warehouse.protocol import Partition

D1, D2, D3 = (dt.date(2025, 1, day) for day in (6, 7, 8))
NOW = dt.datetime(2025, 6, 1, tzinfo=UTC)
START, END = midnight(D1), midnight(D3 + dt.timedelta(days=1))


def entry(date: dt.date, state: str = "published", rows: int = 10, fingerprint: str = "f") -> LedgerEntry:
    return LedgerEntry(state, rows, fingerprint, "matchup_quality_critical" if state == "blocked" else "", "v1")


def facts(**changed: object) -> GateFacts:
    dates = (D1, D2, D3)
    base = GateFacts(
        "nba_predictions.ml_feature_store_v2",
        {date: entry(date) for date in dates},
        {date: Partition(date, 10, "f") for date in dates},
        {date: DateRead(10, 10, 10, midnight(date) + dt.timedelta(hours=20)) for date in dates},
        "v1",
    )
    return replace(base, **changed)  # type: ignore[arg-type]


def without(mapping: object, date: dt.date) -> dict[object, object]:
    return {key: value for key, value in mapping.items() if key != date}  # type: ignore[attr-defined]


def refusal(
    kind: type[FeatureStoreError], given: GateFacts, start: dt.datetime = START, end: dt.datetime = END, now: dt.datetime = NOW
) -> str:
    with pytest.raises(kind) as caught:
        judge(start, end, given, now)
    return caught.value.line()


def test_a_gated_interval_passes_with_its_rows() -> None:
    verdict = judge(START, END, facts(), NOW)
    assert (verdict.rows, sorted(verdict.partitions), verdict.left_out) == (30, [D1, D2, D3], {})
    assert verdict.definition_version == "v1"


def test_a_date_of_an_older_definition_is_refused_until_it_is_made_again() -> None:
    older = facts(ledger={**facts().ledger, D2: replace(entry(D2), definition_version="v0")})
    assert "nba-features backfill --start-date 2025-01-07 --end-date 2025-01-07" in refusal(BlockedError, older)
    # Of a table that is not built here nobody knows a definition.
    assert judge(START, END, replace(older, definition=None), NOW).definition_version == "v0,v1"


def test_a_blocked_date_is_named_and_left_out_and_the_good_ones_pass() -> None:
    given = facts(ledger={**facts().ledger, D2: entry(D2, "blocked", 0)})
    verdict = judge(START, END, given, NOW)
    assert verdict.left_out == {D2: "matchup_quality_critical"}
    assert (verdict.rows, sorted(verdict.partitions)) == (20, [D1, D3])
    # Also where its last good partition is gone altogether.
    gone = facts(ledger=given.ledger, partitions=without(facts().partitions, D2), read=without(facts().read, D2))
    assert judge(START, END, gone, NOW) == verdict


def test_only_blocked_dates_are_refused() -> None:
    given = facts(ledger={**facts().ledger, D2: entry(D2, "blocked", 0)}, read={D2: facts().read[D2]})
    text = refusal(BlockedError, given, midnight(D2), midnight(D3) - dt.timedelta(seconds=1))
    assert "only blocked dates" in text and f"{D2} (matchup_quality_critical)" in text


@pytest.mark.parametrize("end", [START, START - dt.timedelta(days=400)])
def test_FM53_an_empty_or_inverted_interval_is_refused_with_the_command_to_run(end: dt.datetime) -> None:
    text = refusal(UsageError, facts(), START, end)
    assert "is empty" in text
    assert f"feast materialize {pasted(START)} {pasted(END)}" in text


def test_FM53_the_command_of_an_inverted_interval_keeps_an_end_that_is_allowed() -> None:
    end = midnight(D2)
    assert f"feast materialize {pasted(START)} {pasted(end)}" in refusal(UsageError, facts(), NOW, end)


def test_FM53_an_end_beyond_the_last_gated_date_is_refused_naming_the_last_allowed_end() -> None:
    text = refusal(UsageError, facts(), START, END + dt.timedelta(microseconds=1))
    assert pasted(END) == "2025-01-09T05:00:00"
    assert f"feast materialize {pasted(START)} 2025-01-09T05:00:00" in text
    assert judge(START, END, facts(), NOW).end == END


def test_FM53_a_blocked_newest_date_does_not_move_the_last_allowed_end() -> None:
    given = facts(ledger={**facts().ledger, D3: entry(D3, "blocked", 0)})
    assert last_allowed_end(given, NOW) == midnight(D3)


def test_FM53_no_instant_to_come_is_allowed_unless_a_gated_row_lies_there() -> None:
    last = facts().read[D3].last_event
    later = last + dt.timedelta(hours=1)
    assert last_allowed_end(facts(), later) == later
    assert last_allowed_end(facts(), last - dt.timedelta(hours=1)) == last
    assert last_allowed_end(facts(), END + dt.timedelta(days=1)) == END


PLANTED: dict[str, dict[str, object]] = {
    "not in the ledger": {"ledger": without(facts().ledger, D2)},
    "is staged": {"ledger": {**facts().ledger, D2: entry(D2, "staged")}},
    "is missing": {"ledger": {**facts().ledger, D2: entry(D2, "missing")}},
    "is not the partition that was gated": {"ledger": {**facts().ledger, D2: entry(D2, fingerprint="other")}},
    "holds 9 rows, 10 were gated": {"read": {**facts().read, D2: DateRead(9, 9, 9, START)}},
    "holds 1 repeated keys": {"read": {**facts().read, D2: DateRead(10, 10, 9, START)}},
    "is published and holds no row": {"read": without(facts().read, D2)},
}


@pytest.mark.parametrize("problem", PLANTED)
def test_FM55_what_the_gate_did_not_let_pass_is_refused(problem: str) -> None:
    text = refusal(BlockedError, facts(**PLANTED[problem]))
    assert str(D2) in text and problem in text


def test_FM55_a_row_count_that_differs_in_the_ledger_is_refused() -> None:
    text = refusal(BlockedError, facts(ledger={**facts().ledger, D2: entry(D2, rows=11)}))
    assert "is not the partition that was gated" in text


def test_all_problems_are_told_at_once() -> None:
    text = refusal(BlockedError, facts(ledger={D3: facts().ledger[D3], D2: entry(D2, "staged")}))
    assert f"{D1} is not in the ledger" in text and f"{D2} is staged" in text


def test_nothing_gated_is_refused() -> None:
    assert "no date of the store is gated" in refusal(BlockedError, facts(ledger={}, partitions={}, read={}))
    between = midnight(D2) + dt.timedelta(hours=1)
    empty = facts(read={date: replace(found, slice_rows=0, slice_keys=0) for date, found in facts().read.items()})
    assert "nothing gated lies between" in refusal(BlockedError, empty, between, between + dt.timedelta(hours=1))
