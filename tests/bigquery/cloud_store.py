"""Feast's store of the gcp profile over local servers: BigQuery by any address, the registry on Cloud Storage, each online store."""

from __future__ import annotations

import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from schemas.settings import Settings, load_settings
from serving import feature_store, gcp_profile, home
from serving.feature_store import open_feature_store
from tests.bigquery.conftest import PATIENT, PROJECT
from tests.bigquery.emulator import processes
from warehouse.bigquery import BigQueryWarehouse

BUCKET = "a-bucket"
STORES = ("sqlite", "redis", "bigtable")


@dataclass(frozen=True)
class CloudSite:
    """A home of the gcp profile with its warehouse; `store` is opened as the commands open it."""

    settings: Settings
    warehouse: BigQueryWarehouse
    online: str

    @property
    def store(self) -> Any:
        """Feast's store of this home."""
        return open_feature_store(self.settings, self.warehouse)

    def close_store(self) -> None:
        """Forget the open store, as a new process would."""
        feature_store._stores.pop(self.settings.home, None)


def make_bucket(address: str) -> None:
    """Create the registry's bucket; one that is there stays."""
    body = b'{"name": "%s"}' % BUCKET.encode()
    request = urllib.request.Request(f"{address}/storage/v1/b?project={PROJECT}", body, {"Content-Type": "application/json"})
    urllib.request.urlopen(request, timeout=10).close()


def without_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    """Answer what Google's libraries ask of a machine that has no account."""
    import google.auth
    from google.auth.credentials import AnonymousCredentials
    from google.cloud import bigquery

    monkeypatch.setattr(google.auth, "default", lambda *_, **__: (AnonymousCredentials(), PROJECT))
    # The Storage Read API has no variable that sends it elsewhere: None means REST.
    monkeypatch.setattr(bigquery.Client, "_ensure_bqstorage_client", lambda *_, **__: None)


@contextmanager
def cloud_site(folder: Path, online: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[CloudSite]:
    """Open a home over the BigQuery of BIGQUERY_EMULATOR_HOST, with the online store named.

    `redis` and `bigtable` have the registry on a Cloud Storage server, as the profile says; `sqlite` needs no server and keeps
    both in files.
    """
    without_credentials(monkeypatch)
    given = {
        "NBA_FEATURES_PROFILE": "gcp",
        "NBA_FEATURES_GCP_PROJECT": PROJECT,
        "NBA_FEATURES_REGISTRY_BUCKET": BUCKET,
        "NBA_FEATURES_REDIS": "redis://127.0.0.1:1/0",
        "NBA_FEATURES_HOME": str(folder / "home"),
        "NBA_FEATURES_ONLINE_STORE": "redis" if online == "sqlite" else online,
    }
    with ExitStack() as servers:
        if online == "redis":
            given["NBA_FEATURES_REDIS"] = servers.enter_context(processes.redis(folder))
        if online == "bigtable":
            given["BIGTABLE_EMULATOR_HOST"] = servers.enter_context(processes.bigtable(folder))
        if online != "sqlite":
            given["STORAGE_EMULATOR_HOST"] = servers.enter_context(processes.cloud_storage(folder))
            make_bucket(given["STORAGE_EMULATOR_HOST"])
        for name, value in given.items():
            monkeypatch.setenv(name, value)
        settings = load_settings()
        if online == "sqlite":
            raw = gcp_profile.configuration(settings)
            raw["registry"] = {"registry_type": "file", "path": str(folder / "registry.db")}
            raw["online_store"] = {"type": "serving.packed.sqlite_store.PackedSqliteOnlineStore", "path": str(folder / "online.db")}
            monkeypatch.setattr(gcp_profile, "configuration", lambda *_, **__: raw)
        warehouse = BigQueryWarehouse(settings, pace=PATIENT)
        site = CloudSite(settings, warehouse, online)
        try:
            yield site
        finally:
            site.close_store()
            home._open.pop((settings.profile, settings.home), None)
            warehouse.close()
