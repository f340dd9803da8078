"""Aggregate and window functions."""

from __future__ import annotations

from collections.abc import Sequence

from sqlglot import exp

from warehouse.googlesql.build import FLOAT64, INT64, call, cast, is_null, known_type, text, when
from warehouse.googlesql.dialect import refusal
from warehouse.googlesql.registry import Expr, Over, aggregate, refuse

refuse("use ANY_VALUE(x HAVING MAX y) or ANY_VALUE(x HAVING MIN y)", "MAX_BY", "MIN_BY")
refuse("approximate results differ from run to run", "APPROX_COUNT_DISTINCT", "APPROX_QUANTILES", "APPROX_TOP_COUNT", "APPROX_TOP_SUM")

_EDGES = {"FIRST_VALUE": exp.FirstValue, "LAST_VALUE": exp.LastValue}


class Argument:
    """An aggregate's argument with what stands around it: DISTINCT, IGNORE NULLS, HAVING MAX, ORDER BY, LIMIT."""

    def __init__(self, value: Expr) -> None:
        self.limit: Expr | None = None
        self.order: exp.Order | None = None
        self.having: exp.HavingMax | None = None
        self.distinct = False
        self.ignore_nulls = False
        self.others: list[Expr] = []
        while True:
            if isinstance(value, exp.Limit):
                self.limit = value.expression
            elif isinstance(value, exp.Order):
                self.order = value
            elif isinstance(value, exp.IgnoreNulls):
                self.ignore_nulls = True
            elif isinstance(value, exp.HavingMax):
                self.having = value
            elif isinstance(value, exp.Distinct):
                self.distinct = True
                self.others = value.expressions[1:]
                value = value.expressions[0]
                break
            elif not isinstance(value, exp.RespectNulls):
                break
            value = value.this
        self.value = value

    def counted(self) -> Expr:
        """Return the argument with DISTINCT put back."""
        return exp.Distinct(expressions=[self.value]) if self.distinct else self.value

    def ordered(self, value: Expr) -> Expr:
        """Return a value followed by ORDER BY, if there is one."""
        return exp.Order(this=value, expressions=self.order.expressions) if self.order else value

    def present(self, result: Expr) -> Expr:
        """Restrict an aggregate call to arguments that are not NULL."""
        condition = exp.Not(this=is_null(self.value.copy()))
        return exp.Filter(this=result, expression=exp.Where(this=condition))


def _plain(args: Sequence[Expr], original: exp.Anonymous) -> Argument:
    """Read an argument that may carry DISTINCT and nothing else."""
    argument = Argument(args[0])
    if argument.limit or argument.order or argument.having or argument.ignore_nulls or argument.others:
        raise refusal(f"{original.name.upper()} with ORDER BY, LIMIT, HAVING, IGNORE NULLS or several DISTINCT values", original)
    return argument


@aggregate(
    "AVG",
    "MIN",
    "MAX",
    "STDDEV_SAMP",
    "STDDEV_POP",
    "VAR_SAMP",
    "VAR_POP",
    "STDDEV",
    "VARIANCE",
    "CORR",
    "COVAR_SAMP",
    "COVAR_POP",
    "BIT_AND",
    "BIT_OR",
    "BIT_XOR",
)
def same_aggregate(args: Sequence[Expr], over: Over, original: exp.Anonymous) -> Expr:
    """Aggregates that only change their name."""
    return over(call(original.name.lower(), _plain(args, original).counted(), *args[1:]))


@aggregate("COUNT")
def count(args: Sequence[Expr], over: Over, original: exp.Anonymous) -> Expr:
    """COUNT counts rows, values, or distinct values."""
    return over(call("count", args[0] if isinstance(args[0], exp.Star) else _plain(args, original).counted()))


@aggregate("COUNTIF")
def countif(args: Sequence[Expr], over: Over, original: exp.Anonymous) -> Expr:
    """COUNTIF is 0 over an empty frame, and INT64; DuckDB's count_if is NULL and HUGEINT."""
    argument = _plain(args, original)
    if argument.distinct:
        raise refusal("COUNTIF(DISTINCT ...)", original)
    return over(call("count", when(argument.value, exp.Literal.number(1))))


@aggregate("SUM")
def total(args: Sequence[Expr], over: Over, original: exp.Anonymous) -> Expr:
    """SUM of INT64 is INT64; DuckDB gives HUGEINT. The type follows from the argument where it is not plain from the text."""
    argument = _plain(args, original)
    kind = known_type(argument.value)
    result = over(call("sum", argument.counted()))
    if kind in (INT64, FLOAT64):
        return cast(result, "BIGINT") if kind == INT64 else result
    example = argument.value.copy()
    return call("cast_to_type", result, example if isinstance(result, exp.Window) else call("any_value", example))


@aggregate("LOGICAL_AND", "LOGICAL_OR")
def logical(args: Sequence[Expr], over: Over, original: exp.Anonymous) -> Expr:
    """LOGICAL_AND and LOGICAL_OR skip NULLs."""
    return over(call("bool_and" if original.name.upper() == "LOGICAL_AND" else "bool_or", _plain(args, original).counted()))


@aggregate("ANY_VALUE")
def any_value(args: Sequence[Expr], over: Over, original: exp.Anonymous) -> Expr:
    """HAVING MAX takes the value, NULL or not, of the row with the greatest key; DuckDB's arg_max skips NULL values."""
    argument = Argument(args[0])
    if argument.limit or argument.order or argument.distinct:
        raise refusal("ANY_VALUE with ORDER BY, LIMIT or DISTINCT", original)
    if argument.having is None:
        return over(call("any_value", argument.value))
    name = "arg_max_null" if argument.having.args.get("max") else "arg_min_null"
    return over(call(name, argument.value, argument.having.expression))


@aggregate("ARRAY_AGG")
def array_agg(args: Sequence[Expr], over: Over, original: exp.Anonymous) -> Expr:
    """ARRAY_AGG may drop NULLs and stop at LIMIT; DuckDB needs a filter and a slice."""
    argument = Argument(args[0])
    if argument.having:
        raise refusal("ARRAY_AGG with HAVING", original)
    result: Expr = call("array_agg", argument.ordered(argument.counted()))
    if argument.ignore_nulls:
        result = argument.present(result)
    result = over(result)
    return result if argument.limit is None else call("list_slice", result, exp.Literal.number(1), argument.limit)


@aggregate("ARRAY_CONCAT_AGG")
def array_concat_agg(args: Sequence[Expr], over: Over, original: exp.Anonymous) -> Expr:
    """ARRAY_CONCAT_AGG joins arrays in order and skips NULL ones."""
    argument = Argument(args[0])
    if argument.limit or argument.having or argument.distinct:
        raise refusal("ARRAY_CONCAT_AGG with LIMIT, HAVING or DISTINCT", original)
    return call("flatten", over(argument.present(call("array_agg", argument.ordered(argument.value)))))


@aggregate("STRING_AGG")
def string_agg(args: Sequence[Expr], over: Over, original: exp.Anonymous) -> Expr:
    """STRING_AGG separates by commas unless told otherwise; ORDER BY and LIMIT stand behind the last argument."""
    first, last = Argument(args[0]), Argument(args[-1])
    separator = first.others[0] if first.others else last.value if len(args) == 2 else text(",")
    if last.limit is None:
        return over(call("string_agg", first.counted(), last.ordered(separator)))
    values = first.present(call("array_agg", last.ordered(first.counted())))
    return call("array_to_string", call("list_slice", over(values), exp.Literal.number(1), last.limit), separator)


@aggregate("ROW_NUMBER", "RANK", "DENSE_RANK", "PERCENT_RANK", "CUME_DIST", "NTILE", "LAG", "LEAD", "NTH_VALUE")
def same_window(args: Sequence[Expr], over: Over, original: exp.Anonymous) -> Expr:
    """Numbering and navigation functions that only change their name."""
    if any(isinstance(arg, exp.IgnoreNulls) for arg in args):
        raise refusal(f"{original.name.upper()} with IGNORE NULLS", original)
    return over(call(original.name.lower(), *args))


@aggregate("FIRST_VALUE", "LAST_VALUE")
def edge_value(args: Sequence[Expr], over: Over, original: exp.Anonymous) -> Expr:
    """FIRST_VALUE and LAST_VALUE keep NULLs unless told IGNORE NULLS."""
    argument = Argument(args[0])
    result: Expr = _EDGES[original.name.upper()](this=argument.value)
    return over(exp.IgnoreNulls(this=result) if argument.ignore_nulls else result)


@aggregate("PERCENTILE_CONT", "PERCENTILE_DISC")
def percentile(args: Sequence[Expr], over: Over, original: exp.Anonymous) -> Expr:
    """PERCENTILE_CONT and PERCENTILE_DISC skip NULLs and need OVER."""
    return over(call("quantile_cont" if original.name.upper() == "PERCENTILE_CONT" else "quantile_disc", *args))
