"""Which games are trained on and which are evaluated: always earlier ones and later ones."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from examples.points_model import SERVICE
from orchestration.slates import seasons
from schemas.errors import UsageError
from schemas.rules import STORE_TABLE
from serving.training_set import training_set
from serving.training_set_file import write_training_set
from serving.training_set_request import TrainingSetRequest

if TYPE_CHECKING:
    import pyarrow as pa
    from feast import FeatureStore

    from warehouse.protocol import Warehouse


@dataclass(frozen=True)
class Split:
    """Dates trained on and dates evaluated, both ends included, and their names."""

    train: tuple[dt.date, dt.date]
    later: tuple[dt.date, dt.date]
    train_name: str
    later_name: str


@dataclass(frozen=True)
class Made:
    """A training set with what its manifest says."""

    rows: pa.Table
    manifest: dict[str, object]


def split(warehouse: Warehouse, season: str | None = None) -> Split:
    """Return the seasons before the one named (the last there is) and that season; of a single season its first two thirds and the rest.

    Raises:
        UsageError: nothing is published, or nothing lies before the season.
    """
    published = sorted(warehouse.partitions(STORE_TABLE))
    if not published:
        raise UsageError("the store is empty", [], "run: nba-features ingest, then nba-features backfill")
    known = {name: (first, last) for name, (first, last, _) in seasons(warehouse).items() if any(first <= day <= last for day in published)}
    if season is not None and season not in known:
        raise UsageError("no such season in the store", [season], "known: " + ", ".join(known))
    name = season or max(known)
    earlier = [label for label in known if label < name]
    if earlier:
        first = min(known[label][0] for label in earlier)
        last = max(known[label][1] for label in earlier)
        return Split((first, last), known[name], earlier[0] if len(earlier) == 1 else f"{earlier[0]} to {earlier[-1]}", name)
    days = [day for day in published if known[name][0] <= day <= known[name][1]]
    cut = len(days) * 2 // 3
    if cut < 1:
        raise UsageError("nothing lies before the season", [name])
    return Split((days[0], days[cut - 1]), (days[cut], days[-1]), f"{name}, first two thirds", f"{name}, last third")


def make(warehouse: Warehouse, store: FeatureStore, dates: tuple[dt.date, dt.date], known_by: dt.datetime, out: Path, cutoff: int) -> Made:
    """Make the training set of the dates and keep it, with its manifest, as a file."""
    request = TrainingSetRequest(SERVICE, *dates, known_by, cutoff_minutes=cutoff)
    made = training_set(warehouse, store, request)
    return Made(made.rows, write_training_set(made, out))
