"""Trials that go by one at a time are counted as if all had been there."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from pytest_agenteval.model.case import Case
from pytest_agenteval.model.score import Score
from pytest_agenteval.model.trajectory import Trajectory
from pytest_agenteval.model.trial import Trial
from pytest_agenteval.pipeline.tally import Look, Tally

AT = datetime(2026, 11, 24, 9, tzinfo=UTC)


def made(case: str, attempt: int, values: dict[str, Any], suite: str = "s", **fields: Any) -> Trial:
    scores = [
        Score(metric=name, value=value)
        if not isinstance(value, str)
        else Score(metric=name, value=None, reason=value, evidence={"needs": value})
        for name, value in values.items()
    ]
    told: dict[str, Any] = {"scores": tuple(scores), "at": AT, "trajectory": Trajectory(output=f"{case} {attempt}")}
    return Trial(
        id=f"{case}-{attempt}",
        case=Case(id=case, input="q", suite=suite, tags=("t",)),
        attempt=attempt,
        **told | fields,
    )


def test_attempts_without_a_value_and_those_not_asked_are_told_apart() -> None:
    trials = [
        made("a", 1, {"x": 1.0}),
        made("a", 2, {"x": "steps", "y": 3.5}),
        made("b", 1, {"x": "expect.calls"}),
        made("c", 1, {"y": 0.0}),
    ]
    tally = Tally.of(trials)
    assert tally.metrics == ["x", "y"]
    a, b = tally.attempts("x")
    assert (a.case, a.values, a.answers, a.reason, a.not_asked) == ("a", (1.0,), (trials[0].answer_digest,), "", False)
    assert (b.case, b.values, b.reason, b.not_asked, b.tags) == ("b", (), "expect.calls", True, ("t",))
    assert [(one.case, one.values) for one in tally.attempts("y")] == [("a", (3.5,)), ("c", (0.0,))]
    assert [one.case for one in tally.attempts("y", without={"a"})] == ["c"]
    assert list(tally.attempts("z")) == list(Tally().attempts("x")) == []


def test_the_metrics_of_a_case_share_its_answers() -> None:
    tally = Tally.of([made("a", n, {"x": 1.0, "y": 0.0}) for n in (1, 2, 3)])
    [one], [other] = tally.attempts("x"), tally.attempts("y")
    assert one.answers is other.answers
    assert len(one.answers) == 3


def test_evidence_of_calibration_is_kept() -> None:
    pair = Score(metric="x", value=0.1, evidence={"confidence": 0.9, "correct": 1})
    [one] = Tally.of([made("a", 1, {}, scores=(pair,))]).attempts("x")
    assert one.scores == (pair,)


def test_a_look_tells_of_each_suite_what_came_when_and_whence() -> None:
    trials = [
        made("a", 1, {}, "live", trajectory=Trajectory(output=1, cached=True)),
        made("a", 1, {}, "mixed", at=AT, origin="replay"),
        made("b", 1, {}, "mixed", at=AT),
        made("a", 1, {}, "old", at=AT - timedelta(days=1), origin="replay"),
        made("b", 1, {}, "old", at=AT - timedelta(days=2), origin="replay"),
    ]
    look = Look.of(trials, {("live", "a", 1), ("live", "b", 1)})
    assert look.unfinished == {("live", "b", 1)}
    assert look.suites["mixed"].origins == {"live", "replay"}
    assert look.cached == {"live": 1}
    assert look.recorded(AT) == {"old": AT - timedelta(days=2)}
    assert look.recorded(AT - timedelta(days=3)) == {}
