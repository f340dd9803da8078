"""Readings by the schedule and the records: feeds that have gone silent, dates that cannot be served, scores, deliveries that wait."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import replace

from orchestration.altered import checked
from orchestration.batch import METRICS, PLAYED
from orchestration.expected import expected_rows
from orchestration.ledger import entries
from orchestration.outbox import DELIVERIES
from orchestration.plan import dated_tables
from orchestration.slates import game_dates
from quality.batch_score import data_age
from quality.canaries import Reading, Watch, judged
from quality.events import worst
from schemas.contracts import load_contracts
from schemas.rules import STORE_TABLE
from warehouse.protocol import Warehouse

LOOK_BACK = dt.timedelta(days=400)
SILENT = 6
"""A feed as old as this many game days counts as silent, however long ago it fell so."""

FORTNIGHT = dt.timedelta(days=14)
BOXES = ("nba_raw.player_boxscores", "nba_raw.team_boxscores")
GAMES = (
    "SELECT game_date, COUNT(DISTINCT game_id) AS games FROM {table} WHERE game_date BETWEEN @start_date AND @end_date GROUP BY game_date"
)

SCORES = f"SELECT game_date, quality_score, severity FROM {METRICS} WHERE game_date BETWEEN @start_date AND @end_date ORDER BY game_date"
TIPOFF = """
SELECT MIN(tipoff_time) AS first_tipoff
FROM nba_raw.schedule
WHERE game_date = @game_date
  AND season_type IN ('regular', 'play_in', 'playoffs', 'cup_final')
  AND status != 'postponed'
"""
OVERDUE = f"SELECT target, MAX(attempts) AS attempts FROM {DELIVERIES} WHERE state = 'waiting' AND attempts > 0 GROUP BY target"


def feeds() -> tuple[str, ...]:
    """Return the raw tables that must deliver for every game day, and the summaries made of them."""
    raw = [spec.name for spec in load_contracts().values() if spec.built_by == "ingest" and spec.partition == "game_date"]
    return tuple(sorted({*raw, PLAYED} - {"nba_raw.schedule"}))


def feed_readings(warehouse: Warehouse, watch: Watch, game_date: dt.date) -> Iterator[Reading]:
    """Yield the age of every feed in game days by the schedule, held against its age on the game days before.

    A feed that never delivered in the whole time is one this installation does not have.
    """
    (canary,) = watch.by_source("feeds")
    due = sorted(game_dates(warehouse, game_date - LOOK_BACK, game_date - dt.timedelta(days=1)))
    trailing = [date for date in due if date >= game_date - dt.timedelta(days=watch.trailing_days)]
    for feed in feeds():
        loaded = sorted(warehouse.partitions(feed, game_date - LOOK_BACK, game_date - dt.timedelta(days=1)))
        if not loaded or not due:
            continue
        ages = [float(min(data_age(date, due, loaded), SILENT)) for date in trailing if date > loaded[0]]
        yield judged(canary, float(min(data_age(game_date, due, loaded), SILENT)), ages, watch.min_dates, feed.split(".")[1], feed)


def game_readings(warehouse: Warehouse, watch: Watch, game_date: dt.date) -> Iterator[Reading]:
    """Yield how many games of the fortnight before lack box scores, held against the same of the game days before.

    Only dates that were delivered in part are counted: one of which nothing arrived makes its feed stale.
    """
    (canary,) = watch.by_source("games")
    first = game_date - dt.timedelta(days=watch.trailing_days)
    span = {"start_date": first - FORTNIGHT, "end_date": game_date - dt.timedelta(days=1)}
    due = game_dates(warehouse, span["start_date"], span["end_date"])
    for table in BOXES:
        found = {row["game_date"]: row["games"] for row in warehouse.query(GAMES.format(table=table), span).to_pylist()}
        missing = {date: max(games - found[date], 0) for date, games in due.items() if date in found}

        def before(day: dt.date, missing: dict[dt.date, int] = missing) -> float:
            return float(sum(count for date, count in missing.items() if day - FORTNIGHT <= date < day))

        past = [before(date) for date in due if date >= first]
        yield judged(canary, before(game_date), past, watch.min_dates, table.split(".")[1], table)


def published_readings(warehouse: Warehouse, watch: Watch, game_date: dt.date) -> Iterator[Reading]:
    """Yield of each table made for the date whether the rows a reader finds are other than those the ledger says were published."""
    (canary,) = watch.by_source("published")
    for item in checked(warehouse, game_date, dated_tables()):
        yield judged(canary, float(not item.is_whole), (), watch.min_dates, item.table.split(".")[1], item.table)


def served_readings(warehouse: Warehouse, watch: Watch, game_date: dt.date, now: dt.datetime, cutoff: dt.timedelta) -> Iterator[Reading]:
    """Yield how many rows are wanted and cannot be served, once the cutoff of the first game has passed."""
    (canary,) = watch.by_source("served")
    if game_date not in game_dates(warehouse, game_date, game_date):
        return
    tipoff = warehouse.query(TIPOFF, {"game_date": game_date}).to_pylist()[0]["first_tipoff"]
    if tipoff is None or now < tipoff - cutoff:
        return
    entry = entries(warehouse, STORE_TABLE, game_date, game_date).get(game_date)
    served = entry["row_count"] if entry is not None and entry["state"] == "published" else 0
    wanted = max(expected_rows(warehouse, STORE_TABLE, [game_date])[game_date], 1)
    yield judged(canary, float(0 if served else wanted), (), watch.min_dates, table=STORE_TABLE)


def score_readings(warehouse: Warehouse, watch: Watch, game_date: dt.date) -> Iterator[Reading]:
    """Yield the batch score of the date; the severity the rules give it counts where it is worse than the canary's."""
    (canary,) = watch.by_source("score")
    span = {"start_date": game_date - dt.timedelta(days=watch.trailing_days), "end_date": game_date}
    rows = warehouse.query(SCORES, span).to_pylist()
    past = [float(row["quality_score"]) for row in rows if row["game_date"] < game_date]
    for row in rows:
        if row["game_date"] == game_date:
            severity = worst(row["severity"] or canary.severity, canary.severity)
            reading = judged(canary, float(row["quality_score"]), past, watch.min_dates, table=STORE_TABLE, severity=severity)
            # The least urgent severity is left to the days before: a low score every night wakes nobody.
            yield replace(reading, is_forced=severity != canary.severity)


def delivery_readings(warehouse: Warehouse, watch: Watch) -> Iterator[Reading]:
    """Yield the attempts of what waits to be delivered after a failure, by receiver."""
    (canary,) = watch.by_source("deliveries")
    for row in warehouse.query(OVERDUE).to_pylist():
        yield judged(canary, float(row["attempts"]), (), watch.min_dates, row["target"], DELIVERIES)
