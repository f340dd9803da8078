"""`nba-features ingest`."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cli.options import DATE, dry_run_option, json_option
from cli.output import progress_lines, say_json, table

if TYPE_CHECKING:
    from transformations.ingest.delivery import Delivery, Source
    from transformations.ingest.load import IngestReport


def _source(kind: str, folder: Path | None, seasons: tuple[str, ...], seed: int, teams: int, games: int, through: dt.date | None) -> Source:
    from schemas.errors import UsageError
    from schemas.settings import load_settings

    if kind == "simulated":
        from transformations.ingest.simulated_league import SimulatedLeague

        return SimulatedLeague(seed=seed, seasons=seasons or ("2024-25",), teams=teams, games_per_team=games, played_through=through)
    from transformations.ingest.box_score_folder import BoxScoreFolder

    where = folder or load_settings().data_dir
    if where is None:
        raise UsageError("no folder to read", [], "give --folder or set NBA_DATA_DIR, or use --source simulated")
    return BoxScoreFolder(where, seasons or None)


def _say(report: IngestReport) -> None:
    headers = ("source", "table", "rows in", "loaded", "quarantined", "merged", "not wanted")
    table(
        headers,
        [(c.source, c.table, c.rows_in, c.rows_loaded, c.rows_quarantined, c.rows_merged, c.rows_not_wanted) for c in report.counts],
    )
    click.echo()
    table(("table", "rows", "partitions", "changed"), [(t.table, t.rows, t.partitions, len(t.changed)) for t in report.tables])
    total = sum(c.rows_loaded for c in report.counts), sum(c.rows_quarantined for c in report.counts)
    rest = sum(c.rows_merged + c.rows_not_wanted for c in report.counts)
    click.echo(f"\n{report.rows_in} rows in = {total[0]} loaded + {total[1]} quarantined + {rest} merged or not wanted")
    why = sorted({f"{c.source}: {c.why}" for c in report.counts if c.why})
    for line in why:
        click.echo(f"  not wanted, {line}")


def _as_dict(delivery: Delivery, report: IngestReport | None) -> dict[str, object]:
    from dataclasses import asdict

    reasons: dict[str, int] = {}
    for item in delivery.rejections:
        key = f"{item.table_name}:{item.reason_code}"
        reasons[key] = reasons.get(key, 0) + 1
    tables = (
        [{"table": t.table, "rows": t.rows, "partitions": t.partitions, "changed": len(t.changed)} for t in report.tables] if report else []
    )
    return {
        "run_id": report.run_id if report else None,
        "counts": [asdict(c) for c in delivery.counts],
        "tables": tables,
        "quarantined": reasons,
    }


def _words(context: click.Context) -> list[str]:
    """Return the options of this call as they are typed, so that it can be made again."""
    given = [p for p in context.command.params if p.name and p.name not in ("dry_run", "as_json")]
    words: list[str] = []
    for parameter in given:
        if context.get_parameter_source(parameter.name or "") == click.core.ParameterSource.COMMANDLINE:
            value = context.params[parameter.name or ""]
            words += [str(word) for item in (value if isinstance(value, tuple) else (value,)) for word in (parameter.opts[0], item)]
    return words


@click.command()
@click.option(
    "--source", "kind", type=click.Choice(["folder", "simulated"]), default="folder", show_default=True, help="Where raw rows come from."
)
@click.option(
    "--folder", type=click.Path(path_type=Path), default=None, help="Folder of box scores, odds and reports. Default: NBA_DATA_DIR."
)
@click.option("--season", "seasons", multiple=True, help="Season label such as 2023-24; may be repeated. Default: all there are.")
@click.option("--seed", default=7, show_default=True, help="Seed of the simulated league.")
@click.option("--teams", default=30, show_default=True, help="Teams of the simulated league.")
@click.option("--games-per-team", "games", default=82, show_default=True, help="Games per team of the simulated league.")
@click.option("--played-through", "through", type=DATE, default=None, help="Last date with box scores in the simulated league.")
@dry_run_option
@json_option
def ingest(
    kind: str,
    folder: Path | None,
    seasons: tuple[str, ...],
    seed: int,
    teams: int,
    games: int,
    through: dt.date | None,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Load raw box scores, shots, schedules, injuries and lines into nba_raw.

    Bad rows go to nba_raw.quarantine with a reason. Loading the same data again changes nothing.
    """
    source = _source(kind, folder, seasons, seed, teams, games, through)
    from orchestration.runs import recorded_run
    from schemas.clock import utc_now
    from schemas.settings import load_settings
    from transformations.ingest.load import load
    from warehouse import open_warehouse

    settings = load_settings()
    with progress_lines(as_json) as progress:
        delivery = source.deliver(progress)
        if dry_run:
            if as_json:
                say_json(_as_dict(delivery, None))
            else:
                click.echo(f"would load {sum(t.num_rows for t in delivery.tables.values())} rows and quarantine {len(delivery.rejections)}")
            return
        warehouse = open_warehouse(settings)
        request = {"source": source.name, "seasons": seasons, "words": _words(click.get_current_context())}
        with recorded_run(warehouse, "ingest", request, utc_now(), settings.cutoff_minutes) as run:
            report = load(warehouse, delivery, run.run_id, run.started_at, progress)
            run.rows_written = sum(item.rows for item in report.tables if item.changed)
    if as_json:
        say_json(_as_dict(delivery, report))
    else:
        _say(report)
