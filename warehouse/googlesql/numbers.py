"""Numbers: literals, casts, division, rounding, extremes."""

from __future__ import annotations

import re
from collections.abc import Sequence

from sqlglot import exp

from warehouse.googlesql.build import (
    FLOAT64,
    INT64,
    STRING,
    call,
    cast,
    integer_value,
    is_nonzero_constant,
    is_null,
    joined,
    known_type,
    number,
    size_exceeds,
    wrap,
)
from warehouse.googlesql.dialect import refusal
from warehouse.googlesql.registry import Expr, function, node, refuse, same_meaning

_LITERAL_CONTEXTS = (exp.Limit, exp.Offset, exp.Interval, exp.WindowSpec, exp.DataTypeParam, exp.Ordered, exp.Group)
_PLAIN_CASTS = {"TIMESTAMPTZ", "TIMESTAMP", "ARRAY", "STRUCT"}
_SPELT_CASTS = {"DOUBLE": "float64", "BOOLEAN": "bool", "DATE": "date"}
_SHORT_ARGUMENT = 12
_FLOAT = re.compile(r"\d*\.?\d*([eE][+-]?\d+)?")

same_meaning(
    {name: name.lower() for name in ("ABS", "EXP", "LN", "LOG10", "SQRT", "SIN", "COS", "TAN", "ASIN", "ACOS", "ATAN", "ATAN2", "NULLIF")}
    | {"COALESCE": "coalesce", "IFNULL": "coalesce", "IS_NAN": "isnan", "IS_INF": "isinf"}
    | {"RANGE_BUCKET": "bq_range_bucket"}
)
refuse("no statement is random: derive the value from the rows", "RAND", "GENERATE_UUID")
refuse("it has no equal outside BigQuery: use TO_HEX(MD5(...)) or TO_HEX(SHA256(...))", "FARM_FINGERPRINT")


@node(exp.Literal)
def literal(value: Expr) -> Expr:
    """Give number literals BigQuery's types: INT64 and FLOAT64. DuckDB reads 1 as INT32 and 0.5 as DECIMAL."""
    if value.args["is_string"] or isinstance(value.parent, _LITERAL_CONTEXTS):
        return value
    if value.name.isdigit():
        return cast(exp.Literal.number(value.name), "BIGINT")
    if not _FLOAT.fullmatch(value.name):
        raise refusal(f"the number {value.name}", value, "put blanks around operators")
    return value if "e" in value.name.lower() else exp.Literal.number(f"{value.name}e0")


@node(exp.Cast)
def cast_value(value: Expr) -> Expr:
    """FLOAT64 to INT64 rounds halves away from zero, FLOAT64 to STRING writes 1, not 1.0, and text must be spelt as BigQuery spells it."""
    return _cast(value, "bq_")


@node(exp.TryCast)
def safe_cast_value(value: Expr) -> Expr:
    """SAFE_CAST gives NULL where CAST fails, with the same rounding."""
    return _cast(value, "bq_safe_")


def _cast(value: Expr, prefix: str) -> Expr:
    target = value.args["to"].this.name if isinstance(value.args["to"].this, exp.DType) else str(value.args["to"].this)
    inner = value.this
    if value.args.get("format"):
        raise refusal("CAST ... FORMAT", value, "use FORMAT_DATE, FORMAT_TIMESTAMP or PARSE_DATE")
    if target == "BIGINT":
        if integer_value(inner) is not None:
            return cast(inner.this if isinstance(inner, exp.Cast) else inner, "BIGINT")
        if isinstance(inner, exp.Null) or known_type(inner) == INT64:
            return cast(inner, "BIGINT")
        if prefix == "bq_" and known_type(inner) == FLOAT64:
            return cast(inner if isinstance(inner, exp.Anonymous) and inner.name == "round" else call("round", inner), "BIGINT")
        return call(f"{prefix}int64", inner)
    if target == "TEXT":
        return cast(inner, "TEXT") if isinstance(inner, exp.Null) or known_type(inner) in (STRING, INT64) else call("bq_string", inner)
    if target in _SPELT_CASTS:
        plain = isinstance(inner, (exp.Null, exp.Literal)) or known_type(inner) in (INT64, FLOAT64)
        return value if plain else call(f"{prefix}{_SPELT_CASTS[target]}", inner)
    if target not in _PLAIN_CASTS:
        raise refusal(
            f"CAST to {target}", value, "the tables hold STRING, INT64, FLOAT64, BOOL, DATE, TIMESTAMP, and arrays and structs of them"
        )
    return value


@node(exp.Div)
def divide(value: Expr) -> Expr:
    """`/` gives FLOAT64 and fails on zero; DuckDB gives an infinity."""
    if is_nonzero_constant(value.expression):
        return exp.Div(this=value.this, expression=value.expression, typed=False, safe=False)
    return call("bq_divide", value.this, value.expression)


@function("SAFE_DIVIDE", args=(2, 2))
def safe_divide(args: Sequence[Expr], _: exp.Anonymous) -> Expr:
    """SAFE_DIVIDE is NULL when the divisor is zero."""
    return call("bq_safe_divide", *args)


@function("IEEE_DIVIDE", args=(2, 2))
def ieee_divide(args: Sequence[Expr], _: exp.Anonymous) -> Expr:
    """IEEE_DIVIDE never fails: infinities and NaN."""
    return call("bq_ieee_divide", *args)


@function("DIV", args=(2, 2))
def integer_divide(args: Sequence[Expr], _: exp.Anonymous) -> Expr:
    """DIV cuts towards zero and fails on zero; DuckDB gives NULL on zero."""
    return (
        exp.Paren(this=exp.IntDiv(this=wrap(args[0]), expression=wrap(args[1]))) if is_nonzero_constant(args[1]) else call("bq_div", *args)
    )


@function("MOD", args=(2, 2))
def modulo(args: Sequence[Expr], _: exp.Anonymous) -> Expr:
    """MOD takes the sign of the dividend and fails on zero; DuckDB gives NULL on zero."""
    return exp.Paren(this=exp.Mod(this=wrap(args[0]), expression=wrap(args[1]))) if is_nonzero_constant(args[1]) else call("bq_mod", *args)


@function("ROUND", args=(1, 2))
def round_number(args: Sequence[Expr], _: exp.Anonymous) -> Expr:
    """ROUND is FLOAT64 and judges the exact binary value; DuckDB multiplies first and rounds 2.675 up to 2.68."""
    if len(args) == 1:
        return call("round", args[0] if known_type(args[0]) == FLOAT64 else cast(args[0], "DOUBLE"))
    digits = integer_value(args[1])
    places = number(digits) if digits is not None and digits >= 0 else args[1]
    return call("bq_round_once" if size_exceeds(args[0], _SHORT_ARGUMENT) else "bq_round", args[0], places)


@function("FLOOR", "CEIL", "CEILING", "TRUNC", args=(1, 2))
def whole_number(args: Sequence[Expr], original: exp.Anonymous) -> Expr:
    """FLOOR, CEIL and TRUNC give FLOAT64 even for INT64."""
    name = original.name.upper()
    if len(args) == 2:
        raise refusal(f"{name} with digits", original, "cut the scaled value: TRUNC(x * 10) / 10")
    return call({"FLOOR": "floor", "TRUNC": "trunc"}.get(name, "ceil"), cast(args[0], "DOUBLE"))


@function("SIGN")
def sign(args: Sequence[Expr], _: exp.Anonymous) -> Expr:
    """SIGN has the type of its argument; DuckDB gives TINYINT."""
    return call("cast_to_type", call("sign", args[0]), args[0].copy())


@function("BIT_COUNT")
def bit_count(args: Sequence[Expr], _: exp.Anonymous) -> Expr:
    """BIT_COUNT is INT64; DuckDB gives TINYINT."""
    return cast(call("bit_count", args[0]), "BIGINT")


@function("POW", "POWER", args=(2, 2))
def power(args: Sequence[Expr], _: exp.Anonymous) -> Expr:
    """POW of zero to a negative power is an error; DuckDB gives an infinity."""
    return call("pow" if is_nonzero_constant(args[0]) or _is_positive(args[1]) else "bq_pow", *args)


def _is_positive(value: Expr) -> bool:
    return is_nonzero_constant(value) and not isinstance(value, exp.Neg)


@function("LOG", args=(1, 2))
def logarithm(args: Sequence[Expr], _: exp.Anonymous) -> Expr:
    """LOG(x) is the natural logarithm, LOG(x, base) has the base last; DuckDB's log is decimal, base first."""
    return call("ln", args[0]) if len(args) == 1 else call("log", args[1], args[0])


@function("LEAST", "GREATEST", args=(1, 100))
def extreme(args: Sequence[Expr], original: exp.Anonymous) -> Expr:
    """LEAST and GREATEST are NULL as soon as one argument is; DuckDB skips NULLs."""
    chosen = call(original.name.lower(), *args)
    unknown = [is_null(arg.copy()) for arg in args if not is_nonzero_constant(arg) and integer_value(arg) is None]
    if not unknown:
        return chosen
    condition = unknown[0]
    for part in unknown[1:]:
        condition = exp.Or(this=condition, expression=part)
    return exp.Case(ifs=[exp.If(this=condition, true=exp.Null())], default=chosen)


@function("SAFE_ADD", "SAFE_SUBTRACT", "SAFE_MULTIPLY", args=(2, 2))
def safe_arithmetic(args: Sequence[Expr], original: exp.Anonymous) -> Expr:
    """SAFE_ADD and its like are NULL on overflow."""
    operator = {"SAFE_ADD": exp.Add, "SAFE_SUBTRACT": exp.Sub, "SAFE_MULTIPLY": exp.Mul}[original.name.upper()]
    return call("try", joined(operator, list(args)))
