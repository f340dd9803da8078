"""A factory of store rows the gate lets through: every contract column, labels and counters from the reference rules.

A test takes a good slate, plants one fault and sees the gate name it.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping, Sequence
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa

from quality.gate import ExpectedSlate
from quality.reference_rules import FeatureInput, RowVerdict, judge_row
from schemas.arrow_types import arrow_schema
from schemas.catalogue import Feature, load_catalogue
from schemas.contracts import load_contracts
from schemas.rules import STORE_TABLE, load_rules

CATALOGUE = load_catalogue()
RULES = load_rules()
SCHEMA = arrow_schema(load_contracts()[STORE_TABLE])
NAMES = CATALOGUE.names
VEGAS = (25, 26, 27)
SHARES = RULES.shares_indices
ROWS_PER_SIDE = 12
FIRST = dt.date(2024, 1, 10)
Pattern = Mapping[int, FeatureInput]


def given(feature: Feature, **changes: Any) -> FeatureInput:
    """Return the input of a feature served from its primary source with a full window."""
    return FeatureInput(**{"raw_type": feature.primary_type, "sample_size": feature.window_games, **changes})


def lost(feature: Feature, reason: str | None = None) -> FeatureInput:
    """Return the input of a feature with no value: default, or missing where there is none."""
    return FeatureInput(RULES.miss_type(feature), reason or feature.missing_reason, sample_size=0 if feature.window_games else None)


def pattern(line: bool = True, defaults: Mapping[int, str | None] | None = None, **overrides: FeatureInput) -> dict[int, FeatureInput]:
    """Return one row's inputs: all real, without the line when asked, with the defaults given (index to reason).

    A reason of None stands for the catalogue's own; further keywords are inputs by feature name.
    """
    row = {feature.index: given(feature) for feature in CATALOGUE.features}
    if not line:
        row |= {index: lost(CATALOGUE.features[index]) for index in VEGAS}
    row |= {index: lost(CATALOGUE.features[index], reason) for index, reason in (defaults or {}).items()}
    return row | {CATALOGUE.feature(name).index: value for name, value in overrides.items()}


def cache_lost(line: bool = True) -> dict[int, FeatureInput]:
    """Return the inputs of a row whose daily cache is missing while the Phase 3 fallback works."""
    row = pattern(line)
    for feature in CATALOGUE.where(missing_reason="daily_cache_missing"):
        served = given(feature, raw_type="phase3", reason="daily_cache_missing")
        row[feature.index] = served if feature.has_phase3_fallback else lost(feature)
    return row


USUAL = (pattern(), pattern(line=False))


def _spread(feature: Feature, n: int, rng: np.random.Generator) -> np.ndarray:
    middles = {5: 85.0, 6: 0.0, 31: 24.0, 0: 13.0, 1: 13.0, 2: 13.0, 13: 113.0, 14: 100.0, 22: 100.0, 23: 113.0}
    spreads = {5: 8.0, 6: 3.0, 31: 8.0, 0: 6.0, 1: 6.0, 2: 6.0}
    middle = middles.get(feature.index, (feature.min + feature.max) / 2)
    values = rng.normal(middle, spreads.get(feature.index, (feature.max - feature.min) / 12), n)
    if not feature.continuous:
        values = np.round(values)
    return np.round(np.clip(values, feature.min, feature.max), 6)


def _values(n: int, home: np.ndarray, patterns: Sequence[Pattern], which: np.ndarray, rng: np.random.Generator) -> dict[str, np.ndarray]:
    values = {feature.name: _spread(feature, n, rng) for feature in CATALOGUE.features}
    shares = rng.dirichlet((5, 3, 4), n)
    for position, index in enumerate(SHARES):
        values[NAMES[index]] = np.round(shares[:, position], 6)
    line, opening, move, flag = (NAMES[index] for index in (25, 26, 27, 28))
    values[line] = np.round(rng.uniform(5, 30, n) * 2) / 2
    values[opening] = values[line] - np.round(rng.normal(0, 1, n) * 2) / 2
    values[move] = values[line] - values[opening]
    values["home_away"] = home.astype(float)
    values[flag] = np.array([patterns[k][25].raw_type == "vegas" for k in which], dtype=float)
    for feature in CATALOGUE.features:
        away = np.array([RULES.source_type(row[feature.index].raw_type).is_default for row in patterns])[which]
        values[feature.name][away] = np.nan if feature.default is None else feature.default
    return values


def _json(row: Pattern, of: str) -> str:
    kinds: dict[str, dict[int, Any]] = {
        "reasons": {i: g.reason for i, g in row.items() if g.reason},
        "samples": {i: g.sample_size for i, g in row.items() if CATALOGUE.features[i].window_games},
        "ranges": {i: not g.clamped for i, g in row.items()},
        "sources": {i: g.raw_type for i, g in row.items()},
    }
    return json.dumps({str(index): value for index, value in sorted(kinds[of].items())})


def quality_columns(row: Pattern) -> dict[str, Any]:
    """Return the quality columns of a row with these inputs, from the reference rules."""
    verdict: RowVerdict = judge_row(row)
    columns: dict[str, Any] = {
        **{f"feature_{i}_quality": quality for i, quality in enumerate(verdict.qualities)},
        **{f"feature_{i}_source": source for i, source in enumerate(verdict.sources)},
        **{f"{name}_quality_pct": pct for name, pct in verdict.category_quality_pct.items()},
        **{f"{name}_default_count": count for name, count in verdict.category_default_count.items()},
        **{f"{name}_feature_count": count for name, count in verdict.source_counts.items()},
        "quality_alerts": list(verdict.quality_alerts),
        "default_feature_indices": list(verdict.default_feature_indices),
        "matchup_quality_tier": RULES.tier(verdict.category_quality_pct["matchup"]),
        "game_context_quality_tier": RULES.tier(verdict.category_quality_pct["game_context"]),
        "feature_fallback_reasons_json": _json(row, "reasons"),
        "feature_sample_sizes_json": _json(row, "samples"),
        "feature_value_ranges_valid_json": _json(row, "ranges"),
        "feature_sources": _json(row, "sources"),
    }
    return columns | {name: value for name, value in vars(verdict).items() if name in SCHEMA.names}


def _constants() -> dict[str, Any]:
    return {
        "season": "2023-24",
        "season_phase": "regular",
        "roster_basis": "both",
        "feature_expected_values_json": "{}",
        "feature_upstream_tables_json": "{}",
        "feature_last_updated_json": "{}",
        "feature_original_values_json": "{}",
        "feature_schema_version": CATALOGUE.schema_version,
        "available_feature_names": [],
        "breakout_model_compatible": [],
        "breakout_v3_features_available": False,
        "upstream_processors_ran": ",".join(RULES.phase4_jobs),
        "missing_processors": "",
        "feature_store_age_hours": 1.0,
        "quality_schema_version": RULES.quality_schema_version,
        "primary_data_source": "phase4",
        "matchup_data_status": "COMPLETE",
        "is_production_ready": True,
        "historical_completeness": {
            "games_found": 10,
            "games_expected": 10,
            "games_available": 40,
            "is_complete": True,
            "is_bootstrap": False,
            "contributing_game_dates": [],
        },
        "feature_quality_detail_version": RULES.detail_version,
        "feature_definition_version": "1",
        "data_hash": "0",
        "run_id": "run",
        "code_version": "0",
        "definition_version": "0",
    }


def store_rows(
    dates: int = 2,
    games: int = 6,
    per_side: int = ROWS_PER_SIDE,
    patterns: Sequence[Pattern] = USUAL,
    seed: int = 7,
    first: dt.date = FIRST,
) -> pa.Table:
    """Return valid rows of consecutive dates: per date `games` x 2 x `per_side`, the patterns in turn."""
    rng = np.random.default_rng(seed)
    per_date = games * 2 * per_side
    n = dates * per_date
    day, within = np.divmod(np.arange(n), per_date)
    side, player = np.divmod(within, per_side)
    which = (player + side) % len(patterns)
    home = side % 2 == 0
    tipoff = [dt.datetime.combine(first, dt.time(0, 30), dt.UTC) + dt.timedelta(days=int(d) + 1) for d in range(dates)]
    columns: dict[str, pa.Array] = {
        "player_lookup": pa.array([f"player{s:02d}x{p:02d}" for s, p in zip(side, player, strict=True)]),
        "game_date": pa.array([first + dt.timedelta(days=int(d)) for d in range(dates)]).take(pa.array(day)),
        "game_id": pa.array([f"00{d:05d}{s // 2:03d}" for d, s in zip(day, side, strict=True)]),
        "team_abbr": pa.array([f"T{s:02d}" for s in side]),
        "opponent_team_abbr": pa.array([f"T{s ^ 1:02d}" for s in side]),
        "tipoff_time": pa.array(tipoff, pa.timestamp("us", "UTC")).take(pa.array(day)),
        "event_timestamp": pa.array([t - dt.timedelta(hours=1) for t in tipoff], pa.timestamp("us", "UTC")).take(pa.array(day)),
    }
    columns |= {name: pa.array(value, from_pandas=True) for name, value in _values(n, home, patterns, which, rng).items()}
    judged = pa.Table.from_pylist([quality_columns(row) for row in patterns]).take(pa.array(which))
    columns |= {name: judged[name] for name in judged.column_names if name in SCHEMA.names}
    for name, value in _constants().items():
        columns[name] = pa.array([value], SCHEMA.field(name).type).take(pa.array(np.zeros(n, dtype=np.int64)))
    columns["quality_computed_at"] = columns["created_timestamp"] = columns["event_timestamp"]
    nothing = {name: pa.nulls(n, SCHEMA.field(name).type) for name in SCHEMA.names if name not in columns}
    return pa.table([{**columns, **nothing}[name] for name in SCHEMA.names], names=SCHEMA.names).cast(SCHEMA)


def expected(rows: pa.Table) -> dict[dt.date, ExpectedSlate]:
    """Return slates that call for exactly these rows."""
    with duckdb.connect() as connection:
        connection.register("store", rows)
        counts = connection.execute("SELECT game_date, COUNT(*), COUNT(DISTINCT game_id) FROM store GROUP BY 1 ORDER BY 1").fetchall()
    return {date: ExpectedSlate(count, games) for date, count, games in counts}


def changed(rows: pa.Table, where: str = "TRUE", **assignments: str) -> pa.Table:
    """Return the rows with columns replaced by SQL expressions where the condition holds: how a fault is planted."""
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.register("store", rows)
        replaced = ", ".join(f"CASE WHEN {where} THEN {value} ELSE {name} END AS {name}" for name, value in assignments.items())
        return connection.execute(f"SELECT * REPLACE ({replaced}) FROM store").to_arrow_table().cast(SCHEMA)
