"""`nba-features training-set`: make a training set, make it again from its manifest, hold two manifests against each other."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cli.options import DATE, INSTANT, dry_run_option, json_option
from cli.output import say_json, table

if TYPE_CHECKING:
    from serving.training_set_manifest import Difference
    from serving.training_set_request import TrainingSetRequest

SERVICE = "points_v3_37features"
FILE = click.Path(path_type=Path, dir_okay=False)


def _lines(counts: Mapping[str, Any]) -> list[tuple[str, Any]]:
    refused = [(f"refused: {reason}", count) for reason, count in counts["refused"].items()]
    return [("considered", counts["rows_considered"]), *refused, ("written", counts["rows"])]


def _preview(request: TrainingSetRequest, as_json: bool) -> None:
    from schemas.settings import load_settings
    from serving.training_set import preview
    from warehouse import open_warehouse

    counts = preview(open_warehouse(load_settings()), request).as_dict()
    if as_json:
        say_json({"dry_run": True, "request": request.as_dict(), **counts})
        return
    table(("rows", "count"), [(name.replace("written", "would be written"), count) for name, count in _lines(counts)])


def _make(request: TrainingSetRequest, out: Path, as_json: bool) -> None:
    from schemas.settings import load_settings
    from serving.feature_store import open_feature_store
    from serving.training_set import training_set as made
    from serving.training_set_file import write_training_set
    from serving.training_set_manifest import manifest_path
    from warehouse import open_warehouse

    settings = load_settings()
    warehouse = open_warehouse(settings)
    found = made(warehouse, open_feature_store(settings, warehouse), request)
    manifest = write_training_set(found, out)
    if as_json:
        say_json({**manifest, **manifest["counts"], "partitions": _partition_counts(manifest), "out": str(out)})
        return
    table(("rows", "count"), _lines(manifest["counts"]))
    click.echo(f"\n{out}: {found.rows.num_columns} columns, service {request.service}, sha256 {manifest['result']['sha256'][:16]}")
    click.echo(f"{manifest_path(out)}: how it was made")


def _partition_counts(manifest: Mapping[str, Any]) -> dict[str, int]:
    """Return the number of partitions read by table: the fingerprints are in the manifest file."""
    return {name: len(dates) for name, dates in manifest["partitions"].items()}


def _tell(found: Sequence[Difference], what: str, as_json: bool, told: Mapping[str, Any]) -> None:
    """Print the differences; raise `ReplayMismatchError` when the results are not the same."""
    from schemas.errors import ReplayMismatchError
    from serving.training_set_manifest import same_result

    same = same_result(list(found))
    if as_json and same:
        say_json({"same": same, "differences": [difference.as_dict() for difference in found], **told})
    elif not as_json:
        if found:
            table(("what", "before", "after"), [(d.what, d.before[:60], d.after[:60]) for d in found], limit=60)
            click.echo()
        if same:
            click.echo(f"{what}: the same rows in the same bytes")
    if not same:
        hint = "nothing that was there before was changed"
        raise ReplayMismatchError(f"{what}: not the same", [f"{d.what} {d.before[:64]} -> {d.after[:64]}" for d in found], hint)


def _replay(path: Path, out: Path | None, as_json: bool) -> None:
    from serving.training_set_manifest import read_manifest

    read_manifest(path)
    from schemas.settings import load_settings
    from serving.feature_store import open_feature_store
    from serving.training_set_file import replay
    from warehouse import open_warehouse

    settings = load_settings()
    warehouse = open_warehouse(settings)
    after, found = replay(warehouse, open_feature_store(settings, warehouse), path, out)
    _tell(found, f"replay of {path}", as_json, {"counts": after["counts"], "result": after["result"]})


def _compare(paths: tuple[Path, Path], as_json: bool) -> None:
    from serving.training_set_file import beside
    from serving.training_set_manifest import differences, read_manifest

    before, after = (read_manifest(path) for path in paths)
    touched = beside(paths[0], before) + beside(paths[1], after)
    _tell([*touched, *differences(before, after)], f"{paths[0]} and {paths[1]}", as_json, {})


def _one_of_three(made: Mapping[str, Any], replayed: Path | None, compared: tuple[Path, Path] | None, given: Sequence[str]) -> None:
    """Raise `UsageError` unless just one of the three jobs is asked for, with all it needs."""
    from schemas.errors import UsageError

    if replayed and compared:
        raise UsageError("one job at a time", ["--replay", "--compare"])
    if (replayed or compared) and given:
        raise UsageError("a manifest says all of this itself", given)
    missing = [name for name, value in made.items() if value is None]
    if not (replayed or compared) and missing:
        raise UsageError("missing options", missing, "see: nba-features training-set --help")


@click.command("training-set")
@click.option("--service", default=SERVICE, show_default=True, help="Model contract whose features are wanted.")
@click.option("--start", type=DATE, default=None, help="First game date.")
@click.option("--end", type=DATE, default=None, help="Last game date.")
@click.option("--out", type=FILE, default=None, help="Parquet file to write; its manifest is written beside it.")
@click.option("--known-by", type=INSTANT, default=None, help="Leave out whatever was written after this instant. Default: now.")
@click.option("--no-structural", is_flag=True, help="Refuse rows with defaults by nature too, such as never having met this opponent.")
@click.option("--override-not-training-ready", is_flag=True, help="Keep rows that are not training ready.")
@click.option(
    "--override-failure-defaults",
    type=click.IntRange(0, 37),
    default=0,
    show_default=True,
    help="Keep rows with up to so many required features on a default because something broke.",
)
@click.option("--replay", "replayed", type=FILE, default=None, help="Make the set of this manifest again and say what differs.")
@click.option("--compare", "compared", type=(FILE, FILE), default=None, help="Say in what two manifests differ.")
@dry_run_option
@json_option
@click.pass_context
def training_set(
    context: click.Context,
    service: str,
    start: dt.date | None,
    end: dt.date | None,
    out: Path | None,
    known_by: dt.datetime | None,
    no_structural: bool,
    override_not_training_ready: bool,
    override_failure_defaults: int,
    replayed: Path | None,
    compared: tuple[Path, Path] | None,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Write a training set: clean rows only, point-in-time features in the model's order, and the labels.

    Labels are the points, the closing line and the result against it. A manifest beside the file says how it was made;
    --replay makes it again, --compare holds two against each other. Both end with status 1 when the rows are not the same.
    """
    from click.core import ParameterSource

    from schemas.clock import utc_now
    from schemas.errors import UsageError

    own = {"replayed", "compared", "as_json", *(["out"] if replayed else [])}
    given = [
        parameter.opts[0]
        for parameter in context.command.params
        if parameter.name not in own and context.get_parameter_source(str(parameter.name)) == ParameterSource.COMMANDLINE
    ]
    _one_of_three({"--start": start, "--end": end, **({} if dry_run else {"--out": out})}, replayed, compared, given)
    if replayed:
        _replay(replayed, out, as_json)
        return
    if compared:
        _compare(compared, as_json)
        return
    from schemas.settings import load_settings
    from serving.training_set_request import TrainingSetRequest

    now = utc_now()
    if known_by is not None and known_by > now:
        raise UsageError("the instant lies ahead", [known_by.isoformat()], "what will be written by then cannot be known")
    assert start is not None and end is not None
    request = TrainingSetRequest(
        service,
        start,
        end,
        known_by or now,
        training_ready=not override_not_training_ready,
        max_failure_defaults=override_failure_defaults,
        structural_defaults=not no_structural,
        cutoff_minutes=load_settings().cutoff_minutes,
    )
    if dry_run:
        _preview(request, as_json)
    elif out is not None:
        _make(request, out, as_json)
