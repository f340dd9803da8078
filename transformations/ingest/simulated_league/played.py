"""A batch of played games: who took part, every attempt, the box scores."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from transformations.ingest.simulated_league.fixtures import Array, Fixtures
from transformations.ingest.simulated_league.fixtures import joined as joined_fixtures
from transformations.ingest.simulated_league.rotation import Rotation

STATS = ("fgm", "fga", "fg3m", "fg3a", "ftm", "fta", "oreb", "dreb", "ast", "stl", "blk", "tov", "pf", "points", "minutes")


@dataclass(frozen=True)
class Shots:
    """Attempts in arrays: side and place of the shooter, zone, made, and for one in overtime how many the game has."""

    side: Array
    place: Array
    zone: Array
    made: Array
    overtime: Array


@dataclass(frozen=True)
class Played:
    """A batch of games with all that happened; `box` holds arrays of shape (sides, places) by statistic."""

    games: Fixtures
    rotation: Rotation
    box: dict[str, Array]
    shots: Shots
    overtimes: Array
    expected: Array
    plus_minus: Array
    started: Array

    def points(self) -> Array:
        """Return the final score, shape (games, 2): home and away."""
        return self.box["points"].sum(axis=1).reshape(-1, 2)

    def home_won(self) -> Array:
        """TRUE where the home side won."""
        score = self.points()
        return score[:, 0] > score[:, 1]

    def take(self, keep: Array) -> Played:
        """Return the games at the positions, with their sides and shots."""
        sides = np.stack([2 * keep, 2 * keep + 1], axis=1).ravel()
        new = np.full(2 * len(self.games), -1)
        new[sides] = np.arange(len(sides))
        inside = new[self.shots.side] >= 0
        shots = Shots(**{f.name: getattr(self.shots, f.name)[inside] for f in fields(Shots)})
        return Played(
            games=self.games.take(keep),
            rotation=Rotation(**{f.name: getattr(self.rotation, f.name)[sides] for f in fields(Rotation)}),
            box={name: values[sides] for name, values in self.box.items()},
            shots=Shots(new[shots.side], shots.place, shots.zone, shots.made, shots.overtime),
            overtimes=self.overtimes[keep],
            expected=self.expected[sides],
            plus_minus=self.plus_minus[sides],
            started=self.started[sides],
        )


def joined(parts: list[Played]) -> Played:
    """Return several batches as one."""
    offset = np.cumsum([0] + [2 * len(part.games) for part in parts])

    def side_by_side(name: str) -> Array:
        return np.concatenate([getattr(part, name) for part in parts])

    def shots(name: str) -> Array:
        return np.concatenate([getattr(part.shots, name) for part in parts])

    return Played(
        games=joined_fixtures([part.games for part in parts]),
        rotation=Rotation(**{f.name: np.concatenate([getattr(p.rotation, f.name) for p in parts]) for f in fields(Rotation)}),
        box={name: np.concatenate([part.box[name] for part in parts]) for name in parts[0].box},
        shots=Shots(
            np.concatenate([part.shots.side + start for part, start in zip(parts, offset, strict=False)]),
            shots("place"),
            shots("zone"),
            shots("made"),
            shots("overtime"),
        ),
        overtimes=side_by_side("overtimes"),
        expected=side_by_side("expected"),
        plus_minus=side_by_side("plus_minus"),
        started=side_by_side("started"),
    )
