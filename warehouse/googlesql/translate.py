"""Translate one statement: parse, make explicit, rewrite, write out."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

from sqlglot import exp
from sqlglot.errors import ErrorLevel

# Importing a module registers its rewrites.
from warehouse.googlesql import aggregates, ddl, instants, nested, numbers, relations, texts  # noqa: F401
from warehouse.googlesql.build import call
from warehouse.googlesql.dialect import parse, refusal
from warehouse.googlesql.registry import AGGREGATES, DESUGARS, FUNCTIONS, NODES, REFUSED, Expr, NodeRewrite

CACHED_STATEMENTS = 512

_ALLOWED: frozenset[type[Expr]] = frozenset(
    getattr(exp, name)
    for name in """
        Select Subquery Union Except Intersect With CTE From Join Where Group Having Qualify Order Ordered Limit Offset Distinct
        Star Alias Column Identifier Table TableAlias Unnest Pivot PivotAlias Literal RawString Boolean Null Paren Tuple Parameter
        And Or Not Neg EQ NEQ GT GTE LT LTE NullSafeEQ NullSafeNEQ Is Between In Exists Like Add Sub Mul Div DPipe
        BitwiseAnd BitwiseOr BitwiseXor BitwiseNot BitwiseLeftShift BitwiseRightShift Case If Cast TryCast DataType ColumnDef
        Interval Var Extract AtTimeZone Anonymous SafeFunc Array Struct PropertyEQ Bracket Dot Window WindowSpec
        IgnoreNulls RespectNulls HavingMax Create Schema ColumnConstraint NotNullColumnConstraint
    """.split()
)
"""Constructs whose meaning has been compared; everything else is refused."""


# The tree of the statement last asked for its tables: it is translated next, and parsing a long one twice takes a second.
# A tree is handed over once, for translating changes it.
_parsed: dict[str, exp.Expr] = {}


def to_duckdb(sql: str, tables: Mapping[str, str] | tuple[tuple[str, str], ...] | None = None) -> str:
    """Translate one GoogleSQL statement, a query or CREATE TABLE or VIEW, into DuckDB's SQL with BigQuery's meaning.

    `tables` names, for `dataset.table`, the relation of DuckDB that takes its place (a name or a table function).
    A project in front of a dataset is dropped; `@name` becomes `$name`. Raises `DefinitionError` with construct and
    line for anything outside the portable subset.
    """
    given = dict(tables or ())
    return placed(translation(sql, tuple(sorted(given))), given)


def placed(text: str, given: Mapping[str, str]) -> str:
    """Put relations of DuckDB in the places that a translation keeps for them."""
    for name, relation in given.items():
        text = text.replace(f'"{_stand_in(name)}"', relation)
    return text


def _stand_in(table: str) -> str:
    """Return the name that stands for a replaced table in a translated text, which so serves for whatever relation is given."""
    return f"relation in place of {table}"


@lru_cache(maxsize=CACHED_STATEMENTS)
def translation(sql: str, replaced: tuple[str, ...] = ()) -> str:
    """Translate one statement as `to_duckdb` does, and keep the places of the replaced tables for `placed`."""
    root = _parsed.pop(sql, None) or parse(sql)
    if not isinstance(root, (exp.Query, exp.Create)):
        raise refusal(f"scripting or {root.key.upper()}: only queries and CREATE TABLE or VIEW", root)
    root = _bottom_up(root, DESUGARS)
    _check(root)
    _place_tables(root, replaced)
    root = _bottom_up(root, {**NODES, exp.Anonymous: _call, exp.Window: _window, exp.SafeFunc: _safe_call})
    return root.sql(dialect="duckdb", identify=True, comments=False, copy=False, unsupported_level=ErrorLevel.RAISE)


def _bottom_up(root: Expr, rewrites: Mapping[type[Expr], NodeRewrite]) -> Expr:
    """Rewrite every node for whose type there is a rewrite, parts before wholes."""
    for node in reversed(list(root.walk())):
        rewrite = rewrites.get(type(node))
        if rewrite is None:
            continue
        # A rewrite may put the node inside its own replacement: the place is remembered before.
        parent, key, index = node.parent, node.arg_key, node.index
        new = rewrite(node)
        if new is node:
            continue
        if parent is None or key is None:
            new.parent = None
            root = new
        else:
            parent.set(key, new, index=index)
    return root


def _check(root: Expr) -> None:
    for node in root.walk():
        if type(node) not in _ALLOWED:
            raise refusal(node.key.upper(), node)


def _call(value: Expr) -> Expr:
    """Rewrite a function call by name; an aggregate with OVER is rewritten together with its window."""
    assert isinstance(value, exp.Anonymous)
    name = value.name.upper()
    if name in REFUSED:
        raise refusal(name, value, REFUSED[name])
    if name in FUNCTIONS:
        return FUNCTIONS[name](value.expressions, value)
    if name in AGGREGATES:
        if isinstance(value.parent, exp.Window) and value.arg_key == "this":
            return value
        return AGGREGATES[name](value.expressions, lambda result: result, value)
    if name == "WEEK" and isinstance(value.parent, (exp.Anonymous, exp.Extract)):
        return value
    raise refusal(f"function {name}", value, "if it is needed, add it with a case that compares the engines")


def _window(value: Expr) -> Expr:
    """Rewrite a windowed call; the window stays with the innermost aggregate."""
    assert isinstance(value, exp.Window)
    original = value.this
    if isinstance(original, exp.Identifier):
        return value
    if not isinstance(original, exp.Anonymous) or original.name.upper() not in AGGREGATES:
        raise refusal(f"{original.sql(dialect='bigquery')} OVER", value)

    def over(result: Expr) -> Expr:
        value.set("this", result)
        return value

    return AGGREGATES[original.name.upper()](original.expressions, over, original)


def _safe_call(value: Expr) -> Expr:
    """SAFE.f(x) is NULL where f(x) fails."""
    return call("try", value.this)


def _dataset_table(table: exp.Table) -> str | None:
    """Return `dataset.table`, or None for a CTE."""
    if "INFORMATION_SCHEMA" in f"{table.db}.{table.name}".upper():
        raise refusal("INFORMATION_SCHEMA", table, "the contracts in schemas/ say what a table holds")
    if not isinstance(table.this, exp.Identifier):
        raise refusal(f"table function {table.sql(dialect='bigquery')}", table)
    return f"{table.db}.{table.name}" if table.db else None


def _place_tables(root: Expr, replaced: tuple[str, ...]) -> None:
    """Drop projects and put stand-ins in the place of replaced tables, under the name the columns are addressed by."""
    for table in list(root.find_all(exp.Table)):
        name = _dataset_table(table)
        table.set("catalog", None)
        if name is None or name not in replaced:
            continue
        relation = exp.Table(this=exp.to_identifier(_stand_in(name), quoted=True))
        if table.find_ancestor(exp.Create) is None or table.find_ancestor(exp.Query) is not None:
            relation.set("alias", table.args.get("alias") or exp.TableAlias(this=exp.to_identifier(table.name)))
        relation.set("pivots", table.args.get("pivots"))
        table.replace(relation)


@lru_cache(maxsize=CACHED_STATEMENTS)
def table_names(sql: str) -> frozenset[str]:
    """Return the `dataset.table` names a statement reads: no CTEs, no project, not the table a CREATE makes."""
    root = parse(sql)
    made = root.find(exp.Table) if isinstance(root, exp.Create) else None
    names = frozenset(name for table in root.find_all(exp.Table) if table is not made and (name := _dataset_table(table)) is not None)
    _parsed.clear()
    _parsed[sql] = root
    return names


@lru_cache(maxsize=CACHED_STATEMENTS)
def parameter_names(sql: str) -> frozenset[str]:
    """Return the names of the `@name` parameters of a statement."""
    return frozenset(parameter.name for parameter in parse(sql).find_all(exp.Parameter))
