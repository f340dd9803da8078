"""What a formula returns: a value or the reason why there is none."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from fractions import Fraction

from .games import Games
from .raw import Game
from .rosters import Rosters
from .status import Availability

INSUFFICIENT = "insufficient_history"
NO_SHOTS = "shot_zone_data_missing"
STALE = "stale_data"
NO_LINE = "vegas_line_unavailable"
NEVER_MET = "no_opponent_history"


@dataclass(frozen=True)
class Computed:
    """A value before default and range; without a value the reason; the sample where one applies."""

    value: Fraction | None
    sample_size: int | None = None
    reason: str | None = None
    raw_type: str | None = None


def known(value: Fraction | int, sample_size: int | None = None) -> Computed:
    """Return a computed value."""
    return Computed(Fraction(value), sample_size)


def missing(reason: str, sample_size: int | None = None) -> Computed:
    """Return that there is no value, and why."""
    return Computed(None, sample_size, reason)


def needs(minimum: int, sample_size: int, value: Fraction | int | None) -> Computed:
    """Return the value when the sample is large enough and a value exists."""
    if sample_size < minimum or value is None:
        return missing(INSUFFICIENT, sample_size)
    return known(value, sample_size)


@dataclass(frozen=True)
class Row:
    """The player, his team and his game of a date, with everything the formulas look at."""

    games: Games
    rosters: Rosters
    availability: Availability
    player: str
    team: str
    game: Game

    @property
    def day(self) -> date:
        """The game date."""
        return self.game.date

    @property
    def opponent(self) -> str:
        """The team he faces."""
        return self.game.opponent_of(self.team)

    def teammates_absent(self) -> list[str]:
        """Return the other expected players of his team who are out or doubtful."""
        return [mate for mate in self._mates() if self.availability.status(mate, self.game) in ("out", "doubtful")]

    def expected_available(self) -> list[str]:
        """Return the expected players of his team, himself included, who are neither out nor doubtful."""
        expected = self.rosters.expected(self.team, self.game)
        return [member for member in expected if self.availability.status(member, self.game) not in ("out", "doubtful")]

    def _mates(self) -> list[str]:
        return [member for member in self.rosters.expected(self.team, self.game) if member != self.player]
