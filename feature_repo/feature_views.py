"""Feature views: one per category of the catalogue, one for the breakout models' inputs, one for the quality of the row."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from feast import FeatureView, Field
from feast.types import Array, Bool, FeastType, Float64, Int64, String

from schemas.catalogue import Feature, load_catalogue
from schemas.contracts import Column, contract

# Feast imports the files of this folder one by one as top-level modules; everybody else imports the package. Either way
# each object must exist once, or it would be registered twice.
if TYPE_CHECKING or __package__:
    from .entities import game, player
    from .sources import STORE_TABLE, store_rows
else:
    from entities import game, player
    from sources import STORE_TABLE, store_rows

# A row answers for its own game alone: it is knowable at the earliest when the slate is first built, a day or two before
# tip-off, and nobody may read it for anything after the game. Three days cover both ends; the first incremental run
# reaches back just as far.
TTL = dt.timedelta(days=3)

TYPES: dict[str, FeastType] = {"STRING": String, "INT64": Int64, "FLOAT64": Float64, "BOOL": Bool, "ARRAY<STRING>": Array(String)}

_catalogue = load_catalogue()
_columns = contract(STORE_TABLE).by_name
_keys = [Field(name=name, dtype=String, description=_columns[name].description) for name in (player.join_key, game.join_key)]


def _feature_field(feature: Feature) -> Field:
    """Return the field of a catalogue feature; every tag is read from the catalogue."""
    tags = {
        "index": str(feature.index),
        "category": feature.category,
        "unit": feature.unit,
        "range": f"{feature.min} to {feature.max}",
        "default": "none" if feature.default is None else str(feature.default),
        "definition_version": str(feature.version),
        "required": str(feature.required).lower(),
    }
    return Field(name=feature.name, dtype=TYPES[_columns[feature.name].type], description=feature.definition, tags=tags)


def _column_field(column: Column, category: str) -> Field:
    """Return the field of a contract column that is no catalogue feature."""
    bounds = "" if column.min is None and column.max is None else f"{column.min} to {column.max}"
    tags = {"category": category, "type": column.type, "range": bounds or ", ".join(column.values) or "any", "default": "none"}
    return Field(name=column.name, dtype=TYPES[column.type], description=column.description, tags=tags)


def _view(name: str, description: str, fields: list[Field], tags: dict[str, str]) -> FeatureView:
    return FeatureView(
        name=name,
        entities=[player, game],
        ttl=TTL,
        schema=[*_keys, *fields],
        source=store_rows,
        online=True,
        description=description,
        tags={"feature_schema_version": _catalogue.schema_version, **tags},
    )


def _views() -> list[FeatureView]:
    views = [
        _view(c.name, c.description, [_feature_field(f) for f in c.features], {"critical": str(c.critical).lower()})
        for c in _catalogue.categories
    ]
    inputs = [_column_field(_columns[name], "breakout") for name in _catalogue.breakout_inputs]
    views.append(_view("breakout", "Further inputs of the breakout models", inputs, {}))
    values = {*_catalogue.names, *_catalogue.breakout_inputs}
    quality = [_column_field(c, "row_quality") for c in _columns.values() if c.online and c.name not in values]
    views.append(_view("row_quality", "Score, tier, alerts and readiness of the row", quality, {}))
    return views


FEATURE_VIEWS: tuple[FeatureView, ...] = tuple(_views())
"""Every view, in the order of the catalogue."""

# `feast apply` finds objects by looking at the names of the module.
globals().update({view.name: view for view in FEATURE_VIEWS})
