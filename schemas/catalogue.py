"""The 37 features, loaded from `features.yaml` into frozen, validated objects.

Every list of features, ranges, defaults, categories or services in the project derives from this module.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

from schemas.errors import DefinitionError, UnknownNameError
from schemas.yaml_files import read_yaml

CATALOGUE_FILE = Path(__file__).with_name("features.yaml")
RAW_TYPES_OF_PRIMARY = ("phase4", "phase3", "calculated", "vegas", "opponent_history", "minutes_ppm")


@dataclass(frozen=True)
class Feature:
    """One feature: what it means, where it comes from and what is a legal value.

    `default` is None where a missing value stays NULL. `window_games` is None where no window of games applies.
    """

    index: int
    name: str
    category: str
    required: bool
    critical: bool
    unit: str
    definition: str
    primary_type: str
    primary_source: str
    fallback: str
    default: float | None
    min: float
    max: float
    window_games: int | None
    min_sample: int
    tables: tuple[str, ...]
    fallback_table: str | None
    missing_reason: str
    version: int
    continuous: bool = False
    clamped: bool = True
    stale_with: str = "box_scores"

    def __post_init__(self) -> None:
        problems = [
            text
            for wrong, text in (
                (self.min >= self.max, f"min {self.min} is not below max {self.max}"),
                (
                    self.default is not None and not self.min <= self.default <= self.max,
                    f"default {self.default} is outside {self.min} to {self.max}",
                ),
                (self.primary_type not in RAW_TYPES_OF_PRIMARY, f"unknown primary_type {self.primary_type}"),
                (self.min_sample < 0, "min_sample is negative"),
                (not self.name.isidentifier(), "name is not an identifier"),
                (self.name.endswith("_y"), "a name ending in _y breaks the join of the offline store"),
            )
            if wrong
        ]
        if problems:
            raise DefinitionError(f"feature {self.index} {self.name} is invalid", problems)

    @property
    def has_phase3_fallback(self) -> bool:
        """TRUE when the catalogue promises a Phase 3 fallback for the feature."""
        return self.fallback == "phase3"

    @property
    def has_default(self) -> bool:
        """TRUE when a missing value is replaced by the catalogue's default."""
        return self.default is not None


@dataclass(frozen=True)
class Service:
    """A model contract: an ordered list of features under a name that never changes its meaning."""

    name: str
    model: str
    description: str
    features: tuple[str, ...]


@dataclass(frozen=True)
class Category:
    """A group of features that share one source of risk."""

    name: str
    description: str
    critical: bool
    features: tuple[Feature, ...]


@dataclass(frozen=True)
class Catalogue:
    """All features in index order, the categories and the model contracts over them."""

    schema_version: str
    features: tuple[Feature, ...]
    breakout_inputs: tuple[str, ...]
    categories: tuple[Category, ...]
    services: tuple[Service, ...]

    @cached_property
    def by_name(self) -> Mapping[str, Feature]:
        """Features by name."""
        return {feature.name: feature for feature in self.features}

    def feature(self, name: str) -> Feature:
        """Return the feature of that name or raise `UnknownNameError`."""
        try:
            return self.by_name[name]
        except KeyError:
            raise UnknownNameError("unknown feature", [name], "see docs/reference/features.md") from None

    def category(self, name: str) -> Category:
        """Return the category of that name or raise `UnknownNameError`."""
        for category in self.categories:
            if category.name == name:
                return category
        raise UnknownNameError("unknown category", [name], "known: " + ", ".join(c.name for c in self.categories))

    def service(self, name: str) -> Service:
        """Return the model contract of that name or raise `UnknownNameError`."""
        for service in self.services:
            if service.name == name:
                return service
        raise UnknownNameError("unknown service", [name], "known: " + ", ".join(s.name for s in self.services))

    def needed(self, service: Service) -> tuple[str, ...]:
        """Return the service's features without whose value no row may be used: all that the catalogue does not let be NULL."""
        return tuple(name for name in service.features if name not in self.by_name or self.by_name[name].has_default)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the features in index order."""
        return tuple(feature.name for feature in self.features)

    def where(self, **conditions: Any) -> tuple[Feature, ...]:
        """Return the features whose attributes equal the conditions, in index order."""
        return tuple(f for f in self.features if all(getattr(f, k) == v for k, v in conditions.items()))


def _duplicates(items: Iterable[Any]) -> list[Any]:
    seen: set[Any] = set()
    return [item for item in items if item in seen or seen.add(item)]  # type: ignore[func-returns-value]


def _feature(row: Mapping[str, Any]) -> Feature:
    try:
        return Feature(**{**row, "tables": tuple(row["tables"])})
    except (TypeError, KeyError) as error:
        raise DefinitionError("a row of features.yaml lacks or has too many keys", [row.get("name", row), error]) from None


def _check(features: tuple[Feature, ...], categories: Mapping[str, Any]) -> None:
    problems = [f"duplicate name {name}" for name in _duplicates(f.name for f in features)]
    if [f.index for f in features] != list(range(len(features))):
        problems.append("indices are not 0, 1, 2 ... in order")
    problems += [f"{f.name}: unknown category {f.category}" for f in features if f.category not in categories]
    problems += [
        f"{f.name}: critical differs from its category" for f in features if f.critical != categories.get(f.category, {}).get("critical")
    ]
    if problems:
        raise DefinitionError("the feature catalogue is inconsistent", problems)


def _services(rows: Mapping[str, Any], known: set[str]) -> tuple[Service, ...]:
    services = []
    for name, row in rows.items():
        features = tuple(row["features"])
        unknown = [feature for feature in features if feature not in known]
        if unknown or _duplicates(features):
            raise DefinitionError(f"service {name} lists unknown or repeated features", unknown or _duplicates(features))
        services.append(Service(name, row["model"], row["description"], features))
    return tuple(services)


@lru_cache(maxsize=4)
def load_catalogue(path: Path = CATALOGUE_FILE) -> Catalogue:
    """Load and validate the catalogue; raise `DefinitionError` with every contradiction at once."""
    document = read_yaml(path)
    features = tuple(_feature(row) for row in document["features"])
    _check(features, document["categories"])
    categories = tuple(
        Category(name, row["description"], row["critical"], tuple(f for f in features if f.category == name))
        for name, row in document["categories"].items()
    )
    inputs = tuple(document["breakout_inputs"])
    known = {feature.name for feature in features} | set(inputs)
    return Catalogue(document["schema_version"], features, inputs, categories, _services(document["services"], known))
