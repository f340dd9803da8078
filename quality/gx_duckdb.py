"""Great Expectations on DuckDB: a datasource over one Arrow table in a private in-memory database.

The library is heavy: import this module inside functions only. A private database per validation is needed because an
execution engine closes the connections of its SQLAlchemy engine when it is collected.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal

os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")

import duckdb
import great_expectations as gx
import sqlalchemy
from duckdb_sqlalchemy import ConnectionWrapper
from great_expectations.compatibility.pydantic import PrivateAttr
from great_expectations.datasource.fluent.sql_datasource import SQLDatasource
from great_expectations.execution_engine import SqlAlchemyExecutionEngine
from great_expectations.expectations import ExpectColumnMaxToBeBetween, ExpectColumnMinToBeBetween
from sqlalchemy.pool import StaticPool

if TYPE_CHECKING:
    import pyarrow as pa

TABLE = "audit"


class _KeptConfiguration:
    """Keeps the configuration an expectation derives from itself.

    The library derives it some fifty times per expectation, which is half of the time of a validation; ours do not
    change once they are built, apart from the id the suite gives them.
    """

    _kept: Any = PrivateAttr(None)

    @property
    def configuration(self) -> Any:
        """Return the configuration, derived once per id."""
        if self._kept is None or self._kept[0] != self.id:  # type: ignore[attr-defined]
            self._kept = (self.id, super().configuration)  # type: ignore[attr-defined, misc]
        return self._kept[1]


class ExpectColumnMaxWithin(_KeptConfiguration, ExpectColumnMaxToBeBetween):
    """The stock expectation on the largest value of a column."""

    _kept: Any = PrivateAttr(None)


class ExpectColumnMinWithin(_KeptConfiguration, ExpectColumnMinToBeBetween):
    """The stock expectation on the least value of a column."""

    _kept: Any = PrivateAttr(None)


class KeptConnection(SqlAlchemyExecutionEngine):
    """An execution engine on one connection, kept open: each new one would see an empty database."""

    @contextmanager
    def get_connection(self) -> Iterator[Any]:
        """Yield the one connection."""
        if getattr(self, "_kept", None) is None:
            self._kept = self.engine.connect()
        yield self._kept


class ArrowDatasource(SQLDatasource):
    """A datasource that reads through the SQLAlchemy engine it was given."""

    type: Literal["arrow_on_duckdb"] = "arrow_on_duckdb"
    _given: Any = PrivateAttr(None)

    def reading_through(self, engine: Any) -> ArrowDatasource:
        """Return the datasource, made to read through the engine."""
        self._given = engine
        return self

    def get_engine(self) -> Any:
        """Return the engine it was given."""
        return self._given

    def get_execution_engine(self) -> Any:
        """Return an execution engine over the engine it was given."""
        return KeptConnection(engine=self._given)


def _engine(table: pa.Table) -> Any:
    database = duckdb.connect(":memory:")
    database.register("rows", table)
    database.execute(f"CREATE TABLE {TABLE} AS SELECT * FROM rows")
    database.unregister("rows")
    return sqlalchemy.create_engine(
        "duckdb://",
        creator=lambda: ConnectionWrapper(database.cursor()),
        poolclass=StaticPool,
        isolation_level="AUTOCOMMIT",
        pool_reset_on_return=None,
    )


def validate(table: pa.Table, expectations: Sequence[Any]) -> Sequence[Any]:
    """Run the expectations on the table and return their results; quiet, and with no account of single rows."""
    logging.getLogger("great_expectations").setLevel(logging.CRITICAL)
    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False, "metric_calculations": False}
    source = ArrowDatasource(name=TABLE, connection_string="duckdb://", create_temp_table=False)
    source = context.add_datasource(datasource=source).reading_through(_engine(table))
    asset = source.add_table_asset(name=TABLE, table_name=TABLE)
    batch = asset.add_batch_definition_whole_table(TABLE).get_batch()
    suite = gx.ExpectationSuite(name=TABLE, expectations=list(expectations))
    return batch.validate(suite, result_format="BOOLEAN_ONLY").results


def suite_as_json(name: str, expectations: Sequence[Any]) -> dict[str, Any]:
    """Return a suite in the library's own form."""
    return dict(gx.ExpectationSuite(name=name, expectations=list(expectations)).to_json_dict())
