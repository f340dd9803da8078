"""Where tables live: one protocol, two engines."""

from __future__ import annotations

from typing import TYPE_CHECKING

from schemas.errors import UsageError

if TYPE_CHECKING:
    from schemas.settings import Settings
    from warehouse.protocol import Warehouse


def open_warehouse(settings: Settings) -> Warehouse:
    """Open the warehouse of the profile; raise `UsageError` for one there is no engine for."""
    if settings.profile == "gcp":
        from warehouse.bigquery import BigQueryWarehouse

        return BigQueryWarehouse(settings)
    if settings.profile != "embedded":
        raise UsageError("no warehouse for the profile", [settings.profile], "NBA_FEATURES_PROFILE is embedded or gcp")
    from warehouse.embedded import EmbeddedWarehouse

    return EmbeddedWarehouse(settings)
