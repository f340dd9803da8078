"""Model contracts: what differs is said exactly, and nothing that differs serves."""

from __future__ import annotations

import datetime as dt
import json
import threading
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest
from click.testing import CliRunner

from cli.main import main
from schemas.catalogue import load_catalogue
from schemas.errors import LeaseHeldError, UnknownNameError, UsageError
from serving import model_registry
from serving.lookup import INCOMPATIBLE, lookup
from serving.materialization_gate import midnight
from serving.model_registry import (
    ModelVersion,
    current_features,
    deprecate,
    differences,
    find_model,
    promote,
    read_models,
    register,
    rollback,
    seed,
    serving_problems,
)
from tests.feast.conftest import WEEK, Site

V3 = "points_v3_37features"
NOW = dt.datetime(2025, 2, 1, tzinfo=dt.UTC)


def version(number: str, **changed: Any) -> ModelVersion:
    made = ModelVersion("points", number, V3, current_features(V3), load_catalogue().schema_version, "d1", created_at=NOW)
    return replace(made, **changed)


def test_the_contracts_of_the_catalogue_are_seeded_once(site: Site) -> None:
    names = [service.name for service in load_catalogue().services]
    assert seed(site.warehouse, "d1", NOW) == names
    assert seed(site.warehouse, "d1", NOW) == []
    assert {m.model_id: m.features for m in read_models(site.warehouse)} == {name: current_features(name) for name in names}


def test_FM59_what_differs_is_said_exactly() -> None:
    now = list(current_features(V3))
    first, second, third = now[:3]
    assert differences(version("1")) == ()
    assert differences(version("1", service="points_v9")) == ("service_gone:points_v9",)
    cases = {
        ("feature_gone:old_feature",): [*now, ("old_feature", 1)],
        (f"feature_added:{first[0]}",): now[1:],
        (f"definition_changed:{second[0]}:9->{second[1]}",): [first, (second[0], 9), *now[2:]],
        (f"moved:{third[0]}->{second[0]}", f"moved:{second[0]}->{third[0]}"): [first, third, second, *now[3:]],
    }
    for expected, features in cases.items():
        assert differences(version("1", features=tuple(features))) == expected


def test_FM59_a_contract_that_differs_is_neither_registered_nor_promoted(site: Site) -> None:
    wrong = version("1", features=current_features(V3)[1:])
    with pytest.raises(UsageError, match="feature_added"):
        register(site.warehouse, wrong)
    assert read_models(site.warehouse) == []


def test_versions_serve_one_at_a_time_and_can_go_back(site: Site) -> None:
    for number in ("1", "2"):
        register(site.warehouse, version(number))
    with pytest.raises(UsageError, match="registered already"):
        register(site.warehouse, version("1"))
    with pytest.raises(UnknownNameError, match="in production"):
        find_model(site.warehouse, "points")
    promote(site.warehouse, "points", "1", NOW)
    with pytest.raises(UsageError, match="no earlier version"):
        rollback(site.warehouse, "points", NOW)
    promote(site.warehouse, "points", "2", NOW + dt.timedelta(days=1))
    assert [(m.model_version, m.is_production) for m in read_models(site.warehouse)] == [("1", False), ("2", True)]
    with pytest.raises(UsageError, match="serves"):
        deprecate(site.warehouse, "points", "2")
    assert rollback(site.warehouse, "points", NOW + dt.timedelta(days=2)).model_version == "1"
    assert find_model(site.warehouse, "points").model_version == "1"
    deprecate(site.warehouse, "points", "2")
    with pytest.raises(UsageError, match="deprecated"):
        promote(site.warehouse, "points", "2", NOW)


def test_going_back_twice_goes_on_to_the_version_before(site: Site) -> None:
    days = (NOW + dt.timedelta(days=day) for day in range(20))
    for number in ("1", "2", "3", "4"):
        register(site.warehouse, version(number))
    for number in ("1", "2", "3"):
        promote(site.warehouse, "points", number, next(days))
    assert [rollback(site.warehouse, "points", next(days)).model_version for _ in range(2)] == ["2", "1"]
    with pytest.raises(UsageError, match="no earlier version"):
        rollback(site.warehouse, "points", next(days))
    for number in ("2", "3"):
        promote(site.warehouse, "points", number, next(days))
    assert rollback(site.warehouse, "points", next(days)).model_version == "2"
    # From a version promoted after a rollback one goes back to what served until then, not to what was gone back from.
    promote(site.warehouse, "points", "4", next(days))
    assert [rollback(site.warehouse, "points", next(days)).model_version for _ in range(2)] == ["2", "1"]
    assert [m.model_version for m in read_models(site.warehouse) if m.is_production] == ["1"]


def test_of_two_promotions_at_once_one_is_refused(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in ("1", "2"):
        register(site.warehouse, version(number))
    barrier, real, refused = threading.Barrier(2), model_registry._write, []

    def met(*given: Any) -> None:
        with suppress(threading.BrokenBarrierError):
            barrier.wait(1)
        real(*given)

    def promoted(number: str) -> None:
        try:
            promote(site.warehouse, "points", number, NOW)
        except LeaseHeldError as error:
            refused.append(error)

    monkeypatch.setattr(model_registry, "_write", met)
    threads = [threading.Thread(target=promoted, args=(number,)) for number in ("1", "2")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(refused) == 1 and "models promote points" in refused[0].line()
    assert [m.is_production for m in read_models(site.warehouse)].count(True) == 1


def test_FM59_no_vector_leaves_for_a_contract_that_drifted(week: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    today = WEEK[-1]
    week.store.materialize(midnight(WEEK[0]), midnight(today + dt.timedelta(days=1)))
    register(week.warehouse, version("1"))
    promote(week.warehouse, "points", "1", NOW)
    assert {a.verdict for a in lookup(week.store, week.warehouse, V3, today).answers} == {"ready"}
    drifted = tuple((name, number + (name == "pace_score")) for name, number in current_features(V3))
    monkeypatch.setattr("serving.model_registry.current_features", lambda *_: drifted)
    answers = lookup(week.store, week.warehouse, V3, today).answers
    assert {(a.verdict, a.reasons, a.vector) for a in answers} == {(INCOMPATIBLE, ("definition_changed:pace_score:1->2",), None)}
    assert serving_problems(week.warehouse, "points_v2_33features") == ()


def test_the_commands(site: Site) -> None:
    def run(*words: str) -> Any:
        return CliRunner().invoke(main, ["models", *words])

    listed = json.loads(run("list", "--json").output)["models"]
    assert {row["model_id"] for row in listed} == {service.name for service in load_catalogue().services}
    assert run("register", "points", "1", "--service", V3).exit_code == 0
    assert run("register", "points", "1", "--service", V3).exit_code == 2
    spoiled = site.settings.home / "metrics.json"
    spoiled.write_bytes(b'{"mae": "\xff"}')
    for words in (["--metrics", str(spoiled)], ["--trained-from", "2024-02-01", "--trained-to", "2024-01-01"]):
        refused = run("register", "points", "2", "--service", V3, *words)
        assert refused.exit_code == 2 and refused.output.startswith("usage: "), refused.output
    assert run("promote", "points", "1").exit_code == 0
    shown = json.loads(run("show", "points", "--json").output)["models"]
    assert [(row["status"], row["is_production"], row["differences"]) for row in shown] == [("active", True, [])]
    assert run("deprecate", "points", "1").exit_code == 2
    assert run("rollback", "points").exit_code == 2
    assert run("show", "nobody").exit_code == 2
