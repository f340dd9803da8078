"""The point-in-time join: for each entity row the newest feature row at or before it, on DuckDB."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from serving.relations import Relation, quoted

ENTITIES = "_entities"
ROW = "_row"
INSTANT = "_instant"
MICROSECOND = dt.timedelta(microseconds=1)


@dataclass(frozen=True)
class ViewGroup:
    """Feature views that share source, join keys and ttl: one join serves them all.

    `keys` maps the source's key columns to the entity frame's; `columns` the source's columns to the output's. A row
    counts for `ttl` from its event time on, the last instant included; None is for ever.
    """

    relation: Relation
    keys: tuple[tuple[str, str], ...]
    timestamp_field: str
    created_column: str | None
    ttl: dt.timedelta | None
    columns: tuple[tuple[str, str], ...]

    @property
    def source_columns(self) -> tuple[str, ...]:
        """Columns the join reads from the source, each once."""
        created = (self.created_column,) if self.created_column else ()
        return tuple(dict.fromkeys([*(key for key, _ in self.keys), self.timestamp_field, *created, *(name for name, _ in self.columns)]))


def _rows(group: ViewGroup) -> str:
    return f"(SELECT {', '.join(quoted(name) for name in group.source_columns)} FROM {group.relation.sql})"


def _match(group: ViewGroup) -> str:
    return " AND ".join(f"e.{quoted(entity)} = f.{quoted(source)}" for source, entity in group.keys)


def _select(group: ViewGroup) -> str:
    """List the output columns; a row past its ttl answers with NULL."""
    names = [(f"f.{quoted(source)}", quoted(output)) for source, output in group.columns]
    if group.ttl:
        expired = f"epoch_us(f.{quoted(group.timestamp_field)}) + {group.ttl // MICROSECOND} < epoch_us(e.{INSTANT})"
        names = [(f"CASE WHEN {expired} THEN NULL ELSE {value} END", output) for value, output in names]
    return ", ".join([f"e.{ROW}", *(f"{value} AS {output}" for value, output in names)])


def join_sql(group: ViewGroup, *, filter_by_created: bool = False, single: bool = False) -> str:
    """Return the query of the group's columns by `_row`, one row per entity row, in no particular order.

    With `filter_by_created`, feature rows written after the entity's instant do not exist for it. That is a second
    inequality, which an as-of join cannot hold: an ordinary join ranks the few rows of each key instead. With `single` no
    key has more than one feature row: the newest one is the only one, and an ordinary join finds it in a third of the time.
    """
    instant = f"f.{quoted(group.timestamp_field)}"
    if single:
        knowable = f"{instant} <= e.{INSTANT}"
        if filter_by_created and group.created_column:
            knowable += f" AND f.{quoted(group.created_column)} <= e.{INSTANT}"
        return f"SELECT {_select(group)} FROM {ENTITIES} e LEFT JOIN {_rows(group)} f ON {_match(group)} AND {knowable}"
    if not (filter_by_created and group.created_column):
        return f"SELECT {_select(group)} FROM {ENTITIES} e ASOF LEFT JOIN {_rows(group)} f ON {_match(group)} AND e.{INSTANT} >= {instant}"
    knowable = f"{instant} <= e.{INSTANT} AND f.{quoted(group.created_column)} <= e.{INSTANT}"
    return (
        f"SELECT {_select(group)} FROM {ENTITIES} e LEFT JOIN {_rows(group)} f ON {_match(group)} AND {knowable}"
        f" QUALIFY row_number() OVER (PARTITION BY e.{ROW} ORDER BY {instant} DESC) = 1"
    )


def _asked_for(group: ViewGroup) -> str:
    entity_keys = ", ".join(quoted(entity) for _, entity in group.keys)
    return f"{_rows(group)} f SEMI JOIN (SELECT DISTINCT {entity_keys} FROM {ENTITIES}) e ON {_match(group)}"


def several_sql(group: ViewGroup) -> str:
    """Return the query of one key asked for that holds more than one feature row; without a row there is none."""
    keys = ", ".join(f"f.{quoted(source)}" for source, _ in group.keys)
    return f"SELECT {keys} FROM {_asked_for(group)} GROUP BY {keys} HAVING count(*) > 1 LIMIT 1"


def duplicates_sql(group: ViewGroup) -> str:
    """Return the query of keys asked for that hold more than one feature row of the same event time."""
    keys = ", ".join(f"f.{quoted(source)}" for source, _ in group.keys)
    instant = f"f.{quoted(group.timestamp_field)}"
    return f"SELECT {keys}, {instant} FROM {_asked_for(group)} GROUP BY {keys}, {instant} HAVING count(*) > 1 ORDER BY ALL LIMIT 100"
