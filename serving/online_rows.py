"""What the online store answers for a list of player-games, column by column."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from serving.feature_store import service_refs

if TYPE_CHECKING:
    from feast import FeatureStore

QUALITY_SERVICE = "row_quality"
TIMES = "__ts"
SECOND = 1_000_000
NOBODY = 0
"""Event time of a row that is not there; no game was played in 1970."""


@dataclass(frozen=True)
class OnlineRows:
    """Rows in the order they were asked for.

    `values` is rows x features with NaN for NULL, `nulls` tells the two apart. `events` and `created` are views x rows in
    microseconds; `created` is None, and `events` hold whole seconds (`tick`), where a store keeps no more. `incompatible`
    marks rows that the store holds under another schema of a view.
    """

    values: np.ndarray[Any, Any]
    nulls: np.ndarray[Any, Any]
    quality: Mapping[str, list[Any]]
    events: np.ndarray[Any, Any]
    created: np.ndarray[Any, Any] | None
    incompatible: np.ndarray[Any, Any]
    tick: int = 1

    @property
    def rows(self) -> int:
        """Number of rows."""
        return int(self.values.shape[0])


def quality_names(store: FeatureStore) -> list[str]:
    """Return the fields of the quality view."""
    return [ref.split(":", 1)[1] for ref in service_refs(store, QUALITY_SERVICE)]


def _times(found: Mapping[str, list[Any]], names: Sequence[str], rows: int) -> np.ndarray[Any, Any]:
    """Return the event times of the views; views share one list, each is looked at once."""
    times = {id(found[name + TIMES]): found[name + TIMES] for name in names}.values()
    return np.array(list(times), np.int64).reshape(-1, rows) * SECOND


def matrix_of(response: Any, features: Sequence[str], rows: int) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Return rows x features as doubles with NaN for NULL, and TRUE where it is NULL, of any store's answer."""
    if hasattr(response, "matrix"):
        packed: tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]] = response.matrix(features)
        return packed
    found = response.to_dict()
    nulls = np.array([[value is None for value in found[name]] for name in features]).reshape(len(features), rows).T
    values = [[np.nan if value is None else value for value in found[name]] for name in features]
    return np.array(values, float).reshape(len(features), rows).T, nulls


def read_online(store: FeatureStore, service: str, features: Sequence[str], keys: tuple[Sequence[str], Sequence[str]]) -> OnlineRows:
    """Return the online rows of (players, games): the service's features and the quality of the row."""
    quality = quality_names(store)
    players, games = keys
    rows = len(players)
    if not rows:
        empty, times = np.zeros((0, len(features))), np.zeros((1, 0), np.int64)
        return OnlineRows(empty, empty.astype(bool), {name: [] for name in quality}, times, times, np.zeros(0, bool))
    refs = service_refs(store, service, QUALITY_SERVICE)
    response = store.get_online_features(features=refs, entity_rows={"player_lookup": list(players), "game_id": list(games)})
    values, nulls = matrix_of(response, features, rows)
    incompatible = np.zeros(rows, bool)
    if not hasattr(response, "instants"):
        found = response.to_dict(include_event_timestamps=True)
        events = _times(found, (*features, *quality), rows)
        return OnlineRows(values, nulls, {name: found[name] for name in quality}, events, None, incompatible, SECOND)
    events, created = response.instants()
    incompatible[list(response.incompatible)] = True
    return OnlineRows(values, nulls, {name: response.values(name) for name in quality}, events, created, incompatible)
