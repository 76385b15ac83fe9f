from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_agenteval.errors import MetricError
from pytest_agenteval.metrics import (
    cost_usd,
    latency_p95_seconds,
    latency_seconds,
    log_latency_seconds,
    score_trial,
    slower_than,
    tokens,
)
from pytest_agenteval.model.trajectory import Step
from tests.metrics.trials import faulty, trial

COUNTS = st.none() | st.integers(0, 10**6)


def model_step(cost: float | None, used: int | None = None) -> Step:
    return Step(kind="model", name="m", tokens_in=used, cost_usd=cost)


@given(seconds=st.floats(0, 1e6))
def test_latency_is_the_time_the_agent_took_whether_it_erred_or_not(seconds: float) -> None:
    for metric in (latency_seconds, latency_p95_seconds):
        assert score_trial(metric, trial(seconds=seconds)).value == seconds
        assert score_trial(metric, faulty(seconds=seconds)).value == seconds


def test_latency_is_summed_up_as_median_and_as_95th_percentile() -> None:
    assert (latency_seconds.spec.aggregate, latency_p95_seconds.spec.aggregate) == ("p50", "p95")


@given(counts=st.lists(st.tuples(COUNTS, COUNTS), max_size=4))
def test_tokens_are_the_sum_of_all_that_is_known(counts: list[tuple[int | None, int | None]]) -> None:
    steps = tuple(Step(kind="model", tokens_in=used, tokens_out=made) for used, made in counts)
    known = [count for pair in counts for count in pair if count is not None]
    assert score_trial(tokens, trial(steps=steps)).value == (sum(known) if known else None)


@given(costs=st.lists(st.floats(0.01, 1), min_size=1))
def test_cost_is_the_sum_over_the_steps(costs: list[float]) -> None:
    score = score_trial(cost_usd(), trial(steps=tuple(model_step(cost, 10) for cost in costs)))
    assert score.value == pytest.approx(sum(costs))


def test_a_cost_of_0_although_tokens_were_used_is_an_unknown_price() -> None:
    score = score_trial(cost_usd(), trial(steps=(model_step(0.0, 1200), model_step(0.0, 34))))
    assert score.value is None
    assert score.reason == "0 is stored although 1234 tokens were used: the price is unknown"


def test_a_model_that_is_really_free_costs_0() -> None:
    assert score_trial(cost_usd(zero_is_free=True), trial(steps=(model_step(0.0, 1200),))).value == 0


def test_a_cost_of_0_without_tokens_is_0() -> None:
    assert score_trial(cost_usd(), trial(steps=(model_step(0.0),))).value == 0


def test_a_cost_that_nobody_told_is_not_evaluated() -> None:
    assert score_trial(cost_usd(), trial(steps=(model_step(None, 1200),))).value is None
    assert score_trial(cost_usd(), trial()).value is None


def test_an_agent_that_erred_has_cost_what_it_used() -> None:
    assert score_trial(cost_usd(), faulty(steps=(model_step(0.5, 100),))).value == 0.5


@given(seconds=st.floats(0, 1e6), limit=st.floats(1e-3, 1e6))
def test_a_call_is_slower_where_it_took_longer_than_the_limit(seconds: float, limit: float) -> None:
    assert score_trial(slower_than(limit), trial(seconds=seconds)).value == (seconds > limit)


def test_an_agent_that_erred_was_not_in_time() -> None:
    assert score_trial(slower_than(90), faulty(seconds=0.1)).value == 1


@pytest.mark.parametrize("limit", [0, -1, math.inf, math.nan])
def test_a_limit_that_no_call_could_have_is_refused(limit: float) -> None:
    with pytest.raises(MetricError, match="the limit is a number of seconds above 0"):
        slower_than(limit)


@given(seconds=st.floats(1e-6, 1e6), factor=st.floats(0.1, 10))
def test_log_latency_differs_by_the_log_of_the_ratio(seconds: float, factor: float) -> None:
    one, other = (score_trial(log_latency_seconds, trial(seconds=each)).value for each in (seconds, seconds * factor))
    assert one is not None
    assert other is not None
    assert other - one == pytest.approx(math.log(factor), abs=1e-9)


def test_no_time_and_no_seconds_are_no_latency() -> None:
    assert score_trial(log_latency_seconds, trial(seconds=0)).value is None
    assert score_trial(log_latency_seconds, trial(seconds=None)).value is None
