"""Settings: one frozen object, read from the environment once, passed down as a parameter."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from schemas.errors import UsageError

PROFILES = ("embedded", "gcp")
HOME_NAME = ".nba_features"


@dataclass(frozen=True)
class GcpSettings:
    """Where the gcp profile keeps its tables and what one statement of it may cost.

    `project` pays and holds the datasets. `dataset_prefix` is put before every dataset's name, so that two installations can
    share a project. `max_bytes_billed` bounds each statement: BigQuery refuses a dearer one before it runs. `job_seconds` is how
    long a job is waited for. `tables` names existing tables (`project.dataset.table`) that are read in place of ours.
    """

    project: str
    location: str = "US"
    dataset_prefix: str = ""
    max_bytes_billed: int = 100 * 2**30
    job_seconds: int = 900
    tables: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Settings:
    """Where the warehouse lives and how much it may use.

    `home` holds everything the embedded profile writes. `cutoff_minutes` is how long before tip-off a value must have
    been knowable. `memory_limit` bounds DuckDB; larger work spills to `home/tmp`. `gcp` is set in the gcp profile only.
    """

    profile: str
    home: Path
    data_dir: Path | None
    cutoff_minutes: int = 60
    memory_limit: str = "2GB"
    threads: int = 2
    gcp: GcpSettings | None = None

    @property
    def warehouse_dir(self) -> Path:
        """Folder of the embedded warehouse."""
        return self.home / "warehouse"


def default_home(start: Path) -> Path:
    """Return `.nba_features` beside the nearest `feature_repo/feature_store.yaml` at or above `start`, else in `start`.

    `feast` runs inside `feature_repo/`, `nba-features` anywhere in the checkout: both must find the same data.
    """
    for folder in (start, *start.parents):
        if (folder / "feature_repo" / "feature_store.yaml").is_file():
            return folder / HOME_NAME
    return start / HOME_NAME


def _whole(environ: Mapping[str, str], name: str, default: int, low: int, high: int) -> int:
    text = environ.get(name, str(default))
    if not text.isdigit() or not low <= int(text) <= high:
        raise UsageError(f"{name} must be a whole number from {low} to {high}", [text])
    return int(text)


PROJECT = re.compile(r"[a-z][a-z0-9-]{4,28}[a-z0-9]")
LOCATION = re.compile(r"[A-Za-z][A-Za-z0-9-]*")
PREFIX = re.compile(r"[A-Za-z0-9_]{0,100}")
FULL_NAME = re.compile(r"([a-z][a-z0-9.:-]*)\.([A-Za-z0-9_]+)\.([A-Za-z0-9_$]+)")


def _spelled(env: Mapping[str, str], name: str, default: str, pattern: re.Pattern[str], meaning: str) -> str:
    text = env.get(name, default)
    if not pattern.fullmatch(text):
        raise UsageError(f"{name} is no {meaning}", [text])
    return text


def _mapped_tables(text: str) -> tuple[tuple[str, str], ...]:
    """Read `nba_analytics.player_game_summary=my-project.box.scores,...`."""
    pairs = [tuple(part.strip() for part in item.partition("=")[::2]) for item in text.split(",") if item.strip()]
    wrong = [f"{ours}={theirs}" for ours, theirs in pairs if ours.count(".") != 1 or not FULL_NAME.fullmatch(theirs)]
    if wrong:
        raise UsageError("NBA_FEATURES_TABLES maps no such tables", wrong, "write dataset.table=project.dataset.table, separated by commas")
    return tuple(sorted((ours, theirs) for ours, theirs in pairs))


def _gcp(env: Mapping[str, str]) -> GcpSettings:
    project = env.get("NBA_FEATURES_GCP_PROJECT") or env.get("GOOGLE_CLOUD_PROJECT") or ""
    if not PROJECT.fullmatch(project):
        raise UsageError("the gcp profile needs a project", [project or "none"], "set NBA_FEATURES_GCP_PROJECT to its id")
    return GcpSettings(
        project=project,
        location=_spelled(env, "NBA_FEATURES_GCP_LOCATION", "US", LOCATION, "location such as US or europe-west1"),
        dataset_prefix=_spelled(env, "NBA_FEATURES_DATASET_PREFIX", "", PREFIX, "prefix of letters, digits and underscores"),
        max_bytes_billed=_whole(env, "NBA_FEATURES_MAX_BYTES_BILLED", 100 * 2**30, 10 * 2**20, 2**60),
        job_seconds=_whole(env, "NBA_FEATURES_JOB_SECONDS", 900, 1, 21_600),
        tables=_mapped_tables(env.get("NBA_FEATURES_TABLES", "")),
    )


def load_settings(environ: Mapping[str, str] | None = None) -> Settings:
    """Read `NBA_FEATURES_*` and `NBA_DATA_DIR`; raise `UsageError` for a value that cannot be meant."""
    env = os.environ if environ is None else environ
    profile = env.get("NBA_FEATURES_PROFILE", "embedded")
    if profile not in PROFILES:
        raise UsageError("unknown profile", [profile], "NBA_FEATURES_PROFILE is embedded or gcp")
    data_dir = env.get("NBA_DATA_DIR")
    home = env.get("NBA_FEATURES_HOME")
    return Settings(
        profile=profile,
        home=Path(home).expanduser().absolute() if home else default_home(Path.cwd()),
        data_dir=Path(data_dir).expanduser().absolute() if data_dir else None,
        cutoff_minutes=_whole(env, "NBA_FEATURES_CUTOFF_MINUTES", 60, 1, 1440),
        memory_limit=env.get("NBA_FEATURES_MEMORY_LIMIT", "2GB"),
        threads=_whole(env, "NBA_FEATURES_THREADS", min(os.cpu_count() or 2, 8), 1, 64),
        gcp=_gcp(env) if profile == "gcp" else None,
    )
