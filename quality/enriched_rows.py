"""SQL of the enriched rows: the store's rows with bit masks, one bit per feature, recomputed from the per-feature columns.

There is one mask per canonical source: `default_mask` has the features whose source is default. `reason_mask` has those with
a known reason, `failure_mask` those whose reason is of class failure, `out_of_range_mask` those whose value that came was out
of range, `training_mask` those of training quality. A row therefore recounts its own counters without a second pass.
"""

from __future__ import annotations

import json

from quality.checks import in_list, mask
from schemas.catalogue import Catalogue
from schemas.rules import Rules

REASONS = "feature_fallback_reasons_json"
RANGES = "feature_value_ranges_valid_json"
SAMPLES = "feature_sample_sizes_json"


def _bits(conditions: dict[int, str]) -> str:
    return " + ".join(f"CASE WHEN {condition} THEN {1 << index}::BIGINT ELSE 0 END" for index, condition in conditions.items())


def _json_masks(relation: str, name: str, column: str, last: int, bits: dict[str, str], known: str) -> str:
    # The texts repeat over thousands of rows: each distinct one is parsed once.
    aggregates = ",\n    ".join(
        f"COALESCE(BIT_OR(CASE WHEN {condition} AND idx BETWEEN 0 AND {last} THEN 1::BIGINT << idx ELSE 0 END), 0) AS {alias}"
        for alias, condition in bits.items()
    )
    return f"""{name}_items AS (
  SELECT texts.text, TRY_CAST(item.key AS INTEGER) AS idx, item.value ->> '$' AS word
  FROM (SELECT DISTINCT {column} AS text FROM {relation} WHERE json_valid({column})) AS texts, json_each(texts.text) AS item
),
{name} AS (
  SELECT
    text,
    {aggregates},
    BOOL_OR(COALESCE(idx NOT BETWEEN 0 AND {last}, TRUE) OR COALESCE(NOT ({known}), TRUE)) AS {name}_unknown
  FROM {name}_items
  GROUP BY text
)"""


def _training(catalogue: Catalogue, rules: Rules) -> dict[int, str]:
    bounds = rules.training_quality
    conditions = {}
    for feature in catalogue.features:
        column = f"feature_{feature.index}"
        condition = f"{column}_quality >= {bounds.min_quality} AND {column}_source <> 'default'"
        condition += f" AND (out_of_range_mask & {1 << feature.index}) = 0"
        if feature.window_games:
            condition += f' AND COALESCE(samples."{feature.index}", 0) >= {min(bounds.min_sample, feature.window_games)}'
        conditions[feature.index] = condition
    return conditions


def enriched_rows(relation: str, catalogue: Catalogue, rules: Rules) -> str:
    """Return the CTEs that end in `enriched`, one row per row of the relation, to be put after WITH."""
    last = len(catalogue.features) - 1
    required = mask(tuple(f.index for f in catalogue.where(required=True)))
    sample_type = json.dumps({str(f.index): "BIGINT" for f in catalogue.features if f.window_games})
    reasons = _json_masks(
        relation,
        "reasons",
        REASONS,
        last,
        {
            "reason_mask": f"word IN {in_list(tuple(r.name for r in rules.fallback_reasons))}",
            "failure_mask": f"word IN {in_list(rules.failure_reasons)}",
            "stale_mask": "word = 'stale_data'",
        },
        f"word IN {in_list(tuple(r.name for r in rules.fallback_reasons))}",
    )
    ranges = _json_masks(relation, "ranges", RANGES, last, {"out_of_range_mask": "word = 'false'"}, "word IN ('true', 'false')")
    features = catalogue.features
    by_source = {source: {f.index: f"feature_{f.index}_source = '{source}'" for f in features} for source in rules.canonical_sources}
    masks = ",\n    ".join(f"{_bits(conditions)} AS {source}_mask" for source, conditions in by_source.items())
    quality_sum = " + ".join(f"feature_{f.index}_quality" for f in catalogue.features)
    return f"""{reasons},
{ranges},
masked AS (
  SELECT
    store.*,
    {masks},
    COALESCE(reasons.reason_mask, 0) AS reason_mask,
    COALESCE(reasons.failure_mask, 0) AS failure_mask,
    COALESCE(reasons.stale_mask, 0) AS stale_mask,
    NOT json_valid(store.{REASONS}) OR COALESCE(reasons.reasons_unknown, FALSE) AS reasons_bad,
    COALESCE(ranges.out_of_range_mask, 0) AS out_of_range_mask,
    NOT json_valid(store.{RANGES}) OR COALESCE(ranges.ranges_unknown, FALSE) AS ranges_bad,
    NOT json_valid(store.{SAMPLES}) AS samples_bad,
    TRY(from_json(store.{SAMPLES}, '{sample_type}')) AS samples,
    ({quality_sum}) / {len(catalogue.features)}.0 AS mean_quality
  FROM {relation} AS store
  LEFT JOIN reasons ON reasons.text = store.{REASONS}
  LEFT JOIN ranges ON ranges.text = store.{RANGES}
),
enriched AS (
  SELECT
    *,
    default_mask & {required} AS required_default_mask,
    default_mask & {required} & failure_mask AS failed_mask,
    {_bits(_training(catalogue, rules))} AS training_mask
  FROM masked
)"""
