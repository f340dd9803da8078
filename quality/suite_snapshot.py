"""The suite of a table as the library writes it down, without what differs from one run to the next.

The snapshots in `quality/suites/` say in a review what a change of contract, catalogue or rules does to the checks.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from quality.date_checks import date_checks
from quality.expectations import Declared, declare
from quality.row_checks import row_checks
from quality.table_suite import declared, suite_as_data, suite_hash, suite_tables, table_suite
from schemas.rules import STORE_TABLE

FOLDER = Path(__file__).with_name("suites")


def _declared(table: str) -> tuple[Declared, ...]:
    if table == STORE_TABLE:
        return declare(row_checks(), date_checks(trailing=True))
    return declared(table_suite(table))


def _rules(table: str) -> dict[str, str]:
    """Return by column of the figures what is counted: the SQL behind the expectation."""
    if table == STORE_TABLE:
        return {check.name: check.violated for check in row_checks()} | {check.name: check.value for check in date_checks(trailing=True)}
    return {one.column: check.sql for one, check in zip(declared(table_suite(table)), table_suite(table), strict=True)}


def snapshot(table: str) -> dict[str, Any]:
    """Return the suite of a table as plain data: the library's own form with ids and its version stripped, and the SQL behind it."""
    from quality.gx_duckdb import suite_as_json

    suite, rules = suite_as_json(table, [one.build() for one in _declared(table)]), _rules(table)
    expectations = [
        {
            "type": item["type"],
            "kwargs": item["kwargs"],
            "severity": item["severity"],
            "description": item["description"],
            "counted": rules[item["kwargs"]["column"]],
        }
        for item in suite["expectations"]
    ]
    expectations.sort(key=lambda item: (item["kwargs"]["column"], item["type"]))
    return {"name": table, "hash": suite_hash(table), "fates": suite_as_data(table)["fates"], "expectations": expectations}


def text(table: str) -> str:
    """Return the snapshot as it is committed: one line per expectation."""
    whole = snapshot(table)
    lines = ",\n".join("    " + json.dumps(item, sort_keys=True) for item in whole.pop("expectations"))
    head = json.dumps(whole, indent=2, sort_keys=True)[:-2]
    return f'{head},\n  "expectations": [\n{lines}\n  ]\n}}\n'


def drifted() -> dict[str, str]:
    """Return by file what should stand in it, for every snapshot that differs; an empty text is one without a table."""
    wanted = {f"{table}.json": text(table) for table in suite_tables()}
    present = {path.name: path.read_text(encoding="utf-8") for path in FOLDER.glob("*.json")}
    return {name: content for name, content in wanted.items() if present.get(name) != content} | {n: "" for n in present if n not in wanted}


def write() -> list[str]:
    """Bring the snapshots up to date and return the files that changed."""
    FOLDER.mkdir(exist_ok=True)
    changed = drifted()
    for name, content in changed.items():
        if content:
            (FOLDER / name).write_text(content, encoding="utf-8")
        else:
            (FOLDER / name).unlink()
    return sorted(changed)


if __name__ == "__main__":
    sys.stdout.write("".join(f"{name}\n" for name in write()))
