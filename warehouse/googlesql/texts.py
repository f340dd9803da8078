"""Strings: functions, patterns, FORMAT, hashes and JSON."""

from __future__ import annotations

import re
from collections.abc import Sequence

from sqlglot import exp

from warehouse.googlesql.build import call, cast, integer_value, joined, text
from warehouse.googlesql.dialect import refusal
from warehouse.googlesql.registry import Expr, function, node, refuse, same_meaning

same_meaning(
    {
        name: name.lower()
        for name in (
            "LOWER",
            "UPPER",
            "REVERSE",
            "STARTS_WITH",
            "ENDS_WITH",
            "STRPOS",
            "LENGTH",
            "TRIM",
            "LTRIM",
            "RTRIM",
            "REPLACE",
            "TO_BASE64",
        )
    }
    | {"CHAR_LENGTH": "length", "CHARACTER_LENGTH": "length", "REGEXP_CONTAINS": "regexp_matches"}
)
refuse("decompose accents before the rows enter the tables", "NORMALIZE", "NORMALIZE_AND_CASEFOLD")

_SPEC = re.compile(r"%(?P<flags>[-+ 0#]*)(?P<width>\d*)(?P<precision>\.\d+)?(?P<kind>.)", re.DOTALL)


@node(exp.RawString)
def raw_string(value: Expr) -> Expr:
    """r'...' is a string without escapes."""
    return text(value.name)


@node(exp.Like)
def like(value: Expr) -> Expr:
    r"""LIKE takes a backslash as escape; DuckDB has no escape unless one is named."""
    pattern = value.expression
    if isinstance(pattern, exp.Literal) and "\\" not in pattern.name:
        return value
    return exp.Escape(this=value.copy(), expression=text("\\"))


@function("CONCAT", args=(1, 100))
def concat(args: Sequence[Expr], _: exp.Anonymous) -> Expr:
    """CONCAT is NULL as soon as one argument is; DuckDB's concat skips NULLs, its || does not."""
    return exp.Paren(this=joined(exp.DPipe, list(args)))


@function("SUBSTR", "SUBSTRING", args=(2, 3))
def substring(args: Sequence[Expr], _: exp.Anonymous) -> Expr:
    """Position 0 means 1, a negative one counts from the end and stops at the start; a negative length is an error."""
    position = integer_value(args[1])
    length = integer_value(args[2]) if len(args) == 3 else 0
    plain = position is not None and position > 0 and length is not None and length >= 0
    return call("substr" if plain else "bq_substr", *args)


@function("LEFT", "RIGHT", "REPEAT", args=(2, 2))
def sized(args: Sequence[Expr], original: exp.Anonymous) -> Expr:
    """LEFT, RIGHT and REPEAT take an INT64; DuckDB's take 32 bits."""
    return call(original.name.lower(), args[0], cast(args[1], "INTEGER") if original.name.upper() != "REPEAT" else args[1])


@function("LPAD", "RPAD", args=(2, 3))
def pad(args: Sequence[Expr], original: exp.Anonymous) -> Expr:
    """LPAD and RPAD fill with blanks unless told otherwise."""
    return call(original.name.lower(), args[0], cast(args[1], "INTEGER"), args[2] if len(args) == 3 else text(" "))


@function("SPLIT", args=(1, 2))
def split(args: Sequence[Expr], _: exp.Anonymous) -> Expr:
    """SPLIT cuts at commas unless told otherwise."""
    return call("string_split", args[0], args[1] if len(args) == 2 else text(","))


@function("REGEXP_REPLACE", args=(3, 3))
def regexp_replace(args: Sequence[Expr], _: exp.Anonymous) -> Expr:
    """REGEXP_REPLACE replaces every match; DuckDB the first, unless told 'g'."""
    return call("regexp_replace", *args, text("g"))


@function("REGEXP_EXTRACT", args=(2, 2))
def regexp_extract(args: Sequence[Expr], original: exp.Anonymous) -> Expr:
    """REGEXP_EXTRACT is NULL without a match and gives the group if there is one; DuckDB gives '' and the whole match."""
    pattern = args[1]
    if not isinstance(pattern, exp.Literal):
        raise refusal("REGEXP_EXTRACT with a pattern that is no literal", original)
    try:
        groups = re.compile(pattern.name).groups
    except re.error:
        raise refusal("REGEXP_EXTRACT with a pattern that cannot be read", original) from None
    if groups > 1:
        raise refusal("REGEXP_EXTRACT with more than one group", original, "make the others non-capturing: (?:...)")
    return call("bq_regexp_extract", *args, exp.Literal.number(groups))


@function("FORMAT", args=(1, 100))
def format_text(args: Sequence[Expr], original: exp.Anonymous) -> Expr:
    """FORMAT is printf; %t, %T, %p and digit grouping have no equal in DuckDB. One NULL argument makes it NULL."""
    pattern, values = args[0], list(args[1:])
    if not isinstance(pattern, exp.Literal):
        raise refusal("FORMAT with a pattern that is no literal", original)
    kinds = [match["kind"] for match in _SPEC.finditer(pattern.name) if match["kind"] != "%"]
    unknown = [kind for kind in kinds if kind not in "dieEfFgGs"]
    if unknown:
        raise refusal(f"FORMAT with %{unknown[0]}", original, "use %d, %s, %f, %e or %g")
    if len(kinds) != len(values):
        raise refusal(f"FORMAT with {len(kinds)} placeholders and {len(values)} values", original)
    return call(
        "printf", pattern, *(cast(value, "DOUBLE") if kind in "eEfFgG" else value for kind, value in zip(kinds, values, strict=True))
    )


@function("MD5", "SHA1", "SHA256")
def digest(args: Sequence[Expr], original: exp.Anonymous) -> Expr:
    """Hashes are BYTES; DuckDB writes hexadecimal text."""
    return call("unhex", call(original.name.lower(), args[0]))


@function("TO_HEX")
def to_hex(args: Sequence[Expr], _: exp.Anonymous) -> Expr:
    """TO_HEX writes lower case. Straight from a hash DuckDB's own text will do."""
    inner = args[0]
    if isinstance(inner, exp.Anonymous) and inner.name == "unhex":
        first: Expr = inner.expressions[0]
        return first
    return call("lower", call("hex", inner))


@function("TO_JSON_STRING")
def to_json_string(args: Sequence[Expr], original: exp.Anonymous) -> Expr:
    """Numbers, instants and infinities are written BigQuery's way, fields of STRUCT(...) one by one."""
    return _json(args[0], original)


def _json(value: Expr, original: exp.Anonymous) -> Expr:
    if not isinstance(value, exp.Struct):
        return call("bq_json", value)
    pieces: list[Expr] = []
    opening = "{"
    for field in value.expressions:
        name = field.this.name.replace("\\", "\\\\").replace('"', '\\"')
        pieces += [text(f'{opening}"{name}":'), _json(field.expression, original)]
        opening = ","
    return exp.Paren(this=joined(exp.DPipe, [*pieces, text("}")]))


@function("JSON_VALUE", "JSON_EXTRACT_SCALAR", args=(1, 2))
def json_value(args: Sequence[Expr], original: exp.Anonymous) -> Expr:
    """JSON_VALUE is NULL for objects, arrays, null and text that is no JSON; DuckDB writes the first three out and fails on the last."""
    path = args[1] if len(args) == 2 else text("$")
    if not isinstance(path, exp.Literal):
        raise refusal("JSON_VALUE with a path that is no literal", original)
    return call("bq_json_value", args[0], path)
