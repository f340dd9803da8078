"""Labels of a training set: what the player scored, the line he was held against, and how it ended."""

from __future__ import annotations

from schemas.catalogue import Service, load_catalogue
from schemas.errors import DefinitionError
from schemas.rules import STORE_TABLE
from transformations.render import rendered

POINTS_TABLE = "nba_analytics.player_game_summary"
LINES_TABLE = "nba_raw.odds_player_points"
LEDGER = "nba_orchestration.partition_ledger"
BLOCKED_TABLE = f"{STORE_TABLE}_blocked"

POINTS, LINE, LINE_AT, RESULT = "points", "closing_line", "closing_line_at", "result"
LABELS = (POINTS, LINE, LINE_AT, RESULT)
"""Columns that say how the game ended or what was expected of it; none of them may ever be a feature."""
RESULTS = ("over", "under", "push")

REASONS = {
    "written_after_known_by": "the row was written after the instant asked for",
    "date_blocked": "the gate refused the date, or the row lies in a partition it refused",
    "stale_definition": "the row was made under another definition of the store than today's",
    "no_box_score": "no box score names the player in this game",
    "label_written_after_known_by": "the box score was written after the instant asked for",
    "label_date_blocked": "the audit refused the box scores of the date",
    "not_played": "the box score marks an absence",
    "not_training_ready": "the row is not training ready",
    "failure_defaults": "required features hold defaults because something broke",
    "structural_defaults": "required features hold defaults by nature, and those were not wanted",
}
"""Why a row is refused, in the order in which the reasons are looked at: the first that holds counts."""
MISSING = "missing_feature"
"""The last reason, with the feature's name: a lookup would not let the row be used either."""

# A date blocked after it was published keeps its last good rows beside those set aside: a player and game counts once, as the
# row of the store.
# The line is what the books showed last before the house's own cutoff, which lies before tip-off, in the words of the store's
# line feature: a row built early holds an earlier line among its features, and is held against the last one all the same.
_CANDIDATES = f"""
{{%- import 'macros/store_values.sql' as v -%}}
WITH candidates AS (
  SELECT player_lookup, game_id, game_date, event_timestamp, tipoff_time, created_timestamp, is_training_ready,
    required_default_count, failure_default_count, FALSE AS is_set_aside, {{{{ missing }}}} AS missing
  FROM {STORE_TABLE}
  WHERE game_date BETWEEN @start_date AND @end_date
  UNION ALL
  SELECT player_lookup, game_id, game_date, event_timestamp, tipoff_time, created_timestamp, is_training_ready,
    required_default_count, failure_default_count, TRUE AS is_set_aside, CAST(NULL AS STRING) AS missing
  FROM {BLOCKED_TABLE} AS aside
  WHERE game_date BETWEEN @start_date AND @end_date
    AND NOT EXISTS (
      SELECT 1
      FROM {STORE_TABLE} AS kept
      WHERE kept.player_lookup = aside.player_lookup AND kept.game_id = aside.game_id AND kept.game_date = aside.game_date
        AND kept.game_date BETWEEN @start_date AND @end_date
    )
),
roster AS (
  SELECT player_lookup, game_id, game_date, LEAST(TIMESTAMP_SUB(tipoff_time, INTERVAL @cutoff_minutes MINUTE), @known_by) AS cutoff
  FROM candidates
  WHERE NOT is_set_aside
),
{{{{ v.points_line_ctes() }}}},
box_scores AS (
  SELECT player_lookup, game_id, game_date, is_played, {POINTS}, processed_at
  FROM {POINTS_TABLE}
  WHERE game_date BETWEEN @start_date AND @end_date
),
states AS (
  SELECT table_name, game_date, state, definition_version
  FROM {LEDGER}
  WHERE table_name IN ('{STORE_TABLE}', '{POINTS_TABLE}') AND game_date BETWEEN @start_date AND @end_date
)
SELECT
  c.player_lookup,
  c.game_id,
  c.game_date,
  c.event_timestamp,
  g.{POINTS},
  pl.points_line AS {LINE},
  IF(pl.points_line IS NULL, NULL, pl.last_observed_at) AS {LINE_AT},
  CASE
    WHEN g.{POINTS} > pl.points_line THEN 'over'
    WHEN g.{POINTS} < pl.points_line THEN 'under'
    WHEN g.{POINTS} = pl.points_line THEN 'push'
  END AS {RESULT},
  CASE
    WHEN c.created_timestamp > @known_by THEN 'written_after_known_by'
    WHEN c.is_set_aside OR IFNULL(ss.state, 'missing') != 'published' THEN 'date_blocked'
    WHEN IFNULL(ss.definition_version, 'unknown') != @definition THEN 'stale_definition'
    WHEN g.player_lookup IS NULL THEN 'no_box_score'
    WHEN g.processed_at > @known_by THEN 'label_written_after_known_by'
    WHEN IFNULL(gs.state, 'missing') = 'blocked' THEN 'label_date_blocked'
    WHEN NOT g.is_played THEN 'not_played'
    WHEN @training_ready AND NOT c.is_training_ready THEN 'not_training_ready'
    WHEN c.failure_default_count > @max_failure_defaults THEN 'failure_defaults'
    WHEN NOT @structural_defaults AND c.required_default_count > c.failure_default_count THEN 'structural_defaults'
    ELSE c.missing
  END AS refused
FROM candidates AS c
LEFT JOIN box_scores AS g ON g.player_lookup = c.player_lookup AND g.game_id = c.game_id AND g.game_date = c.game_date
LEFT JOIN points_lines AS pl ON pl.player_lookup = c.player_lookup AND pl.game_date = c.game_date
LEFT JOIN states AS ss ON ss.table_name = '{STORE_TABLE}' AND ss.game_date = c.game_date
LEFT JOIN states AS gs ON gs.table_name = '{POINTS_TABLE}' AND gs.game_date = c.game_date
"""


def _missing(service: Service) -> str:
    """Return the expression of the first feature that has no value a model may be given, by the rule of the lookup."""
    needed = load_catalogue().needed(service)
    tests = {
        name: f"IFNULL(IS_NAN({name}) OR IS_INF({name}), TRUE)" if name in needed else f"IFNULL(IS_INF({name}), FALSE)"
        for name in service.features
    }
    whens = " ".join(f"WHEN {test} THEN '{MISSING}:{name}'" for name, test in tests.items())
    return f"CASE {whens} END"


def candidates_statement(service: str) -> str:
    """Return the GoogleSQL query of all rows of the dates with their labels and, where one is refused for this service, why.

    Parameters: @start_date, @end_date DATE; @known_by TIMESTAMP; @cutoff_minutes, @max_failure_defaults INT64;
    @training_ready, @structural_defaults BOOL; @definition STRING, the store's of today. In no order: most rows of a range may
    be refused, and need none.
    """
    return rendered(_CANDIDATES.replace("{{ missing }}", _missing(load_catalogue().service(service))))


def refuse_labels_among(features: tuple[str, ...]) -> None:
    """Raise `DefinitionError` when a label is among the features, or could be: a feature of the catalogue has its name."""
    catalogue = load_catalogue()
    names = {*features, *catalogue.names, *catalogue.breakout_inputs}
    leaks = [label for label in LABELS if label in names]
    if leaks:
        raise DefinitionError("a label is among the features", leaks, "a model that is given the answer learns nothing else")
