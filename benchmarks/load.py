"""Many clients at once while the slate is corrected and materialized: no error, no torn row, and how long answers take."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import click

from benchmarks.runner import ROOT
from benchmarks.slates import (
    PLAYERS,
    TODAY,
    Client,
    opened,
    player_path,
    published,
    quiet_materialize,
    server,
    slate_path,
    version_rows,
    version_vectors,
)

TITLE = "Serving under load, while the slate is corrected"
SLATE_EVERY = 5
"""One request in so many is a whole slate, the others are single players."""


@dataclass
class Seen:
    """What the clients saw: seconds by kind of request, verdicts, versions and what should not be."""

    seconds: dict[str, list[float]] = field(default_factory=lambda: {"slate": [], "player": []})
    verdicts: Counter[str] = field(default_factory=Counter)
    versions: set[int] = field(default_factory=set)
    wrong: list[str] = field(default_factory=list)
    torn: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def percentile(self, kind: str, share: float) -> float:
        """Return milliseconds."""
        taken = sorted(self.seconds[kind])
        return round(taken[min(len(taken) - 1, int(len(taken) * share))] * 1000, 2) if taken else 0.0


def _client(port: int, number: int, players: int, until: float, known: dict[tuple[float, ...], int], seen: Seen) -> None:
    """Ask until the time is over; every vector must be one published version, whole."""
    asked = 0
    with Client(port) as client:
        while time.monotonic() < until:
            kind = "slate" if asked % SLATE_EVERY == number % SLATE_EVERY else "player"
            asked += 1
            start = time.perf_counter()
            try:
                status, body = client.get(slate_path() if kind == "slate" else player_path((asked * 7 + number) % players))
            except OSError as error:
                with seen.lock:
                    seen.wrong.append(f"{type(error).__name__}: {error}")
                client.connection.close()  # The next request opens it anew.
                continue
            took = time.perf_counter() - start
            found = json.loads(body)
            vectors = [tuple(answer["vector"]) for answer in found.get("answers", ()) if answer["vector"] is not None]
            with seen.lock:
                seen.seconds[kind].append(took)
                if status != 200:
                    seen.wrong.append(f"{status}: {body[:200]!r}")
                seen.verdicts.update(answer["verdict"] for answer in found.get("answers", ()))
                seen.torn += sum(vector not in known for vector in vectors)
                seen.versions.update(known[vector] for vector in vectors if vector in known)


def write_versions(home: Path, seconds: float, players: int) -> int:
    """Correct the slate and materialize it, one version after the other, until the time is over; return how many."""
    from tests.feast.store_rows import publish

    place = opened(home)
    until, version = time.monotonic() + seconds, 0
    while time.monotonic() < until:
        version += 1
        publish(place.warehouse, version_rows(version, players=players))
        quiet_materialize(place.store, [TODAY])
    return version


def run_load(home: Path, seconds: float, clients: int = 8, players: int = PLAYERS) -> tuple[Seen, int]:
    """Run the load on a home whose slate is published and materialized; return what was seen and how many versions were written."""
    seen, known = Seen(), version_vectors()
    environ = {**os.environ, "NBA_FEATURES_HOME": str(home), "PYTHONPATH": str(ROOT)}
    with server(home, "--log-lookups", "0.01") as port:
        writer = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.load", "--writer", str(home), "--seconds", str(seconds), "--players", str(players)],
            cwd=ROOT,
            env=environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        # The writer says when it has imported what it needs: the clients begin with its first correction.
        assert writer.stdout is not None
        writer.stdout.readline()
        until = time.monotonic() + seconds
        threads = [threading.Thread(target=_client, args=(port, number, players, until, known, seen)) for number in range(clients)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        out, said = writer.communicate(timeout=120)
        # The clients lie idle: what is served now is the last version.
        with Client(port) as client:
            status, body = client.get(slate_path())
    if writer.returncode:
        seen.wrong.append(f"the writer ended with status {writer.returncode}: {said[-500:]}")
        return seen, 0
    versions = int(out.split()[-1])
    last = {known.get(tuple(answer["vector"] or ())) for answer in json.loads(body)["answers"]}
    if status != 200 or last != {versions % len(known)}:
        seen.wrong.append(f"after {versions} versions the slate shows {sorted(map(str, last))}")
    return seen, versions


def load_section(machine: str, load: float, seconds: float = 60.0) -> str:
    """Return the section of docs/benchmarks.md."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        published(home)
        seen, versions = run_load(home, seconds)
    lines = ["| request | answered | p50 ms | p99 ms |", "|---|---|---|---|"]
    for kind, what in (("player", "one player"), ("slate", f"{PLAYERS} players")):
        lines.append(f"| {what} | {len(seen.seconds[kind])} | {seen.percentile(kind, 0.5)} | {seen.percentile(kind, 0.99)} |")
    verdicts = ", ".join(f"{count} {verdict}" for verdict, count in seen.verdicts.most_common())
    told = (
        f"8 clients for {seconds:g} s, each waiting for its answer before it asks again, one request in {SLATE_EVERY} a whole slate, while"
        f" another process publishes a corrected slate and materializes it, {versions} times. Clients, server and writer share the machine."
    )
    facts = (
        f"Errors: {len(seen.wrong)}. Torn rows (a vector of mixed versions): {seen.torn} of {sum(seen.verdicts.values())} answers."
        f" Versions seen: {len(seen.versions)}. Verdicts: {verdicts}; stale is the moment between publication and materialization."
    )
    return f"## {TITLE}\n\n{told}\n\n" + "\n".join(lines) + f"\n\n{facts}\n\nMachine: {machine}; load average {load:.1f}\n"


@click.command()
@click.option("--seconds", default=60.0, show_default=True, type=click.FloatRange(1))
@click.option("--players", default=PLAYERS, hidden=True)
@click.option("--writer", type=click.Path(path_type=Path), default=None, hidden=True)
def main(seconds: float, players: int, writer: Path | None) -> None:
    """Run the load test and print what was seen."""
    if writer is not None:
        from tests.feast.store_rows import publish

        assert publish
        opened(writer)
        print("ready", flush=True)
        print(write_versions(writer, seconds, players))
        return
    click.echo(load_section("this machine", 0.0, seconds))


if __name__ == "__main__":
    main()
