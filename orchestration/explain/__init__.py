"""From symptom to cause: what is wrong with a date, a player's row, a feature or a season, why, and what to run."""
