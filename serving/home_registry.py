"""The SQLAlchemy dialect `nbahome`: SQLite below the home of the data.

Feast hands the registry's address to SQLAlchemy unread. A `sqlite:///` address is relative to the folder the command was
started in, and `feature_store.yaml` cannot say "this variable, or else that folder".
"""

from __future__ import annotations

from typing import Any

from sqlalchemy.dialects import registry
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite

from schemas.settings import load_settings
from serving.clean_errors import clean_errors
from serving.storage import writable_folder

SCHEME = "nbahome"


class HomeSqliteDialect(SQLiteDialect_pysqlite):
    """SQLite whose relative paths start at the home of the data."""

    supports_statement_cache = True

    def create_connect_args(self, url: Any) -> Any:
        """Return the arguments of `sqlite3.connect`, with the folder made on first use."""
        with clean_errors():
            path = load_settings().home / url.database
            writable_folder(path.parent)
        return super().create_connect_args(url.set(drivername="sqlite", database=str(path)))


def register() -> None:
    """Make the scheme known to SQLAlchemy."""
    registry.register(SCHEME, __name__, HomeSqliteDialect.__name__)
