"""The small league of the orchestration tests, built up to yesterday."""

from __future__ import annotations

from tests.orchestration.conftest import built_home, ingested_home, league, season

__all__ = ["built_home", "ingested_home", "league", "season"]
