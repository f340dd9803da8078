"""Read values as the type of their column, refusing the unreadable ones one by one instead of the whole column."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc


def _whole(column: pa.ChunkedArray | pa.Array) -> pa.Array:
    if isinstance(column, pa.Array):
        return column
    return pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], column.type)


def _without_nan(values: pa.Array) -> pa.Array:
    # NaN is a missing value everywhere, whatever the file format made of it.
    if pa.types.is_floating(values.type):
        return pc.if_else(pc.is_nan(values), pa.scalar(None, values.type), values)
    return values


def _one(value: pa.Scalar, target: pa.DataType) -> object:
    # A text without a zone cannot become a zoned time in one step.
    steps = [(target,), (pa.timestamp(target.unit), target)] if pa.types.is_timestamp(target) else [(target,)]
    for path in steps:
        try:
            result = value
            for step in path:
                result = result.cast(step)
            return result.as_py()
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
            continue
    return None


def _each(values: pa.Array, target: pa.DataType) -> pa.Array:
    # Only columns with a fault come here; distinct values keep the loop short.
    encoded = values.dictionary_encode()
    parsed = pa.array([_one(value, target) for value in encoded.dictionary], target)
    return parsed.take(encoded.indices)


def cast_values(column: pa.ChunkedArray | pa.Array, target: pa.DataType) -> tuple[pa.Array, pa.Array]:
    """Return the column as `target` and a mask of the values that had a text or number, but none `target` can hold.

    NaN and, in text columns read as another type, blank text count as missing, not as unreadable. Times without a zone are read as UTC.
    """
    values = _without_nan(_whole(column))
    textual = pa.types.is_string(values.type) or pa.types.is_large_string(values.type)
    if textual and not pa.types.is_string(target):
        trimmed = pc.utf8_trim_whitespace(values)
        values = pc.if_else(pc.equal(trimmed, ""), pa.scalar(None, trimmed.type), trimmed)
    present = values.is_valid()
    if values.type == target:
        result = values
    else:
        try:
            result = values.cast(target)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
            result = _each(values, target)
    result = _without_nan(result)
    lost = pc.and_(present, result.is_null())
    return result, lost


def parse_minutes(column: pa.ChunkedArray | pa.Array) -> tuple[pa.Array, pa.Array]:
    """Return minutes as FLOAT64 and a mask of what could not be read.

    Reads `34:37` (minutes and seconds), `34`, `34.6` and numbers. A missing or blank value is missing, not unreadable;
    seconds of 60 or more and negative minutes are unreadable.
    """
    values = _whole(column)
    if not (pa.types.is_string(values.type) or pa.types.is_large_string(values.type)):
        return cast_values(values, pa.float64())
    text = pc.utf8_trim_whitespace(values)
    text = pc.if_else(pc.equal(text, ""), pa.scalar(None, text.type), text)
    clock = _clock(_only(text, r"^\d+(:[0-5]?\d(\.\d+)?)?$"))
    plain = _only(text, r"^\d+\.\d*$|^\.\d+$").cast(pa.float64())
    minutes = pc.coalesce(clock, plain)
    return minutes, pc.and_(text.is_valid(), minutes.is_null())


def _only(text: pa.Array, pattern: str) -> pa.Array:
    return pc.if_else(pc.match_substring_regex(text, pattern), text, pa.scalar(None, text.type))


def _clock(text: pa.Array) -> pa.Array:
    minutes = pc.replace_substring_regex(text, ":.*$", "").cast(pa.float64())
    seconds = pc.replace_substring_regex(text, r"^\d+:?", "")
    seconds = pc.if_else(pc.equal(seconds, ""), "0", seconds).cast(pa.float64())
    return pc.add(minutes, pc.divide(seconds, 60.0))
