"""An alert arrives, once; what does not arrive is kept, tried again and itself reported; nothing waits for a dead server."""

from __future__ import annotations

import datetime as dt
import json
import logging
import time
from collections.abc import Iterator
from typing import Any

import pytest

from orchestration.alerts import QUIET, escalate, notifications, tell
from orchestration.event_log import RESPONSE, details, list_events, move, record_events
from orchestration.outbox import DELIVERIES, Delivered, deliver, delivery, enqueue
from orchestration.receivers import Address, Topics, addresses, masked, senders, topics
from quality.events import EVENTS, event_id
from schemas.errors import UnknownNameError, UsageError
from tests.cli.calling import call
from tests.night_watch.conftest import NOON, TODAY
from tests.night_watch.receivers import Receiver, dead, listening, silent
from warehouse.embedded import EmbeddedWarehouse
from warehouse.protocol import RecordWrite

SECRET = "s3cret-t0ken"
HOUR = dt.timedelta(hours=1)
STORE = "nba_predictions.ml_feature_store_v2"


def event(reason: str = "red_share", severity: str = "P1", run: str = "r1", at: dt.datetime = NOON, **more: Any) -> dict[str, Any]:
    return {
        "event_id": event_id(STORE, TODAY, reason, run),
        "event_timestamp": at,
        "event_type": "canary",
        "severity": severity,
        "table_name": STORE,
        "game_date": TODAY,
        "metric_name": reason,
        "metric_value": 0.4,
        "threshold": 0.1,
        "reason_code": reason,
        "fate": "warned",
        "resolution_status": "open",
        "details_json": "{}",
        "run_id": run,
        **more,
    }


def told(warehouse: EmbeddedWarehouse, at: dt.datetime, **environ: str) -> Delivered:
    return tell(warehouse, warehouse.settings, [TODAY], lambda: at, "r", environ=environ)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with listening() as found:
        yield found


def test_an_alert_arrives_and_says_what_and_which_commands(warehouse: EmbeddedWarehouse, receiver: Receiver) -> None:
    record_events(warehouse, [event(), event("freshness:shots", "P2")])
    assert len(told(warehouse, NOON, NBA_FEATURES_NOTIFY=receiver.address()).sent) == 1
    (arrived,) = receiver.taken
    assert arrived["title"] == f"P1: red_share and 1 more, {TODAY}" and arrived["type"] == "failure"
    assert f"P1 red_share on {TODAY} ({STORE}): red_share 0.4 against 0.1" in arrived["message"]
    assert f"nba-features events list --date {TODAY}" in arrived["message"] and "freshness:shots" in arrived["message"]


def test_each_thing_is_told_once_until_it_gets_worse_or_its_quiet_time_is_over(warehouse: EmbeddedWarehouse, receiver: Receiver) -> None:
    notify = receiver.address()
    for minutes, severity, arrived in ((0, "P2", 1), (5, "P2", 1), (10, "P1", 2), (15, "P1", 2), (20, "P2", 2)):
        at = NOON + dt.timedelta(minutes=minutes)
        record_events(warehouse, [event(severity=severity, run=f"r{minutes}", at=at)])
        told(warehouse, at, NBA_FEATURES_NOTIFY=notify)
        assert len(receiver.taken) == arrived, (minutes, severity)
    told(warehouse, NOON + QUIET["P1"] + HOUR, NBA_FEATURES_NOTIFY=notify)
    assert len(receiver.taken) == 3, "what goes on is told again after its quiet time"


def test_an_acknowledged_event_is_told_to_nobody_and_does_not_escalate(warehouse: EmbeddedWarehouse, receiver: Receiver) -> None:
    (known,) = record_events(warehouse, [event()])
    move(warehouse, known["event_id"][:8], "acknowledged", NOON, "on it")
    assert not told(warehouse, NOON, NBA_FEATURES_NOTIFY=receiver.address()).sent and not receiver.taken
    assert not escalate(warehouse, NOON + 30 * HOUR)


def test_addresses_are_told_of_what_is_urgent_enough_for_them(warehouse: EmbeddedWarehouse, receiver: Receiver) -> None:
    record_events(warehouse, [event("a", "P3"), event("b", "P1"), event("c", "info")])
    notify = f"P0={receiver.address('pager')} P3={receiver.address('channel')}"
    assert len(told(warehouse, NOON, NBA_FEATURES_NOTIFY=notify).sent) == 1
    assert "P3 a" in receiver.taken[0]["message"] and "info c" not in receiver.taken[0]["message"]


def test_FM61_a_storm_is_one_notification(warehouse: EmbeddedWarehouse, receiver: Receiver) -> None:
    record_events(warehouse, [event(f"coverage_drift:feature_{number}", "P2") for number in range(40)])
    told(warehouse, NOON, NBA_FEATURES_NOTIFY=receiver.address())
    (arrived,) = receiver.taken
    assert "+25 more" in arrived["message"] and "and 39 more" in arrived["title"]


@pytest.mark.parametrize("kind", ["dead", "silent", "refusing"])
def test_FM61_a_server_that_is_down_delays_nothing_and_loses_nothing(warehouse: EmbeddedWarehouse, kind: str) -> None:
    """It is down, then up again: every alert arrives, once, in order."""
    with listening() as receiver, silent() as mute:
        receiver.status = 503
        port = {"dead": dead().port, "silent": mute.port, "refusing": receiver.port}[kind]
        notify = f"json://127.0.0.1:{port}/{SECRET}"
        record_events(warehouse, [event("first")])
        began = time.monotonic()
        done = tell(warehouse, warehouse.settings, [TODAY], lambda: NOON, "r", environ={"NBA_FEATURES_NOTIFY": notify})
        assert time.monotonic() - began < 6.5 and not done.sent and len(done.failed) == 1
        (row,) = warehouse.query(f"SELECT * FROM {DELIVERIES}").to_pylist()
        assert (row["state"], row["attempts"]) == ("waiting", 1) and row["last_error"] and row["next_attempt_at"] > NOON
        assert SECRET not in json.dumps(row, default=str) + str(done)

        # Too early for another attempt, whatever else happens.
        assert not told(warehouse, NOON + dt.timedelta(seconds=10), NBA_FEATURES_NOTIFY=notify).failed
        receiver.status = 200

        # The same address, answered by a server that is up.
        up = {row["target"]: senders(warehouse.settings, {"NBA_FEATURES_NOTIFY": receiver.address()})[masked(receiver.address())]}
        later = deliver(warehouse, up, lambda: NOON + HOUR)
        assert len(later.sent) == 1 and later.waiting == 0
        assert len(receiver.taken) == 1 and not deliver(warehouse, up, lambda: NOON + 2 * HOUR).sent


def test_many_dead_addresses_cost_no_more_than_one(warehouse: EmbeddedWarehouse) -> None:
    record_events(warehouse, [event()])
    with silent() as mute:
        notify = " ".join(mute.address(f"{number}") for number in range(6))
        began = time.monotonic()
        done = tell(warehouse, warehouse.settings, [TODAY], _ticking(), "r", environ={"NBA_FEATURES_NOTIFY": notify})
    assert time.monotonic() - began < 7.5 and len(done.failed) == 6 and done.waiting == 6


def _ticking() -> Any:
    began = time.monotonic()
    return lambda: NOON + dt.timedelta(seconds=time.monotonic() - began)


def test_an_address_that_is_no_longer_configured_loses_nothing(warehouse: EmbeddedWarehouse) -> None:
    record_events(warehouse, [event()])
    gone = dead().address()
    told(warehouse, NOON, NBA_FEATURES_NOTIFY=gone)
    done = told(warehouse, NOON + HOUR)
    assert len(done.failed) == 1 and "no receiver of that name is configured" in done.failed[0][1] and done.waiting == 1


def test_no_secret_is_written_or_logged(
    warehouse: EmbeddedWarehouse, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    notify = f"{dead().address(SECRET)} slack://{SECRET}A/{SECRET}B/{SECRET}C"
    record_events(warehouse, [event()])
    with caplog.at_level(logging.DEBUG):
        try:
            told(warehouse, NOON, NBA_FEATURES_NOTIFY=notify)
        except UsageError as error:
            assert SECRET not in error.line()
        told(warehouse, NOON, NBA_FEATURES_NOTIFY=dead().address(SECRET))
    seen = caplog.text + "".join(capfd.readouterr())
    seen += json.dumps([warehouse.query(f"SELECT * FROM {table}").to_pylist() for table in (DELIVERIES, EVENTS)], default=str)
    seen += repr(Address(f"json://{SECRET}")) + str(addresses({"NBA_FEATURES_NOTIFY": f"P1=json://localhost/{SECRET}"}))
    assert SECRET not in seen and "json://" in seen


def test_a_wrong_address_keeps_nothing_from_the_others(warehouse: EmbeddedWarehouse, receiver: Receiver) -> None:
    record_events(warehouse, [event()])
    enqueue(warehouse, [delivery("message", Topics().success, "k", "t", "{}", NOON, "r", game_date=TODAY)])
    with pytest.raises(UsageError, match="number 1"):
        told(warehouse, NOON, NBA_FEATURES_NOTIFY=f"nothing://{SECRET} {receiver.address()}")
    assert len(receiver.taken) == 1 and list((warehouse.settings.home / "outbox" / Topics().success).glob("*.json"))


def test_what_is_no_address_is_named_by_its_place_alone() -> None:
    with pytest.raises(UsageError, match="number 2") as caught:
        addresses({"NBA_FEATURES_NOTIFY": f"json://localhost/x nothing://{SECRET}"})
    assert SECRET not in caught.value.line()
    assert addresses({}) == () and topics({}) == Topics()
    with pytest.raises(UsageError):
        topics({"NBA_FEATURES_TOPIC_SUCCESS": "x y"})
    with pytest.raises(UsageError):
        topics({"NBA_FEATURES_TOPIC_SUCCESS": Topics().trigger})


def test_FM61_an_event_nobody_acknowledges_is_told_one_severity_higher_once(warehouse: EmbeddedWarehouse) -> None:
    old = dt.date(2021, 1, 1)
    record_events(warehouse, [event("a", "P2"), event("b", "P1"), event("c", "P3"), event("d", "P1", game_date=old)])
    assert not escalate(warehouse, NOON + RESPONSE["P1"])
    first = escalate(warehouse, NOON + RESPONSE["P1"] + dt.timedelta(seconds=1))
    assert [(row["reason_code"], row["severity"], details(row)["escalated_from"]) for row in first] == [("b", "P0", "P1")]
    second = escalate(warehouse, NOON + 100 * HOUR)
    assert [(row["reason_code"], row["severity"]) for row in second] == [("a", "P1")], "once, and not of a backfilled date"
    assert not escalate(warehouse, NOON + 200 * HOUR)


def test_the_life_of_an_event(warehouse: EmbeddedWarehouse) -> None:
    (first,) = record_events(warehouse, [event()])
    (again,) = record_events(warehouse, [event(run="r2", at=NOON + HOUR, metric_value=0.6, severity="P2")])
    assert again["event_id"] == first["event_id"] and again["event_timestamp"] == NOON and again["metric_value"] == 0.6
    assert again["severity"] == "P1", "a severity does not fall while the event lives"
    assert details(again)["seen"] == 2 and len(list_events(warehouse, TODAY, TODAY)) == 1
    prefix = first["event_id"][:10]
    move(warehouse, prefix, "acknowledged", NOON, "looking")
    (kept,) = record_events(warehouse, [event(run="r3")])
    assert kept["resolution_status"] == "acknowledged"
    closed = move(warehouse, prefix, "resolved", NOON + HOUR, "mended")
    assert closed["resolved_at"] == NOON + HOUR and [entry["note"] for entry in details(closed)["history"]] == ["looking", "mended"]
    for to in ("acknowledged", "resolved"):
        with pytest.raises(UsageError, match="closed"):
            move(warehouse, prefix, to, NOON)
    (new,) = record_events(warehouse, [event(run="r4")])
    assert new["event_id"] != first["event_id"], "the same fault seen after it was resolved is a new event"
    assert [len(list_events(warehouse, TODAY, TODAY, every)) for every in (False, True)] == [1, 2]


def test_an_event_is_named_by_enough_of_its_id(warehouse: EmbeddedWarehouse) -> None:
    record_events(warehouse, [event()])
    for prefix, error in (("zzzzzz", UsageError), ("12", UsageError), ("0" * 12, UnknownNameError), ("' OR 1=1", UsageError)):
        with pytest.raises(error):
            move(warehouse, prefix, "resolved", NOON)


def test_notifications_name_each_subject_once_at_its_worst(warehouse: EmbeddedWarehouse) -> None:
    to = [Address("json://localhost", "P3")]
    rows = notifications([event(severity="P2", run="a"), event(severity="P1", run="b")], to, {}, NOON, "r")
    assert len(rows) == 1 and rows[0]["severity"] == "P1" and len(json.loads(rows[0]["subjects"])) == 1


def test_what_is_for_an_address_that_is_gone_is_closed_on_record(warehouse: EmbeddedWarehouse) -> None:
    home = warehouse.settings.home
    day = dt.timedelta(days=1)

    def state() -> tuple[str, str]:
        (row,) = warehouse.query(f"SELECT state, last_error FROM {DELIVERIES} WHERE dedup_key = 'first'").to_pylist()
        return row["state"], row["last_error"]

    enqueue(warehouse, [delivery("notification", "gone", "first", "t", "b", NOON - 30 * day, "r", severity="P1")])
    assert not deliver(warehouse, {}, lambda: NOON).closed, "it may come back"
    assert not deliver(warehouse, {}, lambda: NOON + 6.9 * day).closed and "absent since 2025-01-15T12:00:00" in state()[1]
    done = deliver(warehouse, {}, lambda: NOON + 7.2 * day)
    assert len(done.closed) == 1 and done.waiting == 0 and state()[0] == "undeliverable"
    enqueue(warehouse, [delivery("notification", "gone", "second", "t", "b", NOON, "r", severity="P1")])
    assert call(home, "events", "deliver").status == 5
    told = call(home, "events", "deliver", "--drop-unknown").assert_done()
    assert "1 closed as undeliverable" in told.out
    assert call(home, "events", "deliver").assert_done().out == "0 sent, 0 waiting\n"


def test_the_commands(warehouse: EmbeddedWarehouse, receiver: Receiver) -> None:
    home, notify = warehouse.settings.home, receiver.address()
    (known,) = record_events(warehouse, [event()])
    listed = call(home, "events", "list", "--json").json["events"]
    assert [row["event_id"] for row in listed] == [known["event_id"]]
    assert call(home, "events", "list", "--date", "2020-01-01").assert_done().out == "nothing calls for anybody\n"
    call(home, "events", "test-alert").assert_one_line(2, "usage", "no address is told of P0")
    sent = call(home, "events", "test-alert", NBA_FEATURES_NOTIFY=notify).assert_done()
    assert receiver.taken[-1]["title"] == "P0: test alert" and " yes" in sent.out
    lost = call(home, "events", "test-alert", "--json", NBA_FEATURES_NOTIFY=dead().address(SECRET))
    assert lost.status == 1 and "not_delivered" in lost.err and SECRET not in lost.out + lost.err
    waiting = call(home, "events", "deliver", "--dry-run", "--json").json["waiting"]
    assert [row["attempts"] for row in waiting] == [1]
    assert call(home, "events", "deliver", "--now", NBA_FEATURES_NOTIFY=notify).status == 5
    call(home, "events", "ack", known["event_id"][:12], "0" * 12).assert_one_line(2, "unknown_name", "0" * 12)
    assert call(home, "events", "list", "--json").json["events"][0]["resolution_status"] == "open", "all or none"
    assert call(home, "events", "ack", known["event_id"][:12], "--note", "seen").assert_done()
    assert call(home, "events", "resolve", known["event_id"][:12]).assert_done()
    call(home, "events", "resolve", known["event_id"][:12]).assert_one_line(2, "usage", "closed")


def test_two_that_deliver_at_once_send_it_once(warehouse: EmbeddedWarehouse, receiver: Receiver) -> None:
    record_events(warehouse, [event()])
    environ = {"NBA_FEATURES_NOTIFY": receiver.address()}
    inner: list[Delivered] = []
    sender = senders(warehouse.settings, environ)[masked(receiver.address())]

    class Between:
        """Another process delivers while this one is sending."""

        def send(self, row: Any) -> None:
            inner.append(deliver(warehouse, {row["target"]: sender}, lambda: NOON))
            sender.send(row)

    told(warehouse, NOON, NBA_FEATURES_NOTIFY=dead().address())
    warehouse.record([RecordWrite(DELIVERIES, [], clear={"state": ["waiting"]})])
    enqueue(warehouse, [delivery("notification", "here", "once", "t", "b", NOON, "r", severity="P1")])
    done = deliver(warehouse, {"here": Between()}, lambda: NOON)
    assert len(done.sent) == 1 and not inner[0].sent and len(receiver.taken) == 1
