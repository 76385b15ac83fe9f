"""The section on repeats: variance, flaky cases, and whose the quarantined ones are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from pytest_agenteval.model.baseline import Bar
from pytest_agenteval.model.blocks import Block, Card, Fold, Heading, Paragraph, Table
from pytest_agenteval.model.quarantine import QuarantinedCase
from pytest_agenteval.model.run import FinishedRun
from pytest_agenteval.model.score import MetricSpec
from pytest_agenteval.report.sections.repeats import MOST_SHOWN, repeats
from pytest_agenteval.report.view import SuiteView
from pytest_agenteval.report.weeks import week_report
from pytest_agenteval.store.audit import Audit
from pytest_agenteval.store.quarantine import Quarantines, text_of
from tests.report import histories as made

W52 = datetime(2026, 12, 22, 9, tzinfo=UTC)
W02 = datetime(2027, 1, 12, 9, tzinfo=UTC)
JUDGE = replace(made.GRADE, name="tone", deterministic=False)
ENTRY = QuarantinedCase(
    case="b",
    owner="Dana",
    since="2027-01-01",
    until="2027-02-01",
    reason="the search is rebuilt",
    run="01JD",
    metric="success",
    values=(1.0, 0.0),
)


def finished(
    at: datetime, values: Mapping[str, Sequence[float]], *specs: MetricSpec, answer: str = "Done {n}."
) -> FinishedRun:
    """A run in which each metric gave these values to the attempts of the cases."""
    trials = [
        replace(made.trial(case, {spec.name: value for spec in specs}, output=answer.format(n=n)), attempt=n)
        for case, several in values.items()
        for n, value in enumerate(several, start=1)
    ]
    return made.finished(at, trials, specs=specs)


def view(root: Path, *runs: FinishedRun, quarantined: str = "") -> SuiteView:
    quarantines = Quarantines(root / "quarantine", Audit(root / "audit.jsonl"))
    if quarantined:
        quarantines.root.mkdir()
        quarantines.path("refunds").write_text(quarantined, "utf-8")
    [suite] = week_report(made.history(root, *runs), made.baselines(root), now=made.NOW, quarantines=quarantines).suites
    return suite


def tables(blocks: Sequence[Block]) -> list[list[list[str]]]:
    """The texts of the tables, those in a fold too."""
    plain = [inner for block in blocks for inner in (block.blocks if isinstance(block, Fold) else (block,))]
    return [[[cell.text for cell in row] for row in block.rows] for block in plain if isinstance(block, Table)]


FLAKY = {"a": [1, 1, 1, 1, 1], "b": [1, 0, 0, 1, 0], "c": [1, 1, 1, 0, 1], "d": [0, 0, 0, 0, 0]}


def test_the_variance_of_each_metric_and_the_flaky_cases_are_shown(tmp_path: Path) -> None:
    blocks = repeats(view(tmp_path, finished(W02, FLAKY, made.SUCCESS)))
    assert blocks[0] == Heading(text="Repeats and flaky cases")
    assert tables(blocks) == [
        [["success", "58 %", "25 %"]],
        [["b", "success", "2 of 5", ""], ["c", "success", "4 of 5", ""]],
    ]
    said = "2 cases are flaky: the same case came out otherwise within one run."
    assert Paragraph(text=said) in blocks


def test_repeats_without_a_flaky_case_looked_stable_and_no_more(tmp_path: Path) -> None:
    blocks = repeats(view(tmp_path, finished(W02, {"a": [1, 1], "b": [0, 0, 0]}, made.SUCCESS)))
    assert blocks[-1] == Paragraph(text="Each case looked stable in 2 to 3 attempts.")
    assert tables(blocks) == [[["success", "100 %", "0 %"]]]


def test_without_repeats_and_quarantine_there_is_no_section(tmp_path: Path) -> None:
    assert repeats(view(tmp_path, finished(W02, {"a": [1], "b": [0]}, made.SUCCESS))) == []


def test_the_week_before_speaks_where_this_one_has_no_repeats(tmp_path: Path) -> None:
    suite = view(tmp_path, finished(W52, FLAKY, made.SUCCESS), finished(W02, {"a": [1], "b": [0]}, made.SUCCESS))
    assert [(one.spec.name, one.week) for one in suite.repeats] == [("success", "2026-W52")]
    table = repeats(suite)[1]
    assert isinstance(table, Table)
    assert table.caption.startswith("refunds in 2026-W52:")


def test_seconds_and_costs_that_do_not_gate_are_left_out(tmp_path: Path) -> None:
    suite = view(tmp_path, finished(W02, {"a": [1, 2], "b": [3, 4]}, made.COST, made.LATENCY))
    assert suite.repeats == ()


def test_all_attempts_of_a_pass_k_metric_are_told_apart(tmp_path: Path) -> None:
    spec = replace(made.SUCCESS, name="reliable", aggregate="pass_hat_2")
    [found] = view(tmp_path, finished(W02, FLAKY, spec)).repeats
    assert found.variance.flake_rate == pytest.approx(0.25)


def test_a_judge_that_scores_one_answer_apart_is_told(tmp_path: Path) -> None:
    blocks = repeats(view(tmp_path, finished(W02, {"a": [0.2, 0.4], "b": [0.6, 0.6]}, JUDGE, answer="Done.")))
    assert tables(blocks) == [
        [["tone", "80 %", "–", "0.1000"]],
        [["a", "tone", "0.2 to 0.4 in 2", ""]],
    ]


def test_a_judge_that_saw_no_answer_twice_cannot_be_told_and_why_stands_there(tmp_path: Path) -> None:
    table = repeats(view(tmp_path, finished(W02, {"a": [0.2, 0.4], "b": [0.6, 0.6]}, JUDGE)))[1]
    assert isinstance(table, Table)
    assert table.rows[0][-1].note == "no answer was given twice, so nothing was judged twice"


def test_the_longest_list_of_flaky_cases_is_cut_and_says_so(tmp_path: Path) -> None:
    many = {f"case-{n:02}": [1.0, 0.0] for n in range(MOST_SHOWN + 5)}
    blocks = repeats(view(tmp_path, finished(W02, many, made.SUCCESS)))
    fold = blocks[-1]
    assert isinstance(fold, Fold)
    [table] = fold.blocks
    assert isinstance(table, Table)
    assert len(table.rows) == MOST_SHOWN
    assert table.caption.endswith("; the first 20 of 25 lines")


def test_quarantined_cases_are_shown_with_owner_and_last_day_and_those_whose_time_is_over_first(tmp_path: Path) -> None:
    over = replace(ENTRY, case="x", owner="Kim", since="2026-11-01", until="2027-01-14")
    to_come = replace(ENTRY, case="y", since="2027-01-20")
    text = text_of("refunds", [ENTRY, over, to_come])
    blocks = repeats(view(tmp_path, finished(W02, FLAKY, made.SUCCESS), quarantined=text))
    card = blocks[-1]
    assert isinstance(card, Card)
    assert card.title == "Quarantined, out of what gates: 1 case"
    assert [(item.head, item.text) for item in card.items] == [
        (
            "x",
            "expired on 2027-01-14: it counts again. Kim mends the case or renews the quarantine; "
            "success 1, 0 in run 01JD; the search is rebuilt",
        ),
        ("b", "Dana, until 2027-02-01; success 1, 0 in run 01JD; the search is rebuilt"),
    ]
    assert tables(blocks)[1][0] == ["b", "success", "2 of 5", "Dana, until 2027-02-01"]


def test_a_quarantine_that_cannot_be_read_is_told_among_the_problems(tmp_path: Path) -> None:
    suite = view(tmp_path, finished(W02, FLAKY, made.SUCCESS), quarantined="{}")
    [problem] = suite.problems
    assert problem.startswith("quarantine/refunds.json: its schema is None")


def test_what_was_quarantined_when_the_run_began_is_left_out_of_its_verdict(tmp_path: Path) -> None:
    right = {f"c{n:02}": [1, 1] for n in range(60)}
    before = finished(W52, right | {"b": [1, 1]}, made.SUCCESS)
    made.approve(tmp_path, before, "refunds", made.SUCCESS, Bar(floor=1.0, margin=0.1))
    now = finished(W02, right | {"b": [1, 0]}, made.SUCCESS)
    [counted] = view(tmp_path, before, now).metrics
    assert counted.verdict_vs_baseline is not None
    assert counted.verdict_vs_baseline.outcome == "below_floor"
    other = tmp_path / "other"
    made.approve(other, before, "refunds", made.SUCCESS, Bar(floor=1.0, margin=0.1))
    [left_out] = view(other, before, now, quarantined=text_of("refunds", [ENTRY])).metrics
    assert left_out.verdict_vs_baseline is not None
    assert left_out.verdict_vs_baseline.outcome == "pass"
    assert left_out.this.n == 61


def test_cases_that_fell_from_the_baseline_by_their_own_repeats_are_shown(tmp_path: Path) -> None:
    before = finished(W52, {"a": [1] * 5, "b": [1] * 5}, made.SUCCESS)
    made.approve(tmp_path, before, "refunds", made.SUCCESS, Bar(floor=0.1, margin=0.1))
    blocks = repeats(view(tmp_path, before, finished(W02, {"a": [1, 0, 0, 0, 0], "b": [1] * 5}, made.SUCCESS)))
    assert tables(blocks)[-1] == [["a", "success", "5 of 5", "1 of 5"]]
