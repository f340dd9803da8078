"""Which failure modes the tests plant: an index made from the ids in their names.

`python -m tests.house.failure_mode_index --write` writes docs/failure_modes.md again; without the option it prints.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from schemas.errors import DefinitionError
from schemas.yaml_files import read_yaml
from tests.house.tree import ROOT

MODES_FILE = ROOT / "schemas" / "failure_modes.yaml"
PAGE = ROOT / "docs" / "failure_modes.md"
ID = re.compile(r"FM\d\d(?!\d)")


@dataclass(frozen=True)
class FailureMode:
    """A fault seen in systems of this kind and what stops it here."""

    id: str
    group: str
    happened: str
    guard: str


def load_modes(path: Path = MODES_FILE) -> tuple[FailureMode, ...]:
    """Return the failure modes in the order of their ids; raise `DefinitionError` when ids leave a gap or repeat."""
    groups = read_yaml(path)["groups"].values()
    modes = tuple(FailureMode(key, group["title"], **row) for group in groups for key, row in group["modes"].items())
    expected = [f"FM{number:02d}" for number in range(1, len(modes) + 1)]
    if [mode.id for mode in modes] != expected:
        raise DefinitionError("failure modes are not numbered in order", {m.id for m in modes} ^ set(expected) or [m.id for m in modes])
    return modes


def _tests(body: list[ast.stmt], prefix: str = "") -> Iterator[str]:
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test"):
            yield prefix + node.name
        elif isinstance(node, ast.ClassDef) and node.name.startswith("Test"):
            yield from _tests(node.body, f"{prefix}{node.name}::")


def collect(tests_dir: Path) -> dict[str, list[str]]:
    """Return, by failure mode, the node names (`file::test`) below the folder that carry its id, sorted."""
    found: dict[str, set[str]] = {}
    for path in sorted(tests_dir.rglob("test_*.py")):
        file = path.relative_to(tests_dir.parent).as_posix()
        for name in _tests(ast.parse(path.read_text(encoding="utf-8")).body):
            for mode in ID.findall(name):
                found.setdefault(mode, set()).add(f"{file}::{name}")
    return {mode: sorted(names) for mode, names in sorted(found.items())}


def _rows(modes: list[FailureMode], tests: Mapping[str, list[str]]) -> Iterator[str]:
    yield "| id | what happened | guard | planted by |"
    yield "|---|---|---|---|"
    for mode in modes:
        planted = "<br>".join(f"`{name}`" for name in tests.get(mode.id, ())) or "not yet planted"
        yield f"| {mode.id} | {mode.happened} | {mode.guard} | {planted} |"


def render(modes: tuple[FailureMode, ...], tests: Mapping[str, list[str]]) -> str:
    """Return the page; raise `DefinitionError` when a test names a failure mode that does not exist."""
    unknown = sorted(set(tests) - {mode.id for mode in modes})
    if unknown:
        raise DefinitionError("tests name unknown failure modes", [f"{mode} in {name}" for mode in unknown for name in tests[mode]])
    missing = [mode.id for mode in modes if mode.id not in tests]
    lines = [
        "# Failure modes and the tests that plant them",
        "",
        "Generated from `schemas/failure_modes.yaml` and the names of the tests; `make docs` writes it again.",
        "A guard counts when a test plants the fault and the guard catches it.",
        "",
        f"Planted: {len(modes) - len(missing)} of {len(modes)}.",
        *([f"Not yet planted: {', '.join(missing)}."] if missing else []),
    ]
    for title in dict.fromkeys(mode.group for mode in modes):
        lines += ["", f"## {title}", "", *_rows([mode for mode in modes if mode.group == title], tests)]
    return "\n".join(lines) + "\n"


def main(arguments: list[str]) -> int:
    """Print the page, or write it with `--write`."""
    page = render(load_modes(), collect(ROOT / "tests"))
    if arguments == ["--write"]:
        PAGE.write_text(page, encoding="utf-8")
    else:
        sys.stdout.write(page)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
