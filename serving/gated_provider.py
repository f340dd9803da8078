"""The Feast provider of this store: `feast materialize` writes what the gate let pass, or nothing."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
from feast.feature_view import FeatureView
from feast.infra.passthrough_provider import PassthroughProvider
from feast.infra.registry.base_registry import BaseRegistry
from feast.repo_config import RepoConfig

from schemas.clock import utc_now
from schemas.contracts import load_contracts
from schemas.errors import BlockedError, FeatureStoreError, ReadBackError, UsageError, WarehouseError
from schemas.settings import default_home
from serving.clean_errors import clean_errors
from serving.gate_facts import GatedTable, read_facts
from serving.home import settings_of, shared_warehouse
from serving.materialization_gate import Verdict, judge, midnight, pasted
from serving.materialization_log import MaterializationLog, gated_slice, read_back
from serving.relations import source_table
from serving.skew import TOLERANCE, record_skew, written_skew
from warehouse.protocol import Warehouse

ONE_WAY = "values enter the online store by feast materialize alone, through the gate"


def gated_table(view: FeatureView) -> GatedTable:
    """Return the table a view is materialized from; raise `BlockedError` when no gate looks after it."""
    source = view.batch_source
    contract = load_contracts().get(source_table(source)) if source is not None else None
    if contract is None or not contract.partition:
        raise BlockedError("no gate looks after the source of the feature view", [view.name], ONE_WAY)
    return GatedTable(contract.name, contract.partition, source.timestamp_field, tuple(view.join_keys))


class GatedProvider(PassthroughProvider):
    """Stands between Feast's commands and the online store.

    Every view reads the same partitions, so the first view of an interval has all of them judged before a value is
    written. A batch engine that takes all views at once does not pass through here: it has to ask `verdict_for` itself.
    """

    def __init__(self, config: RepoConfig) -> None:
        super().__init__(config)
        self._verdicts: dict[tuple[str, dt.datetime, dt.datetime], tuple[Verdict, set[str]]] = {}
        self._slice: tuple[Verdict, Any] | None = None
        self._written: tuple[Verdict, frozenset[str]] | None = None
        with clean_errors():
            self._refuse_other_home(config)

    @staticmethod
    def _refuse_other_home(config: RepoConfig) -> None:
        """Refuse `feast -c folder` from outside the checkout: registry and warehouse would be those of the current folder."""
        if not config.repo_path or getattr(config.offline_store, "home", None):
            return
        here = default_home(Path.cwd())
        if settings_of(config).home == here != default_home(Path(config.repo_path).absolute()):
            hint = f"change into {config.repo_path} first, or set NBA_FEATURES_HOME"
            raise UsageError("the feature repository and the current folder have different homes", [here], hint)

    @property
    def warehouse(self) -> Warehouse:
        """The warehouse the gate's facts come from."""
        return shared_warehouse(settings_of(self.repo_config))

    def verdict_for(self, view: FeatureView, start: dt.datetime, end: dt.datetime) -> Verdict:
        """Return the gate's verdict on the interval, judged once for all views of one pass.

        A view that comes a second time starts a new pass, and so does a table that has changed since.
        """
        table = gated_table(view)
        key = (table.name, start, end)
        verdict, seen = self._verdicts.get(key, (None, set()))
        if verdict is None or view.name in seen or self._republished(verdict):
            verdict, seen = self._judge(table, start, end), set()
            # One pass at a time is remembered: a long-lived process must not collect them.
            self._verdicts = {key: (verdict, seen)}
        seen.add(view.name)
        return verdict

    def _republished(self, verdict: Verdict) -> list[dt.date]:
        """Return the dates that are not the partitions that were judged any more."""
        now = self.warehouse.partitions(verdict.table, min(verdict.partitions), max(verdict.partitions))
        return [date for date, part in verdict.partitions.items() if now.get(date) != part]

    def _judge(self, table: GatedTable, start: dt.datetime, end: dt.datetime) -> Verdict:
        verdict = judge(start, end, read_facts(self.warehouse, table, start, end), utc_now())
        for date, reasons in sorted(verdict.left_out.items()):
            later = f"feast materialize {pasted(midnight(date))} {pasted(midnight(date + dt.timedelta(days=1)))}"
            click.echo(f"Left out: {date} is blocked ({reasons}); once it is published run: {later}", err=True)
        if verdict.left_out and not getattr(self.offline_store, "leaves_out_blocked", False):
            raise BlockedError("the interval holds blocked dates, and this offline store cannot leave them out", verdict.left_out)
        return verdict

    def materialize_single_feature_view(
        self,
        config: RepoConfig,
        feature_view: FeatureView,
        start_date: dt.datetime,
        end_date: dt.datetime,
        registry: BaseRegistry,
        project: str,
        tqdm_builder: Callable[..., Any],
        **options: Any,
    ) -> None:
        """Write one view's gated slice and read it back.

        Raises:
            UsageError: the interval is empty or ends beyond the last gated instant.
            BlockedError: the gate refuses the slice.
            ReadBackError: what is readable online is not what was gated.
        """
        with clean_errors():
            log = MaterializationLog(self.warehouse, feature_view.name, start_date, end_date)
            try:
                verdict = self.verdict_for(feature_view, start_date, end_date)
            except FeatureStoreError as error:
                self._note_refusal(log, error)
                raise
            log.write("running", verdict)
        try:
            if self._written is None or self._written[0] is not verdict or feature_view.name not in self._written[1]:
                self._written = None
                super().materialize_single_feature_view(
                    config, feature_view, start_date, end_date, registry, project, tqdm_builder, **options
                )
                # An engine that writes the views of a source together names them; the rest of the pass only reads back.
                self._written = (verdict, getattr(self.batch_engine, "covered", frozenset()))
            with clean_errors():
                rows, detail = self._prove(config, feature_view, verdict)
                if getattr(config.batch_engine, "check_skew", False):
                    detail += f", {self._replayed(feature_view, registry, project)} replayed"
        except BaseException as error:
            log.write("failed", verdict, detail=" ".join(str(error).split()) or type(error).__name__)
            raise
        with clean_errors():
            log.write("succeeded", verdict, rows_written=rows, detail=detail)

    @staticmethod
    def _note_refusal(log: MaterializationLog, error: FeatureStoreError) -> None:
        """Record the refusal; it stands even where the warehouse cannot be written."""
        try:
            log.write("refused", detail=error.line())
        except WarehouseError as failure:
            click.echo(f"The refusal could not be recorded: {failure.line()}", err=True)

    def _prove(self, config: RepoConfig, view: FeatureView, verdict: Verdict) -> tuple[int, str]:
        table = gated_table(view)
        changed = self._republished(verdict)
        if changed:
            raise ReadBackError("dates were published again while they were written", changed, "run the same command again")
        # The partitions are still those that were judged, so the slice is the same for every view of the pass.
        if self._slice is None or self._slice[0] is not verdict:
            self._slice = (verdict, gated_slice(self.warehouse, table, verdict))
        return read_back(self, config, view, self._slice[1], table, verdict)

    def _replayed(self, view: FeatureView, registry: BaseRegistry, project: str) -> int:
        """Replay what was written through historical retrieval; return how many rows.

        Raises:
            BlockedError: a value online is not the one that training reads; an event says which.
        """
        verdict, rows = self._slice or (None, None)
        if verdict is None or rows is None:
            return 0
        found = written_skew(self, view, registry, project, rows, max(verdict.partitions))
        if found.wrong:
            record_skew(self.warehouse, [found], TOLERANCE, f"materialize-{uuid.uuid4().hex[:12]}", utc_now())
            names = [feature.feature for feature in found.wrong]
            raise BlockedError("what went online is not what training reads", names, "run: nba-features doctor")
        return found.rows

    def online_write_batch(self, *_: Any, **__: Any) -> None:
        """Refuse `store.push` and `store.write_to_online_store`: they would go round the gate."""
        with clean_errors():
            raise UsageError("the gate lets no value pass that it has not judged", hint=ONE_WAY)

    async def online_write_batch_async(self, *_: Any, **__: Any) -> None:
        """Refuse as `online_write_batch` does."""
        self.online_write_batch()

    def offline_write_batch(self, *_: Any, **__: Any) -> None:
        """Refuse `store.write_to_offline_store`: the store's rows are built, audited and published, nothing else."""
        with clean_errors():
            raise UsageError("the store table has one writer, its own build", hint="run: nba-features run")
