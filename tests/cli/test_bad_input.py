"""Bad input: one clear line, the right exit status, no traceback, and nothing lost."""

from __future__ import annotations

import datetime as dt
import resource
import shutil
import signal
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from schemas.catalogue import load_catalogue
from schemas.errors import UnknownNameError
from schemas.settings import load_settings
from tests.cli.calling import Answer, call, contents, copy_home, spawn
from tests.cli.conftest import Chain
from tests.house.tree import ROOT
from tests.ingest.folder import Folder
from tests.warehouse.in_child import in_child
from warehouse import open_warehouse

pytestmark = pytest.mark.slow


@pytest.fixture
def untouched(chain: Chain) -> Iterator[Chain]:
    """The home of the chain, which must hold the same afterwards."""
    before = contents(chain.home)
    yield chain
    assert contents(chain.home) == before


def test_an_empty_folder(untouched: Chain, tmp_path: Path) -> None:
    untouched.call("ingest", "--folder", str(tmp_path)).assert_one_line(1, "invalid_source", str(tmp_path))


def test_a_folder_that_is_not_there(untouched: Chain, tmp_path: Path) -> None:
    untouched.call("ingest", "--folder", str(tmp_path / "nothing")).assert_one_line(1, "invalid_source", "nothing")


def test_no_folder_named(untouched: Chain) -> None:
    untouched.call("ingest").assert_one_line(2, "usage", "NBA_DATA_DIR")


def test_a_file_with_a_missing_column(untouched: Chain, tmp_path: Path) -> None:
    folder = Folder(tmp_path / "data").write()
    path = next(path for path in sorted(folder.rglob("*.parquet")) if "PTS" in pq.read_schema(path).names)
    pq.write_table(pq.read_table(path).drop_columns(["PTS"]), path)
    untouched.call("ingest", "--folder", str(folder)).assert_one_line(1, "invalid_source", path.name, "PTS")


def test_a_file_that_is_no_table(untouched: Chain, tmp_path: Path) -> None:
    folder = Folder(tmp_path / "data").write()
    path = next(iter(sorted(folder.rglob("*.parquet"))))
    path.write_text("this is no table")
    untouched.call("ingest", "--folder", str(folder)).assert_one_line(1, "invalid_source", path.name)


def idle_day(chain: Chain) -> str:
    return next(str(day) for n in range(60) if (day := chain.dates[0] + dt.timedelta(days=n)) not in chain.dates)


@pytest.mark.parametrize("more", [(), ("--json",), ("--dry-run",)])
def test_a_date_without_games(untouched: Chain, more: tuple[str, ...]) -> None:
    day = idle_day(untouched)
    answer = untouched.call("run", "--date", day, "--as-of", untouched.as_of, *more)
    answer.assert_one_line(2, "no_games", f"no games are scheduled on the date: {day}")
    if more == ("--json",):
        assert answer.json == {
            "error": "no_games",
            "exit_status": 2,
            "fact": "no games are scheduled on the date",
            "values": [day],
            "hint": "",
        }


def test_a_date_beyond_the_schedule(untouched: Chain) -> None:
    untouched.call("run", "--date", "2031-01-01").assert_one_line(
        2, "no_games", "beyond the schedule: 2031-01-01", "the last date known is"
    )


def test_a_warehouse_without_a_schedule(tmp_path: Path) -> None:
    for words in (("run", "--date", "2025-01-01"), ("backfill",)):
        call(tmp_path / "home", *words).assert_one_line(2, "no_games", "run: nba-features ingest", "NBA_FEATURES_HOME")
    call(tmp_path / "home", "coverage").assert_one_line(2, "no_games", "any date. run: nba-features backfill")
    told = call(tmp_path / "home", "status")
    assert told.status == 5 and "the schedule is empty; NBA_FEATURES_HOME says where the data is" in told.out


def test_a_status_far_from_the_schedule_says_what_there_is(untouched: Chain) -> None:
    told = untouched.call("status", "--date", "2031-01-01")
    assert told.status == 5 and "within 21 days of 2031-01-01; it reaches from 2024-" in told.out


def test_a_lookup_of_nothing(tmp_path: Path) -> None:
    call(tmp_path / "home", "lookup").assert_one_line(2, "usage", "a date or a game is needed", "give --date")
    assert not (tmp_path / "home").exists()


def test_an_address_where_nobody_can_listen(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        answer = call(tmp_path / "home", "serve", "--port", port)
        answer.assert_one_line(2, "usage", f"127.0.0.1:{port}", "address already in use", "--port")
    call(tmp_path / "home", "serve", "--host", "nowhere.invalid").assert_one_line(2, "usage", "nowhere.invalid:6566", "--host")


def test_a_manifest_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "set.parquet").write_bytes(b"PAR1\xa2\x00")
    for path in (tmp_path / "set.parquet", tmp_path / "absent.json"):
        answer = call(tmp_path / "home", "training-set", "--replay", str(path))
        answer.assert_one_line(2, "usage", str(path), "it lies beside the set: SET.parquet.manifest.json")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("ready", "--date", "2025-01-01", "--min-score", "nan"), "a score is a number"),
        (("ready", "--date", "2025-01-01", "--min-score", "inf"), "range"),
        (("costs", "--days", "999999999"), "range"),
    ],
)
def test_a_number_that_cannot_be_meant(tmp_path: Path, words: tuple[str, ...], told: str) -> None:
    call(tmp_path / "home", *words).assert_one_line(2, "usage", told)


def test_the_page_that_lists_the_features_is_there() -> None:
    with pytest.raises(UnknownNameError) as caught:
        load_catalogue().feature("nothing")
    assert (ROOT / caught.value.hint.removeprefix("see ")).is_file()


@pytest.mark.parametrize("text", ["noon", "2025-01-01", "2025-13-01T00:00:00Z", "2025-01-01T25:00", "2025-01-01T10:00 Mars"])
def test_an_instant_that_is_not_a_time(untouched: Chain, text: str) -> None:
    for command in (("run", "--date", str(untouched.tonight)), ("backfill",)):
        untouched.call(*command, "--as-of", text).assert_one_line(2, "usage", "not an instant", "2024-12-25T22:00:00Z")


@pytest.mark.parametrize("text", ["tomorrow", "2025-02-30", "01/02/2025", "20250101", "2025-W01-3"])
def test_a_date_that_is_none(untouched: Chain, text: str) -> None:
    for command in ("run", "lookup"):
        untouched.call(command, "--date", text).assert_one_line(2, "usage", "not a date", "write YYYY-MM-DD")


def test_an_unknown_player(untouched: Chain) -> None:
    answer = untouched.call("lookup", "--date", str(untouched.tonight), "--players", "nobody,noone")
    answer.assert_one_line(2, "unknown_name", "unknown players: nobody, noone", "player_lookup")


@pytest.mark.parametrize("command", ["lookup", "training-set"])
def test_an_unknown_service(untouched: Chain, command: str, tmp_path: Path) -> None:
    day = str(untouched.tonight)
    words = ("--date", day) if command == "lookup" else ("--start", day, "--end", day, "--out", str(tmp_path / "x.parquet"))
    untouched.call(command, *words, "--service", "points_v9").assert_one_line(2, "unknown_name", "points_v9", "points_v3_37features")
    assert not (tmp_path / "x.parquet").exists()


def test_an_unknown_job(untouched: Chain) -> None:
    answer = untouched.call("run", "--date", str(untouched.tonight), "--as-of", untouched.as_of, "--skip", "factors")
    answer.assert_one_line(2, "unknown_name", "unknown job: factors", "player_composite_factors")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--season", "1999-00"), "unknown season"),
        (("--start-date", "2025-01-05", "--end-date", "2025-01-01"), "ends before it starts"),
        (("--season", "2024-25", "--start-date", "2025-01-05"), ""),
        (("--start-date", "2031-01-01", "--end-date", "2031-02-01"), ""),
    ],
)
def test_a_range_that_cannot_be_meant(untouched: Chain, words: tuple[str, ...], told: str) -> None:
    answer = untouched.call("backfill", *words, "--as-of", untouched.as_of)
    assert answer.status == 2 and len(answer.errors()) == 1 and told in answer.err, (answer.status, answer.out, answer.err)


def test_an_audit_of_nothing_is_no_success(chain: Chain, tmp_path: Path) -> None:
    copy_home(chain.home, tmp_path / "home")
    words = ("validate", "--start", "2031-01-01", "--end", "2031-02-01")
    call(tmp_path / "home", *words).assert_one_line(2, "no_games", "nothing of the store is published", "2031-01-01 to 2031-02-01")


def test_a_cascade_from_a_date_without_games(untouched: Chain) -> None:
    for day in ("2031-01-01", idle_day(untouched)):
        answer = untouched.call("backfill", "--cascade-from", day, "--as-of", untouched.as_of)
        answer.assert_one_line(2, "no_games", f"no games are scheduled on the dates: {day}")


def test_a_training_set_of_nothing(untouched: Chain, tmp_path: Path) -> None:
    out = str(tmp_path / "x.parquet")
    untouched.call("training-set", "--start", "2025-02-01", "--end", "2025-01-01", "--out", out).assert_one_line(2, "usage", "ends before")
    untouched.call("training-set", "--start", "2001-01-01", "--end", "2001-02-01", "--out", out).assert_one_line(2, "usage", "no clean row")


def test_a_training_set_that_cannot_be_written(untouched: Chain, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    words = ("training-set", "--start", str(untouched.dates[15]), "--end", str(untouched.dates[-1]))
    answer = untouched.call(*words, "--out", str(tmp_path / "file" / "x.parquet"))
    answer.assert_one_line(1, "storage_unavailable", "the training set cannot be written")


@pytest.mark.parametrize(
    "words", [("lookup", "--date", "{tonight}"), ("training-set", "--start", "{day}", "--end", "{day}", "--out", "x.parquet")]
)
def test_what_comes_before_feast_apply_says_so(chain: Chain, tmp_path: Path, words: tuple[str, ...]) -> None:
    copy_home(chain.home, tmp_path / "home")
    shutil.rmtree(tmp_path / "home" / "feast")
    filled = [word.format(tonight=chain.tonight, day=chain.dates[-1]) for word in words]
    answer = call(tmp_path / "home", *filled)
    assert answer.status in (1, 2) and len(answer.errors()) == 1 and "feast apply" in answer.err, answer.err


def test_a_second_writer_at_the_same_time(untouched: Chain) -> None:
    other = open_warehouse(load_settings({"NBA_FEATURES_HOME": str(untouched.home)}))
    low, high = dt.date(2000, 1, 1), dt.date(2030, 1, 1)
    with other.lease("nba_raw", low, high, "ingest of somebody"):
        untouched.call(*untouched.ingest()).assert_one_line(1, "lease_held", "ingest of somebody")
    with other.lease("nba_analytics.upcoming_team_game_context", low, high, "run of somebody"):
        answer = untouched.call("run", "--date", str(untouched.tonight), "--as-of", untouched.as_of)
        answer.assert_one_line(1, "lease_held", "run of somebody", "wait for it to end")
    other.close()


@pytest.fixture
def shared(chain: Chain) -> Iterator[Path]:
    """A copy of the home that other users can reach."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        home = Path(folder) / "home"
        copy_home(chain.home, home)
        yield home
        for path in home.rglob("*"):
            path.chmod(0o755)


def in_a_child(home: Path, *words: str, as_nobody: bool = False, limit: int | None = None) -> Answer:
    def work() -> Answer:
        if limit is not None:
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
        return call(home, *words)

    status, told = in_child(work, as_nobody)
    assert status == 0, told
    return told


def test_a_read_only_warehouse(chain: Chain, shared: Path) -> None:
    before = contents(shared)
    for path in (shared, *shared.rglob("*")):
        path.chmod(0o555 if path.is_dir() else 0o444)
    commands = [
        chain.ingest(),
        ("run", "--date", str(chain.tonight), "--as-of", chain.as_of),
        ("backfill", "--start-date", str(chain.dates[0]), "--end-date", str(chain.dates[1]), "--as-of", chain.as_of),
    ]
    for words in commands:
        in_a_child(shared, *words, as_nobody=True).assert_one_line(1, "storage_unavailable", "the warehouse cannot", "NBA_FEATURES_HOME")
    plan = in_a_child(shared, "run", "--date", str(chain.tonight), "--as-of", chain.as_of, "--dry-run", as_nobody=True)
    assert plan.assert_done().out.count("build ") >= 7, "what only reads goes on"
    for path in (shared, *shared.rglob("*")):
        path.chmod(0o755)
    assert contents(shared) == before


def test_a_full_disk(chain: Chain, shared: Path) -> None:
    before = contents(shared)
    commands = [
        ("ingest", "--source", "simulated", "--teams", "8", "--games-per-team", "20"),
        ("run", "--date", str(chain.tonight), "--as-of", chain.as_of),
    ]
    for words in commands:
        answer = in_a_child(shared, *words, limit=2000)
        answer.assert_one_line(1, "storage_unavailable", "the warehouse cannot")
    assert contents(shared) == before


@pytest.mark.parametrize(
    ("setting", "value", "told"),
    [
        ("NBA_FEATURES_PROFILE", "oracle", "unknown profile: oracle"),
        ("NBA_FEATURES_MEMORY_LIMIT", "plenty", "NBA_FEATURES_MEMORY_LIMIT"),
        ("NBA_FEATURES_THREADS", "many", "NBA_FEATURES_THREADS"),
        ("NBA_FEATURES_CUTOFF_MINUTES", "-5", "NBA_FEATURES_CUTOFF_MINUTES"),
    ],
)
def test_a_setting_that_cannot_be_meant(chain: Chain, setting: str, value: str, told: str) -> None:
    chain.call("run", "--date", str(chain.tonight), **{setting: value}).assert_one_line(2, "usage", told)


def test_too_little_memory(untouched: Chain) -> None:
    answer = untouched.call("run", "--date", str(untouched.tonight), "--as-of", untouched.as_of, NBA_FEATURES_MEMORY_LIMIT="1MB")
    answer.assert_one_line(1, "warehouse", "raise NBA_FEATURES_MEMORY_LIMIT")


def test_a_damaged_data_file(shared: Path, chain: Chain) -> None:
    for path in (shared / "warehouse" / "tables" / "nba_raw.schedule").iterdir():
        path.write_bytes(b"no table")
    answer = call(shared, "run", "--date", str(chain.tonight), "--as-of", chain.as_of)
    answer.assert_one_line(1, "warehouse", "a data file of the warehouse is missing or damaged")


@pytest.mark.parametrize(
    ("words", "status", "code"),
    [
        (("run", "--date", "2031-01-01"), 2, "no_games"),
        (("run",), 2, "usage"),
        (("run", "--date", "soon"), 2, "usage"),
        (("ingest", "--folder", "nowhere"), 1, "invalid_source"),
        (("lookup", "--date", "2031-01-01", "--service", "nope"), 2, "unknown_name"),
    ],
)
def test_a_process_of_its_own_ends_alike(chain: Chain, words: tuple[str, ...], status: int, code: str) -> None:
    spawn(chain.home, *words).assert_one_line(status, code)
