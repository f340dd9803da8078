"""Feast's batch engine that hands the warehouse's Arrow to the packed store, without a protobuf per value."""

from __future__ import annotations

from typing import Any, Literal

from feast.infra.common.materialization_job import MaterializationJobStatus, MaterializationTask
from feast.infra.compute_engines.local.compute import LocalComputeEngine
from feast.infra.compute_engines.local.job import LocalMaterializationJob
from feast.repo_config import FeastConfigBaseModel

from serving.packed.store import PackedStore


class ArrowEngineConfig(FeastConfigBaseModel):
    """Configuration: nothing to set."""

    type: Literal["serving.packed.engine.ArrowEngine"] = "serving.packed.engine.ArrowEngine"


class ArrowEngine(LocalComputeEngine):
    """Writes the newest row per key of the interval.

    The provider's gate has judged the interval before it comes here; other online stores, and views with something to
    compute, take Feast's own way.
    """

    def _materialize_one(self, registry: Any, task: MaterializationTask, **options: Any) -> LocalMaterializationJob:
        store, view = self.online_store, task.feature_view
        computed = getattr(view, "feature_transformation", None) or getattr(view, "aggregations", None)
        if not isinstance(store, PackedStore) or computed or task.disable_event_timestamp:
            return super()._materialize_one(registry, task, **options)
        job = f"{view.name}-{task.start_time}-{task.end_time}"
        try:
            self._write(store, task)
        # The job carries every failure to the provider, which raises it.
        except Exception as error:  # noqa: BLE001
            return LocalMaterializationJob(job_id=job, status=MaterializationJobStatus.ERROR, error=error)
        return LocalMaterializationJob(job_id=job, status=MaterializationJobStatus.SUCCEEDED)

    def _write(self, store: PackedStore, task: MaterializationTask) -> None:
        view = task.feature_view
        source = view.batch_source
        mapping = source.field_mapping
        back = {feature: column for column, feature in mapping.items()}
        retrieval = self.offline_store.pull_latest_from_table_or_query(
            config=self.repo_config,
            data_source=source,
            join_key_columns=[back.get(name, name) for name in view.join_keys],
            feature_name_columns=[back.get(field.name, field.name) for field in view.features],
            timestamp_field=source.timestamp_field,
            created_timestamp_column=source.created_timestamp_column,
            start_date=task.start_time,
            end_date=task.end_time,
        )
        rows = retrieval.to_arrow()
        rows = rows.rename_columns([mapping.get(name, name) for name in rows.column_names])
        written = store.write_arrow(self.repo_config, view, rows)
        if task.tqdm_builder and written:
            with task.tqdm_builder(written) as progress:
                progress.update(written)
