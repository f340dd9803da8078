"""Feast's batch engine that hands the warehouse's Arrow to the packed store, without a protobuf per value."""

from __future__ import annotations

from typing import Any, Literal

from feast.infra.common.materialization_job import MaterializationJobStatus, MaterializationTask
from feast.infra.compute_engines.local.compute import LocalComputeEngine
from feast.infra.compute_engines.local.job import LocalMaterializationJob
from feast.repo_config import FeastConfigBaseModel

from serving.packed.store import PackedStore


class ArrowEngineConfig(FeastConfigBaseModel):
    """Configuration: with `check_skew` what was written is replayed through historical retrieval, value by value."""

    type: Literal["serving.packed.engine.ArrowEngine"] = "serving.packed.engine.ArrowEngine"
    check_skew: bool = False


def shared_views(registry: Any, project: str, view: Any) -> list[Any]:
    """Return the online views that are made of the same rows as this one, itself first: same source, same keys, nothing computed."""
    alike = [
        other
        for other in registry.list_feature_views(project)
        if other.name != view.name
        and other.online
        and other.batch_source == view.batch_source
        and set(other.join_keys) == set(view.join_keys)
        and not _is_computed(other)
    ]
    return [view, *alike]


def _is_computed(view: Any) -> bool:
    return bool(getattr(view, "feature_transformation", None) or getattr(view, "aggregations", None))


class ArrowEngine(LocalComputeEngine):
    """Writes the newest row per key of the interval, to all views of its source at once.

    Views made of the same rows are written together, in one step per row, so that no reader ever finds a row half of one
    version and half of another, whenever the writer stops. `covered` names the views of the last write.

    The provider's gate has judged the interval before it comes here; other online stores, and views with something to
    compute, take Feast's own way.
    """

    covered: frozenset[str] = frozenset()

    def _materialize_one(self, registry: Any, task: MaterializationTask, **options: Any) -> LocalMaterializationJob:
        store, view = self.online_store, task.feature_view
        self.covered = frozenset()
        if not isinstance(store, PackedStore) or _is_computed(view) or task.disable_event_timestamp:
            return super()._materialize_one(registry, task, **options)
        job = f"{view.name}-{task.start_time}-{task.end_time}"
        try:
            self._write(store, task, shared_views(registry, task.project, view))
        # The job carries every failure to the provider, which raises it.
        except Exception as error:  # noqa: BLE001
            return LocalMaterializationJob(job_id=job, status=MaterializationJobStatus.ERROR, error=error)
        return LocalMaterializationJob(job_id=job, status=MaterializationJobStatus.SUCCEEDED)

    def _write(self, store: PackedStore, task: MaterializationTask, views: list[Any]) -> None:
        source = task.feature_view.batch_source
        mapping = source.field_mapping
        back = {feature: column for column, feature in mapping.items()}
        names = dict.fromkeys(field.name for view in views for field in view.features)
        retrieval = self.offline_store.pull_latest_from_table_or_query(
            config=self.repo_config,
            data_source=source,
            join_key_columns=[back.get(name, name) for name in task.feature_view.join_keys],
            feature_name_columns=[back.get(name, name) for name in names],
            timestamp_field=source.timestamp_field,
            created_timestamp_column=source.created_timestamp_column,
            start_date=task.start_time,
            end_date=task.end_time,
        )
        rows = retrieval.to_arrow()
        rows = rows.rename_columns([mapping.get(name, name) for name in rows.column_names])
        written = store.write_views(self.repo_config, views, rows)
        self.covered = frozenset(view.name for view in views)
        if task.tqdm_builder and written:
            with task.tqdm_builder(written) as progress:
                progress.update(written)
