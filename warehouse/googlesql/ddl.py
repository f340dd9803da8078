"""CREATE TABLE and CREATE VIEW: what DuckDB can keep of them."""

from __future__ import annotations

from sqlglot import exp

from warehouse.googlesql.dialect import refusal
from warehouse.googlesql.registry import Expr, desugar

_KINDS = ("TABLE", "VIEW", "SCHEMA")
_DROPPED_PROPERTIES = (exp.Property, exp.PartitionedByProperty, exp.ClusterProperty)


@desugar(exp.Create)
def create(value: Expr) -> Expr:
    """PARTITION BY, CLUSTER BY, OPTIONS and keys that are not enforced steer BigQuery's storage; the rows are the same without."""
    kind = str(value.args["kind"]).upper()
    if kind not in _KINDS:
        raise refusal(f"CREATE {kind}", value)
    properties = value.args.get("properties")
    for item in properties.expressions if properties else []:
        if type(item) not in _DROPPED_PROPERTIES:
            raise refusal(f"CREATE {kind} with {item.sql(dialect='bigquery')}", value)
    value.set("properties", None)
    if value.args.get("clone") is not None:
        raise refusal(f"CREATE {kind} ... CLONE or COPY", value)
    schema = value.this
    if isinstance(schema, exp.Schema):
        columns = [_column(item) for item in schema.expressions if not isinstance(item, (exp.PrimaryKey, exp.ForeignKey, exp.Constraint))]
        schema.set("expressions", columns)
    return value


def _column(definition: Expr) -> Expr:
    """Keep name, type and NOT NULL of a column; drop its description."""
    for item in definition.find_all(exp.ColumnDef):
        kept = []
        for constraint in item.args.get("constraints") or []:
            if isinstance(constraint.kind, exp.NotNullColumnConstraint):
                kept.append(constraint)
            elif not isinstance(constraint.kind, (exp.Properties, exp.PrimaryKeyColumnConstraint)):
                raise refusal(f"column constraint {constraint.sql(dialect='bigquery')}", item)
        # A field of a struct cannot be declared NOT NULL in DuckDB.
        item.set("constraints", kept if item is definition else None)
    if isinstance(definition, exp.ColumnDef) and definition.args.get("kind") is None:
        return definition.this
    return definition
