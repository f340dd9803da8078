"""Heavy libraries are loaded when a command needs them, not to print help."""

from __future__ import annotations

import importlib.util
import subprocess
import sys

import pytest

from tests.house.tree import ROOT

HEAVY = ("feast", "pandas", "great_expectations", "duckdb", "pyarrow", "sqlglot", "numpy", "ibis", "google.cloud.bigquery")
HELP = "import sys; sys.argv = ['nba-features', '--help']\nfrom cli.main import main\nsys.exit(main())"


def heavy_after(code: str) -> tuple[int, str, set[str]]:
    """Run the code in a fresh interpreter; return its exit status, its output and the heavy libraries it loaded."""
    script = (
        "import sys\nstatus = 0\ntry:\n    exec(sys.argv[1], {'__name__': 'probe'})\n"
        "except SystemExit as stop:\n    status = stop.code or 0\n"
        f"sys.stderr.write('LOADED ' + ' '.join(m for m in {HEAVY!r} if m in sys.modules))\nsys.exit(status)\n"
    )
    run = subprocess.run([sys.executable, "-c", script, code], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    head, separator, loaded = run.stderr.rpartition("LOADED ")
    assert separator, head
    return run.returncode, run.stdout, set(loaded.split())


def need_cli() -> None:
    if importlib.util.find_spec("cli") is None or importlib.util.find_spec("cli.main") is None:
        pytest.skip("cli.main is not part of this checkout")


def test_FM05_a_planted_heavy_import_is_seen() -> None:
    assert heavy_after("import duckdb")[2] >= {"duckdb"}
    assert heavy_after("import json") == (0, "", set())


def test_definitions_load_no_heavy_library() -> None:
    code = "from schemas import catalogue, contracts, errors, settings\ncatalogue.load_catalogue()\nsettings.load_settings({})"
    assert heavy_after(code) == (0, "", set())


def test_importing_the_command_line_loads_no_heavy_library() -> None:
    need_cli()
    assert heavy_after("import cli.main") == (0, "", set())


def test_help_answers_without_a_heavy_library() -> None:
    need_cli()
    status, output, loaded = heavy_after(HELP)
    assert (status, loaded) == (0, set())
    assert "Usage" in output or "usage" in output
