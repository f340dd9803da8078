"""Feast's configuration in the gcp profile: one file, one variable for the online store."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from schemas.errors import UsageError
from schemas.settings import Settings

ONLINE_STORE = "NBA_FEATURES_ONLINE_STORE"
SECRET = "NBA_FEATURES_REDIS"
"""Variable that holds a password."""
FILE = "feature_store.gcp.yaml"
_VARIABLE = re.compile(r"\$\{(\w+)\}")


def _filled(value: Any, env: Mapping[str, str], missing: set[str]) -> Any:
    if isinstance(value, dict):
        return {name: _filled(item, env, missing) for name, item in value.items()}
    if not isinstance(value, str):
        return value
    missing |= {name for name in _VARIABLE.findall(value) if not env.get(name)}
    return _VARIABLE.sub(lambda found: env.get(found.group(1), ""), value)


def configuration(settings: Settings, online_store: str | None = None, environ: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Return what Feast reads: `feature_store.gcp.yaml` with its variables filled in and one online store taken.

    Raises:
        UsageError: variables are not set, the online store is unknown, or the datasets have a prefix.
    """
    import feature_repo

    if settings.gcp is None:
        raise UsageError("the gcp profile has no project", [], "set NBA_FEATURES_GCP_PROJECT")
    if settings.gcp.dataset_prefix:
        raise UsageError("Feast's source names the datasets without a prefix", [settings.gcp.dataset_prefix], "use a project of its own")
    env = os.environ if environ is None else environ
    known = {**env, "NBA_FEATURES_GCP_PROJECT": settings.gcp.project, "NBA_FEATURES_GCP_LOCATION": settings.gcp.location}
    text = (Path(feature_repo.__file__ or "").parent / FILE).read_text(encoding="utf-8")
    raw: dict[str, Any] = yaml.safe_load(text)
    stores = raw.pop("online_stores")
    chosen = online_store or env.get(ONLINE_STORE, "redis")
    if chosen not in stores:
        raise UsageError("unknown online store", [chosen], f"{ONLINE_STORE} is one of {', '.join(stores)}")
    raw["online_store"] = stores[chosen]
    missing: set[str] = set()
    filled: dict[str, Any] = _filled(raw, known, missing)
    if missing:
        raise UsageError("the gcp profile needs variables", missing, "docs/bigquery.md lists them")
    return filled


def to_write(settings: Settings, online_store: str | None = None) -> dict[str, Any]:
    """Return the configuration for a file: the secret stays a variable there, which Feast fills in when it reads the file."""
    kept = {SECRET: f"${{{SECRET}}}"} if os.environ.get(SECRET) else {}
    return configuration(settings, online_store, {**os.environ, **kept})
