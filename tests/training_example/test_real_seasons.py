"""The example's error as a leak detector: trained on a real season, it may not beat the betting line of the next."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow.compute as pc
import pytest

from examples.points_model.evaluation import LEAST_LINES, LeakSuspectedError, evaluate, refuse_leak
from examples.points_model.experiment import Experiment, run
from examples.points_model.model import fit, matrix_of
from orchestration.ranges import build_range, plan_range
from orchestration.runs import recorded_run
from schemas.catalogue import load_catalogue
from schemas.clock import UTC
from schemas.settings import load_settings
from serving.feature_store import apply_definitions, open_feature_store
from tests.feast.conftest import Site, close
from tests.training_example.test_evaluation import leaked
from transformations.ingest.load import load
from warehouse import open_warehouse

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

TRAINED, JUDGED = "2023-24", "2024-25"
LAST = dt.date(2025, 1, 13)
"""The last date with points lines; nothing after it needs building."""
FEATURES = load_catalogue().service("points_v3_37features").features


@pytest.fixture(scope="module")
def done(data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Experiment]:
    """The experiment on two real seasons, the later one up to its last line."""
    from transformations.ingest.box_score_folder import BoxScoreFolder

    settings = load_settings({"NBA_FEATURES_HOME": str(tmp_path_factory.mktemp("real") / "home")})
    warehouse = open_warehouse(settings)
    now = dt.datetime(2026, 1, 1, tzinfo=UTC)
    with recorded_run(warehouse, "ingest", {}, now, settings.cutoff_minutes) as recorded:
        load(warehouse, BoxScoreFolder(data_dir, (TRAINED, JUDGED)).deliver(), recorded.run_id, recorded.started_at)
    stages = plan_range(warehouse, dt.date(2023, 10, 1), LAST, now)
    with recorded_run(warehouse, "backfill", {}, now, settings.cutoff_minutes) as recorded:
        build_range(warehouse, stages, recorded)
    store = open_feature_store(settings, warehouse)
    apply_definitions(store)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(fit.__globals__["PARAMETERS"], "max_iter", 80)
        patch.setitem(fit.__globals__["PARAMETERS"], "learning_rate", 0.1)
        known_by = dt.datetime(2100, 1, 1, tzinfo=UTC)
        yield run(warehouse, store, settings, known_by, tmp_path_factory.mktemp("sets"), JUDGED)
    close(Site(settings, warehouse))


def test_the_model_does_not_beat_the_line(done: Experiment) -> None:
    found = done.evaluation
    assert found.lines > 10 * LEAST_LINES
    assert found.ratio is not None and 0.95 <= found.ratio < 1.15, found
    assert "no sign of a leak" in refuse_leak(found)


def test_it_has_learned_something(done: Experiment) -> None:
    """A detector that judges a useless model judges nothing."""
    errors = {score.who: score.mean_absolute_error for score in done.evaluation.scores if score.over == "all player-games"}
    assert errors["model"] < errors["season mean"] < 1.1 * errors["model"]


def test_FM01_a_last_five_mean_that_takes_in_tonight_trips_the_detector(done: Experiment) -> None:
    train, later = (leaked(made.rows, "points_avg_last_5", 0.2) for made in (done.train, done.later))
    model = fit(train, FEATURES)
    with pytest.raises(LeakSuspectedError):
        refuse_leak(evaluate(later, model.predict(matrix_of(later, FEATURES), FEATURES)))


def test_the_label_is_the_line_the_store_saw_at_its_cutoff(done: Experiment) -> None:
    """Rows of the past are built with the house's cutoff: label and feature are two statements about one number."""
    rows = done.later.rows
    assert rows.column("closing_line").null_count == rows.column("vegas_points_line").null_count < rows.num_rows
    assert pc.all(pc.equal(rows.column("closing_line"), rows.column("vegas_points_line"))).as_py()
    results = {item["values"]: item["counts"] for item in pc.value_counts(rows.column("result").drop_null()).to_pylist()}
    assert set(results) == {"over", "under", "push"}
    over = np.array(results["over"]) / (results["over"] + results["under"])
    assert 0.45 < over < 0.55
