"""Reason codes of gate and ledger in words a person reads."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

from schemas.yaml_files import read_yaml

WORDS_FILE = Path(__file__).with_name("reason_words.yaml")


@lru_cache(maxsize=1)
def reason_words() -> Mapping[str, str]:
    """Return the sentence of each kind of reason; `{column}` in it stands for what the code names."""
    return dict(read_yaml(WORDS_FILE))


def kind_of(code: str) -> str:
    """Return the kind of a reason code: `zero_variance:team_win_pct` is of the kind `zero_variance`."""
    return code.partition(":")[0]


def in_words(code: str) -> str:
    """Return a reason code as a sentence; one that a table's contract made up is spelt out with its column."""
    kind, _, column = code.partition(":")
    if words := reason_words().get(kind):
        return words.format(column=column)
    return kind.replace("_", " ") + (f" ({column})" if column else "")
