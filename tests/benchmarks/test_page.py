"""The page of benchmarks keeps what was not run, and says plainly what missed its target. No test judges by a clock."""

from __future__ import annotations

from pathlib import Path

from benchmarks.meter import Reading, measured
from benchmarks.page import HEAD, merged, section
from benchmarks.runner import Result
from benchmarks.storage import DATES, LAYOUTS, MIXED, PLAYERS, READ
from benchmarks.subjects import SUBJECTS, Subject, by_name

SUBJECT = Subject("x", "step", "Title", "What it does.", "empty", max_wall=10, max_rss_mb=3000, limit="l", limit_what="copying")
ORDER = ("a", "b", "c")


def result(walls: tuple[float, ...], rss: float = 1000.0, cpu: float = 6.0) -> Result:
    readings = tuple(Reading(wall, cpu, rss, {"rows": 1234567}) for wall in walls)
    return Result("x", readings, (Reading(1.0, 2.0, 10.0),))


def test_a_run_replaces_its_own_section_only() -> None:
    page = merged("", {"b": "## B\n\nold\n", "a": "## A\n\nold\n"}, ORDER)
    assert page == HEAD + "\n<!-- benchmark a -->\n## A\n\nold\n\n<!-- benchmark b -->\n## B\n\nold\n"
    again = merged(page, {"b": "## B\n\nnew\n"}, ORDER)
    assert again == page.replace("## B\n\nold", "## B\n\nnew")
    assert merged(again, {}, ORDER) == again
    assert merged(again, {"c": "## C\n"}, ORDER).endswith("new\n\n<!-- benchmark c -->\n## C\n")


def test_figures_are_medians_and_the_ratio_is_cpu_over_the_limit() -> None:
    text = section(SUBJECT, result((9.0, 1.0, 2.0)), "a machine", "data", 0.5)
    assert "| wall | 2.00 s |" in text
    assert "| runs | 3, wall 9.00, 1.00, 2.00 s |" in text
    assert "rows 1,234,567" in text
    assert "2.00 s of CPU for copying: ratio 3.0" in text
    assert "at most 10 s and 3 GB: met |" in text


def test_a_missed_target_is_said() -> None:
    assert "at most 10 s and 3 GB: missed (time) |" in section(SUBJECT, result((11.0,)), "m", "d", 0)
    assert "at most 10 s and 3 GB: missed (memory) |" in section(SUBJECT, result((1.0,), rss=3001), "m", "d", 0)
    assert "missed (time and memory)" in section(SUBJECT, result((11.0,), rss=3001), "m", "d", 0)


def test_every_benchmark_names_steps_that_exist() -> None:
    from benchmarks import steps

    assert len(SUBJECTS) >= 4
    for subject in SUBJECTS:
        assert by_name(subject.name) is subject
        for step in filter(None, (subject.step, subject.limit)):
            assert callable(getattr(steps, step))


def test_a_reading_counts_the_block() -> None:
    with measured() as reading:
        total = sum(number * number for number in range(200_000))
    assert total > 0
    assert reading.cpu > 0
    assert reading.wall > 0
    assert reading.rss_mb > 1


def test_both_layouts_answer_alike_before_and_after_a_publish(tmp_path: Path) -> None:
    seen = []
    for name, layout in LAYOUTS.items():
        home = tmp_path / name
        home.mkdir()
        store = layout(home)
        store.fill()
        answers = []
        for publish in (False, True):
            if publish:
                write = store.writer()
                date = DATES[50]
                write(date, 7)
                del write
            with store.reader() as ask:
                answers.append((sorted(ask(READ)), ask(MIXED)))
        seen.append(answers)
    assert seen[0] == seen[1]
    before, after = seen[0]
    assert before[1] == after[1] == [(0,)]
    assert [day for day in after[0] if day not in before[0]] == [(DATES[50], 7 * PLAYERS)]
