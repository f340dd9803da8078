"""Folders that the serving side writes to."""

from __future__ import annotations

import os
from pathlib import Path

from schemas.errors import StorageUnavailableError


def writable_folder(folder: Path) -> Path:
    """Make the folder; raise `StorageUnavailableError` when it cannot be made or written."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageUnavailableError("the folder cannot be made", [error], "set NBA_FEATURES_HOME to another folder") from None
    if not os.access(folder, os.W_OK):
        raise StorageUnavailableError("the folder cannot be written", [folder], "grant write rights or set NBA_FEATURES_HOME")
    return folder
