"""A simulated league made harder: every gap and oddity that real feeds have, spread at random over its raw rows.

None of it is invalid, so ingest would let it all through; each opens another branch of the formulas.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from schemas.arrow_types import arrow_schema
from schemas.contracts import contract

FIGURES = "points minutes fgm fga fg3m fg3a ftm fta oreb dreb ast stl blk tov pf plus_minus".split()
Tables = dict[str, pa.Table]


def _set(table: pa.Table, column: str, mask: np.ndarray, value: object) -> pa.Table:
    kind = table.schema.field(column).type
    changed = pc.if_else(pa.array(mask), pa.scalar(value, kind), table[column])
    return table.set_column(table.schema.get_field_index(column), table.schema.field(column), changed)


def _share(rng: np.random.Generator, table: pa.Table, share: float) -> np.ndarray:
    return rng.random(table.num_rows) < share


def _of_games(rng: np.random.Generator, table: pa.Table, share: float) -> np.ndarray:
    """Return the rows of a share of the games."""
    games = table["game_id"].to_numpy(zero_copy_only=False)
    names = np.unique(games)
    return np.isin(games, names[rng.random(len(names)) < share])


def _boxes(rng: np.random.Generator, tables: Tables) -> None:
    """Some players appear for seconds or score nothing, some are listed and absent, some games have no player or team boxes."""
    boxes = tables["nba_raw.player_boxscores"]
    boxes = _set(boxes, "minutes", _share(rng, boxes, 0.03) & boxes["minutes"].is_valid().to_numpy(), 0.0)
    scoreless = _share(rng, boxes, 0.08) & boxes["points"].is_valid().to_numpy()
    for name in ("points", "fgm", "fg3m", "ftm"):
        boxes = _set(boxes, name, scoreless, 0)
    for name in ("fga", "fg3a", "fta"):
        boxes = _set(boxes, name, scoreless & (rng.random(boxes.num_rows) < 0.3), 0)
    absent = _share(rng, boxes, 0.05)
    for name in FIGURES:
        boxes = _set(boxes, name, absent, None)
    no_list = _of_games(rng, boxes, 0.03)
    tables["nba_raw.player_boxscores"] = boxes.filter(pa.array(~no_list))
    teams = tables["nba_raw.team_boxscores"]
    teams = _set(teams, "minutes", _share(rng, teams, 0.3), 238)
    tables["nba_raw.team_boxscores"] = teams.filter(pa.array(~(_of_games(rng, teams, 0.03) | _share(rng, teams, 0.03))))
    shots = tables["nba_raw.shots"]
    tables["nba_raw.shots"] = shots.filter(pa.array(~_of_games(rng, shots, 0.35)))


def _reports(rng: np.random.Generator, tables: Tables) -> None:
    """The feed falls silent for twelve days; statuses are shuffled, half of them without a game or an end."""
    reports = tables["nba_raw.injury_reports"]
    statuses = pa.array(np.array(["available", "probable", "questionable", "doubtful", "out"])[rng.integers(0, 5, reports.num_rows)])
    mask = _share(rng, reports, 0.4)
    changed = pc.if_else(pa.array(mask), statuses, reports["status"])
    reports = reports.set_column(reports.schema.get_field_index("status"), reports.schema.field("status"), changed)
    reports = _set(reports, "game_id", _share(rng, reports, 0.3), None)
    reports = _set(reports, "valid_days", _share(rng, reports, 0.2), int(rng.integers(1, 4)))
    days = np.sort(np.unique(reports["report_date"].to_numpy()))
    quiet = days[len(days) // 4]
    inside = (reports["report_date"].to_numpy() >= quiet) & (reports["report_date"].to_numpy() < quiet + np.timedelta64(12, "D"))
    tables["nba_raw.injury_reports"] = reports.filter(pa.array(~inside))


def _others(rng: np.random.Generator, tables: Tables) -> None:
    """Ages are unknown for half, venues neutral, tip-offs unknown; lines share prices and appear exactly at a cutoff."""
    players = tables["nba_raw.players"]
    tables["nba_raw.players"] = _set(players, "birth_date", _share(rng, players, 0.5), None)
    schedule = tables["nba_raw.schedule"]
    schedule = _set(schedule, "is_neutral_site", _share(rng, schedule, 0.1), True)
    tables["nba_raw.schedule"] = _set(schedule, "status", _share(rng, schedule, 0.03), "postponed")
    lines = tables["nba_raw.odds_player_points"]
    for name in ("over_price", "under_price"):
        lines = _set(lines, name, _share(rng, lines, 0.1), None)
        lines = _set(lines, name, _share(rng, lines, 0.2), -110)
    at_cutoff = pc.index_in(lines["game_id"], value_set=schedule["game_id"].combine_chunks())
    tipoff = schedule["tipoff_time"].combine_chunks().take(at_cutoff.combine_chunks())
    cutoff = pc.subtract(tipoff, pa.scalar(3_600_000_000, pa.duration("us")))
    exact = lines.filter(pa.array(_share(rng, lines, 0.02)))
    exact = exact.set_column(
        exact.schema.get_field_index("observed_at"),
        exact.schema.field("observed_at"),
        pc.take(cutoff, pc.index_in(exact["game_id"], value_set=lines["game_id"].combine_chunks())).cast(
            exact.schema.field("observed_at").type
        ),
    )
    exact = exact.set_column(exact.schema.get_field_index("line"), exact.schema.field("line"), pc.add(exact["line"], 2.0))
    tables["nba_raw.odds_player_points"] = _without_repeats("nba_raw.odds_player_points", pa.concat_tables([lines, exact]))


def _without_repeats(name: str, table: pa.Table) -> pa.Table:
    keys = list(contract(name).keys)
    first = table.append_column("_at", pa.array(np.arange(table.num_rows))).group_by(keys, use_threads=False).aggregate([("_at", "min")])
    return table.take(first["_at_min"])


def spoil(tables: Mapping[str, pa.Table], seed: int = 5) -> Tables:
    """Return the raw tables with gaps and oddities in them, the same for the same seed."""
    rng, spoiled = np.random.default_rng(seed), dict(tables)
    _boxes(rng, spoiled)
    _reports(rng, spoiled)
    _others(rng, spoiled)
    return {name: table.cast(arrow_schema(contract(name))) for name, table in spoiled.items()}
