"""The rules as data: what the file may say and what it may not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from schemas.errors import DefinitionError, UnknownNameError
from schemas.rules import RULES_FILE, load_rules
from schemas.yaml_files import read_yaml


def edited(folder: Path, edit: Callable[[dict[str, Any]], object]) -> Path:
    document = read_yaml(RULES_FILE)
    edit(document)
    path = folder / "quality_rules.yaml"
    path.write_text(yaml.safe_dump(document, sort_keys=False), encoding="utf-8")
    return path


def test_weights_and_canonical_types() -> None:
    rules = load_rules()
    assert {s.name: (s.weight, s.canonical) for s in rules.source_types} == {
        "phase4": (100, "phase4"),
        "phase3": (87, "phase3"),
        "calculated": (100, "calculated"),
        "vegas": (100, "phase4"),
        "opponent_history": (90, "phase4"),
        "minutes_ppm": (95, "phase4"),
        "default": (40, "default"),
        "fallback": (40, "default"),
        "missing": (0, "default"),
    }


def test_reasons_are_structural_or_failures() -> None:
    rules = load_rules()
    assert set(rules.structural_reasons) == {"vegas_line_unavailable", "no_opponent_history", "insufficient_history"}
    assert len(rules.failure_reasons) == 7
    assert sum(rules.batch.components.values()) == 100
    assert len(rules.phase4_jobs) == 4


def test_an_unknown_name_is_refused() -> None:
    with pytest.raises(UnknownNameError, match="guess"):
        load_rules().source_type("guess")
    with pytest.raises(UnknownNameError, match="because"):
        load_rules().reason("because")


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        (lambda d: d["source_types"]["phase4"].update(weight=101), "not 0 to 100"),
        (lambda d: d["source_types"].pop("vegas"), "unknown primary_type vegas"),
        (lambda d: d["fallback_reasons"].pop("stale_data"), "unknown missing_reason stale_data"),
        (lambda d: d["fallback_reasons"]["stale_data"].update({"class": "odd"}), "unknown class"),
        (lambda d: d["tiers"].update(critical=10), "no band from 0"),
        (lambda d: d["batch_score"]["components"].update(null_field_rate=6), "do not sum to 100"),
        (lambda d: d["gate"]["std_floors"].update({99: 1.0}), "no feature has index 99"),
        (lambda d: d["gate"].update(red_shares_max=0.1), "unknown keys"),
        (lambda d: d["gate"].pop("red_share_max"), "lacks keys"),
        (lambda d: d.pop("alerts"), "lacks a section"),
        (lambda d: d["tiers"].pop("bronze"), "different vocabularies"),
    ],
)
def test_a_contradiction_is_refused(tmp_path: Path, edit: Callable[[dict[str, Any]], object], said: str) -> None:
    with pytest.raises(DefinitionError, match=said):
        load_rules(edited(tmp_path, edit))


def test_a_duplicate_key_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "quality_rules.yaml"
    path.write_text(RULES_FILE.read_text(encoding="utf-8") + "\ngate: {}\n", encoding="utf-8")
    with pytest.raises(DefinitionError, match="duplicate key"):
        load_rules(path)


@pytest.mark.parametrize(
    ("score", "band"), [(90, "excellent"), (89.9, "good"), (75, "acceptable"), (65, "warning"), (50, "critical"), (49.9, "fail")]
)
def test_bands_of_a_date(score: float, band: str) -> None:
    assert load_rules().batch_band(score) == band
