"""Merge the many small files that nightly runs leave into one; the partitions and their fingerprints stay as they are."""

from __future__ import annotations

import uuid
from collections.abc import Sequence

from schemas.contracts import TableContract
from schemas.errors import DefinitionError, ReadBackError
from warehouse.embedded import entries, housekeeping
from warehouse.embedded.entries import FileEntry
from warehouse.embedded.session import Session
from warehouse.embedded.storage import storage_errors, sync
from warehouse.embedded.views import copy_statement, quoted, relation

MOST_FILES = 64
SMALL_ROWS = 50_000


def _is_worth_merging(entry: FileEntry) -> bool:
    """TRUE for a small file and for one of which most partitions have been replaced."""
    return entry.rows < SMALL_ROWS or 2 * len(entry.live) < entry.held


def _merged(session: Session, spec: TableContract, old: Sequence[FileEntry], token: str) -> None:
    """Write the live rows of the files into a new one and make sure that they are the same rows."""
    path = session.catalog.resolve(housekeeping.stored_path(spec.name, token))
    source = relation(spec, old)
    cursor = session.plain_cursor()
    try:
        session.run(cursor, copy_statement(spec, source, path))
        before = session.fingerprints(cursor, spec, f"({source})")
        after = session.fingerprints(cursor, spec, f"read_parquet({quoted(str(path))})")
        if before != after or sum(part.rows for part in after.values()) != sum(entry.rows for entry in old):
            wrong = [key for key in set(before) | set(after) if before.get(key) != after.get(key)]
            raise ReadBackError(f"{spec.name} would not read the same after merging its files", wrong, "nothing was changed")
        with storage_errors("write its files"):
            sync(path)
    except BaseException:
        housekeeping.remove(path)
        raise


def _merge(session: Session, spec: TableContract, old: Sequence[FileEntry]) -> None:
    """Put one file with the contract's columns in the place of these, in one step."""
    catalog = session.catalog
    token = f"merged-{uuid.uuid4().hex[:12]}"
    _merged(session, spec, old, token)
    with storage_errors("publish"), catalog.write() as connection:
        keys = sorted(key for entry in old for key in entry.live)
        file_id = entries.add_file(connection, spec.name, housekeeping.stored_path(spec.name, token), spec.column_names, keys)
        for entry in old:
            entries.move_partitions(connection, spec.name, entry, file_id)
        entries.retire(connection)
        entries.bump(connection, [spec.name])


def rewrite_without(session: Session, spec: TableContract, columns: Sequence[str]) -> int:
    """Write the files anew that hold one of the columns, which the contract must no longer have; return how many there were."""
    declared = sorted(set(columns) & set(spec.column_names))
    if declared:
        raise DefinitionError(f"{spec.name} still declares columns that are to be dropped", declared)
    with storage_errors("be read"), session.catalog.snapshot() as snapshot:
        files = entries.file_entries(session.catalog, snapshot, spec.name)
    old = [entry for entry in files if set(columns) & set(entry.columns)]
    for entry in old:
        _merge(session, spec, [entry])
    return len(old)


def compact(session: Session, spec: TableContract, above: int = MOST_FILES) -> int:
    """Merge the small files of a table that has more than `above` files; return how many were merged.

    No lease is needed: partitions that a writer replaced meanwhile stay with the writer's file. The old files are
    retired, so readers that are under way finish on them.
    """
    catalog = session.catalog
    if not spec.is_partitioned:
        return 0
    with storage_errors("be read"), catalog.snapshot() as snapshot:
        files = entries.file_entries(catalog, snapshot, spec.name)
    old = [entry for entry in files if _is_worth_merging(entry)]
    if len(files) <= above or len(old) < 2:
        return 0
    _merge(session, spec, old)
    return len(old)
