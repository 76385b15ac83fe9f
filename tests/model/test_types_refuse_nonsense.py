"""The frozen types: what cannot be is refused where it is made, and what is derived is derived right."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import FrozenInstanceError, replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_agenteval.errors import InvalidValue, NotRecorded
from pytest_agenteval.model.baseline import Approval, Bar, Baseline
from pytest_agenteval.model.blocks import Cell, Column, Excerpt, Table
from pytest_agenteval.model.case import Case
from pytest_agenteval.model.change import Change
from pytest_agenteval.model.estimate import CaseScores, Estimate
from pytest_agenteval.model.run import FinishedRun, Run
from pytest_agenteval.model.score import MetricSpec, Score
from pytest_agenteval.model.trajectory import AgentIdentity, Fault, Step, Trajectory
from pytest_agenteval.model.trial import Trial
from pytest_agenteval.model.verdict import Outcome, Verdict
from tests.model.anything import EVERY_TYPE, baselines, scores, trajectories, trials

AT = datetime(2026, 11, 24, tzinfo=UTC)
NAIVE = AT.replace(tzinfo=None)
CASE = Case(id="a", input="q")
DONE = Trajectory(output="done")


def trial(**fields: Any) -> Trial:
    return Trial(**{"id": "t", "case": CASE, "trajectory": DONE, **fields})


def step(**fields: Any) -> Step:
    return Step(**{"kind": "tool", "name": "look", **fields})


def spec(**fields: Any) -> MetricSpec:
    return MetricSpec(**{"name": "m", **fields})


def estimate(**fields: Any) -> Estimate:
    return Estimate(**{"suite": "s", "metric": "m", "n": 1, "value": 0.5, **fields})


NONSENSE: dict[str, tuple[Callable[[], object], str]] = {
    "neither output nor error": (Trajectory, "either an output or an error"),
    "output and error": (
        lambda: Trajectory(output="x", error=Fault(kind="agent", type="E", message="m")),
        "either an output or an error",
    ),
    "a confidence over 1": (lambda: Trajectory(output="x", confidence=1.01), r"lies in \[0, 1\], this one is 1.01"),
    "a confidence under 0": (lambda: Trajectory(output="x", confidence=-0.1), r"lies in \[0, 1\]"),
    "a confidence of nan": (lambda: Trajectory(output="x", confidence=math.nan), r"lies in \[0, 1\]"),
    "negative seconds": (lambda: Trajectory(output="x", seconds=-1.0), "seconds of a trajectory must be"),
    "endless seconds": (lambda: step(seconds=math.inf), "seconds of step 'look' must be a finite number"),
    "a negative cost": (lambda: step(cost_usd=-0.01), "cost_usd of step 'look' .* not -0.01"),
    "negative tokens": (lambda: step(tokens_out=-1), "tokens_out of step 'look'"),
    "a kind of fault": (
        lambda: Fault(kind="bug", type="E", message="m"),  # type: ignore[arg-type]  # that is the point
        "one of agent, infrastructure, not 'bug'",
    ),
    "a kind of step": (lambda: step(kind="tol"), "one of message, model, tool, retrieval, not 'tol'"),
    "an origin": (lambda: trial(origin="lab"), "one of live, replay, shadow, production, not 'lab'"),
    "attempt 0": (lambda: trial(attempt=0), "attempts count from 1 and retries from 0, not 0 and 0"),
    "retries of -1": (lambda: trial(retries=-1), "not 1 and -1"),
    "a trial at no zone": (lambda: trial(at=NAIVE), "trial 't' has no time zone"),
    "two scores of one metric": (
        lambda: trial(scores=(Score(metric="m", value=1.0), Score(metric="m", value=0.0))),
        "two scores of one metric: m, m",
    ),
    "a score of nothing": (lambda: Score(metric="m", value=None), "has no value: say why in reason="),
    "a score of nan": (lambda: Score(metric="m", value=math.nan), "is nan; a score is finite, or None"),
    "a score of infinity": (lambda: Score(metric="m", value=math.inf), "is inf; a score is finite"),
    "a metric's name": (lambda: spec(name="Is It"), "small letters, digits and _"),
    "an empty name": (lambda: spec(name=""), "small letters, digits and _"),
    "a direction": (lambda: spec(better="up"), "is 'higher' or 'lower', not 'up'"),
    "an aggregate": (lambda: spec(aggregate="median"), "mean, pNN, pass_at_K, pass_hat_K or ece, not 'median'"),
    "the quantile 0": (lambda: spec(aggregate="p0"), "not 'p0'"),
    "pass_at_0": (lambda: spec(aggregate="pass_at_0"), "not 'pass_at_0'"),
    "a kind of metric": (lambda: spec(kind="fuzzy"), "kind= is one of binary, bounded, unbounded"),
    "on_agent_error": (lambda: spec(on_agent_error="ignore"), "on_agent_error= one of fail, missing, ask"),
    "a range turned around": (lambda: spec(range=(1.0, 0.0)), r"a range is \(lowest, highest\)"),
    "a range of one point": (lambda: spec(range=(1.0, 1.0)), "two finite numbers"),
    "an endless range": (lambda: spec(range=(0.0, math.inf)), "two finite numbers"),
    "a range of nan": (lambda: spec(range=(math.nan, 1.0)), "two finite numbers"),
    "unbounded with a range": (lambda: spec(kind="unbounded"), "an unbounded one has range=None"),
    "bounded without a range": (lambda: spec(range=None), "a binary or bounded metric has a range"),
    "values of nan": (lambda: CaseScores(fingerprint="f", values=(1.0, math.nan)), "must be finite"),
    "an estimate of nothing": (lambda: estimate(n=0), "a value exactly when n > 0"),
    "cases without an estimate": (lambda: estimate(value=None), "a value exactly when n > 0"),
    "an estimate under its interval": (lambda: estimate(low=0.6), "does not lie in its interval"),
    "an estimate over its interval": (lambda: estimate(high=0.4), "does not lie in its interval"),
    "an estimate of nan": (lambda: estimate(value=math.nan), "does not lie in its interval"),
    "an endless interval": (lambda: estimate(high=math.inf), "does not lie in its interval"),
    "a negative margin": (lambda: Bar(margin=-0.1), "the loss that is tolerated, at least 0"),
    "a floor of nan": (lambda: Bar(floor=math.nan), "a floor must be a finite number"),
    "an endless ceiling": (lambda: Bar(ceiling=math.inf), "a ceiling must be a finite number"),
    "an approval by nobody": (lambda: Approval(by=" ", at=AT, reason="r", run="1"), r"missing: \['by'\]"),
    "an approval for no reason": (lambda: Approval(by="d", at=AT, reason="", run=""), r"missing: \['reason', 'run'\]"),
    "an approval at no zone": (lambda: Approval(by="d", at=NAIVE, reason="r", run="1"), r"missing: \['time zone'\]"),
    "a change by nobody": (
        lambda: Change(at=AT, actor="", action="a", subject="s", reason=" "),
        "empty: actor, reason",
    ),
    "a run at no zone": (lambda: Run(id="r", started=NAIVE), "the start of run 'r' has no time zone"),
    "a verdict without a next step": (
        lambda: Verdict(suite="s", metric="m", outcome=Outcome.REGRESSED, message="x"),
        "the verdict regressed of s/m must name the next step",
    ),
    "a row of another length": (
        lambda: Table(caption="c", columns=(Column(title="a"),), rows=((Cell(), Cell()),)),
        "the table 'c' has 1 columns, and a row of 2 cells",
    ),
}


@pytest.mark.parametrize("name", NONSENSE)
def test_nonsense_is_refused_with_the_reason(name: str) -> None:
    make, said = NONSENSE[name]
    with pytest.raises(InvalidValue, match=said):
        make()


@pytest.mark.parametrize(("kind", "strategy"), EVERY_TYPE, ids=lambda part: getattr(part, "__name__", ""))
@given(data=st.data())
def test_a_value_cannot_be_altered(kind: type, strategy: st.SearchStrategy[Any], data: st.DataObject) -> None:
    value = data.draw(strategy)
    name = next(iter(kind.__dataclass_fields__))  # type: ignore[attr-defined]  # each is a dataclass
    with pytest.raises(FrozenInstanceError):
        setattr(value, name, None)
    with pytest.raises((AttributeError, TypeError)):
        value.brand_new = 1
    assert not hasattr(value, "__dict__")


@given(trajectories)
def test_totals_count_what_is_known_and_are_none_where_nothing_is(trajectory: Trajectory) -> None:
    parts = [
        number for one in trajectory.steps or () for number in (one.tokens_in, one.tokens_out) if number is not None
    ]
    costs = [one.cost_usd for one in trajectory.steps or () if one.cost_usd is not None]
    assert trajectory.tokens == (sum(parts) if parts else None)
    assert trajectory.cost_usd == (sum(costs) if costs else None)


def test_without_steps_nothing_is_said_of_the_calls() -> None:
    with pytest.raises(NotRecorded, match="the agent reported no steps, so nothing can be said"):
        trial().called("delete_customer")
    with pytest.raises(NotRecorded, match=r"Step\(kind='tool'"):
        _ = trial().calls


def test_with_steps_it_is_known_what_was_called() -> None:
    steps = (step(kind="message", name="delete"), step(name="look"))
    made = trial(trajectory=Trajectory(output="x", steps=list(steps)))  # type: ignore[arg-type]  # a list will do
    assert made.called("look")
    assert not made.called("delete")
    assert made.calls == steps[1:]
    assert trial(trajectory=Trajectory(output="x", steps=())).calls == ()


def test_a_trial_tells_its_output_or_its_error_and_its_key() -> None:
    fault = Fault(kind="agent", type="ValueError", message="boom")
    erred = trial(trajectory=Trajectory(error=fault), case=replace(CASE, suite="s"), attempt=2)
    assert (erred.output, erred.error, erred.key) == (None, fault, ("s", "a", 2))
    assert (trial().output, trial().error) == ("done", None)


@given(trials, st.lists(scores, max_size=3))
def test_scores_are_joined_in_the_order_of_their_names_and_the_later_one_stands(
    given_: Trial, more: list[Score]
) -> None:
    joined = given_.with_scores(more)
    assert [score.metric for score in joined.scores] == sorted({s.metric for s in (*given_.scores, *more)})
    for score in more:
        assert joined.score(score.metric) in more
    assert joined.score("never_asked_of_anybody") is None
    assert replace(joined, scores=given_.scores) == given_


@given(trials)
def test_fingerprint_and_digest_stay_when_the_texts_are_changed_later(made: Trial) -> None:
    redacted = replace(made, case=replace(made.case, input="[redacted]"), trajectory=Trajectory(output="[redacted]"))
    assert redacted.case_fingerprint == made.case.fingerprint
    assert redacted.answer_digest == made.trajectory.content_digest


@given(trajectories)
def test_equal_answers_are_those_that_differ_in_time_and_cost_alone(made: Trajectory) -> None:
    slower = replace(
        made,
        seconds=99.0,
        agent=AgentIdentity(name="other"),
        steps=made.steps and tuple(replace(one, seconds=9.0, cost_usd=9.0, tokens_in=9) for one in made.steps),
    )
    assert slower.content_digest == made.content_digest
    assert Trajectory(output=[made.output, "x"]).content_digest != made.content_digest


def test_the_worst_and_best_value_follow_the_direction() -> None:
    higher, lower = spec(), spec(better="lower", range=(0.0, 5.0))
    assert (higher.worst, higher.best, lower.worst, lower.best) == (0.0, 1.0, 5.0, 0.0)
    free = spec(kind="unbounded", range=None)
    assert (free.worst, free.best) == (None, None)


@given(st.lists(st.floats(0, 1), min_size=1))
def test_the_mean_of_a_case_does_not_depend_on_the_order_of_its_attempts(values: list[float]) -> None:
    turned = CaseScores(fingerprint="f", values=tuple(reversed(values)))
    assert CaseScores(fingerprint="f", values=tuple(values)).mean == turned.mean


@given(baselines)
def test_a_baseline_is_of_the_metric_that_its_spec_names(baseline: Baseline) -> None:
    assert baseline.metric == baseline.spec.name


def test_a_replay_is_dated_by_its_recording() -> None:
    run = Run(id="r", started=AT, recorded={"refunds": datetime(2026, 1, 1, tzinfo=UTC)})
    assert (run.week_of("refunds"), run.week_of("billing")) == ("2026-W01", "2026-W48")


def test_a_row_a_column_makes_a_table() -> None:
    table = Table(caption="c", columns=(Column(title="a"),), rows=((Cell(text="1"),), (Cell(),)))
    assert [row[0].text for row in table.rows] == ["1", ""]


def test_a_run_stands_for_a_suite_that_ran_whole_and_with_its_own_agent() -> None:
    run = Run(id="r", started=AT, partial=("refunds",))
    assert run.stands_for("billing")
    assert not run.stands_for("refunds")
    assert not replace(run, candidate="gpt").stands_for("billing")


def test_a_finished_run_tells_the_trials_of_each_suite() -> None:
    made = [trial(id=suite, case=replace(CASE, suite=suite)) for suite in ("b", "a", "b")]
    finished = FinishedRun(run=Run(id="r", started=AT), trials=made)
    assert finished.suites() == ("a", "b")
    assert [one.case.suite for one in finished.of_suite("b")] == ["b", "b"]


@given(st.text(max_size=1500))
def test_an_excerpt_shows_a_beginning_and_tells_what_it_leaves_out(text: str) -> None:
    excerpt = Excerpt(label="answer", text=text)
    assert len(excerpt.shown) + excerpt.left_out == len(text)
    assert text.startswith(excerpt.shown)
