"""`nba-features docs`."""

from __future__ import annotations

from pathlib import Path

import click

from cli.options import dry_run_option


@click.command()
@click.option(
    "--out", type=click.Path(path_type=Path, file_okay=False), default=Path("docs"), show_default=True, help="Folder of the pages."
)
@dry_run_option
def docs(out: Path, dry_run: bool) -> None:
    """Write the generated reference pages: features, tables, commands, errors."""
    from cli.reference import pages

    for name, text in pages().items():
        path = out / name
        state = "unchanged" if path.is_file() and path.read_text(encoding="utf-8") == text else "written"
        if not dry_run and state == "written":
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        click.echo(f"{path}: {state if not dry_run or state == 'unchanged' else 'would be written'}")
