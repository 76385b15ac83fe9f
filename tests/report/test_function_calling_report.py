"""Six real models on four dates: the report finds their regressions, and the change of the checker."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import pytest
from bs4 import BeautifulSoup

from pytest_agenteval.metrics import built_in_metrics
from pytest_agenteval.metrics.scoring import score_trial
from pytest_agenteval.model.baseline import Bar
from pytest_agenteval.model.run import FinishedRun, Run
from pytest_agenteval.model.trial import Trial
from pytest_agenteval.model.verdict import Outcome, Reason
from pytest_agenteval.pipeline.aggregate import measure
from pytest_agenteval.report.page import page_of
from pytest_agenteval.report.render import render_html, render_markdown
from pytest_agenteval.report.sections import built_in_sections
from pytest_agenteval.report.view import MetricView, SuiteView, WeekReport
from pytest_agenteval.report.weeks import week_report
from pytest_agenteval.store.history import History
from tests.report import histories as made
from tests.suites.recorded import EXPECTED, cases, recording

CLAUDE, GEMINI, MISTRAL = "claude-3-opus-20240229-FC", "gemini-1.5-pro-preview-0514", "mistral-tiny-2312"
MODELS = (CLAUDE, GEMINI, MISTRAL, "gorilla-openfunctions-v2", "gpt-3.5-turbo-0125-FC", "gpt-4o-2024-05-13-FC")
DATES = ("2024-07-06", "2024-07-20", "2024-07-22", "2024-08-11")
WEEKS = ("2024-W27", "2024-W29", "2024-W30", "2024-W32")
SUCCESS = next(metric for metric in built_in_metrics() if metric.spec.name == "success")


@cache
def run(model: str, recorded_on: str, taken_as_of: str) -> FinishedRun:
    """The recording of a date as a run of that or another date."""
    suite = f"function_calling[{model}]"
    at = datetime.fromisoformat(f"{taken_as_of}T12:00:00+00:00").astimezone(UTC)
    kept, known = recording("function_calling", f"{recorded_on}/{model}"), cases("function_calling", "cases")
    trials = [
        Trial(
            id=f"{recorded_on}-{model}-{row.case}",
            case=replace(known[row.case], suite=suite),
            trajectory=replace(row.trajectory, agent=kept.header.agent),
            origin="replay",
            at=at,
        )
        for row in kept.trials
    ]
    scored = sorted((trial.with_scores([score_trial(SUCCESS, trial)]) for trial in trials), key=lambda one: one.key)
    return FinishedRun(
        run=Run(id=f"{taken_as_of}-{model}", started=at, mode="import", specs={"success": SUCCESS.spec}),
        trials=scored,
        estimates=(measure(suite, SUCCESS.spec, scored).estimate,),
    )


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> History:
    """All 24 recordings at their true dates."""
    root = tmp_path_factory.mktemp("function_calling")
    return made.history(root, *(run(model, date, date) for date in DATES for model in MODELS))


def report(history: History, week: str | None = None, suites: Sequence[str] | None = None) -> WeekReport:
    return week_report(
        history,
        made.baselines(history.root.parent),
        now=made.NOW,
        week=week,
        suites=suites,
        gate_of=lambda _suite: {"success": Bar(margin=0.01)},
    )


@pytest.fixture(scope="module")
def by_week(history: History) -> dict[str, WeekReport]:
    return {week: report(history, week) for week in WEEKS}


def found(view: WeekReport, model: str) -> tuple[SuiteView, MetricView]:
    [suite] = [suite for suite in view.suites if suite.suite == f"function_calling[{model}]"]
    return suite, suite.metrics[0]


def four(value: float | None) -> str:
    assert value is not None
    return f"{value:.4f}"


@pytest.mark.parametrize(
    ("model", "week", "before", "now"),
    [
        (MISTRAL, "2024-W32", "0.5265", "0.3524"),
        (GEMINI, "2024-W30", "0.8629", "0.8435"),
        (GEMINI, "2024-W32", "0.8435", "0.8059"),
        (CLAUDE, "2024-W32", "0.7753", "0.7412"),
    ],
)
def test_the_real_regressions_are_found(
    by_week: dict[str, WeekReport], model: str, week: str, before: str, now: str
) -> None:
    _, metric = found(by_week[week], model)
    assert metric.last
    assert metric.verdict_vs_last
    assert (four(metric.last.value), four(metric.this.value)) == (before, now)
    assert metric.verdict_vs_last.outcome is Outcome.REGRESSED
    assert metric.standing == "worse"


@pytest.mark.parametrize("model", [CLAUDE, GEMINI])
def test_the_change_of_the_checker_is_found_and_not_taken_for_the_models(
    by_week: dict[str, WeekReport], model: str
) -> None:
    _, metric = found(by_week["2024-W29"], model)
    assert metric.verdict_vs_last
    assert metric.verdict_vs_last.outcome is Outcome.INCOMPARABLE
    assert metric.verdict_vs_last.reason is Reason.METRIC_CHANGED


@pytest.mark.parametrize("model", [CLAUDE, GEMINI])
def test_it_is_found_with_the_two_dates_swapped(tmp_path: Path, model: str) -> None:
    first, second = DATES[:2]
    swapped = made.history(tmp_path, run(model, second, first), run(model, first, second))
    _, metric = found(report(swapped), model)
    assert metric.verdict_vs_last
    assert metric.verdict_vs_last.outcome is Outcome.INCOMPARABLE
    assert metric.verdict_vs_last.reason is Reason.METRIC_CHANGED


def test_the_weeks_without_a_run_are_named(by_week: dict[str, WeekReport]) -> None:
    gaps = {week: {suite.gap_weeks for suite in by_week[week].suites} for week in WEEKS}
    assert gaps == {
        "2024-W27": {()},
        "2024-W29": {("2024-W28",)},
        "2024-W30": {()},
        "2024-W32": {("2024-W31",)},
    }


@pytest.mark.parametrize("row", EXPECTED["bfcl"]["correct"], ids=lambda row: f"{row['model']}-{row['date']}")
def test_each_success_rate_is_that_of_the_leaderboard(by_week: dict[str, WeekReport], row: dict[str, str]) -> None:
    _, metric = found(by_week[WEEKS[DATES.index(row["date"])]], row["model"])
    assert four(metric.this.value) == row["correct"].partition(" = ")[2]


@pytest.mark.parametrize(
    ("model", "week", "lost", "won"),
    [(MISTRAL, "2024-W32", 391, 95), (GEMINI, "2024-W30", 40, 7), (CLAUDE, "2024-W32", 161, 103)],
)
def test_the_cases_that_fell_and_rose_are_counted_as_expected(
    by_week: dict[str, WeekReport], model: str, week: str, lost: int, won: int
) -> None:
    _, metric = found(by_week[week], model)
    assert (len(metric.fell), len(metric.rose)) == (lost, won)


def test_both_pages_say_so_in_plain_words(by_week: dict[str, WeekReport]) -> None:
    page = page_of(by_week["2024-W32"], built_in_sections())
    soup = BeautifulSoup(render_html(page), "html.parser")
    [worse] = [card for card in soup.select(".cards .card") if card.h2 and card.h2.get_text() == "What got worse"]
    said = worse.get_text(" ")
    for model, change in ((MISTRAL, "0.5265 → 0.3524"), (GEMINI, "0.8435 → 0.8059"), (CLAUDE, "0.7753 → 0.7412")):
        assert f"function_calling[{model}] · success" in said
        assert change in said
        assert change in render_markdown(page)
    assert "no run in 2024-W31" in soup.get_text()


def test_the_page_of_six_models_is_small(by_week: dict[str, WeekReport]) -> None:
    assert len(render_html(page_of(by_week["2024-W32"], built_in_sections())).encode()) < 300_000
