"""The text of the project speaks of the project alone, and holds neither data nor unfinished work.

The forbidden words are put together from pieces, so that this file does not hold them itself.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.house.tree import ROOT, project_files


def _any(*spelled: str) -> str:
    """Return a pattern for any of the words; `~` in a word is where it is cut in this file."""
    return "(?:" + "|".join(word.replace("~", "") for word in spelled) + ")"


DATA = (".parquet", ".duckdb", ".sqlite", ".db", ".feather", ".arrow", ".pkl", ".joblib")
LOCK = Path("requirements.lock")

MACHINE_PATHS = _any("wo~rk", "fa~rm", "ro~ot", r"tmp/(?:v|ba~sh|spi~ke)", r"Us~ers/\w+", r"ho~me/\w+")
REGISTRIES = _any(
    r"pypi~\.org",
    r"python~hosted\.org",
    r"proxy~\.golang\.org",
    r"sum~\.golang\.org",
    r"registry~\.npmjs",
    r"ana~conda\.org",
    r"static~\.crates\.io",
)
DOWNLOADS = _any(r"--(?:extra-)?index~-url", r"https?~://[^ \"]+\.(?:whl|tar~\.gz|tgz)")
NAMES = _any("cla~ude", "chatg~pt", "g~pt", "co~pilot", "anth~ropic", "open~ai", "sub~agents?", "this se~ssion", "language mo~dels?")
INITIALS = _any("A~I", "LL~Ms?", "C~EO")
UNFINISHED = _any(r"\bTO~DO\b", r"\bFIX~ME\b", r"\bNotImplemented~Error", r"\bpass  *# *(?:stub~|later)")
IDLE_CHECKS = _any(r"^\s*assert Tr~ue\b", r"pytest\.skip\(~\)")

FORBIDDEN = {
    "a path of one machine": re.compile(rf"(?<![\w.])/{MACHINE_PATHS}/"),
    "a host of a package registry": re.compile(REGISTRIES),
    "a package index or download": re.compile(DOWNLOADS),
    "a word that is not about the project": re.compile(rf"\b(?:(?i:{NAMES})|{INITIALS})\b"),
    "unfinished work": re.compile(UNFINISHED),
    "a check that cannot fail": re.compile(IDLE_CHECKS, re.MULTILINE),
}


def offences(path: Path, text: str) -> list[str]:
    """Return one line per forbidden thing in the text of a file."""
    if path.suffix in DATA:
        return [f"{path}: a data file"]
    return [
        f"{path}:{text.count(chr(10), 0, match.start()) + 1}: {what}: {match.group().strip()}"
        for what, pattern in FORBIDDEN.items()
        for match in pattern.finditer(text)
    ]


def _text(path: Path) -> str:
    return (ROOT / path).read_bytes().decode("utf-8", errors="replace")


def test_no_file_holds_forbidden_words_or_data() -> None:
    found = [text for path in project_files() for text in offences(path, _text(path))]
    assert not found, "\n".join(found[:50])


def test_FM05_the_word_check_reads_the_whole_project() -> None:
    names = {path.as_posix() for path in project_files()}
    assert {"pyproject.toml", "Makefile", "requirements.lock", ".ci/run", "schemas/features.yaml", "tests/house/test_words.py"} <= names


PLANTED = {
    "path.py": "PATH = '/wo~rk/main/data'",
    "home.md": "see /ho~me/someone/data",
    "host.txt": "files.python~hosted.org/x",
    "index.cfg": "pip install --index~-url=somewhere",
    "wheel.md": "https~://example.invalid/a-1.0.whl",
    "words.md": "written with Cla~ude",
    "upper.md": "an A~I wrote it",
    "todo.py": "# TO~DO: finish",
    "stub.py": "raise NotImplemented~Error",
    "weak.py": "def test_x():\n    assert Tr~ue",
    "skip.py": "pytest.skip(~)",
    "rows.parquet": "",
    "house.duckdb": "",
}


@pytest.mark.parametrize("name", PLANTED)
def test_FM05_a_planted_offence_is_found(name: str) -> None:
    assert len(offences(Path(name), PLANTED[name].replace("~", ""))) == 1


@pytest.mark.parametrize(
    "text",
    [
        "scope='session', user agent, the main path",
        "framework/main and /tmp is fine",
        "assert Truest",
        "NOT TODAY",
        "the said AIR ball",
        "a.com/wo~rk/",
        "except pa.ArrowNotImplemented~Error",
    ],
)
def test_plain_text_is_let_through(text: str) -> None:
    assert offences(Path("plain.md"), text.replace("~", "")) == []


def lock_problems(text: str) -> list[str]:
    """Return one line per requirement without hash or version, and per line that names a place."""
    problems = []
    for block in re.split(r"\n(?=\S)", text):
        if block.startswith("#") or not block.strip():
            continue
        name = block.split()[0]
        if "==" not in name:
            problems.append(f"{name} is not pinned")
        if "--hash=sha256:" not in block:
            problems.append(f"{name} has no hash")
        if "://" in block or re.search(r"(?:^|\s)(?:file:|-e |\.{0,2}/)", block):
            problems.append(f"{name} names a place")
    return problems


def test_the_lock_pins_every_package_by_hash_and_names_no_place() -> None:
    text = _text(LOCK)
    assert text.count("--hash=sha256:") > 100
    assert not lock_problems(text)


@pytest.mark.parametrize(
    ("line", "fact"),
    [
        ("click==8.1.0", "click==8.1.0 has no hash"),
        ("click>=8 \\\n    --hash=sha256:00", "click>=8 is not pinned"),
        ("click==8.1.0 @ https" + "://example.invalid/c \\\n    --hash=sha256:00", "click==8.1.0 names a place"),
    ],
)
def test_FM05_a_planted_fault_in_the_lock_is_found(line: str, fact: str) -> None:
    assert lock_problems(f"# header\n{line}\nrich==1.0 \\\n    --hash=sha256:00\n    # via click\n") == [fact]
