from __future__ import annotations

import re
import time
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_agenteval.app.approve import Request, approve
from pytest_agenteval.app.held import Held, held_by, points
from pytest_agenteval.app.planning import Question, SuitePlan, plan, sight
from pytest_agenteval.app.workspace import Workspace
from pytest_agenteval.errors import BaselineError
from pytest_agenteval.model.baseline import Bar, Baseline
from pytest_agenteval.model.score import MetricSpec
from tests.app.projects import AT, cases, gate, project, run
from tests.pipeline.measures import BOUNDED, COST, baseline, doubtful

GATE = gate("success = { margin = 0.05 }")


class Wavering:
    """An agent that answers every fifth case otherwise from attempt to attempt."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, text: str) -> str:
        self.calls += 1
        return "no" if int(text.removeprefix("q")) % 5 == 0 and self.calls % 2 else "yes"


def approved(
    root: Path, settings: str = GATE, *, n: int = 60, repeats: int = 6, metrics: tuple[str, ...] = ()
) -> Workspace:
    workspace = project(root, settings)
    run(workspace, cases(n), Wavering(), repeats=repeats)
    approve(workspace, Request(suite="refunds", by="Dana", reason="good", at=AT, metrics=metrics))
    return workspace


def asked(workspace: Workspace, **how: object) -> SuitePlan:
    return plan(workspace, replace(Question(suite="refunds"), **how))  # type: ignore[arg-type]  # fields by name


def smallest(found: SuitePlan) -> float:
    [one] = found.metrics
    assert one.smallest is not None
    return one.smallest


def test_a_plan_tells_the_smallest_drop_the_needs_and_the_price(tmp_path: Path) -> None:
    found = asked(approved(tmp_path))
    assert (found.cases, found.repeats, found.family, found.notes) == (60, 1, 1, ())
    assert 0.05 < smallest(found) < 0.3
    assert [need.drop for need in found.needs] == pytest.approx([0.075, 0.1, None])
    assert all(set(need.cases) == {1, 3} for need in found.needs)
    assert found.expected is not None
    assert found.expected.seconds is not None
    assert found.expected.cost_usd is None


def test_more_cases_more_attempts_and_a_second_look_see_more(tmp_path: Path) -> None:
    workspace = approved(tmp_path)
    now = smallest(asked(workspace))
    assert smallest(asked(workspace, cases=240)) < now
    assert smallest(asked(workspace, repeats=3)) < now
    [one] = asked(workspace).metrics
    assert one.held.references == (3, 3)
    assert smallest(asked(approved(tmp_path, repeats=1))) > now


def test_fewer_cases_are_needed_for_larger_drops_and_with_more_attempts(tmp_path: Path) -> None:
    first, second, passing = asked(approved(tmp_path)).needs
    for tries in (1, 3):
        assert (first.cases[tries] or 0) > (second.cases[tries] or 0)
    for need in (first, second, passing):
        assert (need.cases[1] or 0) > (need.cases[3] or 0)


def test_what_one_asks_for_goes_before_what_is_set(tmp_path: Path) -> None:
    workspace = approved(tmp_path)
    found = asked(workspace, margin=0.1, cases=500, repeats=2, power=0.9)
    assert (found.cases, found.repeats, found.metrics[0].held.margin) == (500, 2, 0.1)
    assert smallest(found) > smallest(asked(workspace, margin=0.1, cases=500, repeats=2))


def test_attempts_are_those_of_the_last_run_unless_a_baseline_was_made_of_it(tmp_path: Path) -> None:
    workspace = approved(tmp_path)
    assert asked(workspace).repeats == 1
    run(workspace, cases(60), repeats=2)
    assert asked(workspace).repeats == 2


def test_metrics_that_gate_together_are_told_of_together_and_each_sees_less(tmp_path: Path) -> None:
    one = smallest(asked(approved(tmp_path, n=120)))
    both = gate("success = { margin = 0.05 }\nerror_rate = { margin = 0.05 }\ncost_usd = { ceiling = 1 }")
    workspace = approved(tmp_path, both, n=120, metrics=("success", "error_rate"))
    found = asked(workspace)
    assert (found.family, [metric.held.spec.name for metric in found.metrics]) == (2, ["error_rate", "success"])
    assert smallest(asked(workspace, metrics=("success",))) > one
    assert found.notes == ("cost_usd gates, but has no baseline: it is left out here",)
    assert found.weakest.held.spec.name == "success"


@pytest.mark.parametrize(
    ("margin", "hint"), [(5.0, "; did you mean 0.05?"), (1.0, "; did you mean 0.01?"), (500.0, ". Name less")]
)
def test_a_margin_that_tolerates_everything_is_refused(tmp_path: Path, margin: float, hint: str) -> None:
    with pytest.raises(BaselineError) as told:
        asked(approved(tmp_path, n=10), margin=margin)
    assert str(told.value) == (f"--margin {margin:g} tolerates any loss of success, whose values lie from 0 to 1{hint}")


def test_a_slice_that_gates_counts_among_the_metrics() -> None:
    one = held_by(baseline({"a": [1.0]}), Bar(slices=("german", "french")))
    assert one is not None
    assert one.bars == 3


@pytest.mark.parametrize(
    ("spec", "aggregate", "bar"), [(COST, "mean", Bar(ceiling=1.0)), (COST, "p95", Bar(margin=1.0))]
)
def test_a_metric_whose_drop_stops_nothing_is_not_planned(spec: MetricSpec, aggregate: str, bar: Bar) -> None:
    made = baseline({"a": [1.0], "b": [2.0]}, spec)
    assert held_by(replace(made, spec=replace(spec, aggregate=aggregate)), bar) is None


def test_too_few_values_held_back_make_no_second_look() -> None:
    values = {f"c{n}": [1.0] for n in range(10)}
    few = doubtful(values, None, values, held_back={"c0": [1.0]}).baseline
    assert few is not None
    one = held_by(few, Bar())
    assert one is not None
    assert one.references == (1,)


def test_a_baseline_of_one_value_a_case_is_planned_with_an_assumption_that_is_told(tmp_path: Path) -> None:
    found = asked(approved(tmp_path, repeats=1))
    assert "one value a case" in found.notes[0]
    assert found.metrics[0].held.references == (1,)


def test_without_a_baseline_the_last_run_is_planned_by(tmp_path: Path) -> None:
    workspace = project(tmp_path, GATE)
    run(workspace, cases(60), Wavering(), repeats=2)
    found = asked(workspace)
    assert "no baseline yet" in found.notes[0]
    assert found.expected is not None
    assert found.expected.run in found.notes[0]
    assert (found.cases, found.metrics[0].held.references) == (60, (3, 3))


def test_without_a_run_nothing_is_known_but_the_number_of_cases(tmp_path: Path) -> None:
    workspace = project(tmp_path, GATE)
    with pytest.raises(BaselineError, match="--cases N"):
        asked(workspace)
    found = asked(workspace, cases=200)
    assert "one case in ten flips" in found.notes[0]
    assert found.expected is None
    assert 0.05 < smallest(found) < 0.12


def test_a_suite_too_small_to_see_anything_is_told_so(tmp_path: Path) -> None:
    [one] = asked(approved(tmp_path), cases=2).metrics
    assert one.smallest is None


@pytest.mark.parametrize(
    ("how", "told"),
    [
        ({"suite": "refnds"}, "did you mean 'refunds'"),
        ({"suite": "zzz"}, "name one that has tests, a run or a baseline"),
        ({"metrics": ("sucess",)}, "did you mean 'success'"),
        ({"cases": 0}, "cases must be at least 1"),
        ({"repeats": 0}, "repeats must be at least 1"),
        ({"margin": 0.0}, "the margin must be above 0"),
        ({"power": 1.0}, "between 0 and 1"),
    ],
)
def test_what_cannot_be_planned_is_refused_with_what_to_type(tmp_path: Path, how: dict[str, object], told: str) -> None:
    workspace = approved(tmp_path)
    with pytest.raises(BaselineError, match=told):
        asked(workspace, **how)


def test_a_suite_whose_metrics_are_not_compared_says_what_to_set(tmp_path: Path) -> None:
    workspace = approved(tmp_path, gate("latency_seconds = { ceiling = 1 }"), metrics=("latency_seconds",))
    with pytest.raises(BaselineError, match="nothing to plan"):
        asked(workspace)


def test_a_baseline_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    workspace = approved(tmp_path)
    workspace.baselines.path("refunds", "success").write_text("{}")
    with pytest.raises(BaselineError, match=re.escape("success.json")):
        asked(workspace)


def test_graded_and_unbounded_metrics_are_planned_in_their_own_points() -> None:
    assert points(0.074, MetricSpec(name="success", kind="binary")) == "7.4 points"
    assert points(0.074, replace(COST, unit="USD")) == "0.074 USD"
    graded = held_by(baseline({f"c{n}": [0.5, 0.7, n / 100] for n in range(60)}, BOUNDED), Bar())
    assert graded is not None
    assert not graded.pass_fail
    assert 0 < graded.population().level < 1


def test_a_lower_better_metric_falls_from_what_is_left_above_its_worst() -> None:
    failures = MetricSpec(name="failed", kind="binary", better="lower")
    held = Held(spec=failures, margin=0.02, values=[(0.0, 0.0)] * 9 + [(1.0, 1.0)])
    assert held.scatter.level > 0.8


# The one line.


def line(made: Baseline, *, looks_again: bool = True, n: int = 200) -> str:
    return sight({made.metric: made}, {}, cases=n, looks_again=looks_again)


def flaky(n: int = 200) -> Baseline:
    values = {f"c{place:03}": [1.0] * 6 if place % 5 else [1.0, 0.0] * 3 for place in range(n)}
    one = doubtful(values, None, values).baseline
    assert one is not None
    return one


def test_the_line_names_cases_flips_metrics_and_the_drop() -> None:
    pattern = r"with 200 cases, 1\d % flips and one gating metric this gate finds drops of \d\.\d points or more, "
    assert re.fullmatch(pattern + "8 times in 10", line(flaky()))


def drop_in(text: str) -> float:
    [found] = re.findall(r"drops of ([\d.]+) points", text)
    return float(found)


def test_the_line_sees_less_in_one_look_and_with_fewer_cases() -> None:
    assert drop_in(line(flaky(), looks_again=False)) > drop_in(line(flaky()))
    assert drop_in(line(flaky(), n=60)) > drop_in(line(flaky()))


def test_the_line_agrees_with_the_plan(tmp_path: Path) -> None:
    workspace = approved(tmp_path, n=200)
    baselines, _ = workspace.baselines.of_suite("refunds")
    seen = drop_in(sight(baselines, {"success": Bar(margin=0.05)}, cases=200, looks_again=True)) / 100
    assert seen == pytest.approx(smallest(asked(workspace)), rel=0.1)


def test_the_line_names_the_metric_that_sees_least_where_several_gate() -> None:
    graded = baseline({f"c{n:03}": [0.5 + n / 1000] * 3 for n in range(200)}, BOUNDED)
    both = {"success": flaky(), "f1": graded}
    assert " 2 gating metrics this gate finds drops of " in sight(both, {}, cases=200, looks_again=True)
    assert "or more in success, 8 times" in sight(both, {}, cases=200, looks_again=True)


def test_the_line_is_empty_where_nothing_is_compared_and_says_where_nothing_can_be_seen() -> None:
    assert sight({}, {}, cases=200, looks_again=True) == ""
    assert "does not find even a total loss" in sight(
        {"success": flaky()}, {"success": Bar(margin=0.95)}, cases=200, looks_again=True
    )


def test_the_line_is_cheap() -> None:
    made = flaky()
    begun = time.process_time()
    line(made)
    assert time.process_time() - begun < 0.1


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(0, 6), min_size=30, max_size=80), st.integers(1, 3))
def test_a_plan_of_any_suite_is_beyond_the_margin_and_at_most_a_total_loss(right: list[int], repeats: int) -> None:
    values = {f"c{n:03}": [1.0] * k + [0.0] * (6 - k) for n, k in enumerate(right)}
    text = sight({"success": baseline(values)}, {}, cases=len(right), repeats=repeats, looks_again=False)
    assert "total loss" in text or 2.0 <= drop_in(text) <= 100.0
