"""Great Expectations on DuckDB: a datasource over one Arrow table in a private in-memory database.

The library is heavy: import this module inside functions only. A private database per validation is needed because an
execution engine closes the connections of its SQLAlchemy engine when it is collected.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import Any, Literal

os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")

import duckdb
import great_expectations as gx
import pyarrow as pa
import sqlalchemy
from duckdb_sqlalchemy import ConnectionWrapper
from great_expectations.compatibility.pydantic import PrivateAttr
from great_expectations.datasource.fluent.sql_datasource import SQLDatasource
from great_expectations.execution_engine import SqlAlchemyExecutionEngine
from great_expectations.expectations import ExpectColumnMaxToBeBetween, ExpectColumnMinToBeBetween
from great_expectations.expectations.metrics.metric_provider import MetricProvider, metric_value
from great_expectations.validator.metric_configuration import MetricConfiguration
from great_expectations.validator.validator import ValidationDependencies
from sqlalchemy.pool import StaticPool

TABLE = "audit"


class Extremes(MetricProvider):
    """The least and the largest value of every column of the table: one metric and one scan for a whole suite."""

    metric_name = "audit.extremes"
    domain_keys = ("batch_id", "table")

    @metric_value(engine=SqlAlchemyExecutionEngine)
    def _sqlalchemy(cls, execution_engine: SqlAlchemyExecutionEngine, **_: Any) -> dict[str, tuple[Any, Any]]:  # noqa: N805
        with execution_engine.get_connection() as connection:
            names = [row[0] for row in connection.execute(sqlalchemy.text(f"DESCRIBE {TABLE}"))]
            both = ", ".join(f'min("{name}"), max("{name}")' for name in names)
            row = connection.execute(sqlalchemy.text(f"SELECT {both} FROM {TABLE}")).one()
        return dict(zip(names, zip(row[::2], row[1::2], strict=True), strict=True))


@lru_cache(maxsize=16)
def _needs(batch_id: str | None) -> ValidationDependencies:
    """Return what every expectation of ours asks for: of a batch, the extremes of all columns.

    The stock expectations ask for a dozen metrics per column, and building that graph is most of the time of a validation.
    """
    metric = MetricConfiguration(Extremes.metric_name, metric_domain_kwargs={"batch_id": batch_id}, metric_value_kwargs={})
    return ValidationDependencies({Extremes.metric_name: metric}, {"result_format": "BOOLEAN_ONLY"})


class _OnExtremes:
    """Judges the extremes of its column by the library's own comparison, and keeps the configuration it derives from itself."""

    _kept: Any = PrivateAttr(None)

    @property
    def configuration(self) -> Any:
        """Return the configuration, derived once per id: the library asks for it some fifty times, and ours do not change."""
        if self._kept is None or self._kept[0] != self.id:  # type: ignore[attr-defined]
            self._kept = (self.id, super().configuration)  # type: ignore[attr-defined, misc]
        return self._kept[1]

    def get_validation_dependencies(self, execution_engine: Any = None, runtime_configuration: Any = None) -> ValidationDependencies:
        """Return the one metric."""
        del execution_engine, runtime_configuration
        return _needs(self.batch_id)  # type: ignore[attr-defined]

    def _judge(self, metric_name: str, metrics: dict[str, Any], end: int) -> Any:
        column = self.column  # type: ignore[attr-defined]
        value = metrics[Extremes.metric_name][column][end]
        return self._validate_metric_value_between(metric_name, {metric_name: value})  # type: ignore[attr-defined]


class ExpectColumnMaxWithin(_OnExtremes, ExpectColumnMaxToBeBetween):
    """The stock expectation on the largest value of a column."""

    _kept: Any = PrivateAttr(None)

    def _validate(self, metrics: dict[str, Any], runtime_configuration: Any = None, execution_engine: Any = None) -> Any:
        return self._judge("column.max", metrics, 1)


class ExpectColumnMinWithin(_OnExtremes, ExpectColumnMinToBeBetween):
    """The stock expectation on the least value of a column."""

    _kept: Any = PrivateAttr(None)

    def _validate(self, metrics: dict[str, Any], runtime_configuration: Any = None, execution_engine: Any = None) -> Any:
        return self._judge("column.min", metrics, 0)


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


_LOCK = threading.Lock()


@lru_cache(maxsize=1)
def _definition() -> tuple[ArrowDatasource, Any]:
    """Return the datasource and its batch definition, one of each per process: declaring them costs more than judging."""
    logging.getLogger("great_expectations").setLevel(logging.CRITICAL)
    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False, "metric_calculations": False}
    source = context.add_datasource(datasource=ArrowDatasource(name=TABLE, connection_string="duckdb://", create_temp_table=False))
    source.reading_through(_engine(pa.table({"nothing": pa.array([], pa.int64())})))
    return source, source.add_table_asset(name=TABLE, table_name=TABLE).add_batch_definition_whole_table(TABLE)


def validate(table: pa.Table, expectations: Sequence[Any]) -> Sequence[Any]:
    """Run the expectations on the table and return their results; quiet, and with no account of single rows."""
    suite = gx.ExpectationSuite(name=TABLE, expectations=list(expectations))
    # The datasource reads one table at a time.
    with _LOCK:
        source, definition = _definition()
        source.reading_through(_engine(table))
        return definition.get_batch().validate(suite, result_format="BOOLEAN_ONLY").results


def suite_as_json(name: str, expectations: Sequence[Any]) -> dict[str, Any]:
    """Return a suite in the library's own form."""
    return dict(gx.ExpectationSuite(name=name, expectations=list(expectations)).to_json_dict())
