"""What a partition was built and judged with: the table's own definition and the suite that let it through."""

from __future__ import annotations

import hashlib
from functools import lru_cache

from quality.table_suite import suite_hash
from schemas.catalogue import load_catalogue
from schemas.contracts import contract
from schemas.rules import STORE_TABLE
from transformations.render import companions, table_definition


@lru_cache(maxsize=64)
def partition_definition(table: str) -> str:
    """Return the hash over statement, columns and suites of a table and of the raw tables it reads.

    Rows that another suite let through are not up to date: a new check looks at old partitions too. The store's covers the
    version of each feature: raising one says that values of before mean something else, whatever statement made them.
    """
    judged = [table, *companions(table), *(name for name in sorted(contract(table).reads) if contract(name).built_by == "ingest")]
    meanings = [f"{feature.name} {feature.version}" for feature in load_catalogue().features] if table == STORE_TABLE else []
    text = "\0".join([table_definition(table), *(suite_hash(name) for name in judged), *meanings])
    return hashlib.sha256(text.encode()).hexdigest()[:16]
