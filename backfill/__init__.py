"""What is missing, stale or touched, and making it so: backfill, completeness, cascade, doctor."""
