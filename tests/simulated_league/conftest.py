"""Leagues the tests share: a whole season of thirty teams, and a small one in which a fault is cheap to plant."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable
from typing import Any

import duckdb
import pytest

from transformations.ingest.delivery import Delivery
from transformations.ingest.simulated_league import Fault, SimulatedLeague

SMALL: dict[str, Any] = {"teams": 6, "games_per_team": 20}
Query = Callable[[str], list[tuple[Any, ...]]]


def query_over(delivery: Delivery) -> Query:
    """Return a function that answers SQL over the delivered tables by their short names."""
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'America/New_York'")
    for name, table in delivery.tables.items():
        connection.register(name.split(".")[1], table)
    return lambda sql: connection.execute(sql).fetchall()


@pytest.fixture(scope="session")
def league() -> SimulatedLeague:
    return SimulatedLeague()


@pytest.fixture(scope="session")
def delivery(league: SimulatedLeague) -> Delivery:
    return league.deliver()


@pytest.fixture(scope="session")
def query(delivery: Delivery) -> Query:
    return query_over(delivery)


@pytest.fixture(scope="session")
def small() -> SimulatedLeague:
    return SimulatedLeague(**SMALL)


@pytest.fixture(scope="session")
def small_delivery(small: SimulatedLeague) -> Delivery:
    return small.deliver()


@pytest.fixture(scope="session")
def a_date(small: SimulatedLeague) -> dt.date:
    """Return a date of the small league with games and history behind it."""
    dates = small.played_dates()
    return dates[len(dates) // 2]


@pytest.fixture(scope="session")
def spoiled() -> Callable[[Iterable[Fault]], Delivery]:
    return lambda faults: SimulatedLeague(**SMALL, faults=tuple(faults)).deliver()
