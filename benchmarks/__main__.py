"""`python -m benchmarks`: measure, print, and write the page."""

from __future__ import annotations

import tempfile
from pathlib import Path

import click

from benchmarks.data import source_name
from benchmarks.load import TITLE as LOAD
from benchmarks.load import load_section
from benchmarks.meter import load_average, machine
from benchmarks.online import TITLE as ONLINE
from benchmarks.online import online_section
from benchmarks.page import merged, section
from benchmarks.runner import ROOT, Bench
from benchmarks.serving import TITLE as SERVING
from benchmarks.serving import serving_section
from benchmarks.storage import TITLE, storage_section
from benchmarks.subjects import SUBJECTS, by_name
from schemas.settings import load_settings

NAMES = (*(subject.name for subject in SUBJECTS), "storage", "online", "serving", "load")


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--only", multiple=True, type=click.Choice(NAMES), help="Just this benchmark; may be repeated.")
@click.option("--runs", default=3, show_default=True, type=click.IntRange(1), help="Runs of each, in fresh processes.")
@click.option("--out", default=ROOT / "docs" / "benchmarks.md", type=click.Path(path_type=Path, dir_okay=False), help="Page to write.")
@click.option(
    "--scratch", default=None, type=click.Path(path_type=Path, file_okay=False), help="Folder for the homes. Default: a temporary one."
)
def main(only: tuple[str, ...], runs: int, out: Path, scratch: Path | None) -> None:
    """Measure the store and write docs/benchmarks.md; only the sections that were run are replaced."""
    settings = load_settings()
    with tempfile.TemporaryDirectory(dir=scratch) as folder:
        bench = Bench(Path(folder))
        for name in only or NAMES:
            load = load_average()
            if name == "storage":
                text = storage_section(Path(folder), machine(), load)
                click.echo(TITLE)
            elif name == "online":
                text = online_section(machine(), load)
                click.echo(ONLINE)
            elif name == "serving":
                text = serving_section(machine(), load)
                click.echo(SERVING)
            elif name == "load":
                text = load_section(machine(), load)
                click.echo(LOAD)
            else:
                subject = by_name(name)
                click.echo(f"{subject.title} ...", nl=False)
                limit = None if subject.limit == "ingest_limit" and settings.data_dir is None else subject.limit
                result = bench.run(name, subject.step, subject.home, runs, limit)
                text = section(subject, result, machine(), source_name(settings), load)
                click.echo(f" {result.median('wall'):.2f} s, CPU {result.median('cpu'):.2f} s, {result.median('rss_mb') / 1000:.2f} GB")
            page = out.read_text(encoding="utf-8") if out.is_file() else ""
            out.write_text(merged(page, {name: text}, NAMES), encoding="utf-8")


if __name__ == "__main__":
    main()
