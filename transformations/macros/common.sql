{#- Pieces that several statements share. Every source of the past passes through `knowable_games` or `knowable_at`. -#}

{%- macro counted_types() -%}
('regular', 'play_in', 'playoffs', 'cup_final')
{%- endmacro -%}

{#- Fixtures of counted games between two bounds; the schedule is no outcome and needs no as-of filter. -#}
{%- macro counted_schedule(columns, low, high) -%}
SELECT {{ columns }}
  FROM nba_raw.schedule
  WHERE game_date BETWEEN {{ low }} AND {{ high }}
    AND season_type IN {{ counted_types() }}
    AND status != 'postponed'
{%- endmacro -%}

{#- The as-of filter of box scores: at most 365 days back, before the last date asked for, and known on the as-of date. -#}
{%- macro knowable_games(table, columns, condition='TRUE') -%}
SELECT {{ columns }}
  FROM {{ table }}
  WHERE game_date >= DATE_SUB(@start_date, INTERVAL 365 DAY)
    AND game_date < @end_date
    AND game_date < @as_of_date
    AND {{ condition }}
{%- endmacro -%}

{#- The as-of filter of raw rows of the dates themselves, for the summaries of played games. -#}
{%- macro knowable_day(table, columns) -%}
SELECT {{ columns }}
  FROM {{ table }}
  WHERE game_date BETWEEN @start_date AND @end_date
    AND game_date < @as_of_date
{%- endmacro -%}

{#- The as-of filter of time-stamped sources: known at the row's own cutoff. -#}
{%- macro knowable_at(instant, cutoff) -%}
{{ instant }} <= {{ cutoff }}
{%- endmacro -%}

{#- Sum of fractions by way of integers: the same bits whatever the order of the rows. -#}
{%- macro exact_sum(expression) -%}
SUM(CAST(ROUND({{ expression }} * 1000000000) AS INT64))
{%- endmacro -%}

{#- Mean of fractions: picounits below 1000, exact and free of order. -#}
{%- macro exact_mean(expression) -%}
SAFE_DIVIDE(SUM(CAST(ROUND({{ expression }} * 1000000000000) AS INT64)) / 1000000000000, COUNT({{ expression }}))
{%- endmacro -%}

{%- macro clamp(expression, low, high) -%}
LEAST(GREATEST({{ expression }}, {{ low }}), {{ high }})
{%- endmacro -%}

{#- Median over rows numbered by `position` of `total`. -#}
{%- macro middle(value, position, total) -%}
AVG(IF({{ position }} IN (DIV({{ total }} + 1, 2), DIV({{ total }} + 2, 2)), {{ value }}, NULL))
{%- endmacro -%}

{#- The roster rows of the dates asked for: the spine of every player table. -#}
{%- macro roster(columns) -%}
SELECT {{ columns }}
  FROM nba_analytics.upcoming_player_game_context
  WHERE game_date BETWEEN @start_date AND @end_date
{%- endmacro -%}

{%- macro slate(columns) -%}
SELECT {{ columns }}
  FROM nba_analytics.upcoming_team_game_context
  WHERE game_date BETWEEN @start_date AND @end_date
{%- endmacro -%}

{#- Numbered games of each owner, and for each spine row the number of his last one before the date.
    `latest_before(spine, games, owner)` gives one row per spine row that has such a game, with `last_number`. -#}
{%- macro latest_before(spine, games, owner) -%}
SELECT {{ owner }}, game_date, first_number, last_number
  FROM (
    SELECT
      {{ owner }}, game_date, is_spine,
      MIN(number) OVER year_before AS first_number,
      MAX(number) OVER year_before AS last_number
    FROM (
      SELECT {{ owner }}, game_date, number, FALSE AS is_spine FROM {{ games }}
      UNION ALL
      SELECT DISTINCT {{ owner }}, game_date, CAST(NULL AS INT64) AS number, TRUE AS is_spine FROM {{ spine }}
    ) AS both_kinds
    WINDOW year_before AS (PARTITION BY {{ owner }} ORDER BY UNIX_DATE(game_date) RANGE BETWEEN 365 PRECEDING AND 1 PRECEDING)
  ) AS stamped
  WHERE is_spine AND last_number IS NOT NULL
{%- endmacro -%}

{#- The last n games of each owner before each date, newest first in `recency` from 1. -#}
{%- macro last_games(latest, games, owner, n, columns) -%}
SELECT l.{{ owner }}, l.game_date, recency, {{ columns }}
  FROM {{ latest }} AS l
  CROSS JOIN UNNEST(GENERATE_ARRAY(1, {{ n }})) AS recency
  JOIN {{ games }} AS g
    ON g.{{ owner }} = l.{{ owner }}
    AND g.number = l.last_number + 1 - recency
    AND g.game_date >= DATE_SUB(l.game_date, INTERVAL 365 DAY)
{%- endmacro -%}
