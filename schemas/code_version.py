"""The version of the running code: the package's version and a digest over its own source files."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from importlib import metadata
from pathlib import Path

PACKAGES = ("cli", "backfill", "orchestration", "serving", "quality", "transformations", "warehouse", "schemas", "feature_repo")
SUFFIXES = (".py", ".sql", ".yaml")


def present_code_version() -> str:
    """Return the version of the files as they are on disk now, for example `0.1.0+5f2a9c01d3b4`; equal trees give equal texts."""
    root = Path(__file__).resolve().parent.parent
    digest = hashlib.sha256()
    for package in PACKAGES:
        for path in sorted((root / package).rglob("*")):
            if path.suffix in SUFFIXES and path.is_file():
                digest.update(path.relative_to(root).as_posix().encode())
                digest.update(path.read_bytes())
    try:
        version = metadata.version("nba-features")
    except metadata.PackageNotFoundError:
        version = "0"
    return f"{version}+{digest.hexdigest()[:12]}"


@lru_cache(maxsize=1)
def code_version() -> str:
    """Return the version of the code this process began with."""
    return present_code_version()
