"""What belongs to the project: its root, its packages and the files a commit would hold."""

from __future__ import annotations

import subprocess
from functools import lru_cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

# From the top down; packages of one row are siblings and do not import each other.
LAYERS = (
    ("cli",),
    ("backfill",),
    ("orchestration",),
    ("serving",),
    ("quality", "transformations", "feature_repo"),
    ("warehouse",),
    ("schemas",),
)
PACKAGES = tuple(package for row in LAYERS for package in row)


@lru_cache(maxsize=1)
def project_files() -> tuple[Path, ...]:
    """Return the files that are tracked, or would be by `git add --all`; relative to the root, sorted."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout
    return tuple(sorted(Path(name) for name in listed.split("\0") if name and (ROOT / name).is_file()))


def python_files(*folders: str) -> tuple[Path, ...]:
    """Return the project's Python files below the folders, or all of them when none is named."""
    return tuple(path for path in project_files() if path.suffix == ".py" and (not folders or path.parts[0] in folders))
