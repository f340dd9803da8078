"""Check rows against their table's contract, column by column, and part the good rows from the refused."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from schemas.arrow_types import arrow_schema
from schemas.contracts import Column, TableContract
from schemas.errors import SourceError
from transformations.ingest.casting import cast_values, parse_minutes
from transformations.ingest.delivery import Rejection
from transformations.ingest.reasons import REASONS

__all__ = ["REASONS", "REASON_COLUMN", "ROW_COLUMN", "SOURCE_COLUMN", "Verdict", "parse_minutes", "split_by_contract"]

SOURCE_COLUMN = "_source"
ROW_COLUMN = "_row"
REASON_COLUMN = "_reason"
DETAIL_COLUMN = "_detail"


@dataclass
class Verdict:
    """Faults found so far: reason code, what to say about it, and the mask of the rows it concerns."""

    rows: int
    faults: list[tuple[str, Callable[[int], str], pa.Array]] = field(default_factory=list)

    def add(self, reason: str, mask: pa.Array, say: Callable[[int], str]) -> None:
        """Record a fault of the rows where `mask` is TRUE; NULL in the mask means no fault."""
        mask = pc.fill_null(mask, False)
        if pc.any(mask).as_py():
            self.faults.append((reason, say, mask))

    def refused(self) -> pa.Array:
        """Return the mask of rows with at least one fault."""
        result = pa.array(np.zeros(self.rows, dtype=bool))
        for _, _, mask in self.faults:
            result = pc.or_(result, mask)
        return result


def _shown(values: pa.Array | pa.ChunkedArray, index: int) -> str:
    return str(values[index].as_py())


def _check_column(column: Column, values: pa.Array, verdict: Verdict) -> None:
    def say(text: str) -> Callable[[int], str]:
        return lambda index: f"{column.name} is {_shown(values, index)}, {text}"

    if column.values:
        wrong = pc.invert(pc.is_in(values, value_set=pa.array(column.values, values.type)))
        verdict.add("bad_value", pc.and_(wrong, values.is_valid()), say(f"not one of {', '.join(column.values)}"))
    if not (pa.types.is_floating(values.type) or pa.types.is_integer(values.type)):
        return
    if pa.types.is_floating(values.type):
        verdict.add("out_of_range", pc.is_inf(values), say("not a finite number"))
        finite = pc.is_finite(values)
        values_in = pc.if_else(finite, values, pa.scalar(None, values.type))
    else:
        values_in = values
    for limit, wrong_when, text in (
        (column.min, pc.less, "below the least allowed"),
        (column.max, pc.greater, "above the most allowed"),
        (column.above, pc.less_equal, "not above"),
    ):
        if limit is not None:
            verdict.add("out_of_range", wrong_when(values_in, limit), say(f"{text} {limit:g}"))


def _check_keys(contract: TableContract, table: pa.Table, refused: pa.Array, verdict: Verdict) -> None:
    """Refuse every row but the first of a key, judged among the rows that are good otherwise."""
    good = pc.invert(refused)
    index = pa.array(np.arange(table.num_rows))
    keyed = table.select(list(contract.keys)).append_column("_index", index).filter(good)
    first = keyed.group_by(list(contract.keys), use_threads=False).aggregate([("_index", "min")])["_index_min"]
    if len(first) == keyed.num_rows:
        return
    repeated = pc.and_(good, pc.invert(pc.is_in(index, value_set=first.combine_chunks())))

    def say(row: int) -> str:
        return "second row of " + ", ".join(f"{name} {_shown(table[name], row)}" for name in contract.keys)

    verdict.add("duplicate_key", repeated, say)


def _references(table: pa.Table, index: int) -> tuple[str, list[str]]:
    rows = table[ROW_COLUMN][index].as_py()
    source = table[SOURCE_COLUMN][index].as_py()
    return str(source), [str(row) for row in (rows if isinstance(rows, list) else [rows])]


def _raw(table: pa.Table, index: int) -> str:
    hidden = (SOURCE_COLUMN, ROW_COLUMN, REASON_COLUMN, DETAIL_COLUMN)
    return json.dumps({name: table[name][index].as_py() for name in table.column_names if name not in hidden}, default=str)


def _rejections(contract: TableContract, table: pa.Table, verdict: Verdict) -> list[Rejection]:
    found: dict[tuple[str, str, str], Rejection] = {}
    for reason, say, mask in verdict.faults:
        for index in pc.indices_nonzero(mask).to_pylist():
            source, rows = _references(table, index)
            for row in rows:
                key = (source, row, reason)
                if key not in found:
                    found[key] = Rejection(contract.name, source, row, reason, say(index), _raw(table, index))
    return list(found.values())


def _given_reasons(table: pa.Table, verdict: Verdict) -> None:
    """Take over what the source's own reading found wrong (`_reason`, `_detail`)."""
    if REASON_COLUMN not in table.column_names:
        return
    reasons = table[REASON_COLUMN].combine_chunks()
    details = table[DETAIL_COLUMN] if DETAIL_COLUMN in table.column_names else None
    for reason in pc.unique(reasons).drop_null().to_pylist():
        say = (lambda index: _shown(details, index)) if details is not None else (lambda index: "")
        verdict.add(reason, pc.equal(reasons, reason), say)


def split_by_contract(table: pa.Table, contract: TableContract, readers: Sequence[str] = ()) -> tuple[pa.Table, list[Rejection]]:
    """Part a table into the good rows, cast to the contract, and the rejections of the others; nothing is altered or lost.

    `table` has the contract's columns in any castable type, `_source` (file or feed) and `_row` (row number there from 1,
    or a list of them when several source rows made one), and may have `_reason` and `_detail` where the reading already
    refuses a row. A nullable column may be absent. `readers` names columns of minutes to be read as `MM:SS`.

    Good rows have exactly the contract's columns and Arrow types, plus `_source` and `_row` at the end, in the order given.
    Checked are: readable as the type, required values (NaN is missing), vocabulary, infinity, limits, and the key: of rows
    with one key the first good one stays. A row with several faults gives one rejection per reason. A table that lacks a required
    column raises `SourceError`.
    """
    required = [c.name for c in contract.columns if c.required] + [SOURCE_COLUMN, ROW_COLUMN]
    missing = [name for name in required if name not in table.column_names]
    if missing:
        raise SourceError(f"rows for {contract.name} lack columns", missing)
    verdict = Verdict(table.num_rows)
    _given_reasons(table, verdict)
    # A row already refused is quarantined for that reason; what it lacks in consequence would only be noise.
    settled = verdict.refused()
    clean: dict[str, pa.Array] = {}
    content = Verdict(table.num_rows)
    for column, target in zip(contract.columns, arrow_schema(contract), strict=True):
        if column.name not in table.column_names:
            clean[column.name] = pa.nulls(table.num_rows, target.type)
            continue
        raw = table[column.name]
        values, lost = parse_minutes(raw) if column.name in readers else cast_values(raw, target.type)
        content.add("unparsable", lost, lambda index, n=column.name, r=raw, t=column.type: f"{n} is {_shown(r, index)}, not {t}")  # type: ignore[misc]
        if column.required:
            empty = pc.and_(values.is_null(), pc.invert(lost))
            content.add("missing_value", empty, lambda index, n=column.name: f"{n} is missing")  # type: ignore[misc]
        _check_column(column, values, content)
        clean[column.name] = values
    for reason, say, mask in content.faults:
        verdict.add(reason, pc.and_not(mask, settled), say)
    typed = pa.table(clean, schema=arrow_schema(contract))
    typed = typed.append_column(SOURCE_COLUMN, table[SOURCE_COLUMN]).append_column(ROW_COLUMN, table[ROW_COLUMN])
    _check_keys(contract, typed, verdict.refused(), verdict)
    good = typed.filter(pc.invert(verdict.refused())) if verdict.faults else typed
    return good, _rejections(contract, table, verdict)
