"""The drawn pages: the numbers that they show are those of the view."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from bs4 import BeautifulSoup, Tag
from hypothesis import given
from hypothesis import strategies as st
from jinja2 import UndefinedError
from markdown_it import MarkdownIt

from pytest_agenteval.errors import InvalidValue
from pytest_agenteval.model.baseline import Bar
from pytest_agenteval.model.blocks import Block, Cell, Column, Fold, Heading, Pair, Paragraph, Sparkline, Table
from pytest_agenteval.report import charts, wording
from pytest_agenteval.report.render import render_html, render_markdown
from pytest_agenteval.report.sections import FunctionSection, built_in_sections
from pytest_agenteval.report.sections.cases import cases
from pytest_agenteval.report.view import MetricView, SuiteView, WeekReport
from pytest_agenteval.report.weeks import week_report
from tests.report import histories as made

W50 = datetime(2026, 12, 8, 9, tzinfo=UTC)
W53 = datetime(2026, 12, 30, 9, tzinfo=UTC)
W02 = datetime(2027, 1, 12, 9, tzinfo=UTC)
SPECS = (made.SUCCESS, made.GRADE, made.LATENCY, made.COST)


def week(at: datetime, failing: range, seconds: float) -> list[Any]:
    """Sixty cases of two suites; those that fail say so at length."""
    return [
        made.trial(
            f"case-{n:02}",
            {
                "success": n not in failing,
                "grade": 0.3 if n in failing else 0.9,
                "latency_seconds": seconds + n / 10,
                "cost_usd": seconds / 1000,
            },
            suite=suite,
            output=f"{'no ' * 400 if n in failing else 'yes'} {n}",
            at=at,
        )
        for suite in ("refunds", "triage")
        for n in range(60)
    ]


@cache
def view() -> WeekReport:
    plan = ((W50, range(5), 1.5), (W53, range(5), 1.25), (W02, range(25), 12.5))
    runs = [made.finished(at, week(at, failing, seconds), specs=SPECS) for at, failing, seconds in plan]
    with TemporaryDirectory() as folder:
        root = Path(folder)
        store = made.approve(root, runs[0], "refunds", made.SUCCESS, Bar(floor=0.5, margin=0.03))
        return week_report(made.history(root, *runs), store, now=made.NOW, owner="Dana Reyes <dana@example.org>")


def html(report: WeekReport | None = None) -> BeautifulSoup:
    return BeautifulSoup(render_html(made.page(report or view())), "html.parser")


Row = list[str]


def html_rows(soup: BeautifulSoup) -> dict[tuple[str, str], Row]:
    """By suite and metric, the texts of the row's cells: value and note, joined by a bar."""
    found = {}
    for suite in soup.select("section.suite"):
        title = suite.select_one("h2")
        assert title
        for row in suite.select("tbody tr"):
            texts = [
                "|".join(part.get_text() for part in cell.select(".value, .note")) for cell in row.select("th, td")
            ]
            found[title.get_text(), texts[0].partition("|")[0]] = texts
    return found


def markdown_rows(text: str) -> dict[tuple[str, str], Row]:
    """The same of the Markdown page."""
    found, suite, row = {}, "", []
    tokens = MarkdownIt("commonmark").enable("table").parse(text)
    for before, token in pairwise(tokens):
        if before.type == "heading_open" and before.tag == "h2":
            suite = plain(token)
        elif before.type in ("td_open", "th_open"):
            row.append(plain(token).replace(" · ", "|"))
        elif before.type == "tr_close":
            found[suite, row[0].partition("|")[0]] = row
            row = []
    return found


def plain(token: Any) -> str:
    return "".join(child.content for child in token.children)


def numbers(text: str) -> list[float]:
    return [float(found.replace("−", "-").replace(",", "")) for found in re.findall(r"[+−]?\d[\d,]*\.?\d*", text)]


def rounded(metric: MetricView, *values: float | None) -> list[float]:
    """The values as precise as the page is."""
    return [numbers(wording.number(value, metric.spec))[0] for value in values if value is not None]


METRICS = [(suite, metric) for suite in view().suites for metric in suite.metrics]
EACH = pytest.mark.parametrize(("suite", "metric"), METRICS, ids=lambda one: getattr(one, "suite", "") or one.spec.name)
PAGES = pytest.mark.parametrize(
    "rows",
    [html_rows(html()), markdown_rows(render_markdown(made.page(view())))],
    ids=["html", "markdown"],
)


@PAGES
@EACH
def test_the_numbers_of_both_weeks_are_read_back(
    rows: dict[tuple[str, str], Row], suite: SuiteView, metric: MetricView
) -> None:
    row = rows[suite.suite, metric.spec.name]
    assert metric.last
    for shown, estimate in ((row[1], metric.this), (row[2], metric.last)):
        assert numbers(shown) == [*rounded(metric, estimate.value, estimate.low, estimate.high), estimate.n]


@PAGES
@EACH
def test_the_difference_and_its_bounds_are_read_back(
    rows: dict[tuple[str, str], Row], suite: SuiteView, metric: MetricView
) -> None:
    shown = rows[suite.suite, metric.spec.name][3].partition("|")
    found = metric.against_last
    if found is None:
        assert metric.last
        assert metric.this.value is not None
        assert metric.last.value is not None
        assert numbers(shown[0]) == rounded(metric, metric.this.value - metric.last.value)
        assert numbers(shown[2]) == [round(100 * (metric.this.value / metric.last.value - 1), 1)]
    else:
        assert numbers(shown[0]) + numbers(shown[2]) == rounded(metric, found.delta, found.low, found.high)


@PAGES
@EACH
def test_the_verdicts_are_said_in_words(rows: dict[tuple[str, str], Row], suite: SuiteView, metric: MetricView) -> None:
    row = rows[suite.suite, metric.spec.name]
    if metric.verdict_vs_last:
        assert row[4].partition("|")[0] == "regressed"
        assert "20" in row[4]
        assert metric.verdict_vs_last.message in row[4].replace("\\", "")
    if metric.verdict_vs_baseline:
        assert row[5] == "regressed|baseline 0.9167, floor 0.5, margin 0.03"


def test_a_sparkline_says_in_words_what_it_draws() -> None:
    chart = html().select_one("svg")
    assert chart
    assert chart["role"] == "img"
    label = "success by week: 0.9167 in 2026-W50 to 0.5833 in 2027-W02; no value in 2026-W51, 2026-W52, 2027-W01"
    assert chart["aria-label"] == label
    assert len(chart.select("circle")) == 3


def test_the_first_screen_says_what_got_worse_and_what_fails_its_gate() -> None:
    soup = html()
    headline = soup.select_one(".headline")
    assert headline
    assert headline.get_text() == "Of 4 measures, 4 got worse."
    cards = {card.h2.get_text(): card.get_text(" ") for card in soup.select(".cards .card") if card.h2}
    assert list(cards) == ["What got worse", "What fails its gate", "What got better", "What nobody can say"]
    assert "refunds · success" in cards["What got worse"]
    assert "0.9167 → 0.5833: 20 cases newly fail, 0 newly pass" in cards["What got worse"]
    assert "regressed, 0.5833; baseline 0.9167" in cards["What fails its gate"]
    assert "Nothing is proven to have got better." in cards["What got better"]


def test_the_cases_that_newly_fail_stand_beside_what_was_answered_before() -> None:
    section = next(one for one in html().select("section.suite"))
    told = section.select_one("section[data-section=cases]")
    assert told
    assert "success: 20 cases newly fail" in told.get_text()
    assert told.select_one("summary").get_text() == "Show 10 of the 20 cases that fell"  # type: ignore[union-attr]
    pairs = told.select("article")
    assert [pair.h4.get_text() for pair in pairs if pair.h4] == [f"case-{n:02}" for n in range(5, 15)]
    before, now = pairs[0].select(".sides .excerpt")
    assert before.select_one(".words").get_text() == "yes 5"  # type: ignore[union-attr]
    assert now.select_one(".words").get_text() == ("no " * 400)[:600]  # type: ignore[union-attr]
    assert now.select_one(".note").get_text() == "… the first 600 of 1202 characters"  # type: ignore[union-attr]


def test_a_case_that_moved_in_several_metrics_is_shown_once() -> None:
    refunds = view().suites[0]
    folds = [block for block in cases(refunds) if not isinstance(block, (Heading, Paragraph))]
    pairs = [pair for fold in folds for pair in fold.blocks if isinstance(pair, Pair)]  # type: ignore[union-attr]
    assert len({pair.title for pair in pairs}) == len(pairs) == 10
    assert pairs[0].facts[:2] == ("success 1.0000 → 0.0000", "grade 0.9000 → 0.3000")


def test_a_case_that_moved_is_shown_with_the_trial_that_capture_takes() -> None:
    refunds = view().suites[0]
    fold = next(block for block in cases(refunds) if isinstance(block, Fold))
    changes = {change.case: change.trial for metric in refunds.metrics for change in (*metric.fell, *metric.rose)}
    for pair in fold.blocks:
        assert isinstance(pair, Pair)
        assert pair.facts[-1] == f"trial {changes[pair.title]}"


def test_the_weeks_without_a_run_are_named_on_both_pages() -> None:
    page = made.page(view())
    for text in (render_html(page), render_markdown(page)):
        assert "2027-W02 is compared with 2026-W53; no run in 2027-W01" in text


def test_a_suite_without_a_run_this_week_says_so_and_comes_last(tmp_path: Path) -> None:
    runs = [
        made.finished(at, made.passing(9, suite=suite))
        for at, suite in ((W50, "a"), (W53, "a"), (W53.replace(hour=10), "b"), (W02, "b"))
    ]
    soup = html(made.report(tmp_path, *runs))
    assert [link.get_text() for link in soup.select("nav a")] == ["b", "a"]
    stale = soup.select("section.suite")[1].get_text()
    assert "no run in 2027-W02" in stale
    assert "the last run was in 2026-W53; none in 2027-W01, 2027-W02" in stale


def test_what_could_not_be_read_stands_on_the_first_screen() -> None:
    broken = replace(view(), problems=("history/2026-W51/run-x.jsonl.gz:1: it is empty",))
    assert "it is empty" in html(broken).select_one(".problems").get_text()  # type: ignore[union-attr]
    assert "it is empty" in render_markdown(made.page(broken))


def test_an_empty_history_gives_a_page_with_the_next_step() -> None:
    empty = WeekReport(week=None, generated=made.NOW)
    for text in (render_html(made.page(empty)), render_markdown(made.page(empty))):
        assert "No week yet" in text
        assert "pytest --agent-eval" in text


def test_a_measure_that_is_gone_and_cases_that_differ_are_told(tmp_path: Path) -> None:
    before = [made.trial(f"c{n}", {"success": True, "grade": 0.5}) for n in range(4)]
    now = [made.trial("c0", {"success": True}, asked="another question"), *made.passing(1)]
    runs = made.finished(W53, before, specs=[made.SUCCESS, made.GRADE]), made.finished(W02, now)
    report = made.report(tmp_path, *runs)
    told = html(report).select_one("[data-section=gaps]")
    assert told
    said = " ".join(told.get_text(" ").split())
    assert "grade: measured in 2026-W53, and not in 2027-W02" in said
    assert "Cases added: 1 case-000 Cases removed: 3 c1, c2, c3 Cases edited: 1 c0" in said
    assert "only 0 of 4 cases are as they were in 2026-W53" in render_markdown(made.page(report))


def test_values_of_two_versions_of_a_metric_have_no_difference(tmp_path: Path) -> None:
    newer = replace(made.LATENCY, version=2)
    runs = [
        made.finished(at, [made.trial("a", {"latency_seconds": 1.5})], specs=[spec])
        for at, spec in ((W53, made.LATENCY), (W02, newer))
    ]
    row = html_rows(html(made.report(tmp_path, *runs)))["refunds", "latency_seconds"]
    assert row[3] == "–|another version of the metric"


def test_a_first_week_says_that_there_is_nothing_to_compare(tmp_path: Path) -> None:
    soup = html(made.report(tmp_path, made.finished(W53, made.passing(5))))
    assert "first week" in soup.select_one(".headline").get_text()  # type: ignore[union-attr]


def test_the_same_view_gives_the_same_bytes() -> None:
    twice = [(render_html(made.page(view())), render_markdown(made.page(view()))) for _ in range(2)]
    assert twice[0] == twice[1]


def test_a_page_has_a_language_a_title_and_tables_that_can_be_read_aloud() -> None:
    soup = html()
    assert soup.html
    assert soup.html["lang"] == "en"
    assert soup.title
    assert soup.title.get_text() == "Week 2027-W02 · agent evaluation"
    assert all(table.caption and table.caption.get_text() for table in soup.select("table"))
    assert {head["scope"] for head in soup.select("th")} == {"col", "row"}


def test_a_plain_page_is_small() -> None:
    assert len(render_html(made.page(view())).encode()) < 100_000


def test_a_users_template_goes_before_ours_file_by_file(tmp_path: Path) -> None:
    (tmp_path / "style.css").write_text("body { color: rebeccapurple }")
    text = render_html(made.page(view()), tmp_path)
    assert "rebeccapurple" in text
    assert "refunds · success" in text


def test_a_users_whole_template_gets_the_view_and_is_escaped_all_the_same(tmp_path: Path) -> None:
    (tmp_path / "report.html.j2").write_text("<p>{{ page.report.owner }}</p>{{ page.report.suites[0].suite }}")
    assert render_html(made.page(view()), tmp_path) == "<p>Dana Reyes &lt;dana@example.org&gt;</p>refunds"


def test_a_users_template_that_names_what_there_is_not_fails(tmp_path: Path) -> None:
    (tmp_path / "report.md.j2").write_text("{{ page.ownr }}")
    with pytest.raises(UndefinedError, match="ownr"):
        render_markdown(made.page(view()), tmp_path)


def section(name: str, order: int, blocks: Sequence[Block]) -> FunctionSection:
    return FunctionSection(name=name, order=order, blocks=lambda _suite: blocks)


def test_a_section_of_a_user_gets_the_suite_and_is_shown_in_its_place() -> None:
    mine = FunctionSection(name="mine", order=150, blocks=lambda suite: [Heading(text=f"Mine of {suite.suite}")])
    page = made.page(view(), sorted([*built_in_sections(), mine], key=lambda one: one.order))
    soup = BeautifulSoup(render_html(page), "html.parser")
    names = [part["data-section"] for part in soup.select("section.suite")[0].select("[data-section]")]
    assert names[:3] == ["summary", "mine", "system"]
    assert "Mine of refunds" in soup.get_text()
    assert "### Mine of refunds" in render_markdown(page)


def _fails(_suite: SuiteView) -> Sequence[Block]:
    message = "no such file"
    raise OSError(message)


@pytest.mark.parametrize(
    ("broken", "told"),
    [
        (FunctionSection(name="mine", order=1, blocks=_fails), "could not be made: OSError: no such file"),
        (section("mine", 1, ["text"]), "'text' is no block"),  # type: ignore[list-item]  # what is tested
    ],
)
def test_a_section_that_fails_is_told_and_the_others_are_shown(broken: FunctionSection, told: str) -> None:
    text = BeautifulSoup(render_html(made.page(view(), [broken, *built_in_sections()])), "html.parser").get_text()
    assert told in text
    assert "Cases that changed" in text


def test_a_row_that_does_not_fit_its_table_is_refused() -> None:
    with pytest.raises(InvalidValue, match="2 columns, and a row of 1"):
        Table(caption="t", columns=(Column(title="a"), Column(title="b")), rows=((Cell(text="x"),),))


values = st.one_of(st.none(), st.floats(-1e6, 1e6))


def chart(*points: float | None, least_span: float = 0.0) -> Sparkline:
    return Sparkline(points=tuple((str(n), value) for n, value in enumerate(points)), label="", least_span=least_span)


@given(st.lists(values, max_size=60))
def test_a_sparkline_stays_in_its_box_and_draws_each_value_or_leaves_a_gap(points: list[float | None]) -> None:
    drawn = charts.geometry(chart(*points))
    spots = [tuple(map(float, spot.split())) for path in drawn.paths for spot in path[1:].split(" L")]
    spots += [(dot.x, dot.y) for dot in drawn.dots]
    assert all(0 <= x <= drawn.width and 0 <= y <= drawn.height for x, y in spots)
    known = [value for value in points if value is not None]
    assert len({x for x, _ in spots}) == len(known)
    assert sum(dot.newest for dot in drawn.dots) == bool(known)
    bars = charts.block_characters(chart(*points))
    assert [letter == charts.GAP for letter in bars] == [value is None for value in points]


def test_a_greater_value_stands_higher_and_hardly_different_ones_in_the_middle() -> None:
    low, high = charts.geometry(chart(0.1, 0.9)).dots
    assert low.y > high.y
    assert {dot.y for dot in charts.geometry(chart(0.5, 0.5, least_span=0.1)).dots} == {charts.HEIGHT / 2}
    assert charts.block_characters(chart(0.0, None, 0.5, 1.0)) == "▁·▅█"


def test_a_gap_is_bridged_and_not_drawn_like_a_line() -> None:
    drawn = charts.geometry(chart(0.0, 1.0, None, 0.0))
    spots = [f"{dot.x:g} {dot.y:g}" for dot in drawn.dots]
    assert drawn.paths == (f"M{spots[0]} L{spots[1]}",)
    assert drawn.gaps == (f"M{spots[1]} L{spots[2]}",)


def test_a_level_stands_where_such_a_value_would() -> None:
    level = charts.geometry(replace(chart(0.0, 1.0), level=1.0)).level
    assert level == charts.geometry(chart(0.0, 1.0)).dots[1].y


def tag_names(soup: BeautifulSoup) -> set[str]:
    return {element.name for element in soup.find_all(True) if isinstance(element, Tag)}


def test_a_page_is_made_of_few_elements() -> None:
    assert not tag_names(html()) & {"script", "iframe", "img", "form", "input", "object", "link", "base"}
