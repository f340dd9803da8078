"""The packages, targets and decisions are named alike wherever they are named."""

from __future__ import annotations

import re
import subprocess
import tomllib

import pytest
from packaging.requirements import Requirement

from tests.house.tree import PACKAGES, ROOT

MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
DECISIONS = ROOT / "docs" / "decisions"


def targets() -> set[str]:
    phony = re.search(r"^\.PHONY: (.*)$", MAKEFILE, re.MULTILINE)
    assert phony
    return set(phony.group(1).split())


def test_the_packages_are_the_same_everywhere() -> None:
    in_makefile = re.search(r"^PACKAGES := (.*)$", MAKEFILE, re.MULTILINE)
    assert in_makefile
    assert set(in_makefile.group(1).split()) == set(PACKAGES)
    installed = PYPROJECT["tool"]["setuptools"]["packages"]["find"]["include"]
    assert set(installed) == {pattern for package in PACKAGES for pattern in (package, f"{package}.*")}
    assert set(PYPROJECT["tool"]["ruff"]["lint"]["isort"]["known-first-party"]) == {*PACKAGES, "benchmarks", "tests"}


def outside_the_lock(requirements: list[str], lock: str) -> list[str]:
    """Return the requirements that no pinned version of the lock satisfies."""
    pins: dict[str, list[str]] = {}
    for name, version in re.findall(r"^([a-z0-9-]+)==(\S+)", lock, re.MULTILINE):
        pins.setdefault(name, []).append(version)
    parsed = [Requirement(text) for text in requirements]
    return [str(need) for need in parsed if not any(need.specifier.contains(pin) for pin in pins.get(need.name.lower(), ()))]


def test_the_lock_satisfies_what_pyproject_asks_for() -> None:
    project = PYPROJECT["project"]
    asked = [*project["dependencies"], *project["optional-dependencies"]["dev"], *PYPROJECT["build-system"]["requires"]]
    assert len(asked) > 15
    assert not outside_the_lock(asked, (ROOT / "requirements.lock").read_text(encoding="utf-8"))


def test_FM05_a_planted_stale_lock_is_found() -> None:
    lock = "click==8.1.0 \\\nnumpy==2.4.6 ; python_full_version < '3.12' \\\n"
    assert outside_the_lock(["click>=8,<9", "numpy>=2", "click>=8.2", "rich"], lock) == ["click>=8.2", "rich"]


def test_make_alone_lists_every_target() -> None:
    listed = subprocess.run(["make", "--no-print-directory"], cwd=ROOT, check=True, capture_output=True, text=True, timeout=60).stdout
    assert set(re.findall(r"^  make ([\w-]+) +\S", listed, re.MULTILINE)) == targets()


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md", "docs/failure_modes.md", ".ci/run"])
def test_a_page_names_only_targets_that_exist(page: str) -> None:
    path = ROOT / page
    if not path.exists():
        pytest.skip(f"{page} is not part of this checkout")
    named = set(re.findall(r"(?:^|`)make ([a-z]+)", path.read_text(encoding="utf-8"), re.MULTILINE))
    assert named
    assert named <= targets()


def test_every_marker_is_explained() -> None:
    declared = {marker.split(":")[0] for marker in PYPROJECT["tool"]["pytest"]["ini_options"]["markers"]}
    table = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8").partition("| marker | meaning |")[2].partition("\n\n")[0]
    assert declared == set(re.findall(r"^\| `(\w+)` \| ", table, re.MULTILINE))


def test_every_decision_is_in_the_index_with_its_status() -> None:
    index = dict(
        re.findall(r"^\| \[\d+\]\(([\w.-]+)\) \| .* \| (.*) \|$", (DECISIONS / "README.md").read_text(encoding="utf-8"), re.MULTILINE)
    )
    pages = {path.name: path.read_text(encoding="utf-8") for path in DECISIONS.glob("[0-9]*.md")}
    assert pages
    assert index == {name: re.search(r"^Status: (.*)$", text, re.MULTILINE)[1] for name, text in pages.items()}  # type: ignore[index]
    assert all(text.startswith(f"# {name[:4]}. ") for name, text in pages.items())
