"""A home holds one league: the games of another are never laid over it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from schemas.errors import SourceError
from warehouse.protocol import Warehouse

if TYPE_CHECKING:
    import pyarrow as pa

SCHEDULE = "nba_raw.schedule"
COLUMNS = ("season", "game_id", "home_team", "away_team")
STORED = f"SELECT {', '.join(COLUMNS)} FROM {SCHEDULE} WHERE game_date >= DATE '1900-01-01'"

Games = dict[str, set[tuple[str, ...]]]


def _by_season(rows: Iterable[Mapping[str, Any]]) -> Games:
    games: Games = {}
    for row in rows:
        games.setdefault(row["season"], set()).add(tuple(row[name] for name in COLUMNS[1:]))
    return games


def refuse_another_league(warehouse: Warehouse, delivered: pa.Table | None) -> None:
    """Refuse a schedule that shares a season with the stored one and hardly any of its games.

    A schedule that grows, shrinks or moves games keeps most of its pairs of id and teams, whichever of the two is the longer.

    Raises:
        SourceError: the season of the home was played by others.
    """
    if delivered is None or not warehouse.partitions(SCHEDULE):
        return
    stored, new = _by_season(warehouse.query(STORED).to_pylist()), _by_season(delivered.select(list(COLUMNS)).to_pylist())
    others = [
        season
        for season, games in sorted(new.items())
        if season in stored and 2 * len(games & stored[season]) < min(len(games), len(stored[season]))
    ]
    if others:
        raise SourceError(
            "the home holds other games of the season, as of another league",
            others,
            "nothing was changed; set NBA_FEATURES_HOME to a folder of its own for this source",
        )
