"""Imports run downwards only, and the two packages read by others' tools stay light."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.house.tree import LAYERS, PACKAGES, ROOT, python_files

NEVER_IMPORTED = ("tests", "benchmarks", "examples", "deploy")
# feature_repo stands on schemas alone: Feast imports every file in it.
ALONE = {"feature_repo": {"schemas"}}
# What these two may load at once from outside, besides the standard library.
FOREIGN = {"schemas": {"yaml"}, "feature_repo": {"feast"}}


def allowed(package: str) -> set[str]:
    """Return the packages of ours that the package may import, itself included."""
    row = next(index for index, row in enumerate(LAYERS) if package in row)
    below = {name for lower in LAYERS[row + 1 :] for name in lower}
    return {package} | ALONE.get(package, below)


def _target(node: ast.AST, path: Path) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        if not node.level:
            yield node.module or ""
            return
        base = path.parent.parts[: len(path.parent.parts) - node.level + 1]
        yield from [".".join((*base, node.module))] if node.module else [".".join((*base, alias.name)) for alias in node.names]
    elif isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant) and isinstance(node.args[0].value, str):
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        if name in ("import_module", "__import__"):
            yield node.args[0].value


def imports(path: Path, source: str) -> list[tuple[int, str]]:
    """Return (line, module) of each import in the text, inside functions and by literal name too."""
    return [(node.lineno, target) for node in ast.walk(ast.parse(source)) for target in _target(node, path)]  # type: ignore[attr-defined]


def _loaded(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    for node in body:
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            continue
        yield node
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield from _loaded([child for child in ast.iter_child_nodes(node) if isinstance(child, ast.stmt)])


def loaded_at_once(path: Path, source: str) -> list[tuple[int, str]]:
    """Return (line, module) of each import that importing the module itself runs."""
    return [(node.lineno, target) for node in _loaded(ast.parse(source).body) for target in _target(node, path)]


def violations(path: Path, source: str) -> list[str]:
    """Return one line per import of the module that its layer forbids."""
    package = path.parts[0]
    ours = {*PACKAGES, *NEVER_IMPORTED}
    stands_on = ", ".join(sorted(allowed(package) - {package})) or "nothing"
    found = [
        f"{path}:{line} imports {module}: {package} stands on {stands_on}"
        for line, module in imports(path, source)
        if module.split(".")[0] in ours - allowed(package)
    ]
    if package in FOREIGN:
        light = {*ours, *sys.stdlib_module_names, *FOREIGN[package]}
        found += [
            f"{path}:{line} loads {module}: {package} stays light, import it inside the function"
            for line, module in loaded_at_once(path, source)
            if module.split(".")[0] not in light
        ]
    return found


def test_imports_run_downwards_only() -> None:
    found = [text for path in python_files(*PACKAGES) for text in violations(path, (ROOT / path).read_text(encoding="utf-8"))]
    assert not found, "\n".join(found)


def test_FM05_the_layering_check_looks_at_every_package() -> None:
    looked_at = python_files(*PACKAGES)
    on_disk = {path.relative_to(ROOT) for package in PACKAGES for path in (ROOT / package).rglob("*.py")}
    assert len(looked_at) >= 6
    assert set(looked_at) == on_disk
    assert sum(len(imports(path, (ROOT / path).read_text(encoding="utf-8"))) for path in looked_at) > len(looked_at)


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("warehouse/ledger.py", "import cli.main"),
        ("schemas/contracts.py", "from warehouse.engine import Engine"),
        ("quality/gate.py", "from transformations import render"),
        ("transformations/render.py", "def later():\n    import quality.suites"),
        ("serving/lookup.py", "from orchestration import plan as p"),
        ("orchestration/night.py", "if False:\n    from backfill.cascade import cascade"),
        ("backfill/doctor.py", "import importlib\nimportlib.import_module('cli.render')"),
        ("feature_repo/views.py", "from warehouse import engine"),
        ("quality/gate.py", "from feature_repo import services"),
        ("cli/main.py", "from tests.house import tree"),
        ("schemas/deep/inner.py", "from ...warehouse import engine"),
        ("schemas/rules.py", "import pandas as pd"),
        ("schemas/rules.py", "class Rule:\n    try:\n        from pandas import isna\n    except ImportError:\n        pass"),
        ("feature_repo/views.py", "import duckdb"),
    ],
)
def test_FM05_a_planted_upward_import_is_found(path: str, source: str) -> None:
    assert len(violations(Path(path), source)) == 1


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("cli/main.py", "from backfill import cascade\nfrom schemas.errors import UsageError\nimport click"),
        ("serving/lookup.py", "import quality, transformations.render, warehouse, feature_repo.services"),
        ("schemas/contracts.py", "from . import errors\nfrom .yaml_files import read_yaml\nimport json, yaml"),
        ("feature_repo/views.py", "from feast import Field\nfrom schemas.catalogue import load_catalogue"),
        ("quality/suites.py", "import pandas\nfrom great_expectations import expectations"),
        ("schemas/types.py", "if TYPE_CHECKING:\n    import pyarrow\ndef f():\n    import pyarrow"),
        ("warehouse/cli_names.py", "name = 'cli.main'"),
    ],
)
def test_a_downward_import_is_let_through(path: str, source: str) -> None:
    assert violations(Path(path), source) == []
