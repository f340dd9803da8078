"""docs/benchmarks.md: a section per benchmark; a run replaces the sections of what it ran and leaves the others."""

from __future__ import annotations

import re
from collections.abc import Mapping

from benchmarks.runner import Result
from benchmarks.subjects import Subject

HEAD = """# Benchmarks

Written by `make bench`, a section per benchmark; `make bench ARGS="--only one-date --runs 5"` replaces one section. Each run is a fresh
process; the figures are medians. CPU is over all threads, memory is the peak of resident memory while measured. Imports are excluded.
The ratio is CPU time over that of the limit: the same bytes read and written with nothing computed.
"""
SECTION = re.compile(r"^<!-- benchmark (\S+) -->\n(.*?)(?=^<!-- benchmark |\Z)", re.MULTILINE | re.DOTALL)


def _verdict(subject: Subject, result: Result) -> str:
    if not subject.target():
        return ""
    too_slow = subject.max_wall is not None and result.median("wall") > subject.max_wall
    too_large = subject.max_rss_mb is not None and result.median("rss_mb") > subject.max_rss_mb
    too_far = subject.max_ratio is not None and (result.ratio is None or result.ratio > subject.max_ratio)
    missed = [text for text, wrong in (("time", too_slow), ("memory", too_large), ("ratio", too_far)) if wrong]
    return f"missed ({' and '.join(missed)})" if missed else "met"


def section(subject: Subject, result: Result, machine: str, source: str, load: float) -> str:
    """Return the section of one benchmark."""
    facts = "; ".join(
        f"{name} {value:,}" if isinstance(value, int) else f"{name} {value}" for name, value in result.readings[-1].facts.items()
    )
    rows = [
        ("wall", f"{result.median('wall'):.2f} s"),
        ("CPU", f"{result.median('cpu'):.2f} s"),
        ("peak memory", f"{result.median('rss_mb') / 1000:.2f} GB"),
        ("runs", f"{len(result.readings)}, wall {', '.join(f'{reading.wall:.2f}' for reading in result.readings)} s"),
        ("done", facts),
    ]
    if subject.target():
        rows.append(("target", f"{subject.target()}: {_verdict(subject, result)}"))
    if result.ratio is not None:
        limit = sorted(reading.cpu for reading in result.limits)[len(result.limits) // 2]
        rows.append(("limit", f"{limit:.2f} s of CPU for {subject.limit_what}: ratio {result.ratio:.1f}"))
    rows += [("measured on", source), ("machine", f"{machine}; load average {load:.1f}")]
    table = "\n".join(f"| {name} | {text} |" for name, text in rows)
    return f"## {subject.title}\n\n{subject.what}\n\n| | |\n|---|---|\n{table}\n"


def merged(page: str, sections: Mapping[str, str], order: tuple[str, ...]) -> str:
    """Return the page with these sections replaced or added, in the order of the benchmarks, all others as they are."""
    kept = dict(SECTION.findall(page))
    found = {name: text.strip("\n") + "\n" for name, text in {**kept, **sections}.items()}
    names = [name for name in order if name in found] + [name for name in found if name not in order]
    return HEAD + "".join(f"\n<!-- benchmark {name} -->\n{found[name]}" for name in names)
