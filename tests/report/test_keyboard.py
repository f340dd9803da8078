"""The report by keys alone: everything that can be used is reached in order, is seen when it is, and does what it says."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.explain.conftest import built_site
from tests.report.browser import chromium
from tests.report.keys import Keyboard, opened
from tests.report.test_report import Written, written

__all__ = ["built_site", "written"]
pytestmark = [pytest.mark.slow, pytest.mark.skipif(chromium() is None, reason="no Chromium: apt install chromium")]
USABLE = """[...document.querySelectorAll("a[href], button, select, input, summary, [tabindex='0']")]
  .filter(one => one.checkVisibility({ contentVisibilityAuto: true, visibilityProperty: true }))
  .map(one => [...document.querySelectorAll("*")].indexOf(one))"""
MOST = 2000


@pytest.fixture
def keyboard(written: Written, tmp_path: Path) -> Iterator[Keyboard]:
    with opened(written.path, tmp_path / "profile") as keys:
        yield keys


def test_the_first_key_leads_past_the_navigation(keyboard: Keyboard) -> None:
    first = keyboard.press("Tab")
    assert (first["text"], first["href"], first["seen"]) == ("Skip to the content", "#content", True)
    keyboard.press("Enter")
    keyboard.focus_on("content")


def test_the_tab_key_meets_everything_once_in_order_and_each_is_seen(keyboard: Keyboard) -> None:
    usable = keyboard.value(USABLE)
    assert 30 < len(usable) < MOST
    met = []
    for _ in range(len(usable) + 1):
        one = keyboard.press("Tab")
        if one["tag"] == "BODY" or one["place"] in {found["place"] for found in met}:
            break
        met.append(one)
    assert [one["place"] for one in met] == usable, "in the order of the document, nothing left out, no trap"
    assert not [one for one in met if not one["seen"]]
    assert not [one for one in met if not one["outlined"]]
    assert not [one for one in met if not (one["text"] or one["label"])], "each has a name"
    # And back again.
    assert keyboard.press("Tab", back=True)["place"] in (usable[-1], usable[-2])


def tab_to(keyboard: Keyboard, tag: str, words: str) -> None:
    for _ in range(MOST):
        one = keyboard.press("Tab")
        assert one["tag"] != "BODY", f"{words} is not reached"
        if one["tag"] == tag and words in f"{one['text']} {one['label']} {one['href']}":
            return


def test_a_table_opens_and_closes_by_a_key(keyboard: Keyboard) -> None:
    tab_to(keyboard, "SUMMARY", "")
    opened_now = "document.activeElement.parentElement.open"
    before = keyboard.value(opened_now)
    keyboard.press("Enter")
    assert keyboard.value(opened_now) is not before
    keyboard.press("Space")
    assert keyboard.value(opened_now) is before


def test_a_date_of_the_calendar_leads_to_its_explanation(keyboard: Keyboard, written: Written) -> None:
    name = f"d-{written.site.tonight}"
    tab_to(keyboard, "A", f"#{name}")
    keyboard.press("Enter")
    keyboard.focus_on(name)
    assert keyboard.value("location.hash") == f"#{name}"
    assert str(written.site.tonight) in keyboard.value(f"document.getElementById('{name}').textContent")
    top = keyboard.value(f"document.getElementById('{name}').getBoundingClientRect().top")
    assert -1 < top < 300, "its beginning stands on the screen"
    # And from there to the date before.
    keyboard.press("ArrowLeft")
    keyboard.focus_on(f"d-{written.site.yesterday}")
