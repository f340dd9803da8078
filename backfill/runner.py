"""Walk the plan of a backfill, keep neighbours of a bad date apart from it, and call it done only when it is verified."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial

from backfill.attempts import Attempts, note_outcome, read_attempts
from backfill.calendar import Calendar, expected_calendar
from backfill.plan import BuildStage, Plan, RetireStage, Stage, make_plan, survey
from backfill.preflight import require_inputs
from backfill.progress import Progress
from backfill.request import COMMAND, Frozen, Request, freeze
from backfill.states import PartitionState, State, table_state
from orchestration.build import build_table
from orchestration.plan import LOOK_BACK
from orchestration.runs import RUNS, Run, close_dead_runs, ending_of, recorded_run
from schemas.arrow_types import arrow_schema
from schemas.code_version import present_code_version
from schemas.contracts import contract
from schemas.errors import ExitStatus, LeaseHeldError, SourceError, StaleDefinitionError, StorageUnavailableError, WarehouseError
from transformations.render import built_tables
from warehouse.protocol import Publication, Warehouse

Report = Callable[[str, int, int], None]
STOPPING = (LeaseHeldError, StaleDefinitionError, StorageUnavailableError)
"""Errors that are about the whole warehouse or run and not about a date."""


@dataclass(frozen=True)
class StageResult:
    """What became of the dates of a stage."""

    stage: Stage
    rows: int = 0
    published: tuple[dt.date, ...] = ()
    current: tuple[dt.date, ...] = ()
    blocked: Mapping[dt.date, tuple[str, ...]] = field(default_factory=dict)
    failed: Mapping[dt.date, str] = field(default_factory=dict)
    withheld: tuple[dt.date, ...] = ()
    seconds: float = 0.0

    @property
    def state(self) -> str:
        """State of the stage as it is kept on record."""
        if self.failed and not self.published and not self.current:
            return "failed"
        return "partly" if self.failed or self.blocked or self.withheld else "done"

    def detail(self) -> str:
        """Return what a reader should know beyond the counts."""
        parts = [f"{date} blocked: {', '.join(reasons)}" for date, reasons in self.blocked.items()]
        parts += [f"{date} failed: {error}" for date, error in self.failed.items()]
        parts += [f"{date} withheld: an input of the same date is not there" for date in self.withheld]
        return "; ".join(([f"{len(self.current)} dates were current already"] if self.current else []) + parts)


@dataclass(frozen=True)
class Outcome:
    """What a backfill did, and what of the request is not verified."""

    run_id: str
    frozen: Frozen
    plan: Plan
    results: tuple[StageResult, ...]
    unverified: tuple[tuple[str, PartitionState], ...]

    @property
    def exit_status(self) -> ExitStatus:
        """Done only when everything asked for is verified."""
        return ExitStatus.PARTLY if self.unverified else ExitStatus.DONE


def present_dates(warehouse: Warehouse, table: str, dates: Sequence[dt.date], as_of: dt.datetime) -> tuple[dt.date, ...]:
    """Return those of the dates that are current after all: an input was built anew and came out the same, or another run was here."""
    return table_state(warehouse, table, dates, as_of, {}).dates(State.CURRENT)


def _build(warehouse: Warehouse, table: str, dates: Sequence[dt.date], run: Run) -> StageResult:
    """Build the dates in one statement; when it fails, halve them until the error has a date."""
    stage = BuildStage(table, tuple(dates), 0, "")
    try:
        built = build_table(warehouse, table, dates, run)
        return StageResult(stage, built.rows, built.published, blocked=built.blocked, seconds=built.seconds)
    except STOPPING:
        raise
    except WarehouseError as error:
        if len(dates) == 1:
            return StageResult(stage, failed={dates[0]: error.line()})
    half = len(dates) // 2
    parts = [_build(warehouse, table, part, run) for part in (dates[:half], dates[half:])]
    return StageResult(
        stage,
        sum(part.rows for part in parts),
        tuple(date for part in parts for date in part.published),
        blocked={date: why for part in parts for date, why in part.blocked.items()},
        failed={date: why for part in parts for date, why in part.failed.items()},
        seconds=sum(part.seconds for part in parts),
    )


def retire(warehouse: Warehouse, stage: RetireStage, run: Run) -> StageResult:
    """Take the damaged partitions out of the table; the ledger still says that they were published, so they count as gone."""
    spec = contract(stage.table)
    staged = warehouse.stage_rows(spec, arrow_schema(spec).empty_table(), run.run_id)
    try:
        warehouse.publish([Publication(staged, stage.dates)])
    finally:
        warehouse.discard(staged)
    return StageResult(stage)


class Runner:
    """Walks the stages of one plan in order."""

    def __init__(
        self, warehouse: Warehouse, plan: Plan, run: Run, attempts: Attempts, code: Callable[[], str] = present_code_version
    ) -> None:
        self.warehouse, self.plan, self.run, self.attempts, self.code = warehouse, plan, run, attempts, code
        self.code_at_start = code()
        self.bad: dict[str, set[dt.date]] = {}
        for item in plan.tables:
            self.bad[item.table] = {date for date, found in item.states.items() if found.state is State.BLOCKED and not found.retry}

    def _refuse_other_code(self) -> None:
        """Stop when the code on disk is no longer the code that runs: what it would write is of yesterday."""
        now = self.code()
        if now != self.code_at_start:
            raise StaleDefinitionError("the code has changed since this backfill began", [self.code_at_start, now], "start it again")

    def _withheld(self, stage: BuildStage) -> set[dt.date]:
        """Return the dates on which a table read on the same date is blocked or failed; a fallback would pose as the real thing."""
        same_day = [name for name, window in contract(stage.table).reads.items() if window == "same_day" and name in built_tables()]
        return set(stage.dates) & set().union(*(self.bad.get(name, set()) for name in same_day))

    def walk_stage(self, stage: Stage) -> StageResult:
        """Do what one stage says and return what came of it."""
        self._refuse_other_code()
        if isinstance(stage, RetireStage):
            return retire(self.warehouse, stage, self.run)
        withheld = self._withheld(stage)
        wanted = [date for date in stage.dates if date not in withheld]
        current = set(present_dates(self.warehouse, stage.table, wanted, self.run.as_of)) if wanted else set()
        todo = [date for date in wanted if date not in current]
        result = _build(self.warehouse, stage.table, todo, self.run) if todo else StageResult(stage)
        failures = {**{date: ",".join(reasons) for date, reasons in result.blocked.items()}, **result.failed}
        note_outcome(self.warehouse, stage.table, [*result.published, *current], failures, self.run, self.attempts)
        bad = self.bad.setdefault(stage.table, set())
        bad -= {*result.published, *current}
        bad |= withheld | set(failures)
        return StageResult(
            stage,
            result.rows,
            result.published,
            tuple(sorted(current)),
            result.blocked,
            result.failed,
            tuple(sorted(withheld)),
            result.seconds,
        )

    def walk(self, report: Report | None = None) -> tuple[StageResult, ...]:
        """Walk exactly the stages of the plan."""
        progress = Progress(self.warehouse, self.plan, self.run)
        results = []
        for number, stage in enumerate(self.plan.stages, 1):
            if report:
                report(f"{stage.line()}; {progress.pace().line()}", number - 1, len(self.plan.stages))
            progress.start(number)
            try:
                result = self.walk_stage(stage)
            except BaseException as error:
                # What ended the run is what is told, also when this record cannot be written any more; the doctor finds it then.
                with suppress(Exception):
                    progress.end(number, "failed", 0, ending_of(error))
                raise
            progress.end(number, result.state, result.rows, result.detail())
            results.append(result)
        return tuple(results)


def verify(warehouse: Warehouse, calendar: Calendar, request: Request, as_of: dt.datetime) -> tuple[tuple[str, PartitionState], ...]:
    """Return every partition of the request that is not current: rows counted against roster and slate, hashed as a reader finds them."""
    wanted = (State.STALE, State.CURRENT) if request.gaps else (State.CURRENT,)
    return tuple(
        (item.table, found)
        for item in survey(warehouse, calendar, as_of)
        for _, found in sorted(item.states.items())
        if found.state not in wanted
    )


def opened(
    warehouse: Warehouse, request: Request, now: dt.datetime, as_of: dt.datetime | None, cutoff_minutes: int, resume: bool = True
) -> tuple[Frozen, Calendar]:
    """Return the frozen request and its dates; nothing is changed.

    Raises:
        NoGamesError, SourceError: the dates of the request are not, or not all, in the schedule.
        StaleDefinitionError: see `freeze`.
    """
    frozen = freeze(warehouse, request, now, as_of, cutoff_minutes, resume)
    calendar = expected_calendar(warehouse, frozen.as_of, request.start, request.end, request.season, request.dates)
    if frozen.dates_expected not in (None, len(calendar.dates)):
        raise SourceError(
            "the schedule gives another number of dates than when the backfill began",
            [f"{frozen.dates_expected} then, {len(calendar.dates)} now"],
            "--no-resume starts a new one",
        )
    return frozen.counted(len(calendar.dates)), calendar


def remove_leftovers(warehouse: Warehouse, now: dt.datetime) -> None:
    """Remove rows staged by runs that ended before they published them."""
    close_dead_runs(warehouse, now)
    ended = warehouse.query(f"SELECT run_id FROM {RUNS} WHERE state != 'running'").to_pylist()
    warehouse.remove_orphans(runs=frozenset(row["run_id"] for row in ended))


def run_backfill(
    warehouse: Warehouse,
    request: Request,
    now: dt.datetime,
    cutoff_minutes: int,
    as_of: dt.datetime | None = None,
    resume: bool = True,
    skip_preflight: bool = False,
    override_newer_build: bool = False,
    report: Report | None = None,
    code: Callable[[], str] = present_code_version,
) -> Outcome:
    """Bring the request up to date and verify it.

    Raises:
        LeaseHeldError: another backfill works on the range.
        WaitingError: box scores of played games are absent and `skip_preflight` is off.
        StorageUnavailableError, StaleDefinitionError: stopped between two stages; what is published stays and is not done again.
    """
    frozen, calendar = opened(warehouse, request, now, as_of, cutoff_minutes, resume)
    first, last = calendar.effective
    with warehouse.lease(COMMAND, first - LOOK_BACK, last, f"{COMMAND} of {first} to {last}"):
        remove_leftovers(warehouse, now)
        if not skip_preflight:
            require_inputs(warehouse, calendar)
        plan = make_plan(warehouse, calendar, request, frozen.as_of, now)
        record = partial(recorded_run, warehouse, COMMAND, frozen.as_dict(), frozen.as_of, frozen.cutoff_minutes)
        with record(first, last, override_newer_build=override_newer_build) as run:
            results = Runner(warehouse, plan, run, read_attempts(warehouse, now), code).walk(report)
            unverified = verify(warehouse, calendar, request, frozen.as_of) if plan.stages else nothing_done(plan, request)
            outcome = Outcome(run.run_id, frozen, plan, results, unverified)
            run.exit_status = outcome.exit_status
            run.detail = f"{len(unverified)} partitions are not verified" if unverified else "everything asked for is verified"
    return outcome


def nothing_done(plan: Plan, request: Request) -> tuple[tuple[str, PartitionState], ...]:
    """Return what the plan's own survey, made a moment ago, found not to be current."""
    return tuple((table, found) for table, found in plan.unfinished() if not (request.gaps and found.state is State.STALE))
