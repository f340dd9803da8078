"""Settings: one frozen object, read from the environment once, passed down as a parameter."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from schemas.errors import UsageError

PROFILES = ("embedded", "gcp")
HOME_NAME = ".nba_features"


@dataclass(frozen=True)
class Settings:
    """Where the warehouse lives and how much it may use.

    `home` holds everything the embedded profile writes. `cutoff_minutes` is how long before tip-off a value must have
    been knowable. `memory_limit` bounds DuckDB; larger work spills to `home/tmp`.
    """

    profile: str
    home: Path
    data_dir: Path | None
    cutoff_minutes: int = 60
    memory_limit: str = "2GB"
    threads: int = 2

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
    )
