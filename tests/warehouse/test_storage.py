"""Full disks, missing rights, damaged files, too little memory: one clear line each, and nothing lost."""

from __future__ import annotations

import resource
import signal
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from schemas.errors import FeatureStoreError, StorageUnavailableError, UsageError, WarehouseError
from schemas.settings import Settings
from tests.warehouse.in_child import in_child
from tests.warehouse.made_up_rows import BOXES, COMPLETIONS, DAYS, completion, publish, read, rows_of
from warehouse import open_warehouse
from warehouse.embedded import EmbeddedWarehouse
from warehouse.protocol import RecordWrite

POINTS = f"SELECT MIN(points) AS low, MAX(points) AS high, COUNT(*) AS n FROM {BOXES}"
ONE = [{"low": 1, "high": 1, "n": 12}]


def told_by(action: Callable[[], object]) -> tuple[str, str, str]:
    """Return class, code and line of the error that the action raises; nothing else may come out of it."""
    try:
        action()
    except FeatureStoreError as error:
        return type(error).__name__, error.code, error.line()
    return "", "", "nothing was raised"


def assert_one_line(told: tuple[str, str, str], kind: type[FeatureStoreError], words: str) -> None:
    name, code, line = told
    assert (name, code) == (kind.__name__, kind.code), line
    assert "\n" not in line and words in line, line


@pytest.fixture
def filled(warehouse: EmbeddedWarehouse) -> EmbeddedWarehouse:
    publish(warehouse, BOXES, rows_of(BOXES, points=1))
    return warehouse


def with_full_disk(settings: Settings, limit: int, action: Callable[[EmbeddedWarehouse], object]) -> tuple[str, str, str]:
    """Do the action where no file can grow beyond the limit, as on a full disk."""

    def work() -> tuple[str, str, str]:
        mine = EmbeddedWarehouse(settings)
        mine.query(POINTS)
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
        return told_by(lambda: action(mine))

    status, told = in_child(work)
    assert status == 0, told
    return told


@pytest.mark.parametrize("limit", [0, 1000])
def test_a_disk_full_while_staging_loses_nothing(filled: EmbeddedWarehouse, settings: Settings, limit: int) -> None:
    told = with_full_disk(settings, limit, lambda mine: publish(mine, BOXES, rows_of(BOXES, per_date=50, points=2)))
    assert_one_line(told, StorageUnavailableError, "nothing was changed; free space")
    assert filled.query(POINTS).to_pylist() == ONE
    assert not filled.orphans(0), "what was begun is removed"


def test_a_disk_full_while_publishing_loses_nothing(filled: EmbeddedWarehouse, settings: Settings) -> None:
    def publish_much(mine: EmbeddedWarehouse) -> None:
        rows = [completion(run=f"r{number}", detail="x" * 1000) for number in range(2000)]
        publish(mine, BOXES, rows_of(BOXES, points=2), [RecordWrite(COMPLETIONS, rows)])

    told = with_full_disk(settings, 400_000, publish_much)
    assert_one_line(told, StorageUnavailableError, "the warehouse cannot publish")
    assert filled.query(POINTS).to_pylist() == ONE
    assert read(filled, COMPLETIONS).num_rows == 0
    assert len(filled.remove_orphans(0)) == 1
    publish(filled, BOXES, rows_of(BOXES, points=3), [RecordWrite(COMPLETIONS, [completion()])])
    assert filled.query(POINTS).to_pylist()[0]["low"] == 3


def test_after_a_full_disk_the_same_process_goes_on(filled: EmbeddedWarehouse, settings: Settings) -> None:
    def work() -> list[tuple[str, str, str]]:
        mine = EmbeddedWarehouse(settings)
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        rows = [completion(run=f"r{number}", detail="x" * 1000) for number in range(2000)]
        _, most = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, most))
        first = told_by(lambda: mine.record([RecordWrite(COMPLETIONS, rows)]))
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
        return [first, told_by(lambda: mine.record([RecordWrite(COMPLETIONS, rows)]))]

    status, told = in_child(work)
    assert status == 0, told
    assert_one_line(told[0], StorageUnavailableError, "the warehouse cannot record")
    assert told[1] == ("", "", "nothing was raised")
    assert read(filled, COMPLETIONS).num_rows == 2000


@pytest.fixture
def shared() -> Iterator[Settings]:
    """A home that other users can reach."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Settings("embedded", Path(folder) / "home", None, threads=1)
        for path in Path(folder).rglob("*"):
            path.chmod(0o755)


def without_rights(settings: Settings, action: Callable[[EmbeddedWarehouse], object]) -> object:
    """Do the action as somebody who may read the home and not write it."""
    for path in (settings.home, *settings.home.rglob("*")):
        path.chmod(0o555 if path.is_dir() else 0o444)

    def work() -> object:
        return action(EmbeddedWarehouse(settings))

    status, told = in_child(work, as_nobody=True)
    assert status == 0, told
    return told


def test_a_home_one_may_only_read_is_read_and_not_written(shared: Settings) -> None:
    owner = EmbeddedWarehouse(shared)
    publish(owner, BOXES, rows_of(BOXES, points=1), [RecordWrite(COMPLETIONS, [completion()])])
    owner.close()

    def use(mine: EmbeddedWarehouse) -> tuple[object, int, int, list[tuple[str, str, str]]]:
        errors = [
            told_by(lambda: publish(mine, BOXES, rows_of(BOXES, points=2))),
            told_by(lambda: mine.record([RecordWrite(COMPLETIONS, [completion(run="r2")])])),
            told_by(lambda: mine.lease(BOXES, DAYS[0], DAYS[1], "run").__enter__()),
        ]
        return mine.query(POINTS).to_pylist(), len(mine.partitions(BOXES)), read(mine, COMPLETIONS).num_rows, errors

    found, partitions, records, errors = without_rights(shared, use)
    assert found == ONE and partitions == 4 and records == 1
    for told, words in zip(errors, ("write its files", "record", "take a lease"), strict=True):
        assert_one_line(told, StorageUnavailableError, words)


def test_a_reader_without_rights_sees_later_publications(shared: Settings) -> None:
    owner = EmbeddedWarehouse(shared)
    publish(owner, BOXES, rows_of(BOXES, points=1))
    seen = without_rights(shared, lambda mine: mine.query(POINTS).to_pylist())
    assert seen == ONE, "while the owner has it open"
    for path in (shared.home, *shared.home.rglob("*")):
        path.chmod(0o755)
    publish(owner, BOXES, rows_of(BOXES, points=2))
    owner.close()
    assert without_rights(shared, lambda mine: mine.query(POINTS).to_pylist()[0]["low"]) == 2


def test_a_home_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    occupied = tmp_path / "occupied"
    occupied.write_text("a file")
    told = told_by(lambda: EmbeddedWarehouse(Settings("embedded", occupied, None)))
    assert_one_line(told, StorageUnavailableError, "the warehouse cannot be opened")


def data_file(warehouse: EmbeddedWarehouse) -> Path:
    (path,) = (warehouse.catalog.root / "tables" / BOXES).iterdir()
    return path


@pytest.mark.parametrize("damage", ["gone", "empty", "cut short", "overwritten"])
def test_a_missing_or_damaged_data_file_is_told(filled: EmbeddedWarehouse, settings: Settings, damage: str) -> None:
    path = data_file(filled)
    whole = path.read_bytes()
    if damage == "gone":
        path.unlink()
    else:
        path.write_bytes({"empty": b"", "cut short": whole[:-50], "overwritten": b"x" * len(whole)}[damage])
    fresh = EmbeddedWarehouse(settings)
    told = told_by(lambda: fresh.query(POINTS))
    assert_one_line(told, WarehouseError, "a data file of the warehouse is missing or damaged")
    assert path.name in told[2] and "run: nba-features ingest" in told[2]
    fresh.close()


def test_FM55_a_damaged_catalogue_is_told_and_never_taken_for_an_empty_one(filled: EmbeddedWarehouse, settings: Settings) -> None:
    filled.close()
    path = settings.warehouse_dir / "catalog.sqlite"
    path.write_bytes(b"not a database at all" * 500)
    assert_one_line(told_by(lambda: EmbeddedWarehouse(settings)), WarehouseError, "the catalogue of the warehouse is damaged")


def test_too_little_memory_is_told(settings: Settings) -> None:
    small = EmbeddedWarehouse(Settings("embedded", settings.home, None, memory_limit="10MB", threads=1))
    sql = "SELECT ARRAY_AGG(CONCAT('word', CAST(n AS STRING))) AS words FROM UNNEST(GENERATE_ARRAY(1, 2000000)) AS n"
    assert_one_line(told_by(lambda: small.query(sql)), WarehouseError, "raise NBA_FEATURES_MEMORY_LIMIT")
    small.close()


@pytest.mark.parametrize("limit", ["much", "", "GB"])
def test_a_memory_limit_that_is_no_size_is_told(settings: Settings, limit: str) -> None:
    warehouse = EmbeddedWarehouse(Settings("embedded", settings.home, None, memory_limit=limit, threads=1))
    assert_one_line(told_by(lambda: warehouse.query("SELECT 1 AS one")), UsageError, "NBA_FEATURES_MEMORY_LIMIT is no size")
    warehouse.close()


def test_the_gcp_profile_is_never_served_by_the_embedded_engine(settings: Settings) -> None:
    told = told_by(lambda: open_warehouse(Settings("gcp", settings.home, None)))
    assert_one_line(told, UsageError, "the gcp profile has no project")
    assert not settings.home.exists()


def test_a_fault_while_rows_are_fetched_is_told_like_any_other(warehouse: EmbeddedWarehouse) -> None:
    sql = "SELECT CAST(IF(n = 1999999, 'many', '1') AS INT64) AS n FROM UNNEST(GENERATE_ARRAY(1, 2000000)) AS n"
    assert_one_line(told_by(lambda: warehouse.query(sql)), WarehouseError, "a statement failed")
