"""The commands of every day on the gcp profile, one after the other: what they say, and that they end as on the embedded one.

The server refuses a query that names no dates of a partitioned table, as the service does.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from schemas.rules import STORE_TABLE
from tests.bigquery.conftest import PROJECT
from tests.bigquery.stand_in import serve
from tests.cli.calling import Answer, call
from transformations.ingest.simulated_league import SimulatedLeague

pytestmark = [pytest.mark.wire, pytest.mark.slow]

TEAMS, GAMES, PLAYED = "4", "8", 6
WHOLE = SimulatedLeague(teams=int(TEAMS), games_per_team=int(GAMES))
LAST = WHOLE.played_dates()[PLAYED - 1]
LEAGUE = SimulatedLeague(teams=int(TEAMS), games_per_team=int(GAMES), played_through=LAST)
FIRST, TONIGHT = LEAGUE.played_dates()[0], LEAGUE.upcoming_date()
AS_OF = ("--as-of", f"{TONIGHT}T22:00:00Z")
SPAN = ("--start", str(FIRST), "--end", str(TONIGHT))
COMMANDS: dict[str, tuple[str, ...]] = {
    "schemas apply": ("schemas", "apply"),
    "schemas plan": ("schemas", "plan"),
    "ingest": ("ingest", "--source", "simulated", "--teams", TEAMS, "--games-per-team", GAMES, "--played-through", str(LAST)),
    "backfill --plan": ("backfill", "--plan", "--end-date", str(LAST), *AS_OF),
    "backfill": ("backfill", "--end-date", str(LAST), *AS_OF),
    "backfill again": ("backfill", "--end-date", str(LAST), *AS_OF),
    "run --dry-run": ("run", "--date", str(TONIGHT), *AS_OF, "--dry-run"),
    "run --dry-run --json": ("run", "--date", str(TONIGHT), *AS_OF, "--dry-run", "--json"),
    "run": ("run", "--date", str(TONIGHT), *AS_OF),
    "cascade": ("backfill", "--cascade-from", str(LAST), *AS_OF),
    "cascade by itself": ("backfill", "--cascade-auto", *AS_OF),
    "quality": ("quality", "--json"),
    "validate": ("validate", *SPAN),
    "coverage": ("coverage",),
    "completeness": ("completeness", *SPAN),
    "explain a date": ("explain", "--date", str(TONIGHT)),
    "explain a season": ("explain", "--season", "2024-25"),
    "explain a feature": ("explain", "--feature", "fatigue_score", "--date", str(TONIGHT)),
    "ready": ("ready", "--date", str(TONIGHT)),
    "monitor": ("monitor", "--date", str(TONIGHT), "--no-feast"),
    "events": ("events", "list"),
    "review": ("review", "--days", "7", "--end", str(TONIGHT)),
    "costs": ("costs", "--json"),
    "doctor": ("doctor",),
    "models": ("models", "list"),
}


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Answer]]:
    """Every command in its turn, with what it answered."""
    server = serve(PROJECT)
    folder = tmp_path_factory.mktemp("commands")
    surroundings = {
        "BIGQUERY_EMULATOR_HOST": server.address,
        "GOOGLE_CLOUD_PROJECT": PROJECT,
        "NBA_FEATURES_PROFILE": "gcp",
    }
    found = {name: call(folder / "home", *words, **surroundings) for name, words in COMMANDS.items()}
    page = folder / "report.html"
    found["report"] = call(folder / "home", "report", *SPAN, "--out", str(page), **surroundings)
    assert page.stat().st_size > 100_000
    yield found
    server.stop()


@pytest.mark.parametrize("name", [*COMMANDS, "report"])
def test_a_command_ends_well(answers: dict[str, Answer], name: str) -> None:
    answers[name].assert_done()


def test_what_they_say(answers: dict[str, Answer]) -> None:
    assert STORE_TABLE in answers["backfill --plan"].out
    assert "nothing" in answers["backfill again"].out.lower()
    quality = answers["quality"].json
    assert quality["rows"] > 100 and quality["dates"] == PLAYED + 1
    assert {cost["kind"] for cost in answers["costs"].json["items"]} >= {"load", "stage", "publish", "record"}


def test_a_dry_run_says_what_each_statement_would_read(answers: dict[str, Answer]) -> None:
    lines = answers["run --dry-run"].out.splitlines()
    told = answers["run --dry-run --json"].json
    assert [line.split("; reads")[0] for line in lines] == told["stages"]
    assert sum("; reads 0.0" in line for line in lines) == sum(line.startswith("build") for line in lines) == len(told["bytes"]) > 5
    assert all(count > 0 for count in told["bytes"].values())
