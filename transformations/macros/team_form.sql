{%- import 'macros/common.sql' as m -%}
{#- A team's last games before each date of a spine with columns team_abbr, game_date.
    One definition for the Phase 4 tables and their Phase 3 fallbacks. -#}

{#- Offence: emits team_offense, with pace and offensive rating over the last 10. -#}
{%- macro offense_ctes(spine) -%}
offense_games AS (
  SELECT *, ROW_NUMBER() OVER (PARTITION BY team_abbr ORDER BY game_date, game_id) AS number
  FROM ({{ m.knowable_games('nba_analytics.team_offense_game_summary', 'team_abbr, game_date, game_id, pace, offensive_rating') }}) AS knowable
),
offense_latest AS (
  {{ m.latest_before(spine, 'offense_games', 'team_abbr') }}
),
offense_last_10 AS (
  {{ m.last_games('offense_latest', 'offense_games', 'team_abbr', 10, 'g.game_date AS played_on, g.pace, g.offensive_rating') }}
),
team_offense AS (
  SELECT
    team_abbr,
    game_date,
    COUNT(*) AS team_games_last_10,
    MAX(played_on) AS newest_team_game_date,
    {{ m.exact_mean('pace') }} AS team_pace_last_10,
    {{ m.exact_mean('offensive_rating') }} AS team_off_rating_last_10
  FROM offense_last_10
  GROUP BY team_abbr, game_date
)
{%- endmacro -%}

{#- Defence: emits defense_games and team_defense, over the last 15. -#}
{%- macro defense_ctes(spine) -%}
defense_games AS (
  SELECT *, ROW_NUMBER() OVER (PARTITION BY team_abbr ORDER BY game_date, game_id) AS number
  FROM ({{ m.knowable_games('nba_analytics.team_defense_game_summary', '*') }}) AS knowable
),
defense_latest AS (
  {{ m.latest_before(spine, 'defense_games', 'team_abbr') }}
),
defense_last_15 AS (
  {{ m.last_games('defense_latest', 'defense_games', 'team_abbr', 15, 'g.* EXCEPT (team_abbr, game_date), g.game_date AS played_on') }}
),
team_defense AS (
  SELECT
    team_abbr,
    game_date,
    COUNT(*) AS games_last_15,
    MAX(played_on) AS newest_game_date,
    {{ m.exact_mean('defensive_rating') }} AS defensive_rating_last_15,
    {{ m.exact_mean('pace') }} AS opponent_pace,
    COUNTIF(has_shots) AS games_with_shots,
    SAFE_DIVIDE(SUM(opponent_paint_makes), SUM(opponent_paint_attempts)) AS paint_pct_allowed,
    SAFE_DIVIDE(SUM(opponent_mid_range_makes), SUM(opponent_mid_range_attempts)) AS mid_range_pct_allowed,
    SAFE_DIVIDE(SUM(opponent_three_makes), SUM(opponent_three_attempts)) AS three_pct_allowed,
    ARRAY_AGG(game_id ORDER BY recency) AS contributing_game_ids
  FROM defense_last_15
  GROUP BY team_abbr, game_date
)
{%- endmacro -%}
