"""Online stores that hold one packed row per entity and feature view, on SQLite and on Redis."""
