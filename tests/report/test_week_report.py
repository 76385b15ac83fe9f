"""The view: which weeks are compared, and what is proven of the difference."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_agenteval.errors import HistoryError
from pytest_agenteval.model.baseline import Bar
from pytest_agenteval.model.run import FinishedRun, week_of
from pytest_agenteval.model.score import Score
from pytest_agenteval.model.trajectory import AgentIdentity
from pytest_agenteval.model.verdict import Outcome, Reason
from pytest_agenteval.pipeline.aggregate import measure
from pytest_agenteval.report.calendar import days_of, monday_of, weeks_between, weeks_from
from pytest_agenteval.report.view import MetricView, WeekReport
from pytest_agenteval.report.weeks import week_report
from tests.report import histories as made

W52 = datetime(2026, 12, 22, 9, tzinfo=UTC)
W53 = datetime(2026, 12, 30, 9, tzinfo=UTC)
W02 = datetime(2027, 1, 12, 9, tzinfo=UTC)


def only(view: WeekReport) -> MetricView:
    [suite] = view.suites
    [metric] = suite.metrics
    return metric


def drop(before: FinishedRun, now: FinishedRun, root: Path) -> MetricView:
    return only(made.report(root, before, now))


def test_a_week_is_compared_with_the_last_one_that_has_a_run_and_the_gap_is_named(tmp_path: Path) -> None:
    [suite] = made.report(tmp_path, made.finished(W53, made.passing(5)), made.finished(W02, made.passing(5))).suites
    assert (suite.week, suite.last_week, suite.gap_weeks) == ("2027-W02", "2026-W53", ("2027-W01",))
    assert [week for week, _ in suite.metrics[0].weeks] == ["2026-W53", "2027-W01", "2027-W02"]
    assert [value is None for _, value in suite.metrics[0].weeks] == [False, True, False]


def test_weeks_side_by_side_have_no_gap(tmp_path: Path) -> None:
    [suite] = made.report(tmp_path, made.finished(W52, made.passing(5)), made.finished(W53, made.passing(5))).suites
    assert (suite.last_week, suite.gap_weeks) == ("2026-W52", ())


def test_a_week_asked_for_shows_no_later_run(tmp_path: Path) -> None:
    runs = [made.finished(at, made.passing(5)) for at in (W52, W53, W02)]
    view = made.report(tmp_path, *runs, week="2027-W01")
    [suite] = view.suites
    assert (view.week, suite.week, suite.last_week, suite.is_current) == ("2027-W01", "2026-W53", "2026-W52", False)


def test_each_suite_is_shown_in_its_own_newest_week(tmp_path: Path) -> None:
    old = made.finished(W52, made.passing(5, suite="billing"))
    new = made.finished(W02, made.passing(5, suite="refunds"))
    view = made.report(tmp_path, old, new)
    assert [(suite.suite, suite.week, suite.is_current) for suite in view.suites] == [
        ("billing", "2026-W52", False),
        ("refunds", "2027-W02", True),
    ]


def test_a_partial_run_has_no_week_and_a_suite_that_was_never_whole_is_told(tmp_path: Path) -> None:
    whole = made.finished(W52, made.passing(5))
    partial = made.finished(W53, made.passing(2), partial=("refunds",))
    never = made.finished(W02, made.passing(2, suite="billing"), partial=("billing",))
    view = made.report(tmp_path, whole, partial, never)
    assert [(suite.suite, suite.week) for suite in view.suites] == [("refunds", "2026-W52")]
    assert view.problems == ("Of suite billing only a part ever ran, so it has no week",)


def test_a_suite_is_chosen_by_its_name_with_or_without_its_parameter(tmp_path: Path) -> None:
    names = ("refunds[a]", "refunds[b]", "billing")
    trials = [trial for suite in names for trial in made.passing(3, suite=suite)]
    store = made.history(tmp_path, made.finished(W52, trials))

    def chosen(*suites: str) -> list[str]:
        view = week_report(store, made.baselines(tmp_path), now=made.NOW, suites=suites)
        return [suite.suite for suite in view.suites]

    assert chosen("refunds") == ["refunds[a]", "refunds[b]"]
    assert chosen("refunds[b]", "billing") == ["billing", "refunds[b]"]
    with pytest.raises(HistoryError, match=r"'refund'.*did you mean"):
        chosen("refund")


@pytest.mark.parametrize("week", ["2027-W53", "2026-47", "2026-W00", "last", "2026-W1"])
def test_a_week_that_there_is_not_is_refused(tmp_path: Path, week: str) -> None:
    with pytest.raises(HistoryError, match="is no ISO week"):
        made.report(tmp_path, made.finished(W52, made.passing(3)), week=week)


def test_an_empty_history_gives_a_report_without_a_week(tmp_path: Path) -> None:
    view = made.report(tmp_path)
    assert (view.week, view.suites, view.problems) == (None, (), ())


def test_the_first_week_is_compared_with_nothing(tmp_path: Path) -> None:
    metric = only(made.report(tmp_path, made.finished(W52, made.passing(5))))
    assert (metric.last, metric.against_last, metric.standing) == (None, None, "unjudged")


def test_the_verdict_between_weeks_is_that_of_the_gate(tmp_path: Path) -> None:
    metric = drop(
        made.finished(W53, made.passing(100, range(5))), made.finished(W02, made.passing(100, range(25))), tmp_path
    )
    assert metric.verdict_vs_last
    assert metric.verdict_vs_last.outcome is Outcome.REGRESSED
    assert (metric.standing, metric.improved) == ("worse", False)
    assert [change.case for change in metric.fell] == [f"case-{n:03}" for n in range(5, 25)]
    assert metric.rose == ()


def test_what_would_be_a_regression_backwards_is_a_gain(tmp_path: Path) -> None:
    metric = drop(
        made.finished(W53, made.passing(200, range(30))), made.finished(W02, made.passing(200, range(4))), tmp_path
    )
    assert (metric.standing, metric.improved) == ("better", True)
    assert len(metric.rose) == 26


def test_too_few_cases_leave_it_undecided(tmp_path: Path) -> None:
    metric = drop(made.finished(W53, made.passing(10)), made.finished(W02, made.passing(10, [3])), tmp_path)
    assert metric.verdict_vs_last
    assert (metric.verdict_vs_last.reason, metric.standing) == (Reason.TOO_FEW, "unknown")


def test_many_unchanged_cases_hold(tmp_path: Path) -> None:
    metric = drop(made.finished(W53, made.passing(300)), made.finished(W02, made.passing(300)), tmp_path)
    assert metric.standing == "held"


def test_two_versions_of_a_metric_are_never_compared_nor_drawn_together(tmp_path: Path) -> None:
    newer = replace(made.SUCCESS, version=2)
    view = made.report(
        tmp_path,
        made.finished(W53, made.passing(100)),
        made.finished(W02, made.passing(100, range(50)), specs=[newer]),
    )
    metric = only(view)
    assert metric.verdict_vs_last
    assert metric.verdict_vs_last.outcome is Outcome.INCOMPARABLE
    assert metric.weeks == (("2027-W02", 0.5),)
    assert [(change.what, change.before, change.now) for change in view.suites[0].changes] == [
        ("metric success", "version 1", "version 2")
    ]


@pytest.mark.parametrize("swapped", [False, True])
def test_a_changed_scorer_is_found_from_equal_answers_whichever_week_came_first(tmp_path: Path, swapped: bool) -> None:
    strict = [made.trial(f"case-{n:03}", {"success": n >= 12}, output=f"the same answer {n}") for n in range(100)]
    lenient = [made.trial(f"case-{n:03}", {"success": True}, output=f"the same answer {n}") for n in range(100)]
    before, now = (strict, lenient) if swapped else (lenient, strict)
    metric = drop(made.finished(W53, before), made.finished(W02, now), tmp_path)
    assert metric.verdict_vs_last
    assert metric.verdict_vs_last.outcome is Outcome.INCOMPARABLE
    assert metric.verdict_vs_last.reason is Reason.METRIC_CHANGED
    assert "12 of 100 cases" in metric.verdict_vs_last.message
    assert metric.standing == "unknown"


def test_holms_family_is_all_comparisons_of_the_report(tmp_path: Path) -> None:
    def week(at: datetime, failing: range, suites: int) -> FinishedRun:
        names = [f"suite{n:02}" for n in range(suites)]
        trials = [
            trial for name in names for trial in made.passing(60, failing if name == "suite00" else (), suite=name)
        ]
        return made.finished(at, trials)

    alone = made.report(tmp_path / "a", week(W53, range(0), 1), week(W02, range(7), 1))
    among = made.report(tmp_path / "b", week(W53, range(0), 30), week(W02, range(7), 30))
    assert alone.suites[0].metrics[0].standing == "worse"
    assert among.suites[0].metrics[0].standing == "unknown"


def test_metrics_without_bounds_show_values_and_get_no_verdict(tmp_path: Path) -> None:
    def week(at: datetime, seconds: float) -> FinishedRun:
        trials = [made.trial(f"case-{n}", {"latency_seconds": seconds + n}) for n in range(9)]
        return made.finished(at, trials, specs=[made.LATENCY])

    metric = drop(week(W53, 1.0), week(W02, 50.0), tmp_path)
    assert (metric.verdict_vs_last, metric.standing) == (None, "unjudged")
    assert metric.last
    assert (metric.last.value, metric.this.value) == (5.0, 54.0)


def test_a_metric_that_is_gone_is_named(tmp_path: Path) -> None:
    both = [made.trial(f"c{n}", {"success": True, "grade": 0.5}) for n in range(4)]
    one = [made.trial(f"c{n}", {"success": True}) for n in range(4)]
    view = made.report(tmp_path, made.finished(W53, both, specs=[made.SUCCESS, made.GRADE]), made.finished(W02, one))
    assert view.suites[0].vanished == ("grade",)


def test_what_changed_in_the_system_is_told_field_by_field(tmp_path: Path) -> None:
    newer = AgentIdentity(name="desk", version="1.5.0", model="small-2", prompt="c2290b")
    view = made.report(tmp_path, made.finished(W53, made.passing(3)), made.finished(W02, made.passing(3, agent=newer)))
    assert [(change.what, change.before, change.now) for change in view.suites[0].changes] == [
        ("version", "1.4.0", "1.5.0"),
        ("prompt", "", "c2290b"),
    ]


def test_a_case_change_has_both_answers_and_what_is_known_of_the_case(tmp_path: Path) -> None:
    known: dict[str, Any] = {"failure_mode": "FM-012", "tags": ("vip",), "asked": {"order": 7}}
    before = made.finished(W53, [made.trial("no-box", {"success": True}, output="Refunded.", **known)])
    now = made.finished(W02, [made.trial("no-box", {"success": False}, error="no such tool", **known)])
    [change] = drop(before, now, tmp_path).fell
    assert (change.failure_mode, change.tags, change.asked) == ("FM-012", ("vip",), '{"order":7}')
    assert (change.before, change.now) == (1.0, 0.0)
    assert (change.said_before, change.said_now) == ("Refunded.", "agent error: ValueError: no such tool")
    assert change.trial == now.trials[0].id


def test_of_several_attempts_the_plainest_are_shown(tmp_path: Path) -> None:
    def week(at: datetime, *values: bool) -> FinishedRun:
        trials = [
            replace(made.trial("c", {"success": value}, output=f"{at:%V}: {value}"), attempt=n, id=f"{at}{n}")
            for n, value in enumerate(values, start=1)
        ]
        return made.finished(at, trials)

    [change] = drop(week(W53, False, True, True), week(W02, True, False, False), tmp_path).fell
    assert (change.said_before, change.said_now) == ("53: True", "02: False")


def test_a_metric_with_missing_values_is_measured_from_its_trials(tmp_path: Path) -> None:
    absent = Score(metric="success", value=None, reason="the judge was down")
    now = [*made.passing(40), *(made.trial(f"lost-{n}", {"success": absent}) for n in range(10))]
    before = [*made.passing(40), *(made.trial(f"lost-{n}", {"success": True}) for n in range(10))]
    metric = drop(made.finished(W53, before), made.finished(W02, now), tmp_path)
    assert metric.verdict_vs_last
    assert metric.verdict_vs_last.reason is Reason.MISSING
    assert metric.verdict_vs_last.message == "10 of 50 cases have no value"
    assert metric.against_last
    assert metric.against_last.removed == ()


def test_a_pass_hat_k_is_compared_by_its_cases(tmp_path: Path) -> None:
    spec = replace(made.SUCCESS, name="all_pass", aggregate="pass_hat_2")

    def week(at: datetime, failing: range) -> FinishedRun:
        trials = [
            replace(
                made.trial(f"c{n:03}", {"all_pass": n not in failing or attempt == 1}),
                attempt=attempt,
                id=f"{at}{n}{attempt}",
            )
            for n in range(60)
            for attempt in (1, 2)
        ]
        return made.finished(at, trials, specs=[spec])

    metric = drop(week(W53, range(0)), week(W02, range(20)), tmp_path)
    assert metric.against_last
    assert (metric.this.value, metric.against_last.delta) == (40 / 60, -20 / 60)


def test_the_baseline_and_its_verdict_stand_beside_the_week(tmp_path: Path) -> None:
    approved, now = made.finished(W52, made.passing(100)), made.finished(W02, made.passing(100, range(30)))
    store = made.approve(tmp_path, approved, "refunds", made.SUCCESS, Bar(floor=0.5, margin=0.03))
    view = week_report(made.history(tmp_path, approved, now), store, now=made.NOW)
    metric = only(view)
    assert metric.baseline
    assert metric.verdict_vs_baseline
    assert metric.verdict_vs_baseline.outcome is Outcome.REGRESSED
    assert (metric.gates, metric.bar, metric.fails_its_gate) == (True, Bar(floor=0.5, margin=0.03), True)
    assert view.failing_gates() == [(view.suites[0], metric)]


def test_the_margin_of_the_settings_counts_between_weeks(tmp_path: Path) -> None:
    runs = [made.finished(W53, made.passing(300)), made.finished(W02, made.passing(300, range(25)))]
    store = made.history(tmp_path, *runs)

    def standing(margin: float) -> str:
        view = week_report(
            store, made.baselines(tmp_path), now=made.NOW, gate_of=lambda _: {"success": Bar(margin=margin)}
        )
        return only(view).standing

    assert (standing(0.02), standing(0.2)) == ("worse", "held")


def test_a_baseline_that_cannot_be_read_is_told_without_the_folders_above(tmp_path: Path) -> None:
    run = made.finished(W52, made.passing(5))
    store = made.approve(tmp_path, run, "refunds", made.SUCCESS, Bar())
    store.path("refunds", "success").write_text("{")
    [suite] = week_report(made.history(tmp_path, run), store, now=made.NOW).suites
    [problem] = suite.problems
    assert problem.startswith("baselines")
    assert str(tmp_path) not in problem


def test_an_unreadable_segment_is_told_and_hides_nothing(tmp_path: Path) -> None:
    store = made.history(tmp_path, made.finished(W52, made.passing(5)))
    broken = store.root / "2026-W53" / "run-broken.jsonl.gz"
    broken.parent.mkdir()
    broken.write_bytes(b"not gzip")
    view = week_report(store, made.baselines(tmp_path), now=made.NOW)
    [problem] = view.problems
    assert "2026-W53" in problem
    assert str(tmp_path) not in problem
    assert [suite.week for suite in view.suites] == ["2026-W52"]


@settings(max_examples=15)
@given(
    failing_before=st.sets(st.integers(0, 39)),
    failing_now=st.sets(st.integers(0, 39)),
)
def test_the_numbers_are_those_of_the_pipeline(
    tmp_path_factory: pytest.TempPathFactory, failing_before: set[int], failing_now: set[int]
) -> None:
    runs = [
        made.finished(at, made.passing(40, sorted(failing)))
        for at, failing in ((W53, failing_before), (W02, failing_now))
    ]
    metric = only(made.report(tmp_path_factory.mktemp("law"), *runs))
    measured = [measure("refunds", made.SUCCESS, run.trials) for run in runs]
    assert (metric.last, metric.this) == (measured[0].estimate, measured[1].estimate)
    assert {change.case for change in metric.fell} == {f"case-{n:03}" for n in failing_now - failing_before}
    assert {change.case for change in metric.rose} == {f"case-{n:03}" for n in failing_before - failing_now}


@given(st.dates(min_value=datetime(1970, 1, 5).date(), max_value=datetime(2100, 1, 1).date()), st.integers(0, 120))  # noqa: DTZ001
def test_weeks_are_counted_as_the_calendar_counts_them(day: object, count: int) -> None:
    first = datetime.fromisoformat(f"{day}T12:00:00+00:00")
    last = first + timedelta(weeks=count)
    weeks = weeks_from(week_of(first), week_of(last))
    assert weeks == [week_of(first + timedelta(weeks=n)) for n in range(count + 1)]
    assert weeks_between(week_of(first), week_of(last)) == tuple(weeks[1:-1])
    assert monday_of(weeks[0]) <= first.date() < monday_of(weeks[0]) + timedelta(days=7)


@pytest.mark.parametrize(
    ("week", "words"),
    [("2026-W47", "16 to 22 November 2026"), ("2026-W31", "27 July to 2 August 2026")],
)
def test_a_week_is_said_in_days(week: str, words: str) -> None:
    assert days_of(week) == words


def test_in_its_first_week_a_suite_shows_the_cases_that_fell_from_the_baseline(tmp_path: Path) -> None:
    approved = made.finished(W52, made.passing(40))
    store = made.approve(tmp_path, approved, "refunds", made.SUCCESS, Bar(margin=0.05))
    names = [trial.case.id for trial in approved.trials]
    worse = [made.trial(name, {"success": place >= 12}) for place, name in enumerate(names)]
    view = week_report(made.history(tmp_path, made.finished(W53, worse)), store, now=made.NOW)
    metric = only(view)
    assert metric.last is None
    assert [change.case for change in metric.fell] == names[:12]
    assert {(change.before, change.now, change.said_before) for change in metric.fell} == {(1.0, 0.0, "")}
    assert all(change.said_now for change in metric.fell)
