"""A module is one room: none is longer than 400 lines."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from tests.house.tree import ROOT, python_files

MOST_LINES = 400


def too_long(root: Path, paths: Iterable[Path]) -> list[str]:
    """Return one line per module above the limit."""
    sizes = {path: len((root / path).read_text(encoding="utf-8").splitlines()) for path in paths}
    return [f"{path} has {size} lines, at most {MOST_LINES}" for path, size in sizes.items() if size > MOST_LINES]


def test_no_module_is_too_long() -> None:
    assert not too_long(ROOT, python_files())


def test_FM05_a_planted_long_module_is_found(tmp_path: Path) -> None:
    (tmp_path / "fits.py").write_text("x = 1\n" * MOST_LINES, encoding="utf-8")
    (tmp_path / "long.py").write_text("x = 1\n" * (MOST_LINES + 1), encoding="utf-8")
    assert too_long(tmp_path, [Path("fits.py"), Path("long.py")]) == ["long.py has 401 lines, at most 400"]
