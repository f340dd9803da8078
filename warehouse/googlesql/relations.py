"""What stands in FROM, and how names resolve: tables, UNNEST, PIVOT, aliases in GROUP BY."""

from __future__ import annotations

from sqlglot import exp

from warehouse.googlesql.build import call, number
from warehouse.googlesql.dialect import refusal
from warehouse.googlesql.nested import select_as_struct
from warehouse.googlesql.registry import REFUSED, Expr, desugar, node

_SCALAR_ARRAYS = ("GENERATE_ARRAY", "GENERATE_DATE_ARRAY", "GENERATE_TIMESTAMP_ARRAY", "SPLIT")
_PIVOTED = ("SUM", "AVG", "MIN", "MAX", "COUNT", "COUNTIF", "ANY_VALUE", "STRING_AGG", "LOGICAL_AND", "LOGICAL_OR")


def _sources(select: exp.Select) -> list[Expr]:
    """Return what stands in FROM and in the joins of one SELECT."""
    first = select.args.get("from_")
    return ([first.this] if first else []) + [join.this for join in select.args.get("joins") or []]


def source_name(source: Expr) -> str:
    """Return the name under which columns of a source are addressed."""
    if isinstance(source, exp.Unnest):
        alias = source.args.get("alias")
        columns = alias.columns if alias else []
        return columns[0].name if columns else ""
    return source.alias_or_name


@desugar(exp.Select)
def select(value: Expr) -> Expr:
    """Make explicit what BigQuery reads out of names: AS STRUCT, select aliases in GROUP BY, no star over unknown structs."""
    assert isinstance(value, exp.Select)
    select_as_struct(value)
    _check_stars(value)
    _resolve_group(value)
    _resolve_order(value)
    return value


def _check_stars(value: exp.Select) -> None:
    """A star spreads the fields of structs: refuse it where the text does not say what the elements are."""
    if not any(isinstance(item, exp.Star) for item in value.expressions):
        return
    for source in _sources(value):
        if not isinstance(source, exp.Unnest):
            continue
        array = source.expressions[0]
        written = isinstance(array, exp.Array) and not any(isinstance(item, exp.Query) for item in array.expressions)
        if not written and not (isinstance(array, exp.Anonymous) and array.name.upper() in _SCALAR_ARRAYS):
            raise refusal("SELECT * over UNNEST of a column or subquery", source, "name the columns: fields of structs would not be spread")
        if source.args.get("offset") and _holds_structs(array):
            raise refusal("SELECT * over UNNEST of structs WITH OFFSET", source, "name the columns")


def _resolve_group(value: exp.Select) -> None:
    """GROUP BY prefers an alias of the SELECT list to a column of that name; DuckDB prefers the column."""
    group = value.args.get("group")
    if group is None:
        return
    aliases = {item.alias.lower(): (index, item.this) for index, item in enumerate(value.expressions, 1) if isinstance(item, exp.Alias)}
    spread = any(item.is_star for item in value.expressions)
    keys: list[Expr] = []
    for key in group.expressions:
        index, target = aliases.get(key.name.lower(), (0, None)) if isinstance(key, exp.Column) and not key.table else (0, None)
        if target is None or (isinstance(target, exp.Column) and target.name.lower() == key.name.lower()):
            keys.append(key)
        else:
            keys.append(target.copy() if spread else exp.Literal.number(index))
    group.set("expressions", keys)


def _resolve_order(value: exp.Select) -> None:
    """Inside an ORDER BY expression an alias of the SELECT list hides a column; DuckDB looks at aliases only when they stand alone."""
    order = value.args.get("order")
    aliases = {item.alias.lower(): item.this for item in value.expressions if isinstance(item, exp.Alias)}
    for key in order.expressions if order else []:
        if isinstance(key.this, exp.Column):
            continue
        for used in list(key.this.find_all(exp.Column)):
            target = aliases.get(used.name.lower()) if not used.table else None
            if target is not None and not (isinstance(target, exp.Column) and target.name.lower() == used.name.lower()):
                used.replace(exp.Paren(this=target.copy()))


@node(exp.Column)
def column(value: Expr) -> Expr:
    """Refuse clock readers written without parentheses, which look like columns."""
    assert isinstance(value, exp.Column)
    name = value.name.upper()
    if not value.table and name in REFUSED and name.startswith("CURRENT_") and not value.this.args.get("quoted"):
        raise refusal(name, value, REFUSED[name])
    return value


@node(exp.Parameter)
def parameter(value: Expr) -> Expr:
    """@@name is a system variable, no parameter."""
    if not isinstance(value.this, exp.Var):
        raise refusal("a system variable", value)
    return value


@node(exp.With)
def with_clause(value: Expr) -> Expr:
    """Recursion is outside the subset: BigQuery bounds it, DuckDB does not."""
    if value.args.get("recursive"):
        raise refusal("WITH RECURSIVE", value)
    return value


@node(exp.Join)
def join(value: Expr) -> Expr:
    """LEFT JOIN UNNEST(...) needs no condition; DuckDB wants ON TRUE."""
    if value.args.get("side") and not value.args.get("on") and not value.args.get("using"):
        value.set("on", exp.Boolean(this=True))
    return value


@node(exp.Unnest)
def unnest(value: Expr) -> Expr:
    """UNNEST gives the element a name, spreads the fields of structs and counts offsets from 0; DuckDB counts from 1."""
    if isinstance(value.parent, exp.In):
        return value
    if len(value.expressions) != 1:
        raise refusal("UNNEST of several arrays", value)
    array, offset = value.expressions[0], value.args.get("offset")
    name = source_name(value) or "f0_"
    if offset:
        positions = exp.Sub(this=call("generate_subscripts", array.copy(), number(1)), expression=number(1))
        columns = [exp.alias_(call("unnest", array), name, quoted=True), exp.alias_(positions, offset.name, quoted=True)]
        return exp.Subquery(this=exp.Select(expressions=columns), alias=exp.TableAlias(this=exp.to_identifier(f"_unnest_{name}")))
    if _holds_structs(array):
        elements = exp.Select(expressions=[exp.alias_(call("unnest", array), "_element")])
        inner = exp.Subquery(this=elements, alias=exp.TableAlias(this=exp.to_identifier("_elements")))
        spread = exp.Select(expressions=[call("unnest", exp.column("_element"))]).from_(inner)
        return exp.Subquery(this=spread, alias=exp.TableAlias(this=exp.to_identifier(name, quoted=True)))
    alias = exp.TableAlias(this=exp.to_identifier(f"_unnest_{name}"), columns=[exp.to_identifier(name)])
    return exp.Unnest(expressions=[array], alias=alias)


def _holds_structs(array: Expr) -> bool:
    """Tell whether an array constructor's elements are structs."""
    if isinstance(array, exp.Cast):
        kinds = array.args["to"].expressions
        return bool(kinds) and getattr(kinds[0], "this", None) == exp.DType.STRUCT
    return isinstance(array, exp.Array) and bool(array.expressions) and isinstance(array.expressions[0], exp.Struct)


@desugar(exp.Subquery, exp.Table)
def pivot(value: Expr) -> Expr:
    """PIVOT becomes one aggregate per column over a CASE, grouped by all other columns; UNPIVOT stays."""
    pivots = value.args.get("pivots") or []
    if not pivots:
        return value
    if pivots[0].args.get("unpivot"):
        return _unpivot(value, pivots)
    clause = pivots[0]
    if len(pivots) != 1 or len(clause.args["fields"]) != 1 or len(clause.expressions) != 1:
        raise refusal("PIVOT with several aggregates", value, "write one aggregate over IF(...) per column")
    membership, aggregated = clause.args["fields"][0], clause.expressions[0]
    source = value.copy()
    source.set("pivots", None)
    outer_alias = clause.args.get("alias")
    if not source.alias and isinstance(source, exp.Subquery):
        source.set("alias", exp.TableAlias(this=exp.to_identifier("_pivoted")))
    prefix = f"{aggregated.alias}_" if isinstance(aggregated, exp.Alias) else ""
    aggregate = aggregated.this if isinstance(aggregated, exp.Alias) else aggregated
    if not isinstance(aggregate, exp.Anonymous) or aggregate.name.upper() not in _PIVOTED:
        raise refusal(f"PIVOT with {aggregate.sql(dialect='bigquery')}", value)
    key = membership.this
    used = {part.name for part in aggregate.find_all(exp.Column)} | {key.name}
    columns: list[Expr] = [exp.Star(except_=[exp.to_identifier(name) for name in sorted(used)])]
    for item in membership.expressions:
        constant = item.this if isinstance(item, exp.PivotAlias) else item
        label = item.args["alias"].name if isinstance(item, exp.PivotAlias) else constant.name
        columns.append(
            exp.alias_(_for_one(aggregate, exp.NullSafeEQ(this=key.copy(), expression=constant.copy())), f"{prefix}{label}", quoted=True)
        )
    query = exp.Select(expressions=columns).from_(source)
    query.set("group", exp.Group(all=True))
    return exp.Subquery(this=query, alias=outer_alias or exp.TableAlias(this=exp.to_identifier(value.alias_or_name or "_pivot")))


def _unpivot(value: Expr, pivots: list[exp.Pivot]) -> Expr:
    """UNPIVOT gives the value first, then the name; DuckDB the other way round."""
    clause = pivots[0]
    if len(pivots) != 1 or len(clause.expressions) != 1 or not isinstance(clause.expressions[0], (exp.Identifier, exp.Column)):
        raise refusal("UNPIVOT of several columns at once", value)
    alias = clause.args.get("alias") or exp.TableAlias(this=exp.to_identifier(value.alias_or_name or "_unpivot"))
    clause.set("alias", None)
    added = [clause.expressions[0].name, clause.args["fields"][0].this.name]
    star = exp.Star(except_=[exp.to_identifier(name) for name in added])
    source = value.copy()
    return exp.Subquery(this=exp.Select(expressions=[star, *(exp.column(name) for name in added)]).from_(source), alias=alias)


def _for_one(aggregate: exp.Anonymous, condition: Expr) -> exp.Anonymous:
    """Restrict an aggregate that skips NULLs to the rows of one key."""
    one = aggregate.copy()
    argument = one.expressions[0]
    if isinstance(argument, exp.Star):
        return exp.Anonymous(this="COUNTIF", expressions=[condition])
    inner = argument.expressions[0] if isinstance(argument, exp.Distinct) else argument
    inner.replace(exp.If(this=condition, true=inner.copy(), false=exp.Null()))
    return one
