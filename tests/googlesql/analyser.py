"""Google's own SQL analyser and reference evaluator, in this process and offline.

`analyse(sql)` says what BigQuery would reject, against the table contracts; `evaluate(sql)` runs a query without
tables and returns its rows as Python values. Both come from the PyPI package `zetasql`, which holds Google's library
as WebAssembly. Compiling it takes about half a minute; the result is kept in wasmtime's cache, in the folder named by
`NBA_FEATURES_WASM_CACHE` or the user's own cache folder, and later starts take under a second.

The switches are those of BigQuery where the package has them: external product mode, QUALIFY reserved, UTC. All
language features are on, so the analyser accepts some constructs BigQuery does not have yet.
"""

from __future__ import annotations

import atexit
import contextlib
import ctypes
import datetime as dt
import functools
import logging
import os
import re
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from unittest import mock

from schemas.contracts import Column, load_contracts
from schemas.errors import DefinitionError

CACHE_FOLDER = "NBA_FEATURES_WASM_CACHE"
EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_KINDS = {
    "STRING": "STRING",
    "INT64": "INT64",
    "FLOAT64": "DOUBLE",
    "BOOL": "BOOL",
    "DATE": "DATE",
    "TIMESTAMP": "TIMESTAMP",
    "BYTES": "BYTES",
}
_TYPE_TEXTS = {2: "BIGINT", 5: "BOOLEAN", 7: "DOUBLE", 8: "VARCHAR", 9: "BLOB", 10: "DATE", 19: "TIMESTAMP WITH TIME ZONE"}
"""The library's numbers of types."""
_NAMES = {"BIGINT": "INT64", "BOOLEAN": "BOOL", "DOUBLE": "FLOAT64", "VARCHAR": "STRING", "BLOB": "BYTES", "DATE": "DATE"}
_NAMES["TIMESTAMP WITH TIME ZONE"] = "TIMESTAMP"
_PROJECT = re.compile(r"`[^`.]+\.([^`.]+)\.([^`.]+)`")


class InvalidGoogleSQLError(DefinitionError):
    """The analyser (or the evaluator) refused a statement."""

    code = "invalid_googlesql"
    while_running = False
    """TRUE when the statement is valid and failed over its data."""


def available() -> str | None:
    """Return why the package cannot be used here, or None."""
    try:
        import wasmtime  # noqa: F401
        import zetasql.core.wasm_client  # noqa: F401
    except ImportError as error:
        return f"the package zetasql cannot be imported: {error}"
    return None


def _cache_setting() -> bool | str:
    """Return what wasmtime wants to know: TRUE for the user's cache folder, or the path of a settings file."""
    folder = os.environ.get(CACHE_FOLDER)
    if not folder:
        return True
    Path(folder).mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile("w", suffix=".toml", delete=False) as file:
        file.write(f'[cache]\ndirectory = "{Path(folder).resolve()}"\n')
    return file.name


@functools.cache
def _service() -> Any:
    """Start Google's library, once per process."""
    logging.getLogger("zetasql").setLevel(logging.CRITICAL)
    # The analysis of a long statement is nested deeper than protocol buffers are read without being told to.
    with contextlib.suppress(ImportError, AttributeError):
        from google._upb import _message

        _message.SetAllowOversizeProtos(True)
    import wasmtime
    from zetasql.core import local_service, wasm_client

    class Client(wasm_client.WasmClient):
        """The package's client, moving whole buffers instead of single bytes."""

        def write_bytes(self, ptr: int, data: bytes) -> None:
            ctypes.memmove(ctypes.addressof(self.memory.data_ptr().contents) + ptr, data, len(data))

        def read_bytes(self, ptr: int, size: int) -> bytes:
            return ctypes.string_at(ctypes.addressof(self.memory.data_ptr().contents) + ptr, size)

    def cached_config() -> wasmtime.Config:
        config = wasmtime.Config()
        setting = _cache_setting()
        try:
            config.cache = setting
        finally:
            if isinstance(setting, str):
                Path(setting).unlink()
        return config

    # The package keeps one service for itself, which its own helpers ask too: it must be the cached one.
    with mock.patch.object(wasm_client, "Config", cached_config), mock.patch.object(local_service, "WasmClient", Client):
        client = local_service.ZetaSqlLocalService.get_instance().wasm_client
    atexit.register(_close, client)
    return client


def _close(client: Any) -> None:
    """Release the library while the interpreter is whole; later the bindings can no longer be called."""
    engine = client.store.engine
    for part in (client.memory, client.module, client.store, engine):
        part.close()


def _type(text: str, fields: tuple[Column, ...] = ()) -> Any:
    """Return the library's type for a type as contracts write it."""
    from zetasql.api import TypeFactory
    from zetasql.types import TypeKind

    if text.startswith("ARRAY<"):
        return TypeFactory.create_array_type(_type(text[6:-1], fields))
    if text == "STRUCT":
        return TypeFactory.create_struct_type([(column.name, _type(column.type, column.fields)) for column in fields])
    return TypeFactory.create_simple_type(TypeKind[f"TYPE_{_KINDS[text]}"])


@functools.cache
def _language() -> Any:
    _service()
    import zetasql.types as zt

    language = zt.LanguageOptions.maximum_features()
    language.reserved_keywords = ["QUALIFY"]
    language.product_mode = zt.ProductMode.PRODUCT_EXTERNAL
    return language


def _options(parameters: Mapping[str, str] | None) -> Any:
    """Return analyser options; without declared parameters any may be used and its type is inferred."""
    import zetasql.types as zt

    declared = [zt.AnalyzerOptions.QueryParameter(name=name, type=_type(text)) for name, text in (parameters or {}).items()]
    return zt.AnalyzerOptions(
        language_options=_language(), default_timezone="UTC", query_parameters=declared, allow_undeclared_parameters=parameters is None
    ).to_proto()


@functools.cache
def _catalogue(with_tables: bool) -> Any:
    """Return a catalogue of built-in functions, and of the contracts' tables by dataset."""
    import zetasql.types as zt

    def table(name: str, columns: tuple[Column, ...]) -> Any:
        return zt.SimpleTable(name=name, column=[zt.SimpleColumn(name=c.name, type=_type(c.type, c.fields)) for c in columns])

    datasets: dict[str, list[Any]] = {}
    if with_tables:
        for contract in load_contracts().values():
            datasets.setdefault(contract.dataset, []).append(table(contract.table, contract.columns))
    return zt.SimpleCatalog(
        name="warehouse",
        catalog=[zt.SimpleCatalog(name=dataset, table=tables) for dataset, tables in datasets.items()],
        builtin_function_options=zt.ZetaSQLBuiltinFunctionOptions(language_options=_language()),
    ).to_proto()


def _ask(method: str, request: Any, response: Any) -> Any:
    from zetasql.core.exceptions import ServerError, StatusCode

    try:
        return _service().call_grpc_func(f"ZetaSqlLocalService_{method}", request, response)
    except ServerError as error:
        refused = InvalidGoogleSQLError("GoogleSQL is refused by Google's analyser", [error.message])
        refused.while_running = error.code == StatusCode.OUT_OF_RANGE
        raise refused from None


@functools.cache
def _registered_catalogue() -> int:
    """Hand the tables to the library once; each analysis then names them by number."""
    from zetasql.wasi._pb2.zetasql.local_service import local_service_pb2 as pb

    request = pb.RegisterCatalogRequest(simple_catalog=_catalogue(True))
    return int(_ask("RegisterCatalog", request, pb.RegisterResponse).registered_id)


def output_columns(sql: str, parameters: Mapping[str, str] | None = None) -> list[tuple[str, str]]:
    """Analyse one query and return the names and GoogleSQL types of its columns; raise as `analyse` does."""
    from zetasql.wasi._pb2.zetasql.local_service import local_service_pb2 as pb

    statement = _PROJECT.sub(r"`\1`.`\2`", sql)
    request = pb.AnalyzeRequest(sql_statement=statement, options=_options(parameters), registered_catalog_id=_registered_catalogue())
    query = _ask("Analyze", request, pb.AnalyzeResponse).resolved_statement.resolved_query_stmt_node
    return [(column.name, _googlesql_text(column.column.type)) for column in query.output_column_list]


def _googlesql_text(kind: Any) -> str:
    """Write a type of the library as contracts write it."""
    if kind.HasField("array_type"):
        return f"ARRAY<{_googlesql_text(kind.array_type.element_type)}>"
    if kind.HasField("struct_type"):
        return f"STRUCT<{', '.join(f'{part.field_name} {_googlesql_text(part.field_type)}' for part in kind.struct_type.field)}>"
    return _NAMES[_TYPE_TEXTS[kind.type_kind]]


def analyse(sql: str, parameters: Mapping[str, str] | None = None) -> None:
    """Analyse one statement of any kind against the contracts; raise `InvalidGoogleSQLError` with Google's message.

    `parameters` maps names to GoogleSQL types; a name that is not among them is then an error. Without it, any
    parameter may be used. A project in front of a dataset is ignored.
    """
    from zetasql.wasi._pb2.zetasql.local_service import local_service_pb2 as pb

    statement = _PROJECT.sub(r"`\1`.`\2`", sql)
    request = pb.AnalyzeRequest(sql_statement=statement, options=_options(parameters), registered_catalog_id=_registered_catalogue())
    _ask("Analyze", request, pb.AnalyzeResponse)


def _value(value: Any, kind: Any) -> Any:
    """Turn one value of the library into a Python value."""
    held = value.WhichOneof("value")
    if held is None:
        return None
    content = getattr(value, held)
    if held == "array_value":
        return [_value(item, kind.array_type.element_type) for item in content.element]
    if held == "struct_value":
        return {f.field_name: _value(item, f.field_type) for f, item in zip(kind.struct_type.field, content.field, strict=True)}
    if held == "date_value":
        return EPOCH.date() + dt.timedelta(days=content)
    if held == "timestamp_value":
        return EPOCH + dt.timedelta(seconds=content.seconds, microseconds=content.nanos // 1000)
    return content


def _type_text(kind: Any) -> str:
    """Write a type of the library as DuckDB writes it."""
    if kind.HasField("array_type"):
        return f"{_type_text(kind.array_type.element_type)}[]"
    if kind.HasField("struct_type"):
        return f"STRUCT({', '.join(f'{part.field_name} {_type_text(part.field_type)}' for part in kind.struct_type.field)})"
    return _TYPE_TEXTS[kind.type_kind]


def evaluate(sql: str, parameters: Mapping[str, tuple[str, str]] | None = None) -> tuple[list[str], list[str], list[list[Any]]]:
    """Run one query without tables; return column names, types as DuckDB writes them, and rows.

    `parameters` maps names to (type, literal text); they are put in as literals. Raises `InvalidGoogleSQLError` when
    the query is invalid or fails while it runs.
    """
    from zetasql.wasi._pb2.zetasql.local_service import local_service_pb2 as pb

    request = pb.EvaluateQueryRequest(sql=_with_literals(sql, parameters or {}), options=_options({}), simple_catalog=_catalogue(False))
    response = _ask("EvaluateQuery", request, pb.EvaluateQueryResponse)
    columns = response.prepared.columns
    with contextlib.suppress(InvalidGoogleSQLError):
        _ask("UnprepareQuery", pb.UnprepareQueryRequest(prepared_query_id=response.prepared.prepared_query_id), _empty())
    rows = [[_value(cell, column.type) for cell, column in zip(row.cell, columns, strict=True)] for row in response.content.table_data.row]
    return [column.name for column in columns], [_type_text(column.type) for column in columns], rows


def _empty() -> Any:
    from google.protobuf import empty_pb2

    return empty_pb2.Empty


def _with_literals(sql: str, parameters: Mapping[str, tuple[str, str]]) -> str:
    """Put parameter values in as literals of their type."""
    for name, (kind, literal) in parameters.items():
        sql = re.sub(rf"@{name}\b", f"CAST({literal} AS {kind})", sql)
    return sql
