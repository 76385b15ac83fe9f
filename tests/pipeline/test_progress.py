"""How far a run has come: what is added up, and what is said of it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pytest_agenteval.model.case import Case
from pytest_agenteval.model.score import Score
from pytest_agenteval.model.trajectory import Step, Trajectory
from pytest_agenteval.model.trial import Trial
from pytest_agenteval.pipeline.progress import Progress, Tally


def trial(name: str = "t", *, cached: bool = False, tokens: int | None = None, **scores: float | None) -> Trial:
    step = Step(kind="model", tokens_in=tokens, cost_usd=None if tokens is None else tokens / 1000)
    made = [Score(metric=one, value=value, reason="" if value is not None else "no") for one, value in scores.items()]
    trajectory = Trajectory(output="x", steps=(step,), cached=cached)
    return Trial(id=name, case=Case(id="a", input="x"), trajectory=trajectory, scores=tuple(made))


def tally(*trials: Trial) -> Progress:
    found = Tally(["success", "tone"])
    for one in trials:
        found.take(one)
    return found.progress(len(trials), 10, 2.0)


def test_the_score_is_the_mean_of_success_or_of_the_first_gating_metric_that_has_a_value() -> None:
    both = tally(trial("1", success=1.0, tone=0.0), trial("2", success=0.0, tone=0.0), trial("3", success=None))
    assert (both.metric, both.score) == ("success", 0.5)
    other = tally(trial("1", success=None, tone=0.25, steps=4.0))
    assert (other.metric, other.score) == ("tone", 0.25)
    assert (tally(trial(steps=4.0)).metric, tally().score) == ("", None)


def test_items_that_share_a_trial_count_it_once_and_the_cache_costs_nothing() -> None:
    now = tally(trial(success=1.0, tokens=900), trial(tone=0.0, tokens=900), trial("2", success=0.0, tokens=100))
    assert (now.score, now.tokens, now.usd) == (0.5, 1000, 1.0)
    cached = tally(trial(success=1.0, tokens=900, cached=True))
    assert (cached.score, cached.tokens, cached.usd) == (1.0, None, None)


def test_what_nobody_tells_is_not_said() -> None:
    assert Progress(done=0, total=5, seconds=0.0).words() == "0 of 5"
    assert tally(trial()).words() == "1 of 10"


@given(st.integers(1, 10**6), st.integers(0, 10**6), st.floats(0, 10**6))
def test_the_time_left_is_that_of_the_rest_at_the_pace_so_far(done: int, left: int, seconds: float) -> None:
    now = Progress(done=done, total=done + left, seconds=seconds)
    assert ("left" in now.words()) == (left > 0 and done >= 3 and seconds >= 3)
    if now.seconds_left is not None:
        assert now.seconds_left * done <= seconds * left * 1.001
        assert (now.seconds_left == 0) == (left == 0)


def test_times_and_amounts_are_short() -> None:
    def said(**told: float) -> str:
        return Progress(**{"done": 9, "total": 9, "seconds": 1.0, **told}).words()  # type: ignore[arg-type]  # any of them

    assert [said(seconds=one)[10:] for one in (0.0, 59.4, 60, 75, 3599, 7325)] == [
        "1 s", "59 s", "1 min", "1 min 10 s", "59 min 50 s", "2 h 2 min",
    ]  # fmt: skip
    assert said(tokens=9_999) == "9 of 9 in 1 s, 9,999 tokens"
    assert said(tokens=10_000).endswith("10k tokens")
    assert said(tokens=1_250_000).endswith("1.2M tokens")
    assert said(usd=0.0999).endswith("0.0999 usd")
    assert said(usd=1234.5).endswith("1,234.50 usd")
