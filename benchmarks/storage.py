"""Two ways to store the embedded warehouse, measured: one DuckDB file, and partition files with an atomic catalogue.

Asked of each: can a reader in another process read while a writer works, does it ever see half a publish, what does
publishing a date cost, what does a read cost. `python -m benchmarks.storage` prints the figures.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median, quantiles
from typing import TYPE_CHECKING, Any, Protocol

from schemas.arrow_types import arrow_schema
from schemas.contracts import contract
from schemas.settings import load_settings
from warehouse import open_warehouse
from warehouse.protocol import Publication

if TYPE_CHECKING:
    import pyarrow as pa

TITLE = "Storage: one DuckDB file or partition files"
TABLE = "nba_raw.player_boxscores"
PLAYERS = 300
DATES = [dt.date(2024, 10, 22) + dt.timedelta(days=day) for day in range(170)]
PUBLISHES = 60
SECONDS = 6.0
ROOT = Path(__file__).resolve().parent.parent
# Every publish gives all rows of a date one and the same number of points: two numbers in one read are half a publish.
MIXED = """
SELECT COUNT(*) AS dates
FROM (SELECT game_date FROM {table} GROUP BY game_date HAVING COUNT(DISTINCT points) > 1 OR COUNT(*) != {players}) AS mixed
"""
READ = """
SELECT game_date, SUM(points) AS points
FROM {table}
WHERE game_date BETWEEN DATE '2024-12-01' AND DATE '2024-12-31'
GROUP BY game_date
"""


def rows_of(date: dt.date, points: int) -> pa.Table:
    """Return a date's rows, every one with these points."""
    import numpy as np
    import pyarrow as pa

    random = np.random.default_rng(date.toordinal())
    columns: dict[str, Any] = {
        "game_id": [f"00224{date.toordinal() % 10000:04d}{player % 10}" for player in range(PLAYERS)],
        "game_date": [date] * PLAYERS,
        "player_lookup": [f"player{player:04d}" for player in range(PLAYERS)],
        "team_abbr": [f"T{player % 30:02d}" for player in range(PLAYERS)],
        "minutes": random.random(PLAYERS) * 40,
        "points": [points] * PLAYERS,
        "started": [player % 3 == 0 for player in range(PLAYERS)],
    }
    schema = arrow_schema(contract(TABLE))
    return pa.table([pa.array(columns.get(f.name, random.integers(0, 20, PLAYERS)), f.type) for f in schema], schema=schema)


class Layout(Protocol):
    """One way to store a table, filled, written to and read."""

    def fill(self) -> None:
        """Write all dates."""

    def writer(self) -> Callable[[dt.date, int], None]:
        """Return a function that replaces a date."""

    def reader(self) -> AbstractContextManager[Callable[[str], list[Any]]]:
        """Open as another process does, and give a function that asks."""


class OneFile:
    """A DuckDB database file; a date is replaced by DELETE and INSERT in one transaction."""

    def __init__(self, home: Path) -> None:
        self.path = home / "warehouse.duckdb"

    def fill(self) -> None:
        """Write all dates."""
        import duckdb
        import pyarrow as pa

        rows = pa.concat_tables([rows_of(date, 1) for date in DATES])
        with duckdb.connect(str(self.path)) as connection:
            connection.register("rows", rows)
            connection.execute("CREATE TABLE boxscores AS SELECT * FROM rows")

    def writer(self) -> Callable[[dt.date, int], None]:
        """Return a function that replaces a date; the file stays open, as it does during a build."""
        import duckdb

        connection = duckdb.connect(str(self.path))

        def publish(date: dt.date, points: int) -> None:
            connection.register("rows", rows_of(date, points))
            connection.execute("BEGIN")
            connection.execute(f"DELETE FROM boxscores WHERE game_date = DATE '{date}'")
            connection.execute("INSERT INTO boxscores SELECT * FROM rows")
            connection.execute("COMMIT")

        return publish

    @contextmanager
    def reader(self) -> Iterator[Callable[[str], list[Any]]]:
        """Open the file for reading; it is refused while a writer has it, and refuses a writer as long as it is open."""
        import duckdb

        with duckdb.connect(str(self.path), read_only=True) as connection:
            yield lambda sql: connection.execute(sql.format(table="boxscores", players=PLAYERS)).fetchall()


class PartitionFiles:
    """Parquet files and the SQLite catalogue that says which are alive: the warehouse as it is."""

    def __init__(self, home: Path) -> None:
        self.settings = load_settings({**os.environ, "NBA_FEATURES_HOME": str(home)})

    def fill(self) -> None:
        """Write all dates."""
        import pyarrow as pa

        warehouse = open_warehouse(self.settings)
        staged = warehouse.stage_rows(contract(TABLE), pa.concat_tables([rows_of(date, 1) for date in DATES]), "fill")
        warehouse.publish([Publication(staged, tuple(DATES))])

    def writer(self) -> Callable[[dt.date, int], None]:
        """Return a function that replaces a date, its read-back included."""
        warehouse = open_warehouse(self.settings)

        def publish(date: dt.date, points: int) -> None:
            staged = warehouse.stage_rows(contract(TABLE), rows_of(date, points), "bench")
            warehouse.publish([Publication(staged, (date,))])

        return publish

    @contextmanager
    def reader(self) -> Iterator[Callable[[str], list[Any]]]:
        """Open the warehouse."""
        warehouse = open_warehouse(self.settings)
        try:
            yield lambda sql: [tuple(row.values()) for row in warehouse.query(sql.format(table=TABLE, players=PLAYERS)).to_pylist()]
        finally:
            warehouse.close()


LAYOUTS: dict[str, Callable[[Path], Layout]] = {"one DuckDB file": OneFile, "partition files": PartitionFiles}
READS_PER_OPEN = 10


@dataclass(frozen=True)
class Reads:
    """What a reader saw: milliseconds to open and to read, opens that were refused, dates that were half a publish."""

    opens: tuple[float, ...]
    reads: tuple[float, ...]
    refused: int
    halves: int
    error: str


@dataclass(frozen=True)
class Figures:
    """What one layout did: milliseconds per publish, reads without and with a writer, megabytes on disk."""

    publish_ms: float
    alone: Reads
    during: Reads
    megabytes: float


def _read_for(layout: str, home: Path, seconds: float) -> Reads:
    """Open and read again and again for some seconds; the first time, which imports, does not count."""
    store = LAYOUTS[layout](home)
    opens: list[float] = []
    reads: list[float] = []
    refused, halves, error = 0, 0, ""
    end = time.monotonic() + seconds
    is_first = True
    while time.monotonic() < end:
        began = time.perf_counter()
        try:
            with store.reader() as ask:
                ask(READ)
                if not is_first:
                    opens.append(1000 * (time.perf_counter() - began))
                for _ in range(READS_PER_OPEN):
                    began = time.perf_counter()
                    ask(READ)
                    reads.append(1000 * (time.perf_counter() - began))
                    halves += ask(MIXED)[0][0]
        except Exception as problem:  # noqa: BLE001 - what a reader is told is the result
            refused += not is_first
            error = " ".join(str(problem).split())
            time.sleep(0.01)
        if is_first:
            is_first, end = False, time.monotonic() + seconds
    return Reads(tuple(opens), tuple(reads), refused, halves, error)


def _child(*arguments: str) -> subprocess.Popen[str]:
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(
        [sys.executable, "-m", "benchmarks.storage", *arguments], cwd=ROOT, env=environ, stdout=subprocess.PIPE, text=True
    )


def _said(process: subprocess.Popen[str]) -> Reads:
    output, _ = process.communicate(timeout=300)
    return Reads(**json.loads(output.strip().splitlines()[-1]))


def measure(layout: str, folder: Path) -> Figures:
    """Fill a layout, read it alone, then read it from another process while this one publishes date after date."""
    home = folder / layout.replace(" ", "-")
    home.mkdir(parents=True)
    store = LAYOUTS[layout](home)
    store.fill()
    alone = _said(_child("read", layout, str(home), "2"))
    publish = store.writer()
    publish(DATES[0], 2)
    reader = _child("read", layout, str(home), str(SECONDS))
    times: list[float] = []
    number = 2
    while reader.poll() is None and len(times) < 10_000:
        number += 1
        began = time.perf_counter()
        publish(DATES[number % PUBLISHES], number)
        times.append(1000 * (time.perf_counter() - began))
        time.sleep(0.02)
    during = _said(reader)
    size = sum(path.stat().st_size for path in home.rglob("*") if path.is_file()) / 1e6
    return Figures(median(times), alone, during, size)


def _median(values: Sequence[float]) -> str:
    return f"{median(values):.1f} ms" if values else "none"


def _p95(values: Sequence[float]) -> str:
    return f"{quantiles(values, n=20)[-1]:.1f} ms" if len(values) > 20 else "none"


def table(found: dict[str, Figures]) -> Iterator[str]:
    """Yield the lines of the comparison."""
    yield "| | " + " | ".join(found) + " |"
    yield "|---" * (len(found) + 1) + "|"
    lines: list[tuple[str, Callable[[Figures], str]]] = [
        ("publish one date, median", lambda f: f"{f.publish_ms:.1f} ms"),
        ("no writer: open and read a month, median", lambda f: _median(f.alone.opens)),
        ("no writer: read a month, median", lambda f: _median(f.alone.reads)),
        ("while another process publishes: open and read, median", lambda f: _median(f.during.opens)),
        ("while another process publishes: read, median", lambda f: _median(f.during.reads)),
        ("while another process publishes: read, 95th percentile", lambda f: _p95(f.during.reads)),
        ("reads answered while it publishes", lambda f: str(len(f.during.reads))),
        ("opens refused while it publishes", lambda f: str(f.during.refused)),
        ("dates seen half-published", lambda f: str(f.during.halves)),
        ("on disk afterwards", lambda f: f"{f.megabytes:.1f} MB"),
    ]
    for name, show in lines:
        yield f"| {name} | " + " | ".join(show(figures) for figures in found.values()) + " |"


def compare(folder: Path) -> dict[str, Figures]:
    """Measure every layout."""
    return {layout: measure(layout, folder) for layout in LAYOUTS}


def storage_section(folder: Path, machine: str, load: float) -> str:
    """Return the section of the page."""
    found = compare(folder / "storage")
    told = next((figures.during.error for figures in found.values() if figures.during.error), "")
    lines = [
        f"## {TITLE}",
        "",
        f"{len(DATES)} dates of {PLAYERS} rows. A writer replaces date after date for {SECONDS:g} s, its read-back included; a reader in",
        "another process opens, reads a month ten times and looks at every date for rows of two publishes. What was decided:",
        "[0002](decisions/0002-storage.md).",
        "",
        *table(found),
        "",
        *([f"What a refused reader is told: `{told.split('.')[0][:160]}`", ""] if told else []),
        f"Machine: {machine}; load average {load:.1f}",
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    if sys.argv[1:2] == ["read"]:
        print(json.dumps(asdict(_read_for(sys.argv[2], Path(sys.argv[3]), float(sys.argv[4])))))
    else:
        with tempfile.TemporaryDirectory() as scratch:
            print("\n".join(table(compare(Path(scratch)))))
