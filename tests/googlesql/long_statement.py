"""A made-up statement of the size the feature tables have."""

from __future__ import annotations

BLOCK = """    ROUND(
      SAFE_DIVIDE(
        SUM(IF(h.recency <= {n}, CAST(ROUND(h.points * 1000000000) AS INT64), 0)) OVER w / 1000000000,
        NULLIF(COUNTIF(h.recency <= {n}) OVER w, 0)
      ),
      6
    ) AS value_{n},
    CASE
      WHEN h.points IS NULL AND h.minutes < {n} THEN 'stale_data'
      WHEN LEAST(GREATEST(h.points / {n}, 0), 100.5) > {n} THEN 'phase4'
      ELSE IFNULL(CONCAT('reason_', CAST({n} AS STRING)), 'none')
    END AS reason_{n}"""


def long_statement(columns: int = 200) -> str:
    """Return a query with two columns per block, some seven lines each, over windowed history."""
    blocks = ",\n".join(BLOCK.format(n=n) for n in range(1, columns // 2 + 1))
    return f"""WITH history AS (
  SELECT player_lookup, game_date, points, minutes, ROW_NUMBER() OVER (PARTITION BY player_lookup ORDER BY game_date DESC) AS recency
  FROM nba_raw.player_boxscores
  WHERE game_date BETWEEN DATE_SUB(@start_date, INTERVAL 365 DAY) AND @end_date
),
wide AS (
  SELECT
    h.player_lookup,
    h.game_date,
{blocks}
  FROM history AS h
  WINDOW w AS (PARTITION BY h.player_lookup ORDER BY UNIX_DATE(h.game_date) RANGE BETWEEN 30 PRECEDING AND 1 PRECEDING)
)
SELECT * FROM wide WHERE game_date >= @start_date
"""
