"""The leakage experiment: a date built twice, once with the true future and once with noise in its place."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from tests.transformations.noise import plant_noise
from tests.transformations.workbench import LONG_AFTER, ROSTER, SUMMARIES, Workbench, by_key, days, differences

# Who is on the roster besides the expected is decided by the box scores of the date, and so is the label that says so.
LEFT_OUT = ("roster_basis",)
RANGE_DAYS = 3
Rows = dict[tuple[Any, ...], dict[str, Any]]


@dataclass
class Experiment:
    """Two warehouses over one league that differ in what lies at or after the cutoffs of a date, seen from an instant."""

    day: dt.date
    as_of: dt.datetime
    first_noisy: dt.date
    truth: Workbench
    noisy: Workbench
    expected: frozenset[tuple[str, dt.date, str]]

    def content(self, table: str, rows: Iterable[Mapping[str, Any]]) -> Rows:
        """Return the content of rows by key: of every team, or of the expected players."""
        keyed = by_key(table, rows, LEFT_OUT)
        return {key: row for key, row in keyed.items() if "player_lookup" not in row or key in self.expected}

    def differences(self, table: str) -> list[str]:
        """Return what the noise changed in a table of the date."""
        true, noisy = (self.content(table, bench.rows(table, self.day)) for bench in (self.truth, self.noisy))
        assert true
        return differences(true, noisy)

    def differences_with(self, table: str, sql: str) -> list[str]:
        """Return what the noise would change in the date's rows if the table were made by this statement."""
        until = self.day + days(RANGE_DAYS)
        true, noisy = (self.content(table, bench.made_by(table, sql, self.day, until, self.as_of)) for bench in (self.truth, self.noisy))
        assert true
        return differences(true, noisy)

    def close(self) -> None:
        """Release both warehouses."""
        self.truth.close()
        self.noisy.close()


def run_experiment(truth: Workbench, noisy: Workbench, day: dt.date, last: dt.date, as_of: dt.datetime = LONG_AFTER) -> Experiment:
    """Build the date in both warehouses, as the first of several dates of one statement; the summaries up to the last date."""
    until = min(day + days(RANGE_DAYS), last)
    truth.build_all(day, until, as_of)
    rows = [row for row in truth.rows(ROSTER, day) if row["is_expected"]]
    first = plant_noise(noisy, day, [(row["player_lookup"], row["game_id"], row["team_abbr"]) for row in rows], as_of)
    noisy.build_all(first, last, tables=SUMMARIES)
    noisy.build_all(day, until, as_of)
    return Experiment(day, as_of, first, truth, noisy, frozenset((r["player_lookup"], r["game_date"], r["game_id"]) for r in rows))


def changed_summary_dates(experiment: Experiment, table: str) -> Mapping[dt.date, bool]:
    """Return for each date whether the noise changed a summary's partition."""
    true, noisy = (bench.warehouse.partitions(table) for bench in (experiment.truth, experiment.noisy))
    return {date: true.get(date) != noisy.get(date) for date in sorted(true.keys() | noisy.keys())}
