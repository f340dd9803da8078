"""Materialization through the gate, by Feast's own methods, on the packed SQLite store."""

from __future__ import annotations

import datetime as dt
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import pyarrow as pa
import pytest
from feast import FeatureStore
from feast.repo_config import RepoConfig

from feature_repo.feature_views import FEATURE_VIEWS
from schemas.clock import UTC
from schemas.errors import BlockedError, FeatureStoreError, ReadBackError, StorageUnavailableError, UsageError
from schemas.rules import STORE_TABLE
from serving import gated_provider
from serving.feature_store import _configuration, apply_definitions, repository_folder
from serving.materialization_gate import judge, midnight, pasted
from serving.materialization_log import READ_BACK_ROWS
from serving.packed import sqlite_store
from tests.feast.conftest import WEEK, Site
from tests.feast.online_sites import in_the_middle
from tests.feast.store_rows import block, cutoff, ledger_row, player, publish, store_table
from warehouse.protocol import RecordWrite

START = midnight(WEEK[0])
END = midnight(WEEK[-1] + dt.timedelta(days=1))
VIEWS = [view.name for view in FEATURE_VIEWS]
REFS = [f"{view.name}:{field.name}" for view in FEATURE_VIEWS for field in view.features]


def day(date: dt.date) -> tuple[dt.datetime, dt.datetime]:
    return midnight(date), midnight(date + dt.timedelta(days=1)) - dt.timedelta(microseconds=1)


def history(site: Site, *columns: str) -> list[Any]:
    names = ", ".join(columns or ("feature_view", "state"))
    rows = site.warehouse.query(f"SELECT {names} FROM nba_orchestration.materialization_history ORDER BY recorded_at").to_pylist()
    return [tuple(row.values()) for row in rows]


def watermarks(store: FeatureStore) -> dict[str, list[Any]]:
    return {view.name: view.materialization_intervals for view in store.list_feature_views()}


def as_read(rows: pa.Table, names: list[str]) -> list[dict[str, Any]]:
    """Return the rows as the warehouse gives them back: a missing list is an empty one, as in BigQuery."""
    lists = [field.name for field in rows.schema if pa.types.is_list(field.type)]
    return [{**row, **{name: row[name] or [] for name in lists if name in row}} for row in rows.select(names).to_pylist()]


def online(store: FeatureStore, rows: pa.Table) -> list[dict[str, Any] | None]:
    keys = {name: rows.column(name).to_pylist() for name in ("player_lookup", "game_id")}
    found = store.get_online_features(REFS, keys).to_dict()
    names = [ref.split(":")[1] for ref in REFS]
    lines = [dict(zip(names, values, strict=True)) for values in zip(*(found[name] for name in names), strict=True)]
    return [line if line["quality_tier"] else None for line in lines]


def refused(site: Site, kind: type[FeatureStoreError], run: Callable[[], None], view: str = VIEWS[0]) -> str:
    """Run what must be refused; nothing is written, no watermark moves, the refusal is recorded."""
    marks, before = watermarks(site.store), online(site.store, store_table(WEEK))
    with pytest.raises(kind) as caught:
        run()
    assert isinstance(caught.value, click.ClickException)
    assert caught.value.exit_code == 1
    line = caught.value.format_message()
    assert "\n" not in line
    assert watermarks(site.store) == marks
    assert online(site.store, store_table(WEEK)) == before
    assert history(site, "feature_view", "state", "detail")[-1] == (view, "refused", line)
    return line


def test_what_is_online_is_what_was_published(week: Site) -> None:
    rows = store_table(WEEK)
    week.store.materialize(START, END)
    found = online(week.store, rows)
    names = [ref.split(":")[1] for ref in REFS]
    expected = as_read(rows, names)
    for row, given in zip(found, expected, strict=True):
        assert row is not None
        assert {name: row[name] for name in names} == given
    assert history(week, "feature_view", "state", "rows_expected", "rows_written") == [(view, "succeeded", 20, 20) for view in VIEWS]
    assert {view: [tuple(i) for i in intervals] for view, intervals in watermarks(week.store).items()} == {v: [(START, END)] for v in VIEWS}


def test_FM16_null_and_FM15_zero_survive_the_online_store(site: Site, applied: Path) -> None:
    shutil.copytree(applied, site.settings.home / "feast")
    lines = [None, 0.0, None, 0.0]
    rows = store_table(
        WEEK[:1], vegas_points_line=lines, recent_trend=[0.0, 0.0, -0.0, 1.5], quality_alerts=[None, [], ["stale_upstream"], None]
    )
    publish(site.warehouse, rows)
    site.store.materialize(*day(WEEK[0]))
    found = online(site.store, rows)
    assert [row and row["vegas_points_line"] for row in found] == lines
    assert [row and row["recent_trend"] for row in found] == [0.0, 0.0, 0.0, 1.5]
    # A missing list and an empty one are one and the same to Feast.
    assert [row and (row["quality_alerts"] or []) for row in found] == [[], [], ["stale_upstream"], []]


def test_FM53_an_end_beyond_the_last_gated_date_is_refused(week: Site) -> None:
    line = refused(week, UsageError, lambda: week.store.materialize(START, dt.datetime(2099, 1, 1, tzinfo=UTC)))
    assert f"feast materialize {pasted(START)} {pasted(END)}" in line
    week.store.materialize(START, END)


def test_FM53_an_incremental_end_beyond_the_last_gated_date_is_refused(week: Site) -> None:
    week.store.materialize(*day(WEEK[0]))
    line = refused(week, UsageError, lambda: week.store.materialize_incremental(dt.datetime(2099, 1, 1, tzinfo=UTC)))
    start = day(WEEK[0])[1]
    assert f"feast materialize {pasted(start)} {pasted(END)}" in line
    week.store.materialize_incremental(END)
    assert {view: tuple(marks[-1]) for view, marks in watermarks(week.store).items()} == dict.fromkeys(VIEWS, (start, END))
    assert all(online(week.store, store_table(WEEK)))


def test_FM53_the_inverted_interval_of_a_first_incremental_run_is_refused(week: Site) -> None:
    line = refused(week, UsageError, lambda: week.store.materialize_incremental(END))
    assert f"feast materialize {pasted(START)} {pasted(END)}" in line
    assert set(map(tuple, watermarks(week.store).values())) == {()}


def test_an_empty_interval_is_refused(week: Site) -> None:
    assert "is empty" in refused(week, UsageError, lambda: week.store.materialize(END, END))
    week.store.materialize(START, END)
    assert "is empty" in refused(week, UsageError, lambda: week.store.materialize_incremental(END))


def test_a_blocked_date_is_named_and_the_good_ones_are_written(week: Site, capsys: pytest.CaptureFixture[str]) -> None:
    block(week.warehouse, WEEK[2])
    week.store.materialize(START, END)
    told = [line for line in capsys.readouterr().err.splitlines() if line.startswith("Left out")]
    command = f"feast materialize {pasted(midnight(WEEK[2]))} {pasted(midnight(WEEK[3]))}"
    assert told == [f"Left out: {WEEK[2]} is blocked (matchup_quality_critical); once it is published run: {command}"]
    rows = store_table(WEEK)
    found = dict.fromkeys(WEEK, 0)
    for date, row in zip(rows.column("game_date").to_pylist(), online(week.store, rows), strict=True):
        found[date] += row is not None
    # The last good partition of the blocked date is still readable in the warehouse, and none of it went online.
    assert found == {date: 0 if date == WEEK[2] else 4 for date in WEEK}
    assert set(history(week, "state", "rows_written", "blocked_dates")) == {("succeeded", 16, str(WEEK[2]))}


def test_only_blocked_dates_are_refused_with_their_reasons(week: Site) -> None:
    block(week.warehouse, WEEK[2])
    line = refused(week, BlockedError, lambda: week.store.materialize(*day(WEEK[2])))
    assert f"{WEEK[2]} (matchup_quality_critical)" in line


def test_FM55_a_partition_that_is_not_the_gated_one_is_refused(week: Site) -> None:
    week.warehouse.record([RecordWrite("nba_orchestration.partition_ledger", [ledger_row(WEEK[1], "published", 4, "other")])])
    line = refused(week, BlockedError, lambda: week.store.materialize(START, END))
    assert f"{WEEK[1]} is not the partition that was gated" in line


def test_FM40_repeated_keys_are_refused(site: Site, applied: Path) -> None:
    shutil.copytree(applied, site.settings.home / "feast")
    publish(site.warehouse, pa.concat_tables([store_table(WEEK), store_table(WEEK[3:4])]), repeats_unseen=True)
    line = refused(site, BlockedError, lambda: site.store.materialize(START, END))
    assert f"{WEEK[3]} holds 4 repeated keys" in line


def test_FM55_facts_that_cannot_be_read_refuse(week: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise StorageUnavailableError("the warehouse cannot be read")

    monkeypatch.setattr(gated_provider, "read_facts", broken)
    refused(week, StorageUnavailableError, lambda: week.store.materialize(START, END))


def test_FM55_an_unforeseen_fault_of_the_gate_writes_nothing(week: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gated_provider, "judge", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        week.store.materialize(START, END)
    assert not any(online(week.store, store_table(WEEK)))
    assert set(map(tuple, watermarks(week.store).values())) == {()}


def test_a_later_pass_over_the_same_interval_is_judged_again(week: Site) -> None:
    week.store.materialize(START, END)
    block(week.warehouse, WEEK[2])
    week.store.materialize(START, END)
    assert [rows for (rows,) in history(week, "rows_expected")] == [20] * 7 + [16] * 7


def test_all_views_of_a_pass_are_judged_once(week: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    judged = []

    def counted(*given: Any) -> Any:
        judged.append(given)
        return judge(*given)

    monkeypatch.setattr(gated_provider, "judge", counted)
    week.store.materialize(START, END)
    assert len(judged) == 1


@pytest.mark.parametrize("order", [(0, 4), (4, 0)], ids=["older first", "newer first"])
def test_FM52_windows_may_be_written_in_either_order(week: Site, order: tuple[int, int]) -> None:
    for index in order:
        week.store.materialize(*day(WEEK[index]))
    rows = store_table(WEEK)
    names = [ref.split(":")[1] for ref in REFS]
    for date, row, given in zip(rows.column("game_date").to_pylist(), online(week.store, rows), as_read(rows, names), strict=True):
        if date in (WEEK[0], WEEK[4]):
            assert row is not None and {name: row[name] for name in names} == given
        else:
            assert row is None


def test_FM52_a_corrected_row_of_the_same_event_time_lands(week: Site) -> None:
    week.store.materialize(START, END)
    corrected = store_table(WEEK[1:2], seed=99)
    publish(week.warehouse, corrected)
    week.store.materialize(*day(WEEK[1]))
    found = online(week.store, corrected)
    assert [row and row["points_avg_last_5"] for row in found] == corrected.column("points_avg_last_5").to_pylist()


def test_a_late_game_is_written_with_its_own_date(week: Site) -> None:
    """The cutoff of a game at 22:00 Eastern lies on the next UTC date."""
    late = cutoff(WEEK[1], 22)
    assert late.date() == WEEK[1] + dt.timedelta(days=1)
    week.store.materialize(late - dt.timedelta(seconds=1), late + dt.timedelta(seconds=1))
    rows = store_table(WEEK)
    found = online(week.store, rows)
    written = [key for key, row in zip(rows["player_lookup"].to_pylist(), found, strict=True) if row]
    assert written == [player(1), player(3)]


def test_FM41_rows_that_do_not_read_back_fail_the_run(week: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    store = week.store.provider.online_store
    real = type(store).write_views
    monkeypatch.setattr(type(store), "write_views", lambda self, config, views, rows: real(self, config, views, rows.slice(1)))
    with pytest.raises(ReadBackError, match=r"player_history does not read back .*: player\d{3} 0025"):
        week.store.materialize(START, END)
    assert history(week) == [(VIEWS[0], "failed")]
    assert set(map(tuple, watermarks(week.store).values())) == {()}


def test_a_date_published_again_while_it_is_written_fails_the_run(week: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    store = week.store.provider.online_store
    real = type(store).write_views

    def meanwhile(self: Any, *given: Any, **named: Any) -> int:
        written: int = real(self, *given, **named)
        publish(week.warehouse, store_table(WEEK[1:2], seed=99))
        return written

    monkeypatch.setattr(type(store), "write_views", meanwhile)
    with pytest.raises(ReadBackError, match=f"published again while they were written: {WEEK[1]}"):
        week.store.materialize(START, END)
    assert history(week) == [(VIEWS[0], "failed")]


def reopened(site: Site) -> FeatureStore:
    """Return the store as another process would open it."""
    config = RepoConfig(**_configuration(site.settings))
    config.repo_path = repository_folder()
    return FeatureStore(config=config)


def test_FM54_reads_go_on_after_an_interrupt_in_the_middle(week: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    week.store.materialize(*day(WEEK[0]))
    rows = store_table(WEEK)
    before = online(week.store, rows)
    store = week.store.provider.online_store

    def interrupt() -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(sqlite_store, "STAGED_ROWS", 2)
        patch.setattr(type(store), "_transaction", in_the_middle(2, interrupt))
        with pytest.raises(KeyboardInterrupt):
            week.store.materialize(*day(WEEK[1]))
    assert history(week)[-1] == (VIEWS[0], "failed")
    after = online(reopened(week), rows)
    assert after == before
    assert all(before[:4]) and not any(before[4:])
    again = reopened(week)
    again.materialize(*day(WEEK[1]))
    assert all(online(again, rows)[:8])


def test_one_view_takes_the_others_of_its_source_along_in_one_write(week: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    store = week.store.provider.online_store
    real, written = type(store)._keep, []

    def counted(self: Any, config: Any, writes: Any) -> None:
        written.append([write.view for write in writes])
        real(self, config, writes)

    monkeypatch.setattr(type(store), "_keep", counted)
    week.store.materialize(START, END, feature_views=[VIEWS[3]])
    assert [sorted(views) for views in written] == [sorted(VIEWS)]
    assert all(online(week.store, store_table(WEEK)))
    assert [view for view, marks in watermarks(week.store).items() if marks] == [VIEWS[3]]
    assert history(week) == [(VIEWS[3], "succeeded")]
    week.store.materialize(START, END)
    # The view that came a second time began a new pass.
    assert len(written) == 2
    assert {view: len(marks) > 0 for view, marks in watermarks(week.store).items()} == dict.fromkeys(VIEWS, True)


def test_a_correction_lands_in_every_view_of_a_later_pass(week: Site) -> None:
    week.store.materialize(START, END)
    corrected = store_table(WEEK[1:2], seed=99, created_timestamp=[dt.datetime(2025, 2, 2, tzinfo=UTC)] * 4)
    publish(week.warehouse, corrected)
    week.store.materialize(START, END)
    names = [ref.split(":")[1] for ref in REFS]
    assert [row and {name: row[name] for name in names} for row in online(week.store, corrected)] == as_read(corrected, names)


def test_values_do_not_enter_beside_the_gate(week: Site) -> None:
    frame = store_table(WEEK).to_pandas()
    for write in (week.store.write_to_online_store, week.store.write_to_offline_store):
        with pytest.raises(UsageError):
            write("vegas", frame)
    assert not any(online(week.store, store_table(WEEK)))


def test_applying_again_keeps_the_watermark(week: Site) -> None:
    week.store.materialize(START, END)
    marks = watermarks(week.store)
    apply_definitions(week.store)
    assert watermarks(week.store) == marks
    assert all(online(week.store, store_table(WEEK)))


def test_it_works_with_feasts_own_sqlite_store(week: Site) -> None:
    raw = _configuration(week.settings)
    raw["online_store"] = {"type": "sqlite", "path": str(week.settings.home / "stock.db")}
    config = RepoConfig(**raw)
    store = FeatureStore(config=config)
    apply_definitions(store)
    store.materialize(START, END)
    assert all(online(store, store_table(WEEK)))


def test_an_offline_store_that_cannot_leave_blocked_dates_out_is_refused(week: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    block(week.warehouse, WEEK[2])
    monkeypatch.setattr(type(week.store.provider.offline_store), "leaves_out_blocked", False)
    assert "cannot leave them out" in refused(week, BlockedError, lambda: week.store.materialize(START, END))


def test_a_large_slice_is_read_back_by_an_even_sample(site: Site, applied: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert READ_BACK_ROWS >= 1_000
    monkeypatch.setattr("serving.materialization_log.READ_BACK_ROWS", 8)
    shutil.copytree(applied, site.settings.home / "feast")
    publish(site.warehouse, store_table(WEEK))
    site.store.materialize(START, END)
    assert set(history(site, "rows_written", "detail")) == {(20, "7 of 20 rows read back, evenly spread")}


def test_the_store_table_is_the_one_the_views_read() -> None:
    assert {gated_provider.gated_table(view).name for view in FEATURE_VIEWS} == {STORE_TABLE}
