"""Open the Feast store: one per process and home, because two evict each other's caches."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from schemas.errors import StorageUnavailableError, UnknownNameError
from schemas.settings import Settings
from serving.home import share_warehouse

if TYPE_CHECKING:
    from feast import FeatureService, FeatureStore

    from warehouse.protocol import Warehouse

_stores: dict[Path, FeatureStore] = {}
_lock = threading.Lock()
_refs: dict[tuple[int, tuple[str, ...]], tuple[Any, list[str]]] = {}


def repository_folder() -> Path:
    """Return the folder of `feature_store.yaml`."""
    import feature_repo

    return Path(feature_repo.__file__ or "").parent


def _configuration(settings: Settings) -> dict[str, Any]:
    """Return the profile's configuration: `feature_store.yaml` with the paths of that home, or the gcp profile's."""
    from serving.gcp_profile import configuration
    from serving.home_registry import SCHEME

    if settings.profile == "gcp":
        return configuration(settings)

    text = (repository_folder() / "feature_store.yaml").read_text(encoding="utf-8")
    raw: dict[str, Any] = yaml.safe_load(os.path.expandvars(text))
    relative = raw["registry"]["path"].removeprefix(f"{SCHEME}:///")
    raw["registry"]["path"] = f"{SCHEME}:///{settings.home / relative}"
    raw["offline_store"]["home"] = str(settings.home)
    return raw


def open_feature_store(settings: Settings, warehouse: Warehouse | None = None) -> FeatureStore:
    """Return the process's store of `settings.home`; an open warehouse is shared with Feast's classes.

    Raises:
        UsageError: the gcp profile lacks a setting.
        StorageUnavailableError: the registry cannot be read.
    """
    with _lock:
        if warehouse is not None:
            share_warehouse(warehouse, settings)
        if settings.home not in _stores:
            from feast import FeatureStore
            from feast.repo_config import RepoConfig
            from sqlalchemy.exc import DatabaseError

            config = RepoConfig(**_configuration(settings))
            config.repo_path = repository_folder()
            try:
                store = FeatureStore(config=config)
                # Feast would open it at the first question only.
                _ = store.registry
            except DatabaseError as error:
                hint = "if it is no database any more move it away and run: feast apply, inside feature_repo"
                raise StorageUnavailableError("the registry cannot be read", [config.registry.path, error.orig], hint) from None
            _stores[settings.home] = store
        return _stores[settings.home]


def definitions() -> list[Any]:
    """Return entities, source, views and services of the feature repository."""
    from feature_repo.entities import game, player
    from feature_repo.feature_services import FEATURE_SERVICES
    from feature_repo.feature_views import FEATURE_VIEWS
    from feature_repo.sources import store_rows

    return [store_rows, player, game, *FEATURE_VIEWS, *FEATURE_SERVICES]


def apply_definitions(store: FeatureStore) -> None:
    """Register the definitions, as `feast apply` does."""
    store.apply(definitions())


def feature_service(store: FeatureStore, name: str) -> FeatureService:
    """Return a registered service; raise `UnknownNameError` when it is not registered."""
    from feast.errors import FeastObjectNotFoundException

    try:
        return store.get_feature_service(name)
    except FeastObjectNotFoundException:
        raise UnknownNameError("the feature service is not registered", [name], "run: feast apply, inside feature_repo") from None


def service_refs(store: FeatureStore, *names: str) -> list[str]:
    """Return `view:feature` of every feature of the services, as the registry's cache of this moment knows them."""
    registry = store.registry
    stamp = getattr(registry, "cached_registry_proto_created", None)
    kept = _refs.get((id(store), names))
    if kept is not None and kept[0] == stamp is not None and registry.is_cache_valid():
        return kept[1]
    found = _service_refs(store, names)
    _refs[id(store), names] = (getattr(registry, "cached_registry_proto_created", None), found)
    return found


def _service_refs(store: FeatureStore, names: tuple[str, ...]) -> list[str]:
    services = [feature_service(store, name) for name in names]
    return [f"{p.name_to_use()}:{f.name}" for service in services for p in service.feature_view_projections for f in p.features]
