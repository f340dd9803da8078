"""Columns that come and go: in place, in order, and nothing else moves."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest

from backfill.migrations import AddColumn, DropColumn, Unexplained, apply_migrations, plan_migrations
from backfill.only_columns import fill_columns
from backfill.request import Request
from orchestration.ledger import entries
from orchestration.outcome import LEDGER
from schemas.errors import DefinitionError, UnknownNameError, UsageError
from schemas.migration_files import Migration, load_migrations
from schemas.rules import STORE_TABLE
from tests.backfill.site import Site, differing, unfinished
from warehouse.protocol import RecordWrite

NEW = "matchup_quality_tier"
CACHE = "nba_precompute.player_daily_cache"


def stored_as(site: Site, table: str, select: str, columns: Callable[[list[str]], list[str]]) -> None:
    """Write the data files of a table anew with other columns, as an older or newer contract had them."""
    with sqlite3.connect(site.settings.warehouse_dir / "catalog.sqlite") as catalog:
        files = catalog.execute("SELECT file_id, path, columns FROM files WHERE table_name = ?", (table,)).fetchall()
        for file_id, name, names in files:
            path = site.settings.warehouse_dir / name
            if not path.exists():
                continue
            copy = path.with_suffix(".copy")
            duckdb.execute(f"COPY (SELECT {select} FROM read_parquet('{path}')) TO '{copy}' (FORMAT parquet)")
            copy.rename(path)
            catalog.execute("UPDATE files SET columns = ? WHERE file_id = ?", (json.dumps(columns(json.loads(names))), file_id))
        catalog.execute("UPDATE versions SET version = version + 1")


@pytest.fixture
def older(site: Site) -> Site:
    """The site as it was before a column of the store was introduced."""
    stored_as(site, STORE_TABLE, f"* EXCLUDE ({NEW})", lambda names: [name for name in names if name != NEW])
    found = site.warehouse.readable(STORE_TABLE)
    with sqlite3.connect(site.settings.warehouse_dir / "catalog.sqlite") as catalog:
        for date, part in found.items():
            sql = "UPDATE partitions SET fingerprint = ? WHERE table_name = ? AND key = ?"
            catalog.execute(sql, (part.fingerprint, STORE_TABLE, str(date)))
    lines = entries(site.warehouse, STORE_TABLE, min(found), max(found))
    rows = [{**lines[date], "fingerprint": part.fingerprint, "definition_version": "before"} for date, part in found.items()]
    site.warehouse.record([RecordWrite(LEDGER, rows)])
    return site


@pytest.mark.slow
def test_FM39_a_new_column_alone_is_filled_and_every_other_stays_as_it_is(site: Site, older: Site) -> None:
    dates = older.dates()
    rows = older.store_rows()
    assert {row[NEW] for row in rows.values()} == {None}
    assert unfinished(older.plan()) == {STORE_TABLE: dates}
    assert plan_migrations(older.warehouse).steps == (AddColumn(STORE_TABLE, NEW, len(dates)),)
    runs = older.warehouse.query(f"SELECT player_lookup, game_date, run_id, created_timestamp FROM {STORE_TABLE} ORDER BY 1, 2")
    planned = fill_columns(older.warehouse, Request(), [NEW], older.now, older.now, 60, only_plan=True)
    assert (planned.dates, planned.rows, planned.run_id) == (tuple(dates), len(rows), None)
    filled = fill_columns(older.warehouse, Request(), [NEW], older.now, older.now, 60)
    assert (filled.dates, filled.left, filled.exit_status) == (tuple(dates), {}, 0)
    now = older.store_rows()
    assert all(row[NEW] for row in now.values())
    without = [{key: {name: value for name, value in row.items() if name != NEW} for key, row in part.items()} for part in (rows, now)]
    assert differing(*without) == set()
    # Not even when and by which run the rows were written.
    assert older.warehouse.query(f"SELECT player_lookup, game_date, run_id, created_timestamp FROM {STORE_TABLE} ORDER BY 1, 2") == runs
    # Filled up they are what a whole build makes of them, and count as such.
    assert older.plan().stages == ()
    assert plan_migrations(older.warehouse).steps == ()


def test_a_date_whose_other_columns_would_differ_is_left_alone(older: Site) -> None:
    date = older.dates()[-2]
    before = older.store_rows()
    older.replace(CACHE, date, lambda rows: rows.slice(0, 0))
    table = older.warehouse.query(f"SELECT * FROM {STORE_TABLE} WHERE game_date = @date", {"date": date})
    older.replace(STORE_TABLE, date, lambda _: table.slice(1))
    filled = fill_columns(older.warehouse, Request(dates=(date,)), [NEW], older.now, older.now, 60)
    assert filled.exit_status == 5
    assert list(filled.left) == [date]
    assert filled.rows == 0
    assert {key for key, row in older.store_rows().items() if row != before.get(key)} == set()


@pytest.mark.parametrize(("columns", "error"), [(["no_such"], UnknownNameError), ([], UnknownNameError), (["game_date"], UsageError)])
def test_what_cannot_be_filled_is_refused(site: Site, columns: list[str], error: type[Exception]) -> None:
    with pytest.raises(error):
        fill_columns(site.warehouse, Request(), columns, site.now, site.now, 60)


def test_a_retired_column_goes_only_when_it_is_said_so_and_nothing_else_moves(site: Site) -> None:
    before = site.warehouse.readable(CACHE)
    stored_as(site, CACHE, "*, 1 AS old_score, 2 AS stranger", lambda names: [*names, "old_score", "stranger"])
    migrations = (Migration(1, "one", "because"), Migration(2, "two", "no longer read", drops={CACHE: ("old_score",)}))
    plan = plan_migrations(site.warehouse, migrations)
    partitions = len(before)
    assert plan.steps == (DropColumn(CACHE, "old_score", partitions, "0002 two"), Unexplained(CACHE, "stranger"))
    assert [item.number for item in plan.pending] == [1, 2]
    with pytest.raises(UsageError, match="old_score"):
        apply_migrations(site.warehouse, plan, site.now)
    assert site.warehouse.stored_columns(CACHE)["old_score"] == partitions
    apply_migrations(site.warehouse, plan, site.now, override_drop_columns=True)
    assert "old_score" not in site.warehouse.stored_columns(CACHE)
    assert site.warehouse.readable(CACHE) == before
    assert plan_migrations(site.warehouse, migrations).pending == ()


def test_migrations_are_applied_once(site: Site) -> None:
    plan = plan_migrations(site.warehouse)
    assert [item.number for item in plan.pending] == [item.number for item in load_migrations()]
    assert apply_migrations(site.warehouse, plan, site.now) == ()
    assert plan_migrations(site.warehouse).lines() == []


@pytest.mark.parametrize(
    ("name", "text", "fact"),
    [
        ("0001_a.yaml", "{number: 2, title: a, why: b}", "0001_a.yaml"),
        ("1_a.yaml", "{number: 1, title: a, why: b}", "1_a.yaml"),
        ("0001_a.yaml", "{number: 1, title: a}", "0001_a.yaml"),
        ("0001_a.yaml", "{number: 1, title: a, why: b, extra: 1}", "0001_a.yaml"),
        ("0002_a.yaml", "{number: 2, title: a, why: b}", "without a gap"),
        ("0001_a.yaml", "{number: 1, title: a, why: b, creates: [nba_raw.nothing]}", "no contract"),
        ("0001_a.yaml", f"{{number: 1, title: a, why: b, adds: {{{CACHE}: [nothing]}}}}", "its contract lacks"),
        ("0001_a.yaml", f"{{number: 1, title: a, why: b, drops: {{{CACHE}: [game_id]}}}}", "its contract declares"),
    ],
)
def test_a_migration_that_contradicts_itself_or_a_contract_is_refused(tmp_path: Path, name: str, text: str, fact: str) -> None:
    (tmp_path / name).write_text(text, encoding="utf-8")
    with pytest.raises(DefinitionError, match=fact):
        load_migrations(tmp_path)


def test_the_migrations_of_the_project_agree_with_its_contracts() -> None:
    assert [item.number for item in load_migrations()] == list(range(1, len(load_migrations()) + 1))
    assert load_migrations()
