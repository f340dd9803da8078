"""Where tables live: one protocol, two engines."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from schemas.settings import Settings
    from warehouse.protocol import Warehouse


def open_warehouse(settings: Settings) -> Warehouse:
    """Open the warehouse of the profile."""
    from warehouse.embedded import EmbeddedWarehouse

    return EmbeddedWarehouse(settings)
