"""The section on slices: a gating metric over the cases of each tag, and what fell of it."""

from __future__ import annotations

import gzip
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from bs4 import BeautifulSoup
from markdown_it import MarkdownIt

from pytest_agenteval.model.baseline import Bar
from pytest_agenteval.model.blocks import Fold, Heading, Paragraph, Table
from pytest_agenteval.model.run import FinishedRun
from pytest_agenteval.model.visible import visible
from pytest_agenteval.report.render import render_html, render_markdown
from pytest_agenteval.report.sections.slices import MOST_SHOWN, slices
from pytest_agenteval.report.view import SuiteView, WeekReport
from pytest_agenteval.report.weeks import week_report
from tests.report import histories as made
from tests.report.adversarial import PAYLOADS

W51 = datetime(2026, 12, 15, 9, tzinfo=UTC)
W53 = datetime(2026, 12, 30, 9, tzinfo=UTC)
W02 = datetime(2027, 1, 12, 9, tzinfo=UTC)
MARGIN = Bar(margin=0.09)
N = 200
VIP = {"vip": range(20)}
WORD = "harmless"

Tags = Mapping[str, Collection[int]]
"""By tag, the numbers of the cases that bear it."""


def week(at: datetime, failing: Iterable[int] = (), tags: Tags = VIP, n: int = N) -> FinishedRun:
    """A run of so many cases, of which these fail."""
    trials = [
        replace(one, case=replace(one.case, tags=tuple(tag for tag, those in tags.items() if place in those)))
        for place, one in enumerate(made.passing(n, list(failing)))
    ]
    return made.finished(at, trials)


def report(root: Path, *runs: FinishedRun, bar: Bar = MARGIN, approved: bool = True, gates: bool = True) -> WeekReport:
    """The report of these runs, of which the first is the baseline."""
    store = made.approve(root, runs[0], "refunds", made.SUCCESS, bar) if approved else made.baselines(root)
    table = {"success": bar} if gates else {}
    return week_report(made.history(root, *runs), store, now=made.NOW, gate_of=lambda _suite: table)


def only(view: WeekReport) -> SuiteView:
    [suite] = view.suites
    return suite


def tables(suite: SuiteView) -> list[Table]:
    plain = [inner for block in slices(suite) for inner in (block.blocks if isinstance(block, Fold) else (block,))]
    return [block for block in plain if isinstance(block, Table)]


def html_rows(page: str) -> list[list[str]]:
    part = BeautifulSoup(page, "html.parser").select_one("[data-section=slices]")
    assert part
    rows = part.select("tbody tr")
    return [
        [" · ".join(text.get_text() for text in cell.select(".value, .note")) for cell in row.select("th, td")]
        for row in rows
    ]


def markdown_rows(page: str) -> list[list[str]]:
    section = page.partition("### Slices by tag")[2].partition("\n### ")[0]
    tokens = MarkdownIt("commonmark").enable("table").parse(section)
    cells = [
        "".join(child.content for child in token.children or ())
        for before, token in pairwise(tokens)
        if before.type == "td_open"
    ]
    width = sum(token.type == "th_open" for token in tokens)
    return [cells[place : place + width] for place in range(0, len(cells), width)]


FALLEN = [
    ["vip", "20", "0.5000 · [0.2993, 0.7007]", "0.9000", "−0.4000", "fell"],
    ["rest", "180", "1.0000 · [0.9791, 1.0000]", "1.0000", "0.0000", "not shown to have fallen"],
]


@pytest.mark.parametrize(("draw", "rows"), [(render_html, html_rows), (render_markdown, markdown_rows)])
def test_a_fallen_slice_of_a_suite_that_passes_is_marked_and_its_numbers_stand_on_the_page(
    tmp_path: Path, draw: Any, rows: Any
) -> None:
    tags = {"rest": range(20, N), **VIP}
    view = report(tmp_path, week(W51, (), tags), week(W53, range(2), tags), week(W02, range(10), tags))
    [metric] = only(view).metrics
    assert metric.verdict_vs_baseline is not None
    assert metric.verdict_vs_baseline.outcome == "pass"
    # By hand: 10 and 18 of 20. The intervals are Wilson's at 95 %.
    found = rows(draw(made.page(view)))
    assert [[*row[:3], row[3], row[4].split(" · ")[0], row[5].split(" · ")[0]] for row in found] == FALLEN
    assert found[0][5].startswith("fell · −0.5000 [")
    assert "q = " in found[0][5]


def test_what_fell_is_told_in_a_sentence_and_seen_first_though_the_whole_passes(tmp_path: Path) -> None:
    view = report(tmp_path, week(W51), week(W02, range(10)))
    blocks = slices(only(view))
    assert blocks[0] == Heading(text="Slices by tag")
    assert blocks[1] == Paragraph(text="Against the baseline, success fell on the cases tagged vip.", tone="bad")
    assert isinstance(blocks[2], Table)
    [card] = [card for card in made.page(view).cards if card.title == "What fell on the cases of a tag"]
    [item] = card.items
    text = "fell from the baseline on vip; as a whole it does not fail its gate"
    assert (item.head, item.text) == ("refunds · success", text)


def test_slices_of_which_none_fell_are_folded_away_and_no_card_speaks_of_them(tmp_path: Path) -> None:
    view = report(tmp_path, week(W51), week(W02, [0]))
    blocks = slices(only(view))
    assert blocks[1] == Paragraph(text="No slice is shown to have fallen from the baseline.")
    assert [block.title for block in blocks[2:] if isinstance(block, Fold)] == ["Show success in 1 slice"]
    assert not [card for card in made.page(view).cards if "tag" in card.title]


def test_the_report_marks_what_the_gate_of_the_run_found(tmp_path: Path) -> None:
    many = {f"t{n}": range(5 * n, 5 * n + 10) for n in range(30)}
    suite = only(report(tmp_path, week(W51, (), many), week(W02, range(9), many)))
    [metric] = suite.metrics
    assert metric.verdict_vs_baseline is not None
    found = {one.tag: one for one in metric.verdict_vs_baseline.slices}
    assert found.keys() == many.keys()
    assert {one.tag: one.finding for one in metric.slices} == found
    assert [one.tag for one in metric.slices if one.fell] == ["t0"]


def test_a_slice_that_gates_for_itself_shows_its_verdict_and_stands_among_what_fails(tmp_path: Path) -> None:
    bar = replace(MARGIN, slices=("vip",))
    view = report(tmp_path, week(W51), week(W02, range(10)), bar=bar)
    [metric] = only(view).metrics
    [one] = metric.slices
    assert metric.verdict_vs_baseline is not None
    assert one.verdict is not None
    assert (metric.verdict_vs_baseline.outcome, one.verdict.outcome) == ("pass", "regressed")
    assert one.verdict.name == "refunds/success[vip]"
    [table] = tables(only(view))
    assert table.rows[0][-1].text == "regressed"
    assert table.rows[0][-1].note.startswith("gates for itself; it fell; −0.5000 [")
    cards = {card.title: card.items for card in made.page(view).cards}
    [item] = cards["What fails its gate"]
    assert item.head == "refunds · success on vip"
    assert item.text == "regressed, 0.5000; baseline 1.0000; 10 cases newly fail, 0 newly pass"
    assert "What fell on the cases of a tag" not in cards


def test_a_slice_that_gates_counts_in_the_family_of_the_report_as_in_that_of_the_run(tmp_path: Path) -> None:
    tags = {f"t{n}": range(20 * n, 20 * n + 20) for n in range(1, 10)}
    runs = [week(W51, (), tags), week(W02, range(7), tags)]
    bar = Bar(margin=0.03)
    outcomes = []
    for names in ((), tuple(tags)):
        with TemporaryDirectory() as folder:
            view = report(Path(folder), *runs, bar=replace(bar, slices=names))
            [metric] = only(view).metrics
            assert metric.verdict_vs_baseline is not None
            outcomes.append(str(metric.verdict_vs_baseline.outcome))
    assert outcomes == ["regressed", "inconclusive"]


def test_the_week_before_is_taken_over_the_cases_that_are_tagged_now(tmp_path: Path) -> None:
    before, now = {"vip": range(10)}, {"vip": range(20)}
    [table] = tables(only(report(tmp_path, week(W53, [15], before), week(W02, [15, 16], now))))
    assert [cell.text for cell in table.rows[0][:5]] == ["vip", "20", "0.9000", "0.9500", "−0.0500"]


def test_in_its_first_week_a_slice_has_a_value_and_nothing_to_set_it_beside(tmp_path: Path) -> None:
    suite = only(report(tmp_path, week(W02, [0]), approved=False))
    [table] = tables(suite)
    assert [cell.text for cell in table.rows[0]] == ["vip", "20", "0.9500", "–", "–"]
    said = "There is no baseline to compare with, so nothing is said of what fell."
    assert slices(suite)[1] == Paragraph(text=said)


def test_a_tag_on_new_cases_alone_has_no_baseline_to_be_held_against(tmp_path: Path) -> None:
    tags = {**VIP, "new": range(N, N + 10)}
    [table] = tables(only(report(tmp_path, week(W51), week(W02, (), tags, N + 10))))
    rows = {row[0].text: row for row in table.rows}
    assert [cell.text for cell in rows["new"]] == ["new", "10", "1.0000", "–", "–", "–"]
    assert rows["new"][-1].note == "no baseline to compare with"
    assert rows["vip"][-1].text == "not shown to have fallen"


def test_a_week_before_whose_trials_cannot_be_read_leaves_a_slice_its_value_and_its_baseline(tmp_path: Path) -> None:
    before = week(W53)
    nothing = made.trial("unscored", {"success": None})
    before = made.finished(W53, [*before.trials, nothing])
    store = made.approve(tmp_path, week(W51), "refunds", made.SUCCESS, MARGIN)
    history = made.history(tmp_path, before)
    [segment] = history.root.glob("*/*.gz")
    segment.write_bytes(gzip.compress(gzip.decompress(segment.read_bytes()).replace(b'"at":"', b'"at":"no time ')))
    history.append(week(W02))
    suite = only(week_report(history, store, now=made.NOW))
    assert suite.last_week == "2026-W53"
    [table] = tables(suite)
    assert [cell.text for cell in table.rows[0]] == ["vip", "20", "1.0000", "–", "–", "not shown to have fallen"]


@pytest.mark.parametrize("tags", [{}, {"few": range(4)}, {"all": range(N)}], ids=["none", "few", "all"])
def test_a_suite_whose_tags_say_nothing_has_no_section(tmp_path: Path, tags: Tags) -> None:
    view = report(tmp_path, week(W51, (), tags), week(W02, (), tags))
    assert slices(only(view)) == []
    assert "Slices by tag" not in render_html(made.page(view))


def test_a_metric_that_does_not_gate_has_no_slices(tmp_path: Path) -> None:
    assert slices(only(report(tmp_path, week(W51), week(W02, range(10)), approved=False, gates=False))) == []


def test_the_worst_slices_are_shown_first_and_the_others_counted(tmp_path: Path) -> None:
    many = {f"t{n:02}": range(10 * n, 10 * n + 10) for n in range(MOST_SHOWN + 5)}
    failing = [*range(200, 206), *range(100, 103)]
    [table] = tables(only(report(tmp_path, week(W51, (), many, 400), week(W02, failing, many, 400))))
    assert len(table.rows) == MOST_SHOWN
    assert [row[0].text for row in table.rows[:3]] == ["t20", "t10", "t00"]
    assert table.caption == "refunds · success on the cases of each tag, the worst first; 30 of 35 slices, 5 more"


def test_a_metric_of_which_less_is_better_has_the_greatest_rise_first(tmp_path: Path) -> None:
    spec = replace(made.SUCCESS, name="refused", better="lower")

    def run(at: datetime, refused: range) -> FinishedRun:
        tags = {n: ("a",) if n < 10 else ("b",) for n in range(40)}
        trials = [made.trial(f"c{n:02}", {"refused": n in refused}, tags=tags[n]) for n in range(40)]
        return made.finished(at, trials, specs=[spec])

    store = made.approve(tmp_path, first := run(W51, range(0)), "refunds", spec, MARGIN)
    view = week_report(made.history(tmp_path, first, run(W02, range(10, 30))), store, now=made.NOW)
    [table] = tables(only(view))
    assert [(row[0].text, row[-1].text) for row in table.rows] == [("b", "fell"), ("a", "not shown to have fallen")]


@pytest.mark.parametrize("row", PAYLOADS)
def test_a_hostile_tag_is_text_and_nothing_else_on_both_pages(tmp_path: Path, row: str) -> None:
    def view(tag: str) -> WeekReport:
        root = tmp_path / ("plain" if tag == WORD else "hostile")
        tags = {tag: range(20)}
        return report(root, week(W51, (), tags), week(W02, range(10), tags))

    pages = {tag: made.page(view(tag)) for tag in (PAYLOADS[row], WORD)}
    hostile, plain = (BeautifulSoup(render_html(page), "html.parser") for page in pages.values())
    assert [one.name for one in hostile.find_all(True)] == [one.name for one in plain.find_all(True)]
    head = hostile.select_one("[data-section=slices] tbody th .value")
    assert head
    assert " ".join(head.get_text().split()) == " ".join(visible(PAYLOADS[row]).split())
    parse = MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse
    written, expected = (parse(render_markdown(page)) for page in pages.values())
    assert [token.type for token in written] == [token.type for token in expected]
    assert not {child.type for token in written for child in token.children or ()} & {"link_open", "image"}
