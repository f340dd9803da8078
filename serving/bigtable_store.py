"""Feast's Bigtable store with one rule more: the newest event time is what is read, whatever was written last."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal

from feast.infra.online_stores.bigtable import BigtableOnlineStore, BigtableOnlineStoreConfig
from feast.utils import make_tzaware

from schemas.errors import StorageUnavailableError
from serving.clean_errors import clean_errors

if TYPE_CHECKING:
    from feast.repo_config import RepoConfig

MILLISECOND = 1000
"""Microseconds of Bigtable's finest cell time."""


class NewestBigtableOnlineStoreConfig(BigtableOnlineStoreConfig):
    """Configuration: as of Feast's own store."""

    type: Literal["serving.bigtable_store.NewestBigtableOnlineStore"] = "serving.bigtable_store.NewestBigtableOnlineStore"


def cell_time(event: dt.datetime) -> dt.datetime:
    """Return an event time as a cell's time, which Bigtable keeps to the millisecond."""
    aware: dt.datetime = make_tzaware(event)
    return aware.replace(microsecond=aware.microsecond // MILLISECOND * MILLISECOND)


class NewestBigtableOnlineStore(BigtableOnlineStore):
    """Cells carry the row's event time in place of the time of writing.

    Bigtable orders the versions of a cell by that time: an older row written later lies below the newer one and is never
    read, and a correction of the same event time takes the place of what it corrects. A row is one mutation, so its cells
    are always of one version. What Bigtable refuses is an error; the stock store drops it in silence.
    """

    def _write_rows_to_bt(
        self,
        rows_to_write: list[Any],
        bt_table: Any,
        feature_view_name: str,
        config: RepoConfig,
        progress: Callable[[int], Any] | None,
    ) -> None:
        rows = []
        # Of equal keys and times in one request Bigtable keeps the last.
        for key, values, event, _ in rows_to_write:
            row = bt_table.direct_row(self._compute_row_key(entity_key=key, feature_view_name=feature_view_name, config=config))
            at = cell_time(event)
            for name, value in values.items():
                row.set_cell(self.feature_column_family, name.encode(), value.SerializeToString(), at)
            row.set_cell(self.feature_column_family, b"event_ts", make_tzaware(event).isoformat().encode(), at)
            rows.append(row)
        refused = {status.message or str(status.code) for status in bt_table.mutate_rows(rows) if status.code}
        if refused:
            with clean_errors():
                raise StorageUnavailableError("Bigtable refused rows of the online store", refused, "run the same command again")
        if progress:
            progress(len(rows))
