"""Model contracts: which features a model version was trained on, and whether the store still supplies exactly those."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import Any

from schemas.catalogue import Catalogue, load_catalogue
from schemas.errors import UnknownNameError, UsageError
from warehouse.protocol import UNPARTITIONED, RecordWrite, Warehouse

REGISTRY = "nba_orchestration.model_registry"
CANDIDATE, ACTIVE, DEPRECATED = "candidate", "active", "deprecated"
SEED_VERSION = "contract"
UNVERSIONED = 1
"""Definition version of a feature that is no catalogue feature: the inputs of the breakout models."""


@dataclass(frozen=True)
class ModelVersion:
    """One version of a model: its service and the ordered features with their definition versions."""

    model_id: str
    model_version: str
    service: str
    features: tuple[tuple[str, int], ...]
    feature_schema_version: str
    definition_version: str
    status: str = CANDIDATE
    is_production: bool = False
    artifact_uri: str | None = None
    training_start_date: dt.date | None = None
    training_end_date: dt.date | None = None
    metrics_json: str | None = None
    git_commit: str | None = None
    production_start: dt.datetime | None = None
    production_end: dt.datetime | None = None
    created_at: dt.datetime | None = None

    def as_row(self) -> dict[str, Any]:
        """Return the row of the registry."""
        row = {name: value for name, value in vars(self).items() if name != "features"}
        return {**row, "feature_count": len(self.features), "features_json": json.dumps([list(pair) for pair in self.features])}


def _version(row: dict[str, Any]) -> ModelVersion:
    given = {name: value for name, value in row.items() if name not in ("feature_count", "features_json")}
    return ModelVersion(features=tuple((name, int(version)) for name, version in json.loads(row["features_json"])), **given)


def current_features(service: str, catalogue: Catalogue | None = None) -> tuple[tuple[str, int], ...]:
    """Return a service's features in order, each with its definition version as it is now."""
    catalogue = catalogue or load_catalogue()
    by_name = catalogue.by_name
    return tuple((name, by_name[name].version if name in by_name else UNVERSIONED) for name in catalogue.service(service).features)


def differences(model: ModelVersion, catalogue: Catalogue | None = None) -> tuple[str, ...]:
    """Say exactly how a model's contract differs from what the store supplies; nothing when a vector fits.

    A feature may be gone, added, in another place or of another definition.
    """
    catalogue = catalogue or load_catalogue()
    if model.service not in {service.name for service in catalogue.services}:
        return (f"service_gone:{model.service}",)
    now = current_features(model.service, catalogue)
    had, has = dict(model.features), dict(now)
    found = [f"feature_gone:{name}" for name in had if name not in has]
    found += [f"feature_added:{name}" for name in has if name not in had]
    found += [f"definition_changed:{name}:{had[name]}->{has[name]}" for name in had if name in has and had[name] != has[name]]
    shared = [[name for name, _ in pairs if name in had and name in has] for pairs in (model.features, now)]
    found += [f"moved:{old}->{new}" for old, new in zip(*shared, strict=True) if old != new]
    if model.feature_schema_version != catalogue.schema_version and model.service.startswith("points") and found:
        found.insert(0, f"feature_schema_version:{model.feature_schema_version}->{catalogue.schema_version}")
    return tuple(found)


def read_models(warehouse: Warehouse, model_id: str | None = None) -> list[ModelVersion]:
    """Return the registered versions, of one model or of all, oldest first."""
    where, params = (" WHERE model_id = @model_id", {"model_id": model_id}) if model_id else ("", {})
    rows = warehouse.query(f"SELECT * FROM {REGISTRY}{where} ORDER BY model_id, created_at, model_version", params).to_pylist()
    return [_version(row) for row in rows]


def find_model(warehouse: Warehouse, model_id: str, model_version: str | None = None) -> ModelVersion:
    """Return a version, without one named the one that serves; raise `UnknownNameError` when there is none."""
    known = read_models(warehouse, model_id)
    wanted = [m for m in known if (m.model_version == model_version if model_version else m.is_production)]
    if not wanted:
        hint = f"known versions: {', '.join(m.model_version for m in known)}" if known else "run: nba-features models list"
        raise UnknownNameError("no such model version", [f"{model_id} {model_version or 'in production'}"], hint)
    return wanted[0]


def serving_problems(warehouse: Warehouse, service: str) -> tuple[str, ...]:
    """Return how the contracts in production on a service differ from what the store supplies, each named."""
    sql = f"SELECT * FROM {REGISTRY} WHERE service = @service AND is_production"
    models = [_version(row) for row in warehouse.query(sql, {"service": service}).to_pylist()]
    return tuple(text for model in models for text in differences(model))


def _alone(warehouse: Warehouse, work: str) -> AbstractContextManager[None]:
    """Hold the registry from reading to writing: two at once would each write over what the other has decided."""
    return warehouse.lease(REGISTRY, UNPARTITIONED, UNPARTITIONED, work)


def _write(warehouse: Warehouse, versions: Sequence[ModelVersion]) -> None:
    warehouse.record([RecordWrite(REGISTRY, [version.as_row() for version in versions])])


def seeds(definition_version: str, now: dt.datetime) -> list[ModelVersion]:
    """Return a version per service of the catalogue: the contract itself, before any model was trained on it."""
    catalogue = load_catalogue()
    return [
        ModelVersion(
            service.name,
            SEED_VERSION,
            service.name,
            current_features(service.name),
            catalogue.schema_version,
            definition_version,
            created_at=now,
        )
        for service in catalogue.services
    ]


def seed(warehouse: Warehouse, definition_version: str, now: dt.datetime) -> list[str]:
    """Register the contracts of the catalogue that are not registered yet; return their names."""

    def absent() -> list[ModelVersion]:
        known = {(m.model_id, m.model_version) for m in read_models(warehouse)}
        return [m for m in seeds(definition_version, now) if (m.model_id, m.model_version) not in known]

    if not absent():
        return []
    with _alone(warehouse, "models seed"):
        new = absent()
        if new:
            _write(warehouse, new)
    return [m.model_id for m in new]


def register(warehouse: Warehouse, version: ModelVersion) -> None:
    """Register a new version as a candidate.

    Raises:
        UsageError: the version exists, or its features are not what the store supplies.
        LeaseHeldError: somebody else is writing to the registry.
    """
    found = differences(version)
    if found:
        raise UsageError("the model's features are not what the store supplies", found)
    with _alone(warehouse, f"models register {version.model_id}"):
        if any(m.model_version == version.model_version for m in read_models(warehouse, version.model_id)):
            name = f"{version.model_id} {version.model_version}"
            raise UsageError("the model version is registered already", [name], "choose another version")
        _write(warehouse, [version])


def promote(warehouse: Warehouse, model_id: str, model_version: str, now: dt.datetime) -> list[ModelVersion]:
    """Let a version serve in the place of the present one, in one step; return the rows written.

    Raises:
        UnknownNameError: no such version.
        UsageError: the version is deprecated, or its features are not what the store supplies.
        LeaseHeldError: somebody else is writing to the registry.
    """
    with _alone(warehouse, f"models promote {model_id}"):
        return _promote(warehouse, model_id, model_version, now)


def _promote(
    warehouse: Warehouse, model_id: str, model_version: str, now: dt.datetime, since: dt.datetime | None = None
) -> list[ModelVersion]:
    chosen = find_model(warehouse, model_id, model_version)
    if chosen.status == DEPRECATED:
        raise UsageError("a deprecated version cannot serve", [f"{model_id} {model_version}"], "register it again under another version")
    found = differences(chosen)
    if found:
        raise UsageError("the model's features are not what the store supplies", found, "train it again, then register the new version")
    before = [m for m in read_models(warehouse, model_id) if m.is_production and m.model_version != model_version]
    written = [replace(m, is_production=False, production_end=now) for m in before]
    if not chosen.is_production:
        written.append(replace(chosen, status=ACTIVE, is_production=True, production_start=since or now, production_end=None))
    _write(warehouse, written)
    return written


def rollback(warehouse: Warehouse, model_id: str, now: dt.datetime) -> ModelVersion:
    """Let the version serve again that served before the present one; done twice it goes on to the one before that.

    The version keeps the instant since which it served, and so its place in the order.

    Raises:
        UsageError: no version that may serve has served before.
        LeaseHeldError: somebody else is writing to the registry.
    """
    with _alone(warehouse, f"models rollback {model_id}"):
        known = read_models(warehouse, model_id)
        since = max((m.production_start or now for m in known if m.is_production), default=None)
        # What began to serve after the present version was gone back from already: it is not "before".
        ended = [
            m
            for m in known
            if m.production_end
            and not m.is_production
            and m.status != DEPRECATED
            and (since is None or (m.production_start or m.production_end) < since)
        ]
        if not ended:
            raise UsageError("no earlier version has served", [model_id], "run: nba-features models promote")
        last = max(ended, key=lambda m: (m.production_end or now, m.production_start or now))
        _promote(warehouse, model_id, last.model_version, now, since=last.production_start)
    return last


def deprecate(warehouse: Warehouse, model_id: str, model_version: str) -> None:
    """Mark a version that may not serve again; raise `UsageError` while it serves, `LeaseHeldError` while somebody else writes."""
    with _alone(warehouse, f"models deprecate {model_id}"):
        chosen = find_model(warehouse, model_id, model_version)
        if chosen.is_production:
            raise UsageError("the version serves", [f"{model_id} {model_version}"], "promote another version first")
        _write(warehouse, [replace(chosen, status=DEPRECATED)])
