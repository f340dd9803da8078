"""The Feast repository: declarations only, all derived from `schemas/`."""
