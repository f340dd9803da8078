"""What the tests by hand share: D is 20 January 2024, and ann of AAA is the player looked at."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from .features import FeatureValue
from .made_up_league import MadeUpLeague
from .oracle import Oracle

D = date(2024, 1, 20)
LATER = datetime(2024, 1, 25, tzinfo=UTC)


def ago(number: int) -> date:
    return D - timedelta(days=number)


def features(league: MadeUpLeague, player: str = "ann", as_of: datetime = LATER) -> dict[str, FeatureValue]:
    return Oracle(league.raw(), as_of).features(player, D)


def scoring(points_oldest_first: list[int], every: int = 2) -> MadeUpLeague:
    """A league in which ann of AAA scored so in home games against BBB, the newest two days ago; AAA meets CCC on D."""
    league = MadeUpLeague()
    count = len(points_oldest_first)
    for i, points in enumerate(points_oldest_first):
        league.play(ago(every * (count - i)), "AAA", "BBB", {"ann": points})
    league.schedule(D, "AAA", "CCC", status="scheduled")
    return league
