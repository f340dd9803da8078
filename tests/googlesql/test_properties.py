"""Random small data through one windowed transform: both engines agree."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.googlesql import analyser, compare

pytestmark = pytest.mark.skipif(analyser.available() is not None, reason=analyser.available() or "")

FIRST = dt.date(2024, 1, 1)
TRANSFORM = """
SELECT
  player, d, t,
  SUM(points) OVER last7 AS points_7d,
  COUNT(*) OVER last7 AS games_7d,
  COUNTIF(won) OVER last7 AS wins_7d,
  ROUND(SAFE_DIVIDE(SUM(points) OVER last3, COUNT(points) OVER last3), 2) AS mean_3,
  ROUND(minutes, 1) AS minutes_1,
  CAST(minutes AS INT64) AS whole_minutes,
  FORMAT('%.6f', minutes) AS minutes_text,
  CAST(minutes AS STRING) AS minutes_string,
  TO_JSON_STRING(STRUCT(points, minutes, won)) AS as_json,
  LAST_VALUE(points IGNORE NULLS) OVER earlier AS previous_points,
  DATE_DIFF(d, LAG(d) OVER (PARTITION BY player ORDER BY d, t), DAY) AS days_since,
  DATE_DIFF(d, DATE '2024-01-01', WEEK) AS weeks,
  DATE_TRUNC(d, WEEK(MONDAY)) AS monday,
  EXTRACT(DAYOFWEEK FROM d) AS weekday,
  TIMESTAMP_DIFF(t, TIMESTAMP '2024-01-03 12:00:00+00', DAY) AS elapsed,
  DATE(t, 'America/New_York') AS local_date,
  LEAST(points, 10, DIV(points, 3)) AS least_points,
  GREATEST(minutes, points) AS greatest,
  MOD(points, 4) AS points_mod_4,
  IFNULL(SAFE_DIVIDE(points, minutes), -1) AS per_minute,
  MIN(minutes) OVER last3 AS lowest,
  STRING_AGG(IF(won, 'w', 'l'), '') OVER last3 AS form
FROM games
WHERE TRUE
QUALIFY ROW_NUMBER() OVER (PARTITION BY player, DATE_TRUNC(d, MONTH) ORDER BY d DESC, t DESC) <= 5
WINDOW
  earlier AS (PARTITION BY player ORDER BY d, t ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING),
  last7 AS (PARTITION BY player ORDER BY UNIX_DATE(d) RANGE BETWEEN 7 PRECEDING AND 1 PRECEDING),
  last3 AS (PARTITION BY player ORDER BY d, t ROWS BETWEEN 2 PRECEDING AND CURRENT ROW)
"""


MINUTES = st.one_of(
    st.none(),
    st.integers(0, 96).map(lambda n: n / 2),
    st.integers(0, 480_000).map(lambda n: n / 1000),
    st.integers(0, 9_600).map(lambda n: n / 20),
    # Quotients that overflow are a documented difference.
    st.floats(-1000, 1000, allow_nan=False).map(lambda x: x if abs(x) > 1e-9 else 0.0),
)
GAME = st.fixed_dictionaries(
    {
        "player": st.sampled_from(["ann", "bob", "Cy-é"]),
        "d": st.integers(0, 50).map(lambda n: FIRST + dt.timedelta(days=n)),
        "points": st.one_of(st.none(), st.integers(-9, 60)),
        "minutes": MINUTES,
        "won": st.one_of(st.none(), st.booleans()),
    }
)


def _literal(value: Any) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return str(value).upper()
    if isinstance(value, float):
        return f"CAST('{value!r}' AS FLOAT64)"
    if isinstance(value, dt.datetime):
        return f"TIMESTAMP '{value:%Y-%m-%d %H:%M:%S.%f}+00'"
    if isinstance(value, dt.date):
        return f"DATE '{value}'"
    return f"'{value}'" if isinstance(value, str) else str(value)


def _statement(games: list[dict[str, Any]]) -> str:
    """Put the rows in front of the transform; the instants are distinct, so that every order is total."""
    instant = "TIMESTAMP '2023-12-01 00:00:00+00'"
    first = f"STRUCT('nobody' AS player, DATE '2023-12-01' AS d, {instant} AS t, 1 AS points, 1.5 AS minutes, TRUE AS won)"
    rows = []
    for number, game in enumerate(games):
        start = dt.datetime.combine(game["d"], dt.time(2)) + dt.timedelta(minutes=13 * number, microseconds=number)
        values = [game["player"], game["d"], start, game["points"], game["minutes"], game["won"]]
        rows.append(f"({', '.join(map(_literal, values))})")
    return f"WITH games AS (SELECT * FROM UNNEST([{', '.join([first, *rows])}]))\n{TRANSFORM}"


@settings(max_examples=40)
@given(st.lists(GAME, max_size=25))
def test_engines_agree_on_random_games(games: list[dict[str, Any]]) -> None:
    sql = _statement(games)
    assert compare.differences(compare.run_google(sql), compare.run_duckdb(sql)) == []
