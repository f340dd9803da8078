"""Dates and timestamps. All arithmetic is in UTC; a zone is named where a local date is meant."""

from __future__ import annotations

import re
from collections.abc import Sequence

from sqlglot import exp

from warehouse.googlesql.build import call, cast, number, text, wrap
from warehouse.googlesql.dialect import refusal
from warehouse.googlesql.registry import Expr, function, node, refuse

refuse(
    "no statement reads the clock: pass the instant as a parameter",
    "CURRENT_DATE", "CURRENT_TIMESTAMP", "CURRENT_DATETIME", "CURRENT_TIME", "NOW", "LOCALTIME", "LOCALTIMESTAMP",
)  # fmt: skip
refuse("the result depends on who asks", "SESSION_USER", "CURRENT_USER")

_WEEKDAYS = {name: index for index, name in enumerate(("SUNDAY", "MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY", "SATURDAY"))}
_MICROSECONDS = {
    "MICROSECOND": 1, "MILLISECOND": 10**3, "SECOND": 10**6, "MINUTE": 60 * 10**6, "HOUR": 3600 * 10**6, "DAY": 86400 * 10**6,
}  # fmt: skip
_STEPS = {
    "MICROSECOND": "to_microseconds", "MILLISECOND": "to_milliseconds", "SECOND": "to_seconds", "MINUTE": "to_minutes", "HOUR": "to_hours",
    "DAY": "to_days", "WEEK": "to_weeks", "MONTH": "to_months", "QUARTER": "to_quarters", "YEAR": "to_years",
}  # fmt: skip
_WIDE_STEPS = ("to_microseconds", "to_hours", "to_minutes")
_DATE_STEPS = ("DAY", "WEEK", "MONTH", "QUARTER", "YEAR")
_PARTS = ("MONTH", "QUARTER", "YEAR", "ISOYEAR")
_FORMATS = {"F": "%Y-%m-%d", "T": "%H:%M:%S", "E6S": "%S.%f", "E3S": "%S.%g"} | {key: f"%{key}" for key in "YmdHMSjbBaAyIpZ%"}
_FORMAT_ELEMENT = re.compile(r"%(E\dS|.)")


def _unit(value: Expr, original: Expr) -> tuple[str, int | None]:
    """Return a date part and, for weeks, the weekday on which they begin (0 is Sunday)."""
    name = value.name.upper()
    if isinstance(value, exp.Anonymous) and name == "WEEK" and len(value.expressions) == 1:
        day = value.expressions[0].name.upper()
        if day not in _WEEKDAYS:
            raise refusal(f"WEEK({day})", original)
        return "WEEK", _WEEKDAYS[day]
    if name == "WEEK":
        return "WEEK", 0
    if name == "ISOWEEK":
        return "WEEK", 1
    return name, None


def _step(value: Expr, original: exp.Anonymous, units: Sequence[str]) -> Expr:
    """Write the length of an INTERVAL argument as a DuckDB interval."""
    if not isinstance(value, exp.Interval) or value.unit is None:
        raise refusal(f"{original.name.upper()} without INTERVAL n unit", original)
    unit = value.unit.name.upper()
    if unit not in units:
        raise refusal(f"{original.name.upper()} by {unit}", original)
    return call(_STEPS[unit], cast(value.this, "BIGINT" if _STEPS[unit] in _WIDE_STEPS else "INTEGER"))


@function("GENERATE_TIMESTAMP_ARRAY", args=(3, 3))
def timestamp_array(args: Sequence[Expr], original: exp.Anonymous) -> Expr:
    """GENERATE_TIMESTAMP_ARRAY holds both ends."""
    step = _step(args[2], original, tuple(_MICROSECONDS))
    return call("generate_series", cast(args[0], "TIMESTAMPTZ"), cast(args[1], "TIMESTAMPTZ"), step)


@function("DATE_ADD", "DATE_SUB", args=(2, 2))
def shift_date(args: Sequence[Expr], original: exp.Anonymous) -> Expr:
    """DATE_ADD and DATE_SUB give a DATE; DuckDB gives a TIMESTAMP."""
    operator = exp.Add if original.name.upper() == "DATE_ADD" else exp.Sub
    return cast(operator(this=cast(args[0], "DATE"), expression=_step(args[1], original, _DATE_STEPS)), "DATE")


@function("TIMESTAMP_ADD", "TIMESTAMP_SUB", args=(2, 2))
def shift_timestamp(args: Sequence[Expr], original: exp.Anonymous) -> Expr:
    """TIMESTAMP_ADD and TIMESTAMP_SUB move by a fixed length, never by months."""
    operator = exp.Add if original.name.upper() == "TIMESTAMP_ADD" else exp.Sub
    return exp.Paren(this=operator(this=cast(args[0], "TIMESTAMPTZ"), expression=_step(args[1], original, tuple(_MICROSECONDS))))


@function("DATE_DIFF", args=(3, 3))
def date_difference(args: Sequence[Expr], original: exp.Anonymous) -> Expr:
    """DATE_DIFF counts boundaries crossed; weeks begin on Sunday, DuckDB's on Monday."""
    unit, weekday = _unit(args[2], original)
    if weekday is not None:
        first, second = (call("bq_week_number", arg, number(weekday)) for arg in args[:2])
        return exp.Paren(this=exp.Sub(this=first, expression=second))
    if unit not in _DATE_STEPS:
        raise refusal(f"DATE_DIFF in {unit}", original)
    return call("date_diff", text(unit.lower()), cast(args[1], "DATE"), cast(args[0], "DATE"))


@function("TIMESTAMP_DIFF", args=(3, 3))
def timestamp_difference(args: Sequence[Expr], original: exp.Anonymous) -> Expr:
    """TIMESTAMP_DIFF counts whole units elapsed, cut towards zero; DuckDB's date_diff counts boundaries."""
    unit, _ = _unit(args[2], original)
    if unit not in _MICROSECONDS:
        raise refusal(f"TIMESTAMP_DIFF in {unit}", original)
    later, earlier = (call("epoch_us", cast(arg, "TIMESTAMPTZ")) for arg in args[:2])
    elapsed = exp.Paren(this=exp.Sub(this=later, expression=earlier))
    return elapsed if unit == "MICROSECOND" else exp.Paren(this=exp.IntDiv(this=elapsed, expression=number(_MICROSECONDS[unit])))


@function("DATE_TRUNC", args=(2, 2))
def date_truncate(args: Sequence[Expr], original: exp.Anonymous) -> Expr:
    """DATE_TRUNC keeps the type; weeks begin on Sunday. DuckDB gives a TIMESTAMP and Mondays."""
    return _truncate(args[0], args[1], original, ("DAY", *_PARTS))


@function("TIMESTAMP_TRUNC", args=(2, 3))
def timestamp_truncate(args: Sequence[Expr], original: exp.Anonymous) -> Expr:
    """TIMESTAMP_TRUNC cuts in UTC, or in the zone named."""
    units = (*_MICROSECONDS, *_PARTS)
    if len(args) == 2:
        return _truncate(args[0], args[1], original, units)
    return call("timezone", args[2], _truncate(call("timezone", args[2].copy(), args[0]), args[1], original, units))


def _truncate(value: Expr, part: Expr, original: exp.Anonymous, units: Sequence[str]) -> Expr:
    unit, weekday = _unit(part, original)
    if weekday is not None:
        return call("bq_trunc_week", value, number(weekday))
    if unit not in units:
        raise refusal(f"{original.name.upper()} to {unit}", original)
    return call("bq_trunc", text(unit.lower()), value)


@node(exp.Extract)
def extract(value: Expr) -> Expr:
    """DAYOFWEEK is 1 on Sunday, weeks begin on Sunday, and a fraction of a second excludes the seconds; not so in DuckDB."""
    source = value.expression
    if isinstance(source, exp.AtTimeZone):
        source = call("timezone", source.args["zone"], source.this)
    part = value.this
    name = part.name.upper()
    if isinstance(part, exp.Anonymous):
        name = f"WEEK({part.expressions[0].name.upper()})"
    plain = {"YEAR": "year", "MONTH": "month", "DAY": "day", "HOUR": "hour", "MINUTE": "minute", "SECOND": "second", "QUARTER": "quarter",
             "DAYOFYEAR": "dayofyear", "ISOWEEK": "week", "ISOYEAR": "isoyear"}  # fmt: skip
    if name in plain:
        return call(plain[name], source)
    if name == "DATE":
        return cast(source, "DATE")
    if name == "DAYOFWEEK":
        return exp.Paren(this=exp.Add(this=call("dayofweek", source), expression=number(1)))
    if name in ("WEEK", "WEEK(SUNDAY)", "WEEK(MONDAY)"):
        return cast(call("strftime", source, text("%W" if "MONDAY" in name else "%U")), "BIGINT")
    if name in ("MILLISECOND", "MICROSECOND"):
        size = 1000 if name == "MILLISECOND" else 1_000_000
        return exp.Paren(this=exp.Mod(this=call(name.lower(), source), expression=number(size)))
    raise refusal(f"EXTRACT({name})", value)


@function("DATE", args=(1, 3))
def date_of(args: Sequence[Expr], original: exp.Anonymous) -> Expr:
    """DATE(timestamp) is the UTC date, DATE(timestamp, zone) the local one, DATE(y, m, d) is built."""
    if len(args) == 3:
        return call("make_date", *args)
    return cast(args[0] if len(args) == 1 else call("timezone", args[1], args[0]), "DATE")


@function("TIMESTAMP", args=(1, 2))
def timestamp_of(args: Sequence[Expr], original: exp.Anonymous) -> Expr:
    """TIMESTAMP of a date or text is UTC, or local to the zone named."""
    if len(args) == 1:
        return cast(args[0], "TIMESTAMPTZ")
    return call("timezone", args[1], cast(args[0], "TIMESTAMP"))


@function("DATETIME", args=(1, 2))
def datetime_of(args: Sequence[Expr], original: exp.Anonymous) -> Expr:
    """DATETIME is the wall clock in UTC, or in the zone named."""
    return cast(args[0], "TIMESTAMP") if len(args) == 1 else call("timezone", args[1], args[0])


@function("UNIX_DATE")
def unix_date(args: Sequence[Expr], original: exp.Anonymous) -> Expr:
    """UNIX_DATE counts days since 1970-01-01."""
    return call("bq_unix_date", args[0])


@function("DATE_FROM_UNIX_DATE")
def date_from_unix_date(args: Sequence[Expr], original: exp.Anonymous) -> Expr:
    """DATE_FROM_UNIX_DATE is the way back."""
    epoch = cast(text("1970-01-01"), "DATE")
    return exp.Paren(this=exp.Add(this=epoch, expression=cast(args[0], "INTEGER")))


@function("UNIX_SECONDS", "UNIX_MILLIS", "UNIX_MICROS")
def unix_time(args: Sequence[Expr], original: exp.Anonymous) -> Expr:
    """UNIX_SECONDS and UNIX_MILLIS round down, also before 1970."""
    micros = call("epoch_us", args[0])
    size = {"UNIX_SECONDS": 10**6, "UNIX_MILLIS": 10**3}.get(original.name.upper())
    return micros if size is None else call("bq_floor_div", micros, number(size))


@function("TIMESTAMP_SECONDS", "TIMESTAMP_MILLIS", "TIMESTAMP_MICROS")
def timestamp_from_unix(args: Sequence[Expr], original: exp.Anonymous) -> Expr:
    """TIMESTAMP_MICROS and its like count from 1970-01-01 UTC."""
    size = {"TIMESTAMP_SECONDS": 10**6, "TIMESTAMP_MILLIS": 10**3}.get(original.name.upper())
    return call("make_timestamptz", args[0] if size is None else exp.Mul(this=wrap(args[0]), expression=number(size)))


@function("LAST_DAY", args=(1, 1))
def last_day(args: Sequence[Expr], original: exp.Anonymous) -> Expr:
    """LAST_DAY is the last day of the month."""
    return call("last_day", args[0])


def _pattern(value: Expr, original: exp.Anonymous) -> exp.Literal:
    """Rewrite a literal date format; raise on an element whose meaning differs."""
    if not isinstance(value, exp.Literal):
        raise refusal(f"{original.name.upper()} with a format that is no literal", original)
    unknown = [element for element in _FORMAT_ELEMENT.findall(value.name) if element not in _FORMATS]
    if unknown:
        raise refusal(f"{original.name.upper()} with %{unknown[0]}", original)
    return text(_FORMAT_ELEMENT.sub(lambda match: _FORMATS[match[1]], value.name))


@function("FORMAT_DATE", "FORMAT_TIMESTAMP", args=(2, 3))
def format_instant(args: Sequence[Expr], original: exp.Anonymous) -> Expr:
    """FORMAT_TIMESTAMP writes in UTC, or in the zone named."""
    return call("strftime", args[1] if len(args) == 2 else call("timezone", args[2], args[1]), _pattern(args[0], original))


@function("PARSE_DATE", "PARSE_TIMESTAMP", args=(2, 3))
def parse_instant(args: Sequence[Expr], original: exp.Anonymous) -> Expr:
    """PARSE_TIMESTAMP reads UTC, or the zone named; DuckDB's strptime has no zone."""
    if "%F" in args[0].name:
        raise refusal(f"{original.name.upper()} with %F", original, "write %Y-%m-%d")
    parsed = call("strptime", args[1], _pattern(args[0], original))
    if original.name.upper() == "PARSE_DATE":
        return cast(parsed, "DATE")
    return call("timezone", args[2] if len(args) == 3 else text("UTC"), parsed)


@function("GENERATE_DATE_ARRAY", args=(2, 3))
def date_array(args: Sequence[Expr], original: exp.Anonymous) -> Expr:
    """GENERATE_DATE_ARRAY holds both ends, day by day unless told otherwise."""
    step = _step(args[2], original, _DATE_STEPS) if len(args) == 3 else call("to_days", number(1))
    return call("bq_date_array", args[0], args[1], step)
