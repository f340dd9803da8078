"""`python -m examples.points_model`: evaluate, train, predict a slate, write the page."""

from __future__ import annotations

import datetime as dt
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cli.commands import Commands
from cli.options import DATE, json_option
from cli.output import say_json, table
from schemas.clock import utc_now
from schemas.errors import UsageError
from schemas.settings import Settings, load_settings

if TYPE_CHECKING:
    from examples.points_model.experiment import Experiment

ROOT = Path(__file__).resolve().parent.parent.parent
PAGE = ROOT / "docs" / "example.md"
SEASON = click.option("--season", default=None, help="Season to evaluate on; all before it are trained on. Default: the last.")
KEEP = click.option("--keep", type=click.Path(path_type=Path, file_okay=False), default=None, help="Folder to keep both sets in.")


def _open() -> tuple[Settings, Any, Any]:
    """Return settings, warehouse and Feast store of the home, with the definitions applied."""
    from serving.feature_store import apply_definitions, open_feature_store
    from warehouse import open_warehouse

    settings = load_settings()
    warehouse = open_warehouse(settings)
    store = open_feature_store(settings, warehouse)
    if not store.list_feature_services():
        apply_definitions(store)
    return settings, warehouse, store


def _need_sklearn() -> None:
    """Raise `UsageError` where the one package that the example needs besides the store is missing."""
    import importlib.util

    if importlib.util.find_spec("sklearn") is None:
        raise UsageError("scikit-learn is not installed", [], "pip install 'nba-features[examples]'")


def _experiment(season: str | None, keep: Path | None) -> tuple[Settings, Any, Experiment]:
    _need_sklearn()
    from examples.points_model.experiment import run

    settings, warehouse, store = _open()
    with tempfile.TemporaryDirectory() as scratch:
        return settings, warehouse, run(warehouse, store, settings, utc_now(), keep or Path(scratch), season)


def _say(done: Experiment) -> None:
    found = done.evaluation
    click.echo(f"trained on {done.split.train_name} ({done.train.rows.num_rows} rows), evaluated on {done.split.later_name}")
    rows = [(s.over, s.who, s.games, f"{s.mean_absolute_error:.3f}", f"{s.root_mean_square_error:.3f}") for s in found.scores]
    table(("over", "prediction", "games", "mean absolute error", "root mean square"), rows)
    click.echo(f"\nleak detector: {done.verdict}")


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Train a points model on the feature store, hold it against three baselines, and predict a slate with it."""


@main.command()
@SEASON
@KEEP
@json_option
def evaluate(season: str | None, keep: Path | None, as_json: bool) -> None:
    """Train on earlier seasons, evaluate on a later one; status 1 when the model is too good to be true."""
    done = _experiment(season, keep)[2]
    if as_json:
        say_json({**done.evaluation.as_dict(), "version": done.version, "verdict": done.verdict})
        return
    _say(done)


@main.command()
@SEASON
@KEEP
@click.option("--serve", is_flag=True, help="Let it serve at once, in the place of the version that serves now.")
def train(season: str | None, keep: Path | None, serve: bool) -> None:
    """Train and evaluate, then save the model and register it."""
    from examples.points_model.experiment import keep as save_and_register

    settings, warehouse, done = _experiment(season, keep)
    version = save_and_register(warehouse, settings, done, utc_now(), serve=serve)
    _say(done)
    click.echo(f"{version.model_id} {version.model_version}: {'serves' if serve else 'registered as a candidate'}")


@main.command()
@click.option("--date", type=DATE, required=True, help="Game date, US Eastern.")
@click.option("--model-version", default=None, help="Version to predict with. Default: the one that serves.")
@json_option
def tonight(date: dt.date, model_version: str | None, as_json: bool) -> None:
    """Predict a slate and write the predictions beside the quality of their vectors."""
    _need_sklearn()
    from examples.points_model.tonight import predict_slate

    settings, warehouse, store = _open()
    rows, counts = predict_slate(warehouse, store, settings, date, utc_now(), model_version)
    if as_json:
        say_json({"written": list(rows), "verdicts": counts})
        return
    best = sorted(rows, key=lambda row: -row["predicted_value"])
    cells = [(r["player_lookup"], f"{r['predicted_value']:.1f}", r["line"], r["side"], r["quality_tier"]) for r in best]
    table(("player", "points", "line", "side", "tier"), cells, limit=25)
    click.echo(f"\n{len(rows)} predictions written; " + ", ".join(f"{count} {verdict}" for verdict, count in counts.items() if count))


def _nba_features(*words: str) -> None:
    """Run a command of the store; raise `UsageError` when it fails outright."""
    done = subprocess.run([sys.executable, "-m", "cli.main", *words], cwd=ROOT, check=False)
    if done.returncode not in (0, 5):
        raise UsageError("the store could not be built", [" ".join(words)])


@main.command()
@SEASON
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), default=PAGE, help="Page to write.")
@click.option("--build", is_flag=True, help="Load the data of NBA_DATA_DIR and build all seasons first.")
def page(season: str | None, out: Path, build: bool) -> None:
    """Write the page with the measured errors."""
    _need_sklearn()
    if build:
        if load_settings().data_dir is None:
            raise UsageError("there is no data to build from", [], "set NBA_DATA_DIR")
        _nba_features("ingest")
        _nba_features("backfill")
    import sklearn

    from examples.points_model.page import example_page

    settings, _, done = _experiment(season, None)
    source = "the real seasons of `NBA_DATA_DIR`" if settings.data_dir else "the data in the store"
    out.write_text(example_page(done, source, sklearn.__version__), encoding="utf-8")
    _say(done)
    click.echo(f"{out}: written")


if __name__ == "__main__":
    main()
