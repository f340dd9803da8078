"""Render the statement that makes a table: the table's SQL file inside the columns its contract adds."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from schemas.catalogue import CATALOGUE_FILE, load_catalogue
from schemas.contracts import READ_WINDOWS, Column, TableContract, contract, load_contracts
from schemas.rules import RULES_FILE, load_rules

if TYPE_CHECKING:
    import jinja2

ROOT = Path(__file__).parent


def sql_file(table: str) -> Path:
    """Return the SQL file of a table."""
    dataset, name = table.split(".")
    return ROOT / dataset / f"{name}.sql"


@lru_cache(maxsize=1)
def _environment() -> jinja2.Environment:
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(ROOT),
        undefined=jinja2.StrictUndefined,
        keep_trailing_newline=False,
        extensions=["jinja2.ext.do"],
        autoescape=False,  # noqa: S701 - SQL, not HTML
    )
    environment.globals.update(catalogue=load_catalogue(), rules=load_rules(), contract=contract, read_windows=READ_WINDOWS)
    return environment


@lru_cache(maxsize=16)
def rendered(text: str) -> str:
    """Return a statement that makes no table, written with the macros of the tables."""
    return _environment().from_string(text).render()


@lru_cache(maxsize=64)
def body(table: str) -> str:
    """Return the table's own SELECT, rendered."""
    dataset, name = table.split(".")
    return _environment().get_template(f"{dataset}/{name}.sql").render(table=contract(table))


def _rounded(column: Column, decimals: int | None) -> str:
    """Round fractions on write; adding zero turns -0.0 into 0.0, which hash alike."""
    if column.type == "FLOAT64" and decimals is not None:
        return f"ROUND({column.name}, {decimals}) + 0.0 AS {column.name}"
    return column.name


def _text(column: Column) -> str:
    """Return an expression of type STRING that is the same on every engine."""
    if column.is_array:
        element = "item" if column.element_type == "STRING" else "CAST(item AS STRING)"
        return f"IFNULL((SELECT STRING_AGG({element}, ',' ORDER BY place) FROM UNNEST({column.name}) AS item WITH OFFSET AS place), '')"
    if column.type == "FLOAT64":
        return f"IFNULL(CAST(CAST(ROUND({column.name} * 1000000000) AS INT64) AS STRING), '')"
    if column.type == "TIMESTAMP":
        return f"IFNULL(CAST(UNIX_MICROS({column.name}) AS STRING), '')"
    if column.type == "BOOL":
        return f"CASE WHEN {column.name} THEN '1' WHEN NOT {column.name} THEN '0' ELSE '' END"
    return f"IFNULL(CAST({column.name} AS STRING), '')"


def row_hash(columns: tuple[Column, ...]) -> str:
    """Return the MD5 over the columns, fractions to nine decimals, joined by bars."""
    scalars = [column for column in columns if not column.is_array and not column.fields]
    return "TO_HEX(MD5(CONCAT(" + ", '|', ".join(_text(column) for column in scalars) + ")))"


STAMP = {
    "processed_at": "@processed_at",
    "created_timestamp": "@processed_at",
    "quality_computed_at": "@processed_at",
    "computation_duration_ms": "@computation_duration_ms",
    "run_id": "@run_id",
    "code_version": "@code_version",
    "definition_version": "@definition_version",
}


def compact_list(items: list[str]) -> str:
    """Return an array of those string expressions that are not NULL."""
    joined = f"ARRAY_TO_STRING([{', '.join(items)}], ',')"
    return f"IF({joined} = '', CAST([] AS ARRAY<STRING>), SPLIT({joined}, ','))"


def _judged(spec: TableContract, columns: tuple[Column, ...]) -> str:
    """Wrap the body: fractions rounded, then score, tier, issues, sources and readiness by the contract's rules."""
    quality = spec.quality
    if quality is None:
        return f"SELECT * FROM (\n{body(spec.name)}\n) AS made"
    rounded = ",\n    ".join(_rounded(column, spec.decimals) for column in columns)
    penalties = " - ".join(["100", *(f"IF(IFNULL({i.when}, FALSE), {i.penalty}, 0)" for i in quality.issues)])
    issues = compact_list([f"IF(IFNULL({i.when}, FALSE), '{i.code}', NULL)" for i in quality.issues])
    sources = compact_list([f"IF(IFNULL({when}, FALSE), '{table}', NULL)" for table, when in quality.data_sources.items()])
    tiers = " ".join(f"WHEN quality_score >= {tier.lower} THEN '{tier.name}'" for tier in load_rules().tiers if tier.lower > 0)
    lowest = next(tier.name for tier in load_rules().tiers if tier.lower <= 0)
    return f"""SELECT
  *,
  CASE {tiers} ELSE '{lowest}' END AS quality_tier
FROM (
  SELECT
    *,
    GREATEST(0, {penalties}) * 1.0 AS quality_score,
    {issues} AS quality_issues,
    {sources} AS data_sources,
    IFNULL({quality.production_ready}, FALSE) AS is_production_ready
  FROM (
  SELECT
    {rounded}
  FROM (
{body(spec.name)}
  ) AS made
  ) AS rounded
) AS scored"""


@lru_cache(maxsize=64)
def statement(table: str) -> str:
    """Return the whole GoogleSQL query that makes the rows of a table between @start_date and @end_date.

    Parameters: @start_date, @end_date, @as_of_date DATE; @as_of, @processed_at TIMESTAMP; @cutoff_minutes INT64;
    @run_id, @code_version, @definition_version STRING; for a companion also @computation_duration_ms FLOAT64.
    """
    spec = contract(table)
    shared = {"quality_tier", "quality_score", "quality_issues", "data_sources", "is_production_ready"} if spec.quality else set()
    made = tuple(c for c in spec.columns if c.name not in shared and c.name not in STAMP and c.name != "data_hash")
    hashed = (
        made
        if spec.quality
        else tuple(c for c in made if c.name in (*spec.keys, *load_catalogue().names, *load_catalogue().breakout_inputs))
    )
    outputs = [
        f"{STAMP[c.name]} AS {c.name}" if c.name in STAMP else f"{row_hash(hashed)} AS data_hash" if c.name == "data_hash" else c.name
        for c in spec.columns
    ]
    return "SELECT\n  " + ",\n  ".join(outputs) + f"\nFROM (\n{_judged(spec, made)}\n) AS judged"


IN_RANGE = "WHERE game_date BETWEEN @start_date AND @end_date"


@lru_cache(maxsize=64)
def dates_statement(table: str) -> str:
    """Return the statement of a table for the dates of @dates alone, an ARRAY<DATE> between @start_date and @end_date.

    What is read of a date's own rows is narrowed too: that changes no row and saves the work for all dates between.
    """
    narrowed = statement(table).replace(IN_RANGE, f"{IN_RANGE} AND game_date IN UNNEST(@dates)")
    return f"SELECT * FROM (\n{narrowed}\n) AS whole_range\nWHERE {contract(table).partition} IN UNNEST(@dates)"


@lru_cache(maxsize=1)
def built_tables() -> tuple[str, ...]:
    """Return the tables that are built on their own, each after all it reads; companions come with the table they are made with."""
    contracts = {name: spec for name, spec in load_contracts().items() if spec.built_by == "sql" and spec.made_with is None}
    ordered: list[str] = []
    while len(ordered) < len(contracts):
        ready = [n for n, s in contracts.items() if n not in ordered and all(r in ordered or r not in contracts for r in s.reads)]
        if not ready:
            raise RecursionError("tables read each other in a circle")
        ordered += sorted(ready, key=lambda name: (contracts[name].phase or 0, name))
    return tuple(ordered)


@lru_cache(maxsize=64)
def companions(table: str) -> tuple[str, ...]:
    """Return the tables made from the staged rows of this one and published with them."""
    return tuple(sorted(name for name, spec in load_contracts().items() if spec.made_with == table))


def _digest(parts: list[str]) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]


@lru_cache(maxsize=64)
def table_definition(table: str) -> str:
    """Return the hash of what makes one table and its companions: the rendered statements and the contracts' columns."""
    parts = []
    for name in (table, *companions(table)):
        parts += [statement(name), *(f"{c.name} {c.sql_type} {c.role}" for c in contract(name).columns)]
    return _digest(parts)


@lru_cache(maxsize=1)
def definition_version() -> str:
    """Return the hash over the feature catalogue, the rules and all statements, stamped on every row."""
    files = [CATALOGUE_FILE.read_text(encoding="utf-8"), RULES_FILE.read_text(encoding="utf-8")]
    return _digest([*files, *(table_definition(name) for name in built_tables())])
