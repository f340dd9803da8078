"""One season from start to end: squads, fixtures, games, cup final, All-Star game, postseason."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from transformations.ingest.simulated_league import calendar, postseason
from transformations.ingest.simulated_league.fixtures import (
    ALL_STAR,
    CUP_FINAL,
    DAY,
    Array,
    Fixtures,
    fixtures,
    joined,
)
from transformations.ingest.simulated_league.people import People, new_people
from transformations.ingest.simulated_league.play import play
from transformations.ingest.simulated_league.played import Played
from transformations.ingest.simulated_league.played import joined as joined_games
from transformations.ingest.simulated_league.rosters import MATRIX_WIDTH, NOBODY, ROSTER_SIZE, Spells, draw_spells, draw_stints
from transformations.ingest.simulated_league.world import World, draw_form, rest_days, team_habits

RETIREMENT_AGE = 38
LATE_SHARE = 5
MOVES_A_SUMMER = 0.18
ALL_STARS = 12
WARM_UP_DAYS = 20


@dataclass(frozen=True)
class Season:
    """A simulated season: its world, its injuries, every played game and every fixture, postponed ones included."""

    label: str
    year: int
    world: World
    spells: Spells
    played: Played
    listed: Fixtures


@dataclass(frozen=True)
class League:
    """What passes from one season to the next: all players ever, and the squads of the teams."""

    people: People
    squads: tuple[Array, ...]


def _squads_of(people: People, squads: list[list[int]]) -> list[Array]:
    return [np.array(sorted(squad, key=lambda p: (-people.talent[p], p))) for squad in squads]


def _found(rng: np.random.Generator, seed: int, teams: int, opening: np.datetime64) -> League:
    size = ROSTER_SIZE - rng.integers(0, 3, teams)
    people = new_people(rng, seed, int(size.sum()), 0, opening, rookies=False)
    cut = np.cumsum(size)[:-1]
    return League(people, tuple(np.split(rng.permutation(len(people)), cut)))


def _summer(rng: np.random.Generator, seed: int, league: League, opening: np.datetime64) -> League:
    """Age the players, let the old retire, move some, and draw rookies into the empty places."""
    people = league.people.a_season_older(rng, opening)
    age = people.age(opening)
    stays = [[int(p) for p in squad if age[p] < RETIREMENT_AGE] for squad in league.squads]
    for squad in stays:
        if len(squad) > ROSTER_SIZE - 2:
            squad.remove(min(squad, key=lambda p: (people.talent[p], p)))
    movers = [(team, p) for team, squad in enumerate(stays) for p in squad if rng.random() < MOVES_A_SUMMER]
    for team, player in movers:
        stays[team].remove(player)
    order = rng.permutation(len(movers))
    for (team, _), at in zip(movers, order, strict=True):
        stays[team].append(movers[at][1])
    wanted = [max(0, ROSTER_SIZE - int(rng.integers(0, 3)) - len(squad)) for squad in stays]
    rookies = new_people(rng, seed, sum(wanted), len(people), opening, rookies=True)
    new = iter(range(len(people), len(people) + len(rookies)))
    squads = tuple(np.array(squad + [next(new) for _ in range(number)]) for squad, number in zip(stays, wanted, strict=True))
    return League(people.joined(rookies), squads)


def _cup_final(rng: np.random.Generator, world: World, regular: Played, dates: calendar.SeasonDates) -> Played:
    before = regular.take(np.flatnonzero(regular.games.date < dates.cup_final))
    wins = postseason.standings(before, world.teams)
    best = [int(sorted(members, key=lambda t: (-wins[t], t))[0]) for members in postseason.conferences(world.teams)]
    if len(best) == 1:
        best = [int(team) for team in np.argsort(-wins, kind="stable")[:2]]
    known = np.array([dates.cup_final - 4 * DAY])
    game = fixtures(
        CUP_FINAL,
        np.array([1]),
        np.array([dates.cup_final]),
        np.array(best[:1]),
        np.array(best[1:]),
        np.array([20 * 60 + 30]),
        neutral=np.ones(1, bool),
        known_from=known,
    )
    return play(rng, world, game, np.full(2, 2))


def _all_star(rng: np.random.Generator, world: World, regular: Played, dates: calendar.SeasonDates) -> Played:
    """Play the All-Star game between the twelve best fit scorers of each conference; its rows never count."""
    day = dates.all_star
    members = world.stints.members(np.full(world.teams, day), np.arange(world.teams), world.people.talent, world.teams)
    squads = np.full((2, MATRIX_WIDTH), NOBODY)
    for at, teams in enumerate(postseason.conferences(world.teams)):
        there = members[teams].ravel()
        there = there[there >= 0]
        there = there[~world.hurt[there, world.day(np.array([day]))[0]]]
        squads[at, :ALL_STARS] = there[np.argsort(-world.people.talent[there], kind="stable")[:ALL_STARS]]
    game = fixtures(
        ALL_STAR,
        np.array([1]),
        np.array([day]),
        np.array([world.teams]),
        np.array([world.teams + 1]),
        np.array([20 * 60]),
        neutral=np.ones(1, bool),
    )
    return play(rng, world, game, np.full(2, 3), members=squads)


def simulate(seed: int, label: str, teams: int, games_per_team: int, before: League | None) -> tuple[Season, League]:
    """Simulate a season on top of the league as the season before left it; return it with the league it leaves."""
    dates = calendar.season_dates(label, games_per_team)
    rng = np.random.default_rng([seed, dates.year])
    league = _found(rng, seed, teams, dates.opening) if before is None else _summer(rng, seed, before, dates.opening)
    late = new_people(rng, seed, max(1, teams // LATE_SHARE), len(league.people), dates.opening, rookies=True)
    late_at = np.arange(len(league.people), len(league.people) + len(late))
    people = league.people.joined(late)
    squads = _squads_of(people, [list(squad) for squad in league.squads])
    first, last = dates.opening - WARM_UP_DAYS * DAY, postseason.last_day(dates.end, teams)
    length, days = int((dates.end - dates.opening) / DAY) + 1, int((last - first) / DAY) + 1
    stints = draw_stints(rng, squads, late_at, first, dates.opening, length, last)
    spells = draw_spells(rng, people, stints, dates.opening, length)
    world = World(
        people=people,
        stints=stints,
        first=first,
        hurt=spells.by_day(len(people), first, days),
        form=draw_form(rng, len(people), days),
        teams=teams,
        **team_habits(rng, teams),
    )
    fixture_list = joined([calendar.preseason(rng, dates, teams), calendar.regular_season(rng, dates, teams, games_per_team)])
    to_play = fixture_list.take(~fixture_list.postponed)
    date, team = world.by_side(to_play)
    season_games = play(rng, world, to_play, rest_days(date, team))
    regular = season_games.take(np.flatnonzero(season_games.games.counted))
    wins = postseason.standings(regular, teams)
    extra = [_cup_final(rng, world, regular, dates)]
    if len(postseason.conferences(teams)) == 2:
        extra.append(_all_star(rng, world, regular, dates))
    knock_out, seeds = postseason.play_in(rng, world, wins, dates.end)
    extra += [*knock_out, *postseason.playoffs(rng, world, seeds, dates.end, wins)]
    played = joined_games([season_games, *extra])
    listed = joined([played.games, fixture_list.take(fixture_list.postponed)])
    final_squads = stints.members(np.full(teams, last), np.arange(teams), people.talent, teams)
    return Season(label, dates.year, world, spells, played, listed), League(people, tuple(row[row >= 0] for row in final_squads))
