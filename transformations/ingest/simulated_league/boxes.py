"""Tables of what was played: schedule, players, box scores and shots."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from transformations.ingest.simulated_league.fixtures import COUNTED, NOON, SEASON_TYPES, Array, Fixtures, eastern, game_ids
from transformations.ingest.simulated_league.people import POSITIONS, ZONE_VALUE, ZONES, People
from transformations.ingest.simulated_league.played import STATS
from transformations.ingest.simulated_league.season import Season
from transformations.ingest.simulated_league.tables import named, table
from transformations.ingest.simulated_league.teams import ALL_STAR_TEAMS, TEAMS

PERIOD_SECONDS = 720
OVERTIME_SECONDS = 300
HOOP = 5.25
CORNER_X = 22.3
# Distance from the hoop in feet by zone: nearest and farthest.
DISTANCE = np.array([[0, 4], [4, 14], [9, 23], [22, 24], [22, 24], [24, 31], [48, 80]], float)


def team_names(teams: int) -> list[str]:
    """Return abbreviations by team number; the two sides of the All-Star game come last."""
    return [*TEAMS[:teams], *ALL_STAR_TEAMS]


def schedule_table(season: Season, through: np.datetime64) -> pa.Table:
    """Return the fixture list as announced when the games of `through` were over."""
    games = season.listed.as_announced(through)
    games = games.take(np.lexsort([games.number, games.kind, games.date]))
    names = team_names(season.world.teams)
    status = np.select([games.postponed, games.date <= through], ["postponed", "final"], "scheduled")
    return table(
        "schedule",
        {
            "game_id": game_ids(games, season.year),
            "game_date": games.date,
            "season": [season.label] * len(games),
            "season_type": named(games.kind, SEASON_TYPES),
            "home_team": named(games.home, names),
            "away_team": named(games.away, names),
            "is_neutral_site": games.neutral,
            "tipoff_time": eastern(games.date, np.where(games.tip_known, games.tip, NOON)),
            "tipoff_known": games.tip_known,
            "status": status.tolist(),
        },
    )


def players_table(people: People) -> pa.Table:
    """Return one row per player; a few birth dates and positions are unknown."""
    return table(
        "players",
        {
            "player_lookup": people.lookup,
            "player_id": people.player_id,
            "player_name": people.name,
            "birth_date": people.birth,
            "position": named(people.position, POSITIONS, ~people.position_known),
        },
        {"birth_date": ~people.birth_known},
    )


def _game_columns(games: Fixtures, year: int, game: Array) -> dict[str, Any]:
    return {"game_id": named(game, game_ids(games, year)), "game_date": games.date[game]}


def player_boxes(season: Season) -> pa.Table:
    """Return the lines of all listed players; a listed player who did not play has NULL figures."""
    played = season.played
    side, place = np.nonzero(played.rotation.listed)
    appeared = (played.rotation.playing | played.rotation.cameo)[side, place]
    player = played.rotation.members[side, place]
    _, team = season.world.by_side(played.games)
    absent = dict.fromkeys((*STATS, "plus_minus"), ~appeared)
    return table(
        "player_boxscores",
        {
            **_game_columns(played.games, season.year, side // 2),
            "player_lookup": named(player, season.world.people.lookup),
            "player_id": season.world.people.player_id[player],
            "team_abbr": named(team[side], team_names(season.world.teams)),
            **{name: played.box[name][side, place] for name in STATS},
            "plus_minus": played.plus_minus[side, place],
            "started": played.started[side, place],
        },
        absent,
    )


def team_boxes(season: Season) -> pa.Table:
    """Return the box of each side: the sums over its players."""
    played = season.played
    side = np.arange(2 * len(played.games))
    _, team = season.world.by_side(played.games)
    return table(
        "team_boxscores",
        {
            **_game_columns(played.games, season.year, side // 2),
            "team_abbr": named(team, team_names(season.world.teams)),
            **{name: played.box[name].sum(axis=1) for name in STATS},
        },
    )


def _places_on_court(rng: np.random.Generator, zone: Array) -> tuple[Array, Array, Array]:
    """Return distance in whole feet and the coordinates of attempts by zone."""
    near, far = DISTANCE[zone].T
    distance = rng.uniform(near, far)
    angle = rng.uniform(-np.pi / 2, np.pi / 2, len(zone)) * np.where(zone == ZONES.index("above_break_3"), 0.72, 0.95)
    x, y = distance * np.sin(angle), HOOP + distance * np.cos(angle)
    for name, sign in (("left_corner_3", -1.0), ("right_corner_3", 1.0)):
        corner = zone == ZONES.index(name)
        x = np.where(corner, sign * CORNER_X, x)
        y = np.where(corner, HOOP + np.sqrt(np.maximum(distance**2 - CORNER_X**2, 0)), y)
    return np.floor(np.hypot(x, y - HOOP)).astype(int), np.round(x, 1), np.round(y, 2)


def shots_table(season: Season, rng: np.random.Generator) -> pa.Table:
    """Return every attempt of the games that count, numbered within the game by clock and then by the row's own values."""
    played, shots = season.played, season.played.shots
    kept = np.isin(played.games.kind, COUNTED)[shots.side // 2]
    side, place, zone, made, overtimes = (a[kept] for a in (shots.side, shots.place, shots.zone, shots.made, shots.overtime))
    game, player = side // 2, played.rotation.members[side, place]
    period = np.where(overtimes > 0, 5 + rng.integers(0, 8, len(side)) % np.maximum(overtimes, 1), rng.integers(1, 5, len(side)))
    seconds = np.floor(rng.random(len(side)) * np.where(period > 4, OVERTIME_SECONDS, PERIOD_SECONDS)).astype(int)
    distance, x, y = _places_on_court(rng, zone)
    order = np.lexsort([y, x, made, zone, player, -seconds, period, game])
    game, side, player, zone, made = game[order], side[order], player[order], zone[order], made[order]
    number = np.arange(len(game)) - np.searchsorted(game, game) + 1
    _, team = season.world.by_side(played.games)
    return table(
        "shots",
        {
            **_game_columns(played.games, season.year, game),
            "shot_number": number,
            "player_lookup": named(player, season.world.people.lookup),
            "team_abbr": named(team[side], team_names(season.world.teams)),
            "zone": named(zone, ZONES),
            "shot_value": ZONE_VALUE[zone],
            "made": made,
            "distance_ft": distance[order],
            "loc_x": x[order],
            "loc_y": y[order],
            "period": period[order],
            "seconds_left": seconds[order],
        },
    )
