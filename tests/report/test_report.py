"""The report: what its tables say against queries, and how it stands in a browser without a network."""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path

import pytest

from schemas.catalogue import load_catalogue
from schemas.rules import STORE_TABLE, load_rules
from tests.cli.calling import copy_home
from tests.explain.conftest import Site, built_site
from tests.report.browser import chromium, visit

__all__ = ["built_site"]
pytestmark = pytest.mark.slow
MOST_BYTES = 8_000_000


@dataclass
class Page(HTMLParser):
    """Tables, links and ids of a page."""

    tables: dict[str, list[list[str]]] = field(default_factory=dict)
    links: list[str] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    sources: list[str] = field(default_factory=list)
    svgs: int = 0

    def __post_init__(self) -> None:
        super().__init__()
        self._table: list[list[str]] | None = None
        self._cell: list[str] | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.ids += [given["id"]] if given.get("id") else []
        self.links += [given["href"] or ""] if tag == "a" and "href" in given else []
        self.sources += [str(given[name]) for name in ("src", "srcset", "action", "data") if given.get(name)]
        self.sources += [str(given["href"])] if tag == "link" else []
        self.svgs += tag == "svg"
        if tag == "table" and given.get("data-table"):
            self._table = self.tables.setdefault(str(given["data-table"]), [])
        elif tag == "tr" and self._table is not None:
            self._table.append([])
        elif tag in ("td", "th") and self._table is not None:
            self._cell = []

    def handle_data(self, data: str) -> None:
        if self._cell is not None:
            self._cell.append(data)

    def handle_endtag(self, tag: str) -> None:
        if tag in ("td", "th") and self._cell is not None and self._table is not None:
            self._table[-1].append("".join(self._cell).strip())
            self._cell = None
        elif tag == "table":
            self._table = None

    def rows(self, name: str) -> dict[str, dict[str, str]]:
        """Return the rows of a table by their first cell."""
        head, *body = self.tables[name]
        return {row[0]: dict(zip(head, row, strict=True)) for row in body}


def parsed(text: str) -> Page:
    page = Page()
    page.feed(text)
    return page


@dataclass(frozen=True)
class Written:
    """A report of the league with a blocked night, and where it lies."""

    site: Site
    path: Path
    page: Page
    text: str


@pytest.fixture(scope="module")
def written(built_site: Site, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Written]:
    folder = tmp_path_factory.mktemp("report")
    copy_home(built_site.home, folder / "home")
    site = Site(folder / "home", built_site.dates, built_site.tonight)
    assert site.run("--skip", "player_composite_factors", "--allow-fallback").status == 3
    path = folder / "report.html"
    site.call("report", "--start", str(site.dates[0]), "--end", str(site.tonight), "--out", str(path)).assert_done()
    text = path.read_text(encoding="utf-8")
    yield Written(site, path, parsed(text), text)


def number(text: str) -> float:
    return float(text) if text else 0.0


def test_the_tables_equal_queries(written: Written) -> None:
    site, rules = written.site, load_rules()
    daily = {(str(row["game_date"]), row["is_blocked"]): row for row in site.rows("SELECT * FROM nba_predictions.v_quality_daily")}
    metrics = {str(row["game_date"]): row for row in site.rows(f"SELECT * FROM {STORE_TABLE}_quality_metrics")}
    dates, categories, lines = (written.page.rows(name) for name in ("Dates", "Categories by date", "Lines by date"))
    scores = written.page.rows("Batch score by date")
    built = [date for date, row in dates.items() if number(row["rows"])]
    assert len(built) == len(site.dates) + 1
    for date in built:
        is_blocked = (date, True) in daily
        row, seen = daily[date, is_blocked], dates[date]
        assert (seen["level"] == "blocked") == is_blocked == (date == str(site.tonight))
        assert int(seen["rows"]) == row["row_count"] and int(seen["ready"]) == row["quality_ready_rows"]
        assert [int(seen[f"{level} rows"]) for level in rules.alert_levels] == [row[f"{level}_rows"] for level in rules.alert_levels]
        assert number(seen["score"]) == pytest.approx(row["avg_feature_quality_score"], abs=0.011)
        for category in load_catalogue().categories:
            wanted = row[f"avg_{category.name}_quality_pct"]
            assert number(categories[date][category.name.replace("_", " ")]) == pytest.approx(wanted, abs=0.011)
        assert int(lines[date]["lines"]) == row["vegas_line_rows"]
        assert number(lines[date]["line share"]) == pytest.approx(row["vegas_line_rows"] / row["row_count"], abs=0.0001)
        assert number(scores[date]["batch score"]) == pytest.approx(metrics[date]["quality_score"], abs=1e-9)
        for name in rules.batch.components:
            assert number(scores[date][name.replace("_", " ")]) == pytest.approx(metrics[date][f"{name}_score"], abs=1e-9)


def test_the_heat_map_equals_a_query_of_the_unpivoted_rows(written: Written) -> None:
    sql = (
        "SELECT game_date, feature_name, AVG(IF(is_default, 1.0, 0.0)) AS share FROM nba_predictions.v_feature_quality_unpivot"
        " WHERE game_date IN UNNEST(@dates) GROUP BY game_date, feature_name"
    )
    wanted = [written.site.tonight, written.site.dates[-1], written.site.dates[0]]
    found = written.site.rows(sql, dates=wanted)
    shares = written.page.rows("Share of defaults by feature and date")
    assert len(found) == 3 * len(load_catalogue().features)
    for row in found:
        assert number(shares[row["feature_name"]][str(row["game_date"])]) == pytest.approx(row["share"], abs=0.0001)


def test_events_and_runs_are_all_there(written: Written) -> None:
    events = written.site.rows("SELECT * FROM nba_orchestration.data_quality_events WHERE severity != 'info' AND game_date IS NOT NULL")
    assert len(written.page.tables["Events"]) - 1 == len(events) > 0
    runs = written.site.rows("SELECT * FROM nba_orchestration.pipeline_runs WHERE start_date IS NOT NULL AND ended_at IS NOT NULL")
    assert len(written.page.tables["Runs"]) - 1 == len(runs) > 0


def test_every_mark_leads_to_the_explanation_of_its_date(written: Written) -> None:
    inner = [link for link in written.page.links if link.startswith("#")]
    assert not {link[1:] for link in inner} - set(written.page.ids)
    dates = set(written.page.rows("Dates"))
    assert {f"d-{date}" for date in dates} <= set(written.page.ids)
    data = json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', written.text, re.DOTALL).group(1))  # type: ignore[union-attr]
    for name in ("days", "sources", "events"):
        table = data["tables"][name]
        assert {row[table["columns"].index("date")] for row in table["rows"]} <= dates
    blocked = re.search(rf'id="d-{written.site.tonight}".*?</article>', written.text, re.DOTALL)
    assert blocked and "player_composite_factors did not run" in blocked.group() and "nba-features run --date" in blocked.group()


def test_each_chart_has_a_table_and_the_page_is_one_file(written: Written) -> None:
    charts = re.findall(r'id="chart-(\w+)"', written.text)
    assert set(charts) == {"calendar", "categories", "sources", "lines", "components", "events", "runs"}
    for name in charts:
        section = re.search(rf'<section id="{name}".*?</section>', written.text, re.DOTALL)
        assert section and "data-table=" in section.group()
    assert written.path.stat().st_size < MOST_BYTES
    assert [source for source in written.page.sources if not source.startswith("data:")] == []
    assert not [link for link in written.page.links if not link.startswith("#")]


def test_text_of_the_warehouse_cannot_become_markup(written: Written) -> None:
    from orchestration.report.page import _script_json

    assert "</script" not in _script_json({"a": "</script><script>alert(1)</script>"})
    assert json.loads(_script_json({"a": "</script>"})) == {"a": "</script>"}


def need_browser() -> None:
    if chromium() is None:
        pytest.skip("no Chromium on this machine")


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_it_opens_without_a_network_an_error_or_a_request(written: Written, tmp_path: Path, dark: bool) -> None:
    need_browser()
    seen = visit(written.path, tmp_path / "profile", dark=dark)
    page = parsed(seen.document)
    assert (seen.console, seen.requests, seen.loaded) == ((), (), 0)
    assert 'data-drawn="yes"' in seen.document and f'data-theme="{"dark" if dark else "light"}"' in seen.document
    assert page.svgs == 7
    marks = re.findall(r'aria-roledescription="(?:rect mark|bar|point|circle|line mark|rect|symbol)[^"]*"', seen.document)
    assert len(marks) > 100


CLICKS = """<script>
setTimeout(() => {
  for (const chart of CHARTS) {
    location.hash = "";
    const mark = document.querySelector(`#chart-${chart} .role-mark.mark-rect path, #chart-${chart} .role-mark.mark-symbol path`);
    const box = mark.getBoundingClientRect();
    mark.dispatchEvent(new MouseEvent("click", { bubbles: true, clientX: box.x + box.width / 2, clientY: box.y + box.height / 2 }));
    document.body.setAttribute("data-led-" + chart, location.hash);
  }
  document.body.dataset.started = document.querySelector("#chart-runs .role-axis-label text").textContent;
}, 6000);
</script>"""


def test_a_click_on_a_mark_opens_its_date_and_the_axes_are_those_of_utc(
    written: Written, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    need_browser()
    charts, pages = ("calendar", "categories", "sources", "lines", "components", "events"), []
    (tmp_path / "clicked.html").write_text(written.text + CLICKS.replace("CHARTS", json.dumps(charts)), encoding="utf-8")
    for zone in ("UTC", "America/New_York"):
        monkeypatch.setenv("TZ", zone)
        pages.append(visit(tmp_path / "clicked.html", tmp_path / zone.lower().replace("/", "_")).document)
    for chart in charts:
        led = {tuple(re.findall(rf'data-led-{chart}="#d-(\d{{4}}-\d\d-\d\d)"', page)) for page in pages}
        assert len(led) == 1 and led <= {(str(date),) for date in (*written.site.dates, written.site.tonight)}, chart
    assert len({re.findall(r'data-started="([^"]+)"', page)[0] for page in pages}) == 1


def test_FM05_a_page_that_reaches_out_or_fails_is_noticed(tmp_path: Path) -> None:
    need_browser()
    page = tmp_path / "bad.html"
    page.write_text(
        '<img src="http://stats.example.invalid/x.png"><script>console.error("planted"); nothing.at.all</script>', encoding="utf-8"
    )
    seen = visit(page, tmp_path / "profile")
    assert any("stats.example.invalid" in line for line in seen.requests) and seen.loaded == 1
    assert any("planted" in line for line in seen.console) and any("not defined" in line for line in seen.console)


def test_the_page_of_one_date_shows_its_rows(written: Written, tmp_path: Path) -> None:
    site, out = written.site, tmp_path / "date.html"
    site.call("report", "--date", str(site.tonight), "--out", str(out)).assert_done()
    page = parsed(out.read_text(encoding="utf-8"))
    (count,) = site.rows(f"SELECT COUNT(*) AS n FROM {STORE_TABLE}_blocked WHERE game_date = @date", date=site.tonight)
    assert len(page.tables["Rows"]) - 1 == count["n"] > 0
    assert {row["ready"] for row in page.rows("Rows").values()} == {"no"}
    assert len(page.tables["Sources by feature"]) - 1 == len(load_catalogue().features)
    if chromium():
        seen = visit(out, tmp_path / "profile")
        assert (seen.console, seen.requests, seen.loaded) == ((), (), 0) and 'data-drawn="yes"' in seen.document


def test_a_screenshot_of_it_is_no_blank_page(written: Written, tmp_path: Path) -> None:
    need_browser()
    shot = tmp_path / "shot.png"
    visit(written.path, tmp_path / "profile", fragment=f"#d-{written.site.tonight}", screenshot=shot, width=500)
    assert shot.stat().st_size > 40_000


def test_the_file_is_written_whole_or_not_at_all(written: Written, tmp_path: Path) -> None:
    site = written.site
    (tmp_path / "taken").write_text("a file", encoding="utf-8")
    answer = site.call("report", "--date", str(site.tonight), "--out", str(tmp_path / "taken" / "report.html"))
    answer.assert_one_line(1, "storage_unavailable", "report.html")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["taken"]


def test_a_report_of_dates_on_which_nothing_is_built_says_so(written: Written, tmp_path: Path) -> None:
    site, out = written.site, tmp_path / "empty.html"
    later = site.tonight + dt.timedelta(days=1)
    site.call("report", "--start", str(later), "--end", str(later + dt.timedelta(days=6)), "--out", str(out)).assert_done()
    page = parsed(out.read_text(encoding="utf-8"))
    assert {row["level"] for row in page.rows("Dates").values()} == {"not built"}
    if chromium():
        seen = visit(out, tmp_path / "profile")
        assert (seen.console, seen.requests, seen.loaded) == ((), (), 0) and 'data-drawn="yes"' in seen.document


def test_a_range_without_games_is_refused(written: Written, tmp_path: Path) -> None:
    day = min(written.site.dates) - dt.timedelta(days=40)
    span = ("--start", str(day), "--end", str(day + dt.timedelta(days=3)))
    answer = written.site.call("report", *span, "--out", str(tmp_path / "x.html"))
    answer.assert_one_line(2, "no_games")
