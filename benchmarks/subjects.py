"""The benchmarks by name: what is run, on what home, against which target and which limit."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Subject:
    """One benchmark. `home` is the state it starts from: empty, loaded or built; `limit` the step it is held against."""

    name: str
    step: str
    title: str
    what: str
    home: str
    max_wall: float | None = None
    max_rss_mb: float | None = None
    max_ratio: float | None = None
    limit: str | None = None
    limit_what: str = ""
    needs_real_data: bool = False

    def target(self) -> str:
        """Return the target in words."""
        parts = [f"{self.max_wall:g} s"] if self.max_wall is not None else []
        if self.max_rss_mb is not None:
            parts.append(f"{self.max_rss_mb / 1000:g} GB")
        if self.max_ratio is not None:
            parts.append(f"{self.max_ratio:g} times the limit")
        return "at most " + " and ".join(parts) if parts else ""


SUBJECTS = (
    Subject(
        "ingest",
        "ingest",
        "Ingest of all seasons",
        "Every source file read, every row checked, nba_raw and its quarantine published in an empty home.",
        "empty",
        max_wall=60,
        limit="ingest_limit",
        limit_what="reading the same files and writing them again as they are",
    ),
    Subject(
        "build",
        "build",
        "All derived tables, without the gate",
        "Phase 3, Phase 4, the store and its detail tables made season by season from nba_raw and published.",
        "loaded",
        max_wall=60,
        max_rss_mb=3000,
        limit="build_limit",
        limit_what="one plain statement per table and season that reads the built rows and writes the same columns, sorted alike",
    ),
    Subject(
        "build-gated",
        "build_gated",
        "All derived tables, through the gate",
        "The same with the suites of all tables, the gate of the store, events, ledger and completions.",
        "loaded",
        max_wall=60,
        max_rss_mb=3000,
        limit="build_limit",
        limit_what="the same plain statements",
    ),
    Subject(
        "one-date",
        "one_date",
        "One date, warm",
        "One upcoming date from raw rows through the gate to the published store, imports and translation of the SQL excluded.",
        "built",
        max_wall=2,
    ),
    Subject(
        "backfill",
        "backfill_everything",
        "Backfill of all seasons",
        "The whole command from nba_raw to verified: survey, plan, pre-flight, build through the gate, publish, survey again.",
        "loaded",
        max_wall=180,
        max_rss_mb=3000,
    ),
    Subject(
        "backfill-by-date",
        "backfill_date_by_date",
        "The same, date by date",
        "Some dates of all seasons built one after the other, as most pipelines backfill; what all of them would take is told.",
        "built",
    ),
    Subject(
        "backfill-again",
        "backfill_nothing",
        "Backfill with nothing to do",
        "All seasons asked for again when everything is current.",
        "built",
        max_wall=3,
    ),
    Subject(
        "cascade",
        "cascade_from_a_date",
        "Cascade from a corrected date",
        "One player's points of a past date corrected; the change found, the rows that hold it made again, materialization replayed.",
        "built",
        max_wall=10,
    ),
    Subject(
        "detect",
        "detect",
        "Detection",
        "One date built without composite factors; all seasons asked which date, category, feature and reason stand out.",
        "built",
        max_wall=1,
        limit="detect_limit",
        limit_what="a plain statement that averages two columns by date",
    ),
    Subject(
        "training-set",
        "training_rows",
        "Training set, warm",
        "Every played row of all seasons with 37 features and labels, through Feast's retrieval, as Arrow; imports excluded, the look at"
        " the fingerprints before and after included.",
        "built",
        max_rss_mb=1000,
        max_ratio=2,
        limit="training_limit",
        limit_what="DuckDB's plain as-of join of the same keys with the 37 features of the store, without labels, as Arrow",
    ),
    Subject(
        "explain",
        "explain",
        "Explanation",
        "One date built without composite factors; from there to the job, the run and the command, with what it would touch.",
        "built",
        max_wall=2,
    ),
    Subject(
        "status",
        "status",
        "Daily look",
        "The last dates and the next, open events, runs and what needs a person.",
        "built",
        max_wall=1,
    ),
    Subject(
        "report",
        "report",
        "Report of a season",
        "The last season as one HTML file: every date read, explained and drawn.",
        "built",
        max_wall=15,
        max_rss_mb=2000,
    ),
)


def by_name(name: str) -> Subject:
    """Return the benchmark of that name; raise `KeyError` else."""
    return {subject.name: subject for subject in SUBJECTS}[name]
