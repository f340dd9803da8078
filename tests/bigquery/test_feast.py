"""Feast's own BigQuery store over the wire: apply, gated materialize, historical features and online reads, by the gcp profile."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from schemas.catalogue import load_catalogue
from schemas.rules import STORE_TABLE
from schemas.settings import load_settings
from serving import feature_store, gcp_profile, home
from serving.feature_store import apply_definitions, open_feature_store
from tests.bigquery.conftest import PATIENT, PROJECT
from tests.bigquery.stand_in import StandIn
from tests.feast.store_rows import publish, store_table
from warehouse.bigquery import BigQueryWarehouse

pytestmark = [pytest.mark.wire, pytest.mark.slow]

WEEK = [dt.date(2025, 1, 6) + dt.timedelta(days=day) for day in range(3)]
SERVICE = "points_v3_37features"
ENVIRONMENT = {
    "NBA_FEATURES_PROFILE": "gcp",
    "NBA_FEATURES_GCP_PROJECT": PROJECT,
    "NBA_FEATURES_REGISTRY_BUCKET": "a-bucket",
    "NBA_FEATURES_REDIS": "localhost:6379",
}


@pytest.fixture
def store(server: StandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A published week behind Feast's BigQuery store; registry and online store are files here, for want of Cloud Storage and Redis."""
    import google.auth
    from google.auth.credentials import AnonymousCredentials
    from google.cloud import bigquery

    for name, value in {**ENVIRONMENT, "NBA_FEATURES_HOME": str(tmp_path)}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(google.auth, "default", lambda *_, **__: (AnonymousCredentials(), PROJECT))
    # The Storage Read API has no variable that sends it elsewhere: None means REST.
    monkeypatch.setattr(bigquery.Client, "_ensure_bqstorage_client", lambda *_, **__: None)
    settings = load_settings()
    raw = gcp_profile.configuration(settings)
    raw["registry"] = {"registry_type": "file", "path": str(tmp_path / "registry.db")}
    raw["online_store"] = {"type": "sqlite", "path": str(tmp_path / "online.db")}
    monkeypatch.setattr(gcp_profile, "configuration", lambda *_, **__: raw)
    warehouse = BigQueryWarehouse(settings, pace=PATIENT)
    publish(warehouse, store_table(WEEK))
    opened = open_feature_store(settings, warehouse)
    apply_definitions(opened)
    yield opened
    feature_store._stores.pop(settings.home, None)
    home._open.pop((settings.profile, settings.home), None)
    warehouse.close()


def test_historical_and_online_values_are_the_published_ones(store: Any, server: StandIn) -> None:
    names = load_catalogue().names
    # Rows whose instant lies before the end that is materialized.
    newest = f"FROM {STORE_TABLE} WHERE game_date <= '2025-01-07' ORDER BY event_timestamp DESC LIMIT 6"
    sql = f"SELECT player_lookup, game_id, event_timestamp, {', '.join(names)} {newest}"
    published = server.store.connection.execute(sql).to_arrow_table()
    entities = published.select(["player_lookup", "game_id", "event_timestamp"]).to_pandas()
    service = store.get_feature_service(SERVICE)
    found = {(row["player_lookup"], row["game_id"]): row for row in store.get_historical_features(entities, service).to_arrow().to_pylist()}
    store.materialize(dt.datetime(2025, 1, 6, tzinfo=dt.UTC), dt.datetime(2025, 1, 8, 23, 59, tzinfo=dt.UTC))
    keys = [{"player_lookup": row["player_lookup"], "game_id": row["game_id"]} for row in published.to_pylist()]
    online = store.get_online_features(service, keys).to_dict()
    assert published.num_rows == 6
    for place, row in enumerate(published.to_pylist()):
        for name in names:
            for value in (found[row["player_lookup"], row["game_id"]][name], online[name][place]):
                assert value == row[name] or math.isclose(value, row[name], rel_tol=1e-9), (row["player_lookup"], name)


def test_FM53_an_end_beyond_the_last_gated_date_is_refused(store: Any) -> None:
    with pytest.raises(Exception, match="2025-01") as caught:
        store.materialize(dt.datetime(2025, 1, 6, tzinfo=dt.UTC), dt.datetime(2099, 1, 1, tzinfo=dt.UTC))
    assert "2099" in str(caught.value)
    assert all(not view.materialization_intervals for view in store.list_feature_views())
