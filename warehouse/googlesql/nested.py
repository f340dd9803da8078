"""Arrays and structs: constructors, elements, fields, ARRAY(SELECT ...), membership."""

from __future__ import annotations

from collections.abc import Sequence

from sqlglot import exp

from warehouse.googlesql.build import call, integer_value, is_null, joined, text
from warehouse.googlesql.dialect import refusal
from warehouse.googlesql.registry import AGGREGATES, Expr, desugar, function, node, refuse, same_meaning

same_meaning(
    {"ARRAY_LENGTH": "len", "ARRAY_REVERSE": "list_reverse", "GENERATE_ARRAY": "generate_series", "ARRAY_TO_STRING": "bq_array_to_string"}
)
refuse("name the field in the query instead", "JSON_QUERY", "JSON_EXTRACT", "TO_JSON", "PARSE_JSON")

_NAME_HINT = "give every field a name: STRUCT(x AS name)"


def field(name: str, value: Expr) -> exp.PropertyEQ:
    """Write one field of a struct constructor."""
    return exp.PropertyEQ(this=exp.to_identifier(name, quoted=True), expression=value)


def _name_of(value: Expr) -> str | None:
    if isinstance(value, exp.Alias):
        return str(value.alias)
    if isinstance(value, exp.Column) and not isinstance(value.this, exp.Star):
        return value.name
    if isinstance(value, exp.Dot) and isinstance(value.expression, exp.Identifier):
        return value.expression.name
    return None


def named_struct(values: Sequence[Expr], names: Sequence[str | None], original: Expr) -> exp.Struct:
    """Build a struct; raise when a field has no name."""
    if any(name is None for name in names):
        raise refusal("STRUCT with an unnamed field", original, _NAME_HINT)
    parts = [value.this if isinstance(value, exp.Alias) else value for value in values]
    return exp.Struct(expressions=[field(str(name), part) for name, part in zip(names, parts, strict=True)])


def _is_struct_call(value: Expr) -> bool:
    return isinstance(value, exp.Anonymous) and value.name.upper() == "STRUCT"


@desugar(exp.Anonymous)
def struct_call(value: Expr) -> Expr:
    """STRUCT(x AS a, t.b) takes its names from aliases and columns."""
    if not _is_struct_call(value) or isinstance(value.parent, exp.Array):
        return value
    return named_struct(value.expressions, [_name_of(item) for item in value.expressions], value)


@desugar(exp.Array)
def array(value: Expr) -> Expr:
    """In an array of structs the first element names the fields of all; ARRAY(SELECT ...) becomes ARRAY_AGG."""
    items = value.expressions
    if len(items) == 1 and isinstance(items[0], exp.Query):
        return _array_of_query(items[0])
    if isinstance(value.parent, exp.Cast) or not any(isinstance(item, exp.Tuple) or _is_struct_call(item) for item in items):
        return value
    names = [_name_of(item) for item in items[0].expressions]
    structs = []
    for item in items:
        if not isinstance(item, exp.Tuple) and not _is_struct_call(item):
            raise refusal("an array that mixes structs and other values", value)
        if len(item.expressions) != len(names):
            raise refusal("an array of structs of different lengths", value)
        structs.append(named_struct(item.expressions, names, value))
    value.set("expressions", structs)
    return value


@desugar(exp.Cast)
def typed_constructor(value: Expr) -> Expr:
    """STRUCT<a INT64>(1) and ARRAY<STRUCT<a INT64>>[...] take their names from the type."""
    kind, inner = value.args["to"], value.this
    if (
        kind.this == exp.DType.STRUCT
        and isinstance(inner, exp.Struct)
        and not any(isinstance(part, exp.PropertyEQ) for part in inner.expressions)
    ):
        return _typed_struct(inner.expressions, kind, value)
    if kind.this == exp.DType.ARRAY and isinstance(inner, exp.Array) and inner.expressions and kind.expressions:
        element = kind.expressions[0]
        if element.this == exp.DType.STRUCT:
            inner.set("expressions", [_typed_struct(item.expressions, element, value) for item in inner.expressions])
    return value


def _typed_struct(values: Sequence[Expr], kind: exp.DataType, original: Expr) -> exp.Struct:
    if len(values) != len(kind.expressions) or not all(isinstance(part, exp.ColumnDef) for part in kind.expressions):
        raise refusal("STRUCT<...> whose values do not match its fields", original, _NAME_HINT)
    parts = [value.this if isinstance(value, exp.Alias) else value for value in values]
    return exp.Struct(
        expressions=[
            field(part.name, exp.Cast(this=item, to=part.args["kind"].copy())) for item, part in zip(parts, kind.expressions, strict=True)
        ]
    )


def select_as_struct(select: exp.Select) -> None:
    """Turn SELECT AS STRUCT a, b into SELECT STRUCT(a, b)."""
    kind = select.args.get("kind")
    if kind is None:
        return
    if str(kind).upper() != "STRUCT":
        raise refusal(f"SELECT AS {kind}", select)
    if any(isinstance(item, exp.Star) or item.is_star for item in select.expressions):
        raise refusal("SELECT AS STRUCT *", select, "name the columns")
    select.set("expressions", [named_struct(select.expressions, [_name_of(item) for item in select.expressions], select)])
    select.set("kind", None)


def _google(name: str, *args: Expr) -> exp.Anonymous:
    return exp.Anonymous(this=name, expressions=list(args))


def _has_aggregate(value: Expr) -> bool:
    return any(
        isinstance(part, exp.Window) or (isinstance(part, exp.Anonymous) and part.name.upper() in AGGREGATES) for part in value.walk()
    )


def _collected(value: Expr, order: Sequence[exp.Ordered]) -> exp.Anonymous:
    """ARRAY(...) of no rows is empty, ARRAY_AGG of no rows NULL."""
    argument = exp.Order(this=value, expressions=list(order)) if order else value
    return _google("IFNULL", _google("ARRAY_AGG", argument), exp.Array(expressions=[]))


def _array_of_query(query: exp.Query) -> Expr:
    """ARRAY(SELECT x ... ORDER BY k) keeps the order; a subquery's order means nothing to DuckDB, ARRAY_AGG's does."""
    if not isinstance(query, exp.Select):
        rows = exp.Subquery(this=query, alias=exp.TableAlias(this=exp.to_identifier("_rows"), columns=[exp.to_identifier("_value")]))
        return exp.Subquery(this=exp.Select(expressions=[_collected(exp.column("_value"), [])]).from_(rows))
    select_as_struct(query)
    if len(query.expressions) != 1:
        raise refusal("ARRAY(SELECT ...) with more than one column", query, "use SELECT AS STRUCT")
    projection = query.expressions[0]
    value = projection.this if isinstance(projection, exp.Alias) else projection
    order = query.args.get("order")
    ordered = list(order.expressions) if order else []
    for item in ordered:
        key = item.this
        if integer_value(key) is not None or (
            isinstance(key, exp.Column) and not key.table and key.name.lower() == projection.alias_or_name.lower()
        ):
            item.set("this", value.copy())
    shaped = any(query.args.get(part) for part in ("limit", "offset", "distinct", "group", "having", "qualify"))
    if not shaped and not _has_aggregate(value):
        query.set("order", None)
        query.set("expressions", [_collected(value, ordered)])
        return exp.Subquery(this=query)
    return _array_of_shaped_query(query, value, ordered)


def _array_of_shaped_query(query: exp.Select, value: Expr, ordered: Sequence[exp.Ordered]) -> Expr:
    columns, outer = [exp.alias_(value, "_value")], []
    for index, item in enumerate(ordered):
        name = "_value" if item.this == value else f"_key{index}"
        if name != "_value":
            if query.args.get("distinct"):
                raise refusal("ARRAY(SELECT DISTINCT ...) ordered by another expression", query)
            columns.append(exp.alias_(item.this.copy(), name))
        outer.append(exp.Ordered(this=exp.column(name), desc=item.args.get("desc"), nulls_first=item.args.get("nulls_first")))
    query.set("expressions", columns)
    rows = exp.Subquery(this=query, alias=exp.TableAlias(this=exp.to_identifier("_rows")))
    return exp.Subquery(this=exp.Select(expressions=[_collected(exp.column("_value"), outer)]).from_(rows))


@node(exp.PropertyEQ)
def struct_field(value: Expr) -> Expr:
    """DuckDB forgets the name of a field whose value is a macro when it binds a correlated subquery; a call around it keeps the name."""
    inner = value.expression.unnest()
    if isinstance(inner, exp.Anonymous):
        value.set("expression", call("coalesce", inner))
    return value


@node(exp.Bracket)
def element(value: Expr) -> Expr:
    """array[SAFE_OFFSET(i)] is NULL beyond either end; DuckDB counts from one, and negative ones from the end."""
    base = value.args.get("offset")
    if base is None:
        raise refusal("array[i]", value, "use array[SAFE_OFFSET(i)]")
    if not value.args.get("safe"):
        raise refusal("array[OFFSET(i)]" if base == 0 else "array[ORDINAL(i)]", value, "use array[SAFE_OFFSET(i)]")
    index = value.expressions[0]
    fixed = integer_value(index)
    if fixed is not None and fixed >= base:
        return call("list_extract", value.this, exp.Literal.number(fixed + 1 - base))
    return call("bq_at", value.this, index if base == 0 else exp.Paren(this=exp.Sub(this=index, expression=exp.Literal.number(1))))


@node(exp.Dot)
def field_of(value: Expr) -> Expr:
    """A field of anything but a column needs a call: (expression).name reads as a method in DuckDB."""
    if not isinstance(value.expression, exp.Identifier):
        raise refusal(f"{value.this.sql(dialect='bigquery')}.{value.expression.name}", value)
    return value if isinstance(value.this, exp.Column) else call("struct_extract", value.this, text(value.expression.name))


@node(exp.In)
def membership(value: Expr) -> Expr:
    """x IN UNNEST(array) is NULL when the answer is unknown and FALSE for an empty or NULL array."""
    unnest = value.args.get("unnest")
    return value if unnest is None else call("bq_in", value.this, unnest.expressions[0])


@function("ARRAY_CONCAT", args=(1, 100))
def array_concat(args: Sequence[Expr], _: exp.Anonymous) -> Expr:
    """ARRAY_CONCAT is NULL as soon as one array is; DuckDB's list_concat skips NULLs."""
    unknown = joined(exp.Or, [is_null(arg.copy()) for arg in args])
    return exp.Case(ifs=[exp.If(this=unknown, true=exp.Null())], default=call("list_concat", *args))
