"""What is deployed calls what exists: every command of the workflow, the jobs and the services, with just these options."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

from cli.main import main
from orchestration.plan import grouped_names
from schemas.errors import FeatureStoreError
from schemas.rules import load_rules
from schemas.settings import load_settings
from tests.house.tree import PACKAGES, ROOT

DEPLOY = ROOT / "deploy"
JOBS = yaml.safe_load((DEPLOY / "jobs.yaml").read_text(encoding="utf-8"))
SCHEDULE = yaml.safe_load((DEPLOY / "schedule.yaml").read_text(encoding="utf-8"))
WORKFLOW = yaml.safe_load((DEPLOY / "workflow.yaml").read_text(encoding="utf-8"))
SCHEDULED_STORE = next(job for job in JOBS["jobs"] if job["name"] == "nba-features-by-time")
SAMPLES = {"game_date": "2025-01-21", "project": "p", "location": "l", "dataset": "d"}
KNOWN_CALLS = {"googleapis.run.v2.projects.locations.jobs.run", "googleapis.bigquery.v2.jobs.query"}


def filled(word: str) -> str:
    """Return a word of a command with its expression worked out: texts and numbers, joined by plus."""
    found = re.fullmatch(r"\$\{(.*)\}", word)
    if not found:
        return word
    parts = [part.strip() for part in found.group(1).split(" + ")]
    return "".join(part[1:-1] if part.startswith('"') else SAMPLES.get(part, "7") for part in parts)


def accepts(words: list[str]) -> None:
    """Raise unless `nba-features` has the command with these options and would take these values."""
    with click.Context(main, info_name="nba-features") as context:
        group: click.Command = main
        rest = [filled(str(word)) for word in words]
        while isinstance(group, click.Group):
            found = group.get_command(context, rest[0])
            assert found is not None, words
            group, rest = found, rest[1:]
        made = group.make_context("x", rest, parent=context)
    grouped_names(made.params.get("only") or ())


def steps(node: Any) -> Iterator[dict[str, Any]]:
    """Yield every step of a workflow with its name, however deep."""
    if isinstance(node, list):
        for item in node:
            yield from steps(item)
    elif isinstance(node, dict):
        for name, value in node.items():
            if isinstance(value, dict) and {"call", "assign", "switch", "parallel", "return", "raise"} & set(value):
                yield {"name": name, **value}
            yield from steps(value)


def commands() -> list[tuple[str, list[str]]]:
    return [(step["name"], step["args"]["command"]) for step in steps(WORKFLOW["main"]) if step.get("call") == "run_job"]


@pytest.mark.parametrize(("name", "words"), commands(), ids=[name for name, _ in commands()])
def test_every_command_of_the_workflow_exists_with_these_options(name: str, words: list[str]) -> None:
    accepts(words)


@pytest.mark.parametrize("job", JOBS["jobs"], ids=lambda job: job["name"])
def test_every_job_has_a_command_that_exists(job: dict[str, Any]) -> None:
    accepts(job["args"])


@pytest.mark.parametrize(
    "words", [["walk"], ["run", "--dat", "today"], ["run", "--date", "2025-13-01"], ["run", "--date", "today", "--only", "nothing"]]
)
def test_FM05_a_command_that_does_not_exist_is_found(words: list[str]) -> None:
    with pytest.raises((AssertionError, click.ClickException, FeatureStoreError)):
        accepts(words)


def test_the_workflow_runs_two_parallel_sets_then_the_store_then_materializes() -> None:
    top = [next(iter(step)) for step in WORKFLOW["main"]["steps"]]
    order = [top.index(name) for name in ("phase3", "set_1", "set_2", "store", "materialize", "ready")]
    assert order == sorted(order)
    built = dict(commands())
    sets = [step for step in steps(WORKFLOW["main"]["steps"]) if "parallel" in step]
    jobs = [{step["args"]["command"][-1] for step in steps(item["parallel"]["branches"]) if step.get("call") == "run_job"} for item in sets]
    assert jobs == [{"team_defense_zone_analysis", "player_shot_zone_analysis"}, {"player_composite_factors", "player_daily_cache"}]
    told = {filled(word).partition("=")[0] for word in built["store"] if "=" in word}
    assert told == {job.split(".")[1] for job in load_rules().phase4_jobs}, "the store is told what each of the four delivered"


def test_what_the_workflow_calls_and_names_is_defined() -> None:
    names = set(WORKFLOW)
    jobs = {job["name"] for job in JOBS["jobs"]}
    for body in WORKFLOW.values():
        defined = set(body["params"])
        for step in steps(body["steps"]):
            defined |= {name for item in step.get("assign", []) for name in item} | {step.get("result", "")}
        for step in steps(body["steps"]):
            assert step.get("call", "run_job") in names | KNOWN_CALLS, step
            if step.get("call") == "run_job":
                assert step["args"]["job"] in jobs
                assert set(step["args"]) == set(WORKFLOW["run_job"]["params"])
            if step.get("call") == "rows_of":
                assert set(step["args"]) == set(WORKFLOW["rows_of"]["params"])
            text = yaml.safe_dump({key: step[key] for key in ("args", "assign", "switch", "return") if key in step})
            for expression in re.findall(r"\$\{([^}]*)\}", text):
                bare = re.sub(r'"[^"]*"|`[^`]*`|\'[^\']*\'', "", expression)
                for word in re.findall(r"(?<![\w.])([a-z_]+)(?![\w(]|\.[a-z_]+\()", bare):
                    assert word in defined | {"null", "map", "sys", "text", "time", "json", "base64"}, (step["name"], word)


def test_every_step_that_is_jumped_to_is_there() -> None:
    for body in WORKFLOW.values():
        names = {next(iter(step)) for step in body["steps"]}
        jumps = set(re.findall(r"next: (\w+)", yaml.safe_dump(body["steps"])))
        assert jumps <= names


def test_schedule_and_services_start_what_exists() -> None:
    jobs = {job["name"] for job in JOBS["jobs"]}
    assert all(item.get("job") in jobs or item.get("workflow") == "nba-features-night" for item in SCHEDULE["schedule"])
    assert all(re.fullmatch(r"([\d*/,-]+ ){4}[\d*/,-]+", item["cron"]) for item in SCHEDULE["schedule"])
    assert sum(not item.get("paused", False) for item in SCHEDULE["schedule"] if "by-time" in item["name"] or "workflow" in item) == 1
    night = (DEPLOY / "night" / "main.tf").read_text(encoding="utf-8")
    for name in ("jobs.yaml", "schedule.yaml", "workflow.yaml", *(service["name"] for service in JOBS["services"])):
        assert name in night
    duties = set(re.findall(r"^    (\w+) += \{ reads", (DEPLOY / "gcp" / "main.tf").read_text(encoding="utf-8"), re.MULTILINE))
    assert {item["duty"] for item in [*JOBS["jobs"], *JOBS["services"]]} <= duties


def test_jobs_are_given_every_variable_of_feasts_configuration_and_rights_on_each_online_store() -> None:
    text = (ROOT / "feature_repo" / "feature_store.gcp.yaml").read_text(encoding="utf-8")
    night = (DEPLOY / "night" / "main.tf").read_text(encoding="utf-8")
    assert set(re.findall(r"\$\{(\w+)\}", text)) <= set(re.findall(r"NBA_FEATURES_\w+", night))
    online = (DEPLOY / "gcp" / "online.tf").read_text(encoding="utf-8")
    for store in set(yaml.safe_load(text)["online_stores"]) - {"redis"}:
        assert re.search(rf'local\.is_{store} \? {{ predictions = "roles/{store}\.user"', online), f"the writer has a right on {store}"


def test_no_account_may_deploy_or_administer() -> None:
    for path in sorted(DEPLOY.rglob("*.tf")):
        roles = set(re.findall(r'"roles/([\w.]+)"', path.read_text(encoding="utf-8")))
        assert not [role for role in roles if re.search(r"(?i)admin|developer|owner|^editor", role)], path


EARLIEST_TIPOFF = 12 * 60
LAST_BUZZER = 2 * 60
"""In minutes of the day, US Eastern: games at noon are the first of a date, and late ones in the west end after midnight."""
LONGEST_BUILD = 60


def times(cron: str) -> list[int]:
    """Return the minutes of the day at which a daily schedule starts something."""
    minutes, hours, *days = cron.split()
    assert days == ["*", "*", "*"], cron
    return sorted(60 * int(hour) + int(minute) for hour in hours.split(",") for minute in minutes.split(","))


def assert_before_the_games(schedule: dict[str, Any]) -> None:
    """Raise unless the slate of today is there before its first cutoff, made of the whole night before, and watched after that."""
    assert schedule["time_zone"] == "America/New_York"
    items = {item["name"]: item for item in schedule["schedule"]}
    cutoff = EARLIEST_TIPOFF - load_settings({}).cutoff_minutes
    for name in ("night-workflow", "night-by-time"):
        first = times(items[name]["cron"])[0]
        assert first > LAST_BUZZER and first + LONGEST_BUILD <= cutoff, f"{name} builds at minute {first}, the first cutoff is {cutoff}"
    built = times(items["night-workflow"]["cron"])[0] + LONGEST_BUILD
    watched = times(items["night-watch"]["cron"])
    assert built <= watched[0] <= cutoff, "the watch looks at a date that is built, and while there is time to mend it"


def test_FM60_the_slate_is_built_before_its_first_cutoff_and_watched_when_it_is() -> None:
    assert_before_the_games(SCHEDULE)
    (init,) = [step for step in steps(WORKFLOW["main"]) if step["name"] == "init"]
    (day,) = [item["game_date"] for item in init["assign"] if "game_date" in item]
    assert "America/New_York" in day, "today by the league's own clock"
    assert SCHEDULED_STORE["args"][1:3] == ["--date", "today"]


@pytest.mark.parametrize(
    ("name", "cron"), [("night-workflow", "0 23 * * *"), ("night-workflow", "30 10 * * *"), ("night-watch", "15 0,12,17 * * *")]
)
def test_FM60_a_schedule_that_builds_too_late_or_watches_too_early_is_found(name: str, cron: str) -> None:
    changed = [{**item, "cron": cron} if item["name"] == name else item for item in SCHEDULE["schedule"]]
    with pytest.raises(AssertionError):
        assert_before_the_games({**SCHEDULE, "schedule": changed})


def test_the_service_names_a_function_that_exists() -> None:
    (service,) = JOBS["services"]
    options = dict(word.removeprefix("--").split("=") for word in service["command"][1:])
    spec = importlib.util.spec_from_file_location("completions_entry", ROOT / options["source"])
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert callable(getattr(module, options["target"]))


def test_the_image_holds_every_package_and_starts_the_command() -> None:
    lines = (DEPLOY / "Dockerfile").read_text(encoding="utf-8").splitlines()
    copied = [word for line in lines if line.startswith("COPY ") for word in line.split()[1:-1]]
    assert all((ROOT / word).exists() for word in copied)
    packages = set(PACKAGES)
    assert packages <= set(copied), "every package is in the image"
    assert 'ENTRYPOINT ["nba-features"]' in lines and "USER features" in lines
    assert Path(ROOT / "deploy" / "Dockerfile.dockerignore").exists()
