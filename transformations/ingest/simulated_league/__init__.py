"""A simulated league that delivers every raw table: the demo's data and the test bed of the whole project."""

from transformations.ingest.simulated_league.faults import (
    BothSpreadSides,
    ConstantColumn,
    DuplicateBox,
    Fault,
    LateDecoyInjuries,
    LateDecoyOdds,
    MissingDay,
    NaNPoints,
    UnfinishedGame,
    ZeroLine,
)
from transformations.ingest.simulated_league.league import SimulatedLeague

__all__ = [
    "BothSpreadSides",
    "ConstantColumn",
    "DuplicateBox",
    "Fault",
    "LateDecoyInjuries",
    "LateDecoyOdds",
    "MissingDay",
    "NaNPoints",
    "SimulatedLeague",
    "UnfinishedGame",
    "ZeroLine",
]
