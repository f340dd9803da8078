"""Planted inputs of the store statement: one player per case, with the rows of every table the statement reads.

A case says what is wrong with its player; everything else of him is whole. All cases go through the real statement at once.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa

from quality.reference_rules import FeatureInput, RowVerdict, judge_row
from schemas.arrow_types import arrow_schema
from schemas.catalogue import load_catalogue
from schemas.contracts import Column, contract
from schemas.rules import STORE_TABLE, load_rules
from schemas.settings import Settings
from transformations.render import companions, statement
from transformations.views import view_statements
from warehouse.embedded import EmbeddedWarehouse
from warehouse.protocol import Publication

CATALOGUE, RULES = load_catalogue(), load_rules()
DATE = dt.date(2024, 1, 31)
SEASON = "2023-24"
TIPOFF = dt.datetime(2024, 2, 1, 0, 30, tzinfo=dt.UTC)
GAMES = tuple(DATE - dt.timedelta(days=2 * n) for n in range(1, 13))
"""Dates of the twelve games everybody has played, newest first."""
CACHE, COMPOSITE = "nba_precompute.player_daily_cache", "nba_precompute.player_composite_factors"
SHOTS, DEFENSE = "nba_precompute.player_shot_zone_analysis", "nba_precompute.team_defense_zone_analysis"
SUMMARY, OFFENSE_GAMES = "nba_analytics.player_game_summary", "nba_analytics.team_offense_game_summary"
DEFENSE_GAMES = "nba_analytics.team_defense_game_summary"
ROSTER, SLATE, ODDS = "nba_analytics.upcoming_player_game_context", "nba_analytics.upcoming_team_game_context", "nba_raw.odds_player_points"
TABLES = (CACHE, COMPOSITE, SHOTS, DEFENSE, SUMMARY, OFFENSE_GAMES, DEFENSE_GAMES, ROSTER, SLATE, ODDS, "nba_raw.schedule")
NEUTRAL: dict[str, Any] = {"STRING": "x", "INT64": 0, "FLOAT64": 0.0, "BOOL": False, "DATE": DATE, "TIMESTAMP": TIPOFF}


@dataclass(frozen=True)
class Case:
    """One player: values put in place of the whole ones by table, and the tables that have no row of him.

    `line` says whether there are two quotes on him, `games` how many of the twelve he has played. `rival` is the opponent of
    his game: another one for what concerns a team, such as `rival_games`, the games the opponent has played.
    """

    name: str
    changes: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    without: tuple[str, ...] = ()
    line: bool = True
    rival: str = "OPP"
    games: int = len(GAMES)
    rival_games: int = len(GAMES)

    @property
    def player(self) -> str:
        return self.name

    @property
    def game_id(self) -> str:
        return f"00223{self.rival:0>5}"


def _neutral(column: Column) -> Any:
    if column.is_array:
        return []
    return (column.values[0] if column.values else NEUTRAL[column.type]) if column.required else None


def row(table: str, **values: Any) -> dict[str, Any]:
    """Return a row with a neutral value in each required column and the values given."""
    spec = contract(table)
    unknown = set(values) - set(spec.column_names)
    assert not unknown, unknown
    return {column.name: _neutral(column) for column in spec.columns} | values


def _common(case: Case) -> dict[str, Any]:
    return {"player_lookup": case.player, "game_date": DATE, "game_id": case.game_id}


def _whole(case: Case) -> dict[str, list[dict[str, Any]]]:
    """Return the rows of a player of whom nothing is missing."""
    common, home = _common(case), f"T{case.rival}"
    games = GAMES[: case.games]
    cache = {
        "team_abbr": home, "games_last_5": 5, "games_last_10": 10, "games_season": 12, "newest_game_date": GAMES[0],
        "points_avg_last_5": 14.0, "points_avg_last_10": 13.0, "points_avg_season": 12.0, "points_std_last_10": 4.0,
        "games_in_last_7_days": 3, "minutes_avg_last_10": 30.0, "minutes_avg_season": 29.0, "team_games_last_10": 10,
        "team_pace_last_10": 99.0, "team_off_rating_last_10": 113.0, "explosion_ratio": 1.5, "days_since_breakout": 3.0,
        "minutes_increase_pct": 0.1, "usage_rate_trend": 1.0, "fg_pct_last_game": 0.5,
        "contributing_game_dates": list(games[:10]), "contributing_game_ids": [f"g{d:%m%d}" for d in games[:10]],
    }  # fmt: skip
    composite = {
        "opponent_team_abbr": case.rival, "fatigue_score": 80.0, "shot_zone_mismatch_score": 2.0, "shot_zone_mismatch_sample": 10,
        "shot_zone_history_games": 10, "pace_score": 1.0, "pace_sample": 10, "usage_spike_score": 0.5, "usage_sample": 7,
        "projected_usage": 20.0, "injury_feed_live": True,
    }  # fmt: skip
    shots = {
        "games_last_10": 10, "games_with_shots": 10, "attempts": 100,
        "paint_rate_last_10": 50.0, "mid_range_rate_last_10": 20.0, "three_pt_rate_last_10": 30.0,
    }  # fmt: skip
    roster = {
        "team_abbr": home, "opponent_team_abbr": case.rival, "season": SEASON, "home_game": True, "tipoff_time": TIPOFF,
        "cutoff": TIPOFF - dt.timedelta(hours=1), "is_expected": True, "injury_feed_live": True, "player_status": "available",
        "days_rest": 1, "opponent_days_rest": 1, "games_in_last_7_days": 3, "rest_days_numeric": 1.0, "star_teammate_out": 0,
    }  # fmt: skip
    played = [
        row(
            SUMMARY,
            player_lookup=case.player,
            game_date=day,
            game_id=f"g{day:%m%d}",
            team_abbr=home,
            season=SEASON,
            opponent_team_abbr=case.rival if n < 2 else "ELSE",
            is_played=True,
            minutes=30.0,
            points=10 + n,
            fgm=4,
            fga=9,
            ftm=2,
            usage_rate=20.0,
            has_shots=True,
            paint_attempts=4,
            mid_range_attempts=2,
            three_attempts=3,
            data_hash=f"h{n}",
        )
        for n, day in enumerate(games)
    ]
    quotes = [
        row(ODDS, **common, bookmaker="book", observed_at=TIPOFF - dt.timedelta(hours=hours), line=line)
        for hours, line in ((8, 12.5), (2, 13.5))
    ]
    return {
        CACHE: [row(CACHE, **common, **cache)],
        COMPOSITE: [row(COMPOSITE, **common, **composite)],
        SHOTS: [row(SHOTS, **common, **shots)],
        ROSTER: [row(ROSTER, **common, **roster)],
        SUMMARY: played,
        ODDS: quotes if case.line else [],
    }


def _team_rows(rivals: Sequence[str]) -> dict[str, list[dict[str, Any]]]:
    """Return the rows of both sides of each game: the slate, their past games, and the opponent's Phase 4 row."""
    found: dict[str, list[dict[str, Any]]] = {SLATE: [], DEFENSE: [], OFFENSE_GAMES: [], DEFENSE_GAMES: [], "nba_raw.schedule": []}
    for rival in rivals:
        game = f"00223{rival:0>5}"
        for team, other in ((f"T{rival}", rival), (rival, f"T{rival}")):
            side = {"team_abbr": team, "game_date": DATE, "game_id": game}
            found[SLATE].append(
                row(
                    SLATE,
                    **side,
                    season=SEASON,
                    opponent_team_abbr=other,
                    tipoff_time=TIPOFF,
                    cutoff=TIPOFF,
                    days_rest=1,
                    opponent_days_rest=1,
                )
            )
            found[DEFENSE].append(
                row(DEFENSE, **side, games_last_15=15, games_with_shots=15, defensive_rating_last_15=111.0, opponent_pace=98.0)
            )
            for n, day in enumerate(GAMES):
                past = {"team_abbr": team, "game_date": day, "game_id": f"g{day:%m%d}", "season": SEASON, "opponent_team_abbr": "ELSE"}
                found[OFFENSE_GAMES].append(
                    row(
                        OFFENSE_GAMES,
                        **past,
                        win_flag=n % 2 == 0,
                        pace=99.0,
                        offensive_rating=113.0,
                        has_player_boxes=True,
                        data_hash=f"o{n}",
                    )
                )
                found[DEFENSE_GAMES].append(
                    row(DEFENSE_GAMES, **past, pace=98.0, defensive_rating=110.0, has_shots=True, data_hash=f"d{n}")
                )
        teams = {"home_team": f"T{rival}", "away_team": rival, "season": SEASON, "season_type": "regular", "status": "final"}
        for day in (DATE, *GAMES):
            found["nba_raw.schedule"].append(
                row("nba_raw.schedule", **teams, game_id=f"{rival}{day:%m%d}", game_date=day, tipoff_time=TIPOFF)
            )
    return found


def table_rows(cases: Sequence[Case]) -> dict[str, list[dict[str, Any]]]:
    """Return the rows of all tables for the cases; a change to a team's table concerns the case's own game."""
    tables: dict[str, list[dict[str, Any]]] = {table: [] for table in TABLES}
    for table, rows in _team_rows(sorted({case.rival for case in cases})).items():
        tables[table] += rows
    few = {case.rival: GAMES[: case.rival_games] for case in cases if case.rival_games < len(GAMES)}
    tables[DEFENSE_GAMES] = [one for one in tables[DEFENSE_GAMES] if one["game_date"] in few.get(one["team_abbr"], GAMES)]
    for case in cases:
        for table, rows in _whole(case).items():
            if table not in case.without:
                tables[table] += [{**one, **case.changes.get(table, {})} for one in rows]
        for table in (DEFENSE, DEFENSE_GAMES, SLATE):
            if table in case.without:
                tables[table] = [one for one in tables[table] if one["team_abbr"] not in (case.rival, f"T{case.rival}")]
            elif table in case.changes:
                of_game = (case.rival, f"T{case.rival}")
                tables[table] = [{**one, **case.changes[table]} if one["team_abbr"] in of_game else one for one in tables[table]]
    return tables


def open_planted(home: Path, tables: Mapping[str, Sequence[Mapping[str, Any]]]) -> EmbeddedWarehouse:
    """Return a warehouse that holds these rows as published."""
    warehouse = EmbeddedWarehouse(Settings("embedded", home, None, threads=1))
    publications = []
    for table, rows in tables.items():
        spec = contract(table)
        staged = warehouse.stage_rows(spec, pa.Table.from_pylist([dict(one) for one in rows], schema=arrow_schema(spec)), "planted")
        if staged.partitions:
            publications.append(Publication(staged, tuple(staged.partitions)))
    warehouse.publish(publications)
    warehouse.define_views(view_statements())
    return warehouse


PARAMETERS = {
    "start_date": DATE,
    "end_date": DATE,
    "as_of": TIPOFF,
    "as_of_date": DATE,
    "processed_at": TIPOFF,
    "cutoff_minutes": 60,
    "run_id": "planted",
    "code_version": "0",
    "definition_version": "0",
}


def build_store(warehouse: EmbeddedWarehouse, milliseconds: float = 0.5) -> dict[str, dict[str, Any]]:
    """Make the store rows with their companions, publish them, and return the rows by player."""
    spec = contract(STORE_TABLE)
    staged = warehouse.stage_query(spec, statement(STORE_TABLE), PARAMETERS, "planted")
    parts = [staged]
    for name in companions(STORE_TABLE):
        parameters = {**PARAMETERS, "computation_duration_ms": milliseconds}
        parts.append(warehouse.stage_query(contract(name), statement(name), parameters, "planted", [staged]))
    warehouse.publish([Publication(part, (DATE,)) for part in parts])
    rows = warehouse.query(f"SELECT * FROM {STORE_TABLE}").to_pylist()
    return {one["player_lookup"]: one for one in rows}


def inputs_of(store_row: Mapping[str, Any], stale: frozenset[str] = frozenset()) -> dict[int, FeatureInput]:
    """Return what the reference rules need of a row: what its labels say each value was made from."""
    types, reasons = json.loads(store_row["feature_sources"]), json.loads(store_row["feature_fallback_reasons_json"])
    samples, ranges = json.loads(store_row["feature_sample_sizes_json"]), json.loads(store_row["feature_value_ranges_valid_json"])
    return {
        f.index: FeatureInput(
            types[str(f.index)],
            reasons.get(str(f.index)),
            samples.get(str(f.index)),
            # A default has no game day behind it and carries no penalty.
            stale=f.stale_with in stale and not RULES.source_type(types[str(f.index)]).is_default,
            clamped=not ranges[str(f.index)],
        )
        for f in CATALOGUE.features
    }


def disagreements(store_row: Mapping[str, Any], verdict: RowVerdict) -> list[str]:
    """Return one line per quality column of a row that is not as the reference rules have it."""
    wanted: dict[str, Any] = {
        **{f"feature_{i}_quality": quality for i, quality in enumerate(verdict.qualities)},
        **{f"feature_{i}_source": source for i, source in enumerate(verdict.sources)},
        **{f"{name}_quality_pct": pct for name, pct in verdict.category_quality_pct.items()},
        **{f"{name}_default_count": count for name, count in verdict.category_default_count.items()},
        **{f"{name}_feature_count": count for name, count in verdict.source_counts.items()},
        "matchup_quality_tier": RULES.tier(verdict.category_quality_pct["matchup"]),
        "game_context_quality_tier": RULES.tier(verdict.category_quality_pct["game_context"]),
        "default_feature_indices": list(verdict.default_feature_indices),
        "quality_alerts": sorted(verdict.quality_alerts),
    }
    wanted |= {name: value for name, value in vars(verdict).items() if name in store_row and name not in wanted}
    found = {**store_row, "quality_alerts": sorted(store_row["quality_alerts"])}
    return [f"{name}: {found[name]!r} is not {value!r}" for name, value in wanted.items() if found[name] != value]


def judged(store_row: Mapping[str, Any], stale: frozenset[str] = frozenset()) -> list[str]:
    """Return what of a row contradicts the reference rules."""
    return disagreements(store_row, judge_row(inputs_of(store_row, stale)))
