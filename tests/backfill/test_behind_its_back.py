"""What happens to a published partition behind the ledger's back: each is found and made good."""

from __future__ import annotations

import datetime as dt
import sqlite3
from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest

from backfill.doctor import examine
from backfill.repairs import Clinic, merged
from backfill.request import Request
from backfill.states import State
from schemas.rules import STORE_TABLE
from tests.backfill.site import LINEAGE, Site, unfinished

DEFENSE = "nba_precompute.team_defense_zone_analysis"


def a_date(site: Site) -> dt.date:
    return site.dates()[40]


def data_file(site: Site, table: str, date: dt.date) -> Path:
    """Return the file that holds a partition."""
    with sqlite3.connect(site.settings.warehouse_dir / "catalog.sqlite") as catalog:
        sql = "SELECT path FROM files JOIN partitions USING (file_id) WHERE partitions.table_name = ? AND key = ?"
        (path,) = catalog.execute(sql, (table, str(date))).fetchone()
    return site.settings.warehouse_dir / path


def rewrite(site: Site, table: str, date: dt.date, select: str) -> None:
    """Write the rows of a data file anew, without a word to the catalogue."""
    path = data_file(site, table, date)
    copy = path.with_suffix(".copy")
    duckdb.execute(f"COPY (SELECT {select} FROM read_parquet('{path}')) TO '{copy}' (FORMAT parquet)")
    copy.rename(path)


def delete_partition(site: Site, table: str, date: dt.date) -> None:
    with sqlite3.connect(site.settings.warehouse_dir / "catalog.sqlite") as catalog:
        catalog.execute("DELETE FROM partitions WHERE table_name = ? AND key = ?", (table, str(date)))
        catalog.execute("UPDATE versions SET version = version + 1")


def alter_a_value(site: Site, table: str, date: dt.date) -> None:
    column = "opponent_pace"
    rewrite(site, table, date, f"* REPLACE ({column} + IF(game_date = DATE '{date}', 0.5, 0) AS {column})")


def lose_a_row(site: Site, table: str, date: dt.date) -> None:
    path = data_file(site, table, date)
    copy = path.with_suffix(".copy")
    sql = f"SELECT * EXCLUDE (n) FROM (SELECT *, row_number() OVER (PARTITION BY game_date) AS n FROM read_parquet('{path}'))"
    duckdb.execute(f"COPY ({sql} WHERE n > 1 OR game_date <> DATE '{date}') TO '{copy}' (FORMAT parquet)")
    copy.rename(path)


@pytest.mark.parametrize(
    ("damage", "state", "why"),
    [
        (delete_partition, State.MISSING, "published rows are gone"),
        (lose_a_row, State.DIFFERS, "rows are there"),
        (alter_a_value, State.DIFFERS, "content changed after it was published"),
    ],
)
def test_FM44_FM45_each_damage_is_found_and_mended(
    site: Site, damage: Callable[[Site, str, dt.date], None], state: State, why: str
) -> None:
    before, date = site.fingerprints(), a_date(site)
    damage(site, DEFENSE, date)
    plan = site.plan(Request(dates=(date,)))
    found = next(item for item in plan.tables if item.table == DEFENSE).states[date]
    assert found.state is state
    assert why in found.why
    assert plan.stages[0].table == DEFENSE
    assert plan.stages[0].dates == (date,)
    outcome = site.backfill(Request(dates=(date,)))
    assert outcome.exit_status == 0
    # What reads it is looked at again and found to be as it was.
    assert [len(result.published) for result in outcome.results] == [1, *([0] * (len(outcome.results) - 1))]
    assert site.fingerprints() == before


@pytest.mark.parametrize("how", ["cut off", "deleted"])
def test_a_damaged_file_is_retired_first_and_its_dates_are_built_again(site: Site, how: str) -> None:
    before, date = site.fingerprints(), a_date(site)
    path = data_file(site, DEFENSE, date)
    held = [day for day in site.dates(DEFENSE) if data_file(site, DEFENSE, day) == path]
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2]) if how == "cut off" else path.unlink()
    plan = site.plan()
    assert [stage.line() for stage in plan.stages[:1]] == [f"retire {DEFENSE}, {held[0]} to {held[-1]}: damaged or gone"]
    assert unfinished(plan)[DEFENSE] == held
    assert site.backfill().exit_status == 0
    assert site.fingerprints() == before


def test_FM45_lineage_that_is_gone_makes_the_store_date_unfinished(site: Site) -> None:
    date = a_date(site)
    delete_partition(site, LINEAGE, date)
    assert unfinished(site.plan()) == {STORE_TABLE: [date]}


def test_the_doctor_names_what_is_wrong_and_mends_it(site: Site) -> None:
    assert examine(site.warehouse, site.settings, site.now) == ()
    before, date = site.fingerprints(), a_date(site)
    alter_a_value(site, DEFENSE, date)
    stray = dt.date(2024, 8, 1)
    site.replace(DEFENSE, stray, lambda rows: rows)
    moved = site.warehouse.query(
        f"SELECT * REPLACE (DATE '2024-08-01' AS game_date) FROM {DEFENSE} WHERE game_date = @date", {"date": date}
    )
    site.replace(DEFENSE, stray, lambda _: moved.cast(_.schema))
    orphan = data_file(site, DEFENSE, date).with_name("nobody-0123456789ab.parquet")
    orphan.write_bytes(b"PAR1PAR1")
    dead = {
        "run_id": "r1", "command": "{}", "started_at": site.now, "state": "running", "holder": "nowhere:1:1",
        "code_version": "x", "definition_version": "x",
    }  # fmt: skip
    dead["holder"] = site.warehouse.this_process().rpartition(":")[0] + ":0"
    from orchestration.runs import RUNS
    from warehouse.protocol import RecordWrite

    site.warehouse.record([RecordWrite(RUNS, [dead])])
    findings = examine(site.warehouse, site.settings, site.now)
    assert sorted({item.check for item in findings}) == ["orphans", "partitions", "runs", "strays"]
    run = site.run()
    for step in merged([item.repair for item in findings if item.repair]):
        step.apply(Clinic(site.warehouse, site.settings, run, site.now))
    assert examine(site.warehouse, site.settings, site.now) == ()
    assert site.fingerprints() == before
    assert not orphan.exists()
