"""Table contracts: columns, types, keys, partitioning and the as-of rule of every table, read from YAML.

A column entry with `for_each: feature` (or `category`, or `breakout_input`) stands for one column per item of the
catalogue; `{name}`, `{index}` and `{definition}` in it are filled from the item. Legacy and meta columns are marked by
`role`; only `content` columns enter fingerprints.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

from schemas.catalogue import Catalogue, load_catalogue
from schemas.errors import DefinitionError, UnknownNameError
from schemas.yaml_files import read_yaml

SCHEMAS = Path(__file__).parent
DATASETS = ("nba_raw", "nba_analytics", "nba_precompute", "nba_predictions", "nba_orchestration")
SCALARS = ("STRING", "INT64", "FLOAT64", "BOOL", "DATE", "TIMESTAMP")
BUILDERS = ("ingest", "sql", "record", "view", "copy")
AS_OF_RULES = ("exempt", "event_date", "snapshot", "cutoff")
ROLES = ("content", "meta", "legacy")
READ_WINDOWS = {
    # How far before its own date D a table reads another one, in days before D: oldest and newest.
    "same_day": (0, 0),
    "year_before": (365, 1),
    "year_and_day": (365, 0),
    "month_and_day": (31, 0),
    "whole": None,
}


@dataclass(frozen=True)
class Column:
    """One column: type as BigQuery writes it, and the values that are legal in it.

    A flag that never changes, or a column that is never filled, over months is a fault unless `may_be_constant`.
    """

    name: str
    type: str
    description: str
    required: bool = False
    role: str = "content"
    values: tuple[str, ...] = ()
    min: float | None = None
    max: float | None = None
    above: float | None = None
    fields: tuple[Column, ...] = ()
    online: bool = False
    may_be_constant: bool = False

    @property
    def is_array(self) -> bool:
        """TRUE for ARRAY<...> columns."""
        return self.type.startswith("ARRAY<")

    @property
    def element_type(self) -> str:
        """Type of one element: of the column itself unless it is an array."""
        return self.type[6:-1] if self.is_array else self.type

    @property
    def sql_type(self) -> str:
        """Type in GoogleSQL, nested fields spelled out."""
        if not self.fields:
            return self.type
        inside = ", ".join(f"{f.name} {f.sql_type}" for f in self.fields)
        return self.type.replace("STRUCT", f"STRUCT<{inside}>", 1)


@dataclass(frozen=True)
class QualityIssue:
    """A named defect of a row: `when` is a GoogleSQL predicate over the row, `penalty` its cost in points."""

    code: str
    when: str
    penalty: int


@dataclass(frozen=True)
class QualityRule:
    """How a Phase 3 or Phase 4 table judges its own rows."""

    issues: tuple[QualityIssue, ...]
    production_ready: str
    data_sources: Mapping[str, str]


@dataclass(frozen=True)
class TableCheck:
    """A rule over the rows of a table, in GoogleSQL.

    `violated` is a predicate that is TRUE for a bad row; without it `value` is an aggregate over the rows of one partition
    and `min` and `max` bound it. `column` names what is concerned, several separated by commas.
    """

    code: str
    column: str
    violated: str | None = None
    metric: str = "rows_violating"
    value: str | None = None
    min: float | None = None
    max: float | None = None
    severity: str = "critical"


@dataclass(frozen=True)
class TableContract:
    """Everything a reader or a writer may rely on about one table."""

    name: str
    description: str
    grain: str
    built_by: str
    partition: str | None
    cluster: tuple[str, ...]
    keys: tuple[str, ...]
    as_of_rule: str
    as_of_column: str | None
    columns: tuple[Column, ...]
    reads: Mapping[str, str] = field(default_factory=dict)
    quality: QualityRule | None = None
    checks: tuple[TableCheck, ...] = ()
    decimals: int | None = None
    phase: int | None = None
    online: bool = False
    copy_of: str | None = None
    rows_from: str | None = None
    made_with: str | None = None

    @property
    def dataset(self) -> str:
        """Dataset part of the name."""
        return self.name.split(".")[0]

    @property
    def table(self) -> str:
        """Table part of the name."""
        return self.name.split(".")[1]

    @cached_property
    def by_name(self) -> Mapping[str, Column]:
        """Columns by name."""
        return {column.name: column for column in self.columns}

    @property
    def column_names(self) -> tuple[str, ...]:
        """Column names in table order."""
        return tuple(column.name for column in self.columns)

    @property
    def content_columns(self) -> tuple[Column, ...]:
        """Columns whose values must be identical on every rebuild; fingerprints cover just these."""
        return tuple(column for column in self.columns if column.role != "meta")

    @property
    def is_partitioned(self) -> bool:
        """TRUE when the table is written partition by partition."""
        return self.partition is not None


def _column(row: Mapping[str, Any], table: str) -> Column:
    row = dict(row)
    row["fields"] = tuple(_column(item, table) for item in row.get("fields", ()))
    row["values"] = tuple(row.get("values", ()))
    row.pop("for_each", None)
    try:
        column = Column(**row)
    except TypeError as error:
        raise DefinitionError(f"a column of {table} lacks or has too many keys", [row.get("name", row), error]) from None
    if column.element_type not in (*SCALARS, "STRUCT") or column.role not in ROLES:
        raise DefinitionError(f"a column of {table} has an unknown type or role", [f"{column.name} {column.type} {column.role}"])
    return column


def _items(kind: str, catalogue: Catalogue) -> list[dict[str, Any]]:
    if kind == "feature":
        return [
            {"name": f.name, "index": f.index, "definition": f.definition, "unit": f.unit, "category": f.category}
            for f in catalogue.features
        ]
    if kind == "category":
        return [{"name": c.name, "description": c.description} for c in catalogue.categories]
    if kind == "breakout_input":
        return [{"name": name} for name in catalogue.breakout_inputs]
    raise DefinitionError("unknown for_each in a table contract", [kind])


def _expand(rows: Iterable[Mapping[str, Any]], table: str, catalogue: Catalogue) -> tuple[Column, ...]:
    columns: list[Column] = []
    for row in rows:
        if "for_each" not in row:
            columns.append(_column(row, table))
            continue
        template = _column(row, table)
        columns += [
            replace(template, name=template.name.format(**item), description=template.description.format(**item))
            for item in _items(row["for_each"], catalogue)
        ]
    return tuple(columns)


SHARED = SCHEMAS / "shared_columns.yaml"


def _quality(row: Mapping[str, Any] | None) -> QualityRule | None:
    if row is None:
        return None
    issues = tuple(QualityIssue(**issue) for issue in row["issues"])
    return QualityRule(issues, row["production_ready"], dict(row["data_sources"]))


def _contract(path: Path, catalogue: Catalogue, shared: Mapping[str, Any]) -> TableContract:
    row = read_yaml(path)
    expected = f"{path.parent.name}.{path.stem}"
    if row["table"] != expected:
        raise DefinitionError(f"{path.parent.name}/{path.name} describes another table", [row["table"]])
    rows = list(row.get("columns", ()))
    for group in row.get("shared", ()):
        rows += shared[group]
    as_of = row["as_of"]
    return TableContract(
        name=row["table"],
        description=row["description"],
        grain=row["grain"],
        built_by=row["built_by"],
        partition=row["partition"],
        cluster=tuple(row["cluster"]),
        keys=tuple(row["keys"]),
        as_of_rule=as_of["rule"],
        as_of_column=as_of.get("column"),
        columns=_expand(rows, row["table"], catalogue),
        reads=dict(row.get("reads", {})),
        quality=_quality(row.get("quality")),
        checks=tuple(TableCheck(**check) for check in row.get("checks", ())),
        decimals=row.get("decimals"),
        phase=row.get("phase"),
        copy_of=row.get("copy_of"),
        rows_from=row.get("rows_from"),
        made_with=row.get("made_with"),
    )


def _problems(contract: TableContract) -> list[str]:
    names = contract.column_names
    problems = [f"repeated column {name}" for name in sorted({n for n in names if names.count(n) > 1})]
    for label, columns in (
        ("key", contract.keys),
        ("cluster column", contract.cluster),
        ("partition column", filter(None, [contract.partition])),
        ("as-of column", filter(None, [contract.as_of_column])),
    ):
        problems += [f"{label} {name} is not a column" for name in columns if name not in names]
    if contract.built_by not in BUILDERS:
        problems.append(f"unknown built_by {contract.built_by}")
    if contract.as_of_rule not in AS_OF_RULES:
        problems.append(f"unknown as-of rule {contract.as_of_rule}")
    if contract.partition and contract.by_name.get(contract.partition) and contract.by_name[contract.partition].type != "DATE":
        problems.append("the partition column is not a DATE")
    problems += [f"unknown window {window} of {read}" for read, window in contract.reads.items() if window not in READ_WINDOWS]
    problems += [f"{column.name} has no description" for column in contract.columns if not column.description]
    problems += [f"check {c.code} needs violated or value, not both" for c in contract.checks if (c.violated is None) == (c.value is None)]
    problems += [f"check {c.code} names unknown {name}" for c in contract.checks for name in c.column.split(",") if name not in names]
    return problems


@lru_cache(maxsize=4)
def load_contracts(root: Path = SCHEMAS) -> Mapping[str, TableContract]:
    """Load every contract by table name; raise `DefinitionError` with every contradiction at once."""
    catalogue = load_catalogue()
    shared = read_yaml(SHARED)
    contracts: dict[str, TableContract] = {}
    for dataset in DATASETS:
        for path in sorted((root / dataset).glob("*.yaml")):
            contract = _contract(path, catalogue, shared)
            contracts[contract.name] = contract
    for contract in list(contracts.values()):
        if contract.copy_of:
            contracts[contract.name] = replace(contract, columns=contracts[contract.copy_of].columns + contract.columns)
    problems = [f"{name}: {text}" for name, contract in contracts.items() for text in _problems(contract)]
    problems += [f"{name} reads unknown {read}" for name, c in contracts.items() for read in c.reads if read not in contracts]
    problems += [f"{n} is made with unknown {c.made_with}" for n, c in contracts.items() if c.made_with and c.made_with not in contracts]
    if problems:
        raise DefinitionError("table contracts are inconsistent", problems)
    return contracts


def contract(name: str) -> TableContract:
    """Return the contract of `dataset.table` or raise `UnknownNameError`."""
    try:
        return load_contracts()[name]
    except KeyError:
        raise UnknownNameError("unknown table", [name], "see docs/tables.md") from None
