"""Scored trials and baselines, made of a table of values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from pytest_agenteval.model.baseline import Approval, Bar, Baseline
from pytest_agenteval.model.case import Case
from pytest_agenteval.model.score import MetricSpec, Score
from pytest_agenteval.model.trajectory import Trajectory
from pytest_agenteval.model.trial import Trial
from pytest_agenteval.model.verdict import Verdict
from pytest_agenteval.pipeline.aggregate import Measured, measure
from pytest_agenteval.pipeline.gate import judge
from pytest_agenteval.pipeline.looks import Gated, Policy

AT = datetime(2026, 11, 24, 9, tzinfo=UTC)
BINARY = MetricSpec(name="success", kind="binary")
BOUNDED = MetricSpec(name="f1")
COST = MetricSpec(name="cost_usd", kind="unbounded", range=None, better="lower")
Values = Mapping[str, Sequence[float | None]]
"""By case id, the value of each attempt; None where it has none."""


def trials(values: Values, spec: MetricSpec = BINARY, **how: Any) -> list[Trial]:
    """A trial a value; ``answers`` gives the output by case, ``wording`` the input."""
    answers, wording = how.get("answers", {}), how.get("wording", {})
    return [
        Trial(
            id=f"{case}-{attempt}",
            case=Case(id=case, suite="s", input=wording.get(case, "q")),
            trajectory=Trajectory(output=answers.get(case, f"answer of {case} {attempt} {value}")),
            attempt=attempt,
            at=AT,
            scores=(score(value, spec),),
        )
        for case, several in values.items()
        for attempt, value in enumerate(several, start=1)
    ]


def score(value: float | None, spec: MetricSpec = BINARY, reason: str = "the judge was down") -> Score:
    return Score(metric=spec.name, value=value, reason=reason if value is None else "")


def measured(values: Values, spec: MetricSpec = BINARY, **how: Any) -> Measured:
    return measure("s", spec, trials(values, spec, **how))


def binary(right: int, wrong: int, start: int = 0) -> dict[str, list[float]]:
    """Cases c0, c1, … of which the first ones are right."""
    return {f"c{start + n:04}": [1.0 if n < right else 0.0] for n in range(right + wrong)}


def flipped(values: Mapping[str, list[float]], *, lost: int = 0, won: int = 0) -> dict[str, list[float]]:
    """The same cases, of which ``lost`` right ones are now wrong and ``won`` wrong ones now right."""
    right = [case for case, value in values.items() if value == [1.0]][:lost]
    wrong = [case for case, value in values.items() if value == [0.0]][:won]
    return {**values, **{case: [0.0] for case in right}, **{case: [1.0] for case in wrong}}


def baseline(values: Values, spec: MetricSpec = BINARY, bar: Bar | None = None, **how: Any) -> Baseline:
    """A baseline of which all attempts are in the screen."""
    before = measured(values, spec, **how)
    return Baseline(
        suite="s",
        spec=spec,
        bar=bar or Bar(),
        screen=before.cases,
        estimate=before.estimate,
        approval=Approval(by="Dana", at=AT, reason="first", run="r0"),
    )


def doubtful(
    now: Values, again: Values | None, before: Values, *, held_back: Values | None = None, **how: Any
) -> Gated:
    """A metric of a live agent, whose baseline holds back as much as it shows unless told otherwise."""
    one = gated(before, now, **how)
    assert one.baseline is not None
    held = measured(before if held_back is None else held_back, one.spec).cases
    return replace(
        one,
        baseline=replace(one.baseline, held_back=held),
        looks_again=True,
        again=None if again is None else measured(again, one.spec),
    )


def gated(
    before: Values | None, now: Values, *, spec: MetricSpec = BINARY, bar: Bar | None = None, **how: Any
) -> Gated:
    """The metric before the gate; ``how`` goes to this run's trials."""
    return Gated(
        measured=measured(now, spec, **how),
        bar=bar or Bar(),
        baseline=None if before is None else baseline(before, spec),
    )


def verdict(one: Gated, mode: Any = "merge") -> Verdict:
    [found] = judge([one], Policy(mode=mode))
    return found
