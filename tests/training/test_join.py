"""A key with a single feature row is joined the plain way: the answer is that of the as-of join."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pandas as pd
import pytest

from serving import retrieval
from serving.feature_store import feature_service
from serving.materialization_gate import midnight
from tests.feast.conftest import WEEK, Site
from tests.feast.store_rows import publish, store_table
from tests.training.conftest import V3


def answered(site: Site, frame: pd.DataFrame, *, filter_by_created: bool) -> list[dict[str, Any]]:
    provider = site.store._get_provider()
    service = feature_service(site.store, V3)
    views = [site.store.get_feature_view(p.name) for p in service.feature_view_projections]
    refs = [f"{p.name}:{f.name}" for p in service.feature_view_projections for f in p.features]
    job = provider.offline_store.get_historical_features(
        site.store.config, views, refs, frame, site.store.registry, "nba_features", filter_by_created_timestamp=filter_by_created
    )
    found: list[dict[str, Any]] = job.to_arrow().to_pylist()
    return found


@pytest.mark.parametrize("filter_by_created", [False, True])
def test_both_joins_answer_alike(week: Site, monkeypatch: pytest.MonkeyPatch, filter_by_created: bool) -> None:
    """At the cutoff, just before it, within the ttl, at its last instant and past it, before and after the row was written."""
    publish(week.warehouse, store_table(WEEK[:2], created_timestamp=[midnight(WEEK[2])] * 8))
    rows = store_table(WEEK).select(["player_lookup", "game_id", "event_timestamp"]).to_pylist()
    day, tick = dt.timedelta(days=1), dt.timedelta(microseconds=1)
    shifts = [dt.timedelta(0), -tick, day, 2 * day, 3 * day, 3 * day + tick, 60 * day]
    frame = pd.DataFrame([{**row, "event_timestamp": row["event_timestamp"] + shift} for shift in shifts for row in rows])
    took = []
    single = retrieval._one_row_per_key

    def watched(*args: Any) -> bool:
        took.append(single(*args))
        return took[-1]

    monkeypatch.setattr(retrieval, "_one_row_per_key", watched)
    plain = answered(week, frame, filter_by_created=filter_by_created)
    assert took and all(took)
    monkeypatch.setattr(retrieval, "_one_row_per_key", lambda *_: False)
    assert plain == answered(week, frame, filter_by_created=filter_by_created)
    found = sum(row["points_avg_season"] is not None for row in plain)
    assert 0 < found < len(plain)


def test_a_key_with_several_rows_is_joined_as_of_its_instant(week: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """A game that was moved has a row on either date; an entity of the first day may not see the second."""
    games = store_table(WEEK[:1]).column("game_id").to_pylist()
    publish(week.warehouse, store_table(WEEK[1:2], game_id=games, points_avg_season=[60.0] * 4))
    publish(week.warehouse, store_table(WEEK[:1], points_avg_season=[10.0] * 4))
    rows = store_table(WEEK[:1]).select(["player_lookup", "game_id", "event_timestamp"]).to_pylist()
    later = [{**row, "event_timestamp": row["event_timestamp"] + dt.timedelta(days=1)} for row in rows]
    found = answered(week, pd.DataFrame(rows + later), filter_by_created=False)
    assert [row["points_avg_season"] for row in found] == [10.0] * 4 + [60.0] * 4
