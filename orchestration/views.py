"""The views of the warehouse follow the code: whoever is about to read or write makes them so."""

from __future__ import annotations

from transformations.views import view_statements
from warehouse.protocol import Warehouse


def define_views(warehouse: Warehouse) -> None:
    """Make the views what this version of the code says; nothing is written when they are so already."""
    warehouse.define_views(view_statements())
