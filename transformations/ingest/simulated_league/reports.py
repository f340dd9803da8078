"""Injury reports: official ones that name a game, moves of the injured list, and a daily practice note."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from transformations.ingest.simulated_league.fixtures import DAY, Array, eastern, game_ids
from transformations.ingest.simulated_league.odds import LAST_BEFORE_TIP
from transformations.ingest.simulated_league.rosters import NOBODY
from transformations.ingest.simulated_league.rotation import HURT, ILL, RESTED
from transformations.ingest.simulated_league.season import Season
from transformations.ingest.simulated_league.tables import named, table
from transformations.ingest.simulated_league.teams import TEAMS

STATUSES = ("available", "probable", "questionable", "doubtful", "out")
AVAILABLE, PROBABLE, QUESTIONABLE, DOUBTFUL, OUT = range(5)
SILENT = -1
REASONS = (
    "left ankle sprain", "right knee soreness", "hamstring strain", "back spasms", "illness", "rest", "full practice",
    "placed on the injured list", "activated from the injured list", "day to day",
)  # fmt: skip
ILLNESS, REST, PRACTICE, LISTED, ACTIVATED, DAY_TO_DAY = range(4, 10)
INJURIES = 4
EVENING_MINUTE = 17 * 60 + 30
DAY_MINUTE = 10 * 60 + 30
PRACTICE_MINUTE = 15 * 60
LIST_MOVE_DAYS = 5
DAY_TO_DAY_VALID = 3
NOTES_A_DAY = 3
# Courses a healthy player's reports can take, by moment (evening before, day, last), and how often.
COURSES = np.array(
    [
        [QUESTIONABLE, PROBABLE, AVAILABLE],
        [PROBABLE, PROBABLE, SILENT],
        [DOUBTFUL, QUESTIONABLE, AVAILABLE],
        [QUESTIONABLE, QUESTIONABLE, SILENT],
    ]
)
COURSE_CHANCES = np.array([0.035, 0.03, 0.006, 0.01])


@dataclass(frozen=True)
class _Rows:
    """Reports in arrays; `game` is -1 and `valid` 0 where there is none."""

    date: Array
    at: Array
    player: Array
    status: Array
    game: Array
    valid: Array
    team: Array
    reason: Array
    moment: Array


def _official(season: Season, rng: np.random.Generator) -> _Rows:
    played, rotation = season.played, season.played.rotation
    counted = np.repeat(played.games.counted, 2)[:, None]
    absence, shape = rotation.absence, rotation.members.shape
    course = np.full((*shape, 3), SILENT)
    draw = rng.random(shape)
    for chance_from, chance_to, line in zip(np.cumsum(COURSE_CHANCES) - COURSE_CHANCES, np.cumsum(COURSE_CHANCES), COURSES, strict=True):
        course[rotation.playing & (draw >= chance_from) & (draw < chance_to)] = line
    course[absence == HURT] = (OUT, OUT, OUT)
    course[(absence == HURT) & (draw < 0.2)] = (DOUBTFUL, OUT, OUT)
    course[absence == ILL] = (QUESTIONABLE, QUESTIONABLE, OUT)
    course[(absence == ILL) & (draw < 0.4)] = (SILENT, DOUBTFUL, OUT)
    course[absence == RESTED] = (SILENT, OUT, OUT)
    side, place, moment = np.nonzero((course != SILENT) & counted[:, :, None])
    game = side // 2
    games = played.games
    _, team = season.world.by_side(games)
    player = rotation.members[side, place]
    why = absence[side, place]
    reason = np.select([why == ILL, why == RESTED], [ILLNESS, REST], player % INJURIES)
    evening, day = eastern(games.date - DAY, np.full(len(games), EVENING_MINUTE)), eastern(games.date, np.full(len(games), DAY_MINUTE))
    times = np.stack([evening, day, games.tipoff() - np.timedelta64(LAST_BEFORE_TIP, "m")], axis=1)
    date = np.where(moment == 0, games.date[game] - DAY, games.date[game])
    return _Rows(date, times[game, moment], player, course[side, place, moment], game, np.zeros(len(game), int), team[side], reason, moment)


def _teams_on(season: Season, player: Array, day: Array) -> Array:
    """Return the team of each player on each day, -1 where he has none."""
    stints = season.world.stints
    team = np.full(len(player), NOBODY)
    for at in range(len(player)):
        held = np.flatnonzero((stints.player == player[at]) & (stints.start <= day[at]) & (day[at] <= stints.end))
        if len(held):
            team[at] = stints.team[held[0]]
    return team


def _list_moves(season: Season) -> _Rows:
    """Return moves by date alone: a source without a clock is known from midnight on."""
    spells, world = season.spells, season.world
    long = (spells.end - spells.start + DAY) >= LIST_MOVE_DAYS * DAY
    still_hurt = world.hurt[spells.player, np.minimum(world.day(spells.end) + 1, world.hurt.shape[1] - 1)]
    back = long & ~still_hurt
    parts = [
        (spells.player[long], spells.start[long], OUT, 0, LISTED),
        (spells.player[back], spells.end[back], AVAILABLE, 0, ACTIVATED),
        (spells.player[~long], spells.start[~long], QUESTIONABLE, DAY_TO_DAY_VALID, DAY_TO_DAY),
    ]
    player, date = np.concatenate([p[0] for p in parts]), np.concatenate([p[1] for p in parts])
    status, valid, reason = (np.concatenate([np.full(len(p[0]), p[at]) for p in parts]) for at in (2, 3, 4))
    team = _teams_on(season, player, date)
    kept = team != NOBODY
    at = eastern(date + DAY, np.zeros(len(date), int))
    none = np.full(int(kept.sum()), -1)
    return _Rows(date[kept], at[kept], player[kept], status[kept], none, valid[kept], team[kept], reason[kept], none)


def _practice_notes(season: Season, rng: np.random.Generator) -> _Rows:
    """Return a few harmless notes a day, so that the feed is silent only when it is broken."""
    world = season.world
    days = world.first + np.arange(world.hurt.shape[1]) * DAY
    date = np.repeat(days, NOTES_A_DAY)
    team = (np.arange(len(date)) + rng.integers(0, world.teams)) % world.teams
    squad = world.stints.members(date, team, world.people.talent, world.teams)
    fit = (squad >= 0) & ~world.hurt[squad, world.day(date)[:, None]]
    place = np.where(fit, rng.random(squad.shape), -1.0).argmax(axis=1)
    player = squad[np.arange(len(date)), place]
    count = len(date)
    at = eastern(date, np.full(count, PRACTICE_MINUTE))
    none = np.full(count, -1)
    return _Rows(date, at, player, np.full(count, AVAILABLE), none, np.zeros(count, int), team, np.full(count, PRACTICE), none)


def injury_reports(season: Season, rng: np.random.Generator) -> pa.Table:
    """Return all reports; those of one player at one instant are numbered in the order in which they count."""
    parts = [_list_moves(season), _practice_notes(season, rng), _official(season, rng)]
    rows: dict[str, Any] = {name: np.concatenate([getattr(part, name) for part in parts]) for name in _Rows.__dataclass_fields__}
    order = np.lexsort([rows["moment"], rows["game"], rows["player"], rows["at"]])
    rows = {name: values[order] for name, values in rows.items()}
    new = np.append(True, (rows["player"][1:] != rows["player"][:-1]) | (rows["at"][1:] != rows["at"][:-1]))
    start = np.maximum.accumulate(np.where(new, np.arange(len(new)), 0))
    return table(
        "injury_reports",
        {
            "report_date": rows["date"],
            "player_lookup": named(rows["player"], season.world.people.lookup),
            "reported_at": rows["at"],
            "report_seq": np.arange(len(new)) - start,
            "status": named(rows["status"], STATUSES),
            "game_id": named(np.maximum(rows["game"], 0), game_ids(season.played.games, season.year), rows["game"] < 0),
            "valid_days": rows["valid"],
            "team_abbr": named(rows["team"], TEAMS),
            "reason": named(rows["reason"], REASONS),
        },
        {"valid_days": rows["valid"] == 0},
    )
