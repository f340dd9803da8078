"""Build pieces of DuckDB SQL and ask small questions about rewritten ones."""

from __future__ import annotations

from sqlglot import exp

Expr = exp.Expr

_ATOMS = (
    exp.Column,
    exp.Literal,
    exp.Func,
    exp.Cast,
    exp.Paren,
    exp.Anonymous,
    exp.Parameter,
    exp.Struct,
    exp.Array,
    exp.Null,
    exp.Boolean,
    exp.Subquery,
    exp.Case,
    exp.Window,
)

INT64, FLOAT64, STRING = "INT64", "FLOAT64", "STRING"

_RESULTS = {
    **dict.fromkeys(
        ("bq_int64", "bq_safe_int64", "count", "len", "bq_div", "bq_unix_date", "epoch_us", "date_diff", "length", "strpos"), INT64
    ),
    **dict.fromkeys(
        (
            "bq_divide",
            "bq_safe_divide",
            "bq_ieee_divide",
            "bq_round",
            "bq_round_once",
            "round",
            "avg",
            "bq_float64",
            "bq_safe_float64",
            "sqrt",
            "pow",
            "exp",
            "ln",
        ),
        FLOAT64,
    ),
    **dict.fromkeys(("bq_string", "lower", "upper", "md5", "sha256", "printf", "strftime", "replace"), STRING),
}


def call(name: str, *args: Expr) -> exp.Anonymous:
    """Call a function of DuckDB or one of our macros."""
    return exp.Anonymous(this=name, expressions=list(args))


def cast(value: Expr, to: str) -> exp.Cast:
    """Cast to a type named as DuckDB names it."""
    return exp.Cast(this=value, to=exp.DataType.build(to, dialect="duckdb"))


def number(value: int) -> Expr:
    """Write a plain integer literal."""
    return exp.Literal.number(value)


def text(value: str) -> exp.Literal:
    """Write a string literal."""
    return exp.Literal.string(value)


def wrap(value: Expr) -> Expr:
    """Put parentheses around anything that an operator beside it could tear apart."""
    # AND and OR count as functions in sqlglot, so operators are looked at first.
    return value if isinstance(value, _ATOMS) and not isinstance(value, exp.Binary) else exp.Paren(this=value)


def when(condition: Expr, result: Expr, otherwise: Expr | None = None) -> exp.Case:
    """Write CASE WHEN condition THEN result [ELSE otherwise] END."""
    return exp.Case(ifs=[exp.If(this=condition, true=result)], default=otherwise)


def is_null(value: Expr) -> Expr:
    """Write `value IS NULL`."""
    return exp.Is(this=wrap(value), expression=exp.Null())


def joined(operator: type[exp.Binary], parts: list[Expr]) -> Expr:
    """Join parts by a binary operator, left to right."""
    result = wrap(parts[0])
    for part in parts[1:]:
        result = operator(this=result, expression=wrap(part))
    return result


def integer_value(value: Expr) -> int | None:
    """Return the value of an integer literal, negative or cast ones too; None for anything else."""
    if isinstance(value, (exp.Paren, exp.Cast)):
        return integer_value(value.this)
    if isinstance(value, exp.Neg):
        inner = integer_value(value.this)
        return None if inner is None else -inner
    if isinstance(value, exp.Literal) and not value.is_string and value.name.isdigit():
        return int(value.name)
    return None


def is_nonzero_constant(value: Expr) -> bool:
    """Tell whether a rewritten expression is a numeric literal other than zero."""
    if isinstance(value, (exp.Paren, exp.Neg)):
        return is_nonzero_constant(value.this)
    if isinstance(value, exp.Cast):
        return isinstance(value.this, exp.Literal) and not value.this.is_string and is_nonzero_constant(value.this)
    return isinstance(value, exp.Literal) and not value.is_string and float(value.name) != 0


def known_type(value: Expr) -> str | None:
    """Return INT64, FLOAT64 or STRING where the text of a rewritten expression alone says so."""
    if isinstance(value, (exp.Paren, exp.Neg)):
        return known_type(value.this)
    if isinstance(value, exp.Literal):
        return STRING if value.is_string else FLOAT64 if not value.name.isdigit() else INT64
    if isinstance(value, exp.Cast):
        return {"BIGINT": INT64, "DOUBLE": FLOAT64, "TEXT": STRING}.get(value.to.this.name)
    if isinstance(value, exp.Anonymous):
        return _RESULTS.get(value.name)
    if isinstance(value, exp.Div):
        return FLOAT64
    if isinstance(value, exp.DPipe):
        return None
    if isinstance(value, (exp.Add, exp.Sub, exp.Mul)):
        sides = {known_type(value.this), known_type(value.expression)}
        return FLOAT64 if FLOAT64 in sides else INT64 if sides == {INT64} else None
    if isinstance(value, (exp.If, exp.Case)):
        return _common_type(_branches(value))
    return None


def _branches(value: exp.If | exp.Case) -> list[Expr]:
    """Return what IF or CASE may result in, bare NULLs left out."""
    if isinstance(value, exp.If):
        results = [value.args["true"], value.args.get("false")]
    else:
        results = [part.args["true"] for part in value.args["ifs"]] + [value.args.get("default")]
    return [part for part in results if part is not None and not isinstance(part, exp.Null)]


def _common_type(values: list[Expr]) -> str | None:
    kinds = {known_type(value) for value in values}
    if len(kinds) == 1:
        return kinds.pop()
    return FLOAT64 if kinds == {INT64, FLOAT64} else None


def size_exceeds(value: Expr, limit: int) -> bool:
    """Tell whether an expression has more than `limit` nodes."""
    return any(count >= limit for count, _ in enumerate(value.walk()))
