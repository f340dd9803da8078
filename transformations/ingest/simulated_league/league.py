"""The simulated league as a source: seeded, deterministic, offline."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from schemas.contracts import contract
from schemas.errors import NoGamesError, UsageError
from transformations.ingest.delivery import Delivery, Progress, Rejection, SourceCount
from transformations.ingest.simulated_league import boxes, odds, reports
from transformations.ingest.simulated_league.calendar import first_year
from transformations.ingest.simulated_league.faults import Fault
from transformations.ingest.simulated_league.fixtures import DAY, eastern
from transformations.ingest.simulated_league.season import League, Season, simulate
from transformations.ingest.simulated_league.tables import RAW, UTC
from transformations.ingest.simulated_league.teams import TEAMS
from transformations.ingest.validate import ROW_COLUMN, SOURCE_COLUMN, split_by_contract

FEWEST_TEAMS = 4
FEWEST_GAMES = 4
MOST_GAMES = 82
PLAYED = ("player_boxscores", "team_boxscores", "shots")


class SimulatedLeague:
    """A league that exists nowhere, with every situation the real one has.

    The same arguments give equal tables. `seasons` are consecutive labels such as 2024-25; `teams` is an even number from 4 to 30.
    `played_through` is the last date with box scores: the games after it are announced as far as they could be known, and
    the next date with games has the odds and reports of its day. Without it everything but the last game day has been played.
    What was played by a date does not depend on `played_through`, on later seasons, or on `faults`.
    """

    def __init__(
        self,
        seed: int = 7,
        seasons: Sequence[str] = ("2024-25",),
        teams: int = 30,
        games_per_team: int = 82,
        faults: Sequence[Fault] = (),
        played_through: dt.date | None = None,
    ) -> None:
        years = [first_year(season) for season in seasons]
        wrong = [
            text
            for bad, text in (
                (not years, "no season given"),
                (years != [years[0] + at for at in range(len(years))] if years else False, "seasons that do not follow one another"),
                (teams % 2 or not FEWEST_TEAMS <= teams <= len(TEAMS), f"teams {teams}: not even, or not {FEWEST_TEAMS} to {len(TEAMS)}"),
                (not FEWEST_GAMES <= games_per_team <= MOST_GAMES, f"games_per_team {games_per_team}: not {FEWEST_GAMES} to {MOST_GAMES}"),
                (seed < 0, f"seed {seed} is negative"),
            )
            if bad
        ]
        if wrong:
            raise UsageError("no league can be simulated from that", wrong)
        self.seed, self.seasons, self.teams, self.games_per_team = seed, tuple(seasons), teams, games_per_team
        self.faults, self._asked_through = tuple(faults), played_through

    @property
    def name(self) -> str:
        """Short name of the source."""
        return "simulated"

    @cached_property
    def _simulated(self) -> tuple[Season, ...]:
        found: list[Season] = []
        state: League | None = None
        for label in self.seasons:
            season, state = simulate(self.seed, label, self.teams, self.games_per_team, state)
            found.append(season)
        return tuple(found)

    @cached_property
    def _counted_days(self) -> np.ndarray:
        """Dates on which games that count were really played, over all seasons, as if nothing were cut off."""
        return np.unique(np.concatenate([season.played.games.date[season.played.games.counted] for season in self._simulated]))

    @cached_property
    def _through(self) -> np.datetime64:
        return self._counted_days[-2] if self._asked_through is None else np.datetime64(self._asked_through, "D")

    @cached_property
    def _upcoming(self) -> np.datetime64 | None:
        """First date after the played ones for which a game that counts is announced."""
        days = []
        for season in self._simulated:
            listed = season.listed.as_announced(self._through)
            days.append(listed.date[listed.counted & (listed.date > self._through)])
        later = np.concatenate(days)
        return later.min() if len(later) else None

    def played_through(self) -> dt.date:
        """Return the last date whose games may have box scores."""
        return self._through.astype(object)

    def played_dates(self) -> tuple[dt.date, ...]:
        """Return the dates on which games that count have been played, in order; without preseason and All-Star days."""
        return tuple(self._counted_days[self._counted_days <= self._through].astype(object))

    def upcoming_date(self) -> dt.date:
        """Return the first date with scheduled games that count; raise `NoGamesError` when all has been played."""
        if self._upcoming is None:
            raise NoGamesError("the league has no games to come", [self.played_through()], "choose an earlier played_through")
        return self._upcoming.astype(object)

    @cached_property
    def _everything(self) -> Mapping[str, tuple[pa.Table, ...]]:
        """Tables by season, of all that happens in it."""

        def rng(season: Season, stream: int) -> np.random.Generator:
            return np.random.default_rng([self.seed, season.year, stream])

        return {
            "player_boxscores": tuple(boxes.player_boxes(s) for s in self._simulated),
            "team_boxscores": tuple(boxes.team_boxes(s) for s in self._simulated),
            "shots": tuple(boxes.shots_table(s, rng(s, 11)) for s in self._simulated),
            "odds_game_lines": tuple(odds.game_lines(s, rng(s, 12)) for s in self._simulated),
            "odds_player_points": tuple(odds.points_lines(s, rng(s, 13)) for s in self._simulated),
            "injury_reports": tuple(reports.injury_reports(s, rng(s, 14)) for s in self._simulated),
        }

    def _until(self, table: pa.Table, column: str, last: np.datetime64) -> pa.Table:
        return table.filter(pc.less_equal(table[column], pa.scalar(last.astype(object), pa.date32())))

    def _feeds(self) -> dict[str, pa.Table]:
        """Return the feeds as they stand after `played_through`, without faults."""
        whole = {name: pa.concat_tables(parts) for name, parts in self._everything.items()}
        next_day = self._through if self._upcoming is None else self._upcoming
        feeds = {
            "schedule": pa.concat_tables([boxes.schedule_table(season, self._through) for season in self._simulated]),
            "players": boxes.players_table(self._simulated[-1].world.people),
            **{name: self._until(whole[name], "game_date", self._through) for name in PLAYED},
        }
        last_instant = eastern(np.array([next_day + DAY]), np.zeros(1, int))
        midnight = pa.array(last_instant).cast(UTC)[0]
        for name, clock in (("odds_game_lines", "observed_at"), ("odds_player_points", "observed_at"), ("injury_reports", "reported_at")):
            feeds[name] = whole[name].filter(pc.less(whole[name][clock], midnight))
        for name in ("odds_game_lines", "odds_player_points"):
            feeds[name] = self._until(feeds[name], "game_date", next_day)
        reported = feeds["injury_reports"]
        announced = pc.is_in(reported["game_id"], value_set=feeds["schedule"]["game_id"].combine_chunks())
        feeds["injury_reports"] = reported.filter(pc.or_(announced, reported["game_id"].is_null()))
        lines = feeds["odds_game_lines"]
        to_come = pc.greater(lines["game_date"], pa.scalar(self._through.astype(object), pa.date32()))
        feeds["odds_game_lines"] = lines.filter(pc.invert(pc.and_(to_come, pc.equal(lines["bookmaker"], odds.CLOSE))))
        return feeds

    def deliver(self, progress: Progress | None = None) -> Delivery:
        """Simulate, spoil what the faults ask for, check every row against its contract and return the checked delivery."""
        feeds = self._feeds()
        for fault in self.faults:
            feeds = fault.spoil(feeds)
        tables: dict[str, pa.Table] = {}
        rejections: list[Rejection] = []
        counts: list[SourceCount] = []
        for at, (name, feed) in enumerate(feeds.items(), 1):
            full = f"{RAW}.{name}"
            source = f"{self.name}:{name}"
            marked = feed.append_column(SOURCE_COLUMN, pa.array([source]).take(pa.array(np.zeros(feed.num_rows, int))))
            marked = marked.append_column(ROW_COLUMN, pa.array(np.arange(1, feed.num_rows + 1)))
            good, refused = split_by_contract(marked, contract(full))
            tables[full] = good.drop_columns([SOURCE_COLUMN, ROW_COLUMN])
            rejections += refused
            rows_refused = len({rejection.row_ref for rejection in refused})
            counts.append(SourceCount(source, full, feed.num_rows, good.num_rows, rows_refused))
            if progress is not None:
                progress(full, at, len(feeds))
        return Delivery(tables, tuple(rejections), tuple(counts)).check()
