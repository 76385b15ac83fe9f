from __future__ import annotations

import math
import tracemalloc
from random import Random
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.stats import bootstrap

from pytest_agenteval.stats import bca_from_replicates, bca_interval, paired_bootstrap
from pytest_agenteval.stats.bootstrap import LEAST_CASES

SCORES = st.lists(st.integers(-8, 8).map(lambda tenth: tenth / 10), min_size=LEAST_CASES, max_size=60)
SKEWED = np.random.default_rng(1).lognormal(size=60).round(6)


def mean_of(rows: NDArray[Any]) -> float:
    return float(rows.mean())


def f1(rows: NDArray[Any]) -> float | None:
    hits, errors = float((rows[:, 0] * rows[:, 1]).sum()), float(np.abs(rows[:, 0] - rows[:, 1]).sum())
    return 2.0 * hits / (2.0 * hits + errors) if hits + errors else None


@pytest.mark.parametrize("confidence", [0.8, 0.95])
@pytest.mark.parametrize("scores", [SKEWED, (SKEWED > 1.5).astype(float)])
def test_limits_from_replicates_agree_with_scipy(scores: NDArray[Any], confidence: float) -> None:
    drawn = bootstrap((scores,), np.mean, n_resamples=1999, rng=np.random.default_rng(2), confidence_level=confidence)
    oracle = drawn.confidence_interval
    left_out = [np.delete(scores, case).mean() for case in range(len(scores))]
    found = bca_from_replicates(scores.mean(), drawn.bootstrap_distribution.tolist(), left_out, confidence)
    assert (found["lo"], found["hi"]) == pytest.approx((oracle.low, oracle.high), abs=1e-9)


@given(
    st.floats(-5, 5),
    st.lists(st.floats(-5, 5), min_size=2, max_size=40),
    st.lists(st.floats(-5, 5), min_size=2, max_size=20),
)
def test_limits_enclose_the_estimate_and_are_none_together(
    estimate: float, replicates: list[float], left_out: list[float]
) -> None:
    found = bca_from_replicates(estimate, replicates, left_out)
    if found["lo"] is None or found["hi"] is None:
        assert set(found.values()) == {None}
        assert min(replicates) >= estimate - 1e-9 or max(replicates) <= estimate + 1e-9 or np.ptp(replicates) < 1e-9
    else:
        assert min(estimate, *replicates) <= found["lo"] <= estimate <= found["hi"] <= max(estimate, *replicates)


@pytest.mark.parametrize(("sign", "end", "last"), [(1.0, "lo", -5.0), (-1.0, "hi", 5.0)])
def test_skewness_beyond_the_formula_puts_a_limit_at_the_last_replicate(sign: float, end: str, last: float) -> None:
    replicates = [sign * place for place in range(-5, 100)]
    found = bca_from_replicates(0.0, replicates, [sign * 100.0, *[0.0] * 400], confidence=0.9999999)
    assert dict(found)[end] == last


@given(st.lists(st.floats(-5, 5), min_size=5, max_size=40), st.randoms(use_true_random=False))
def test_the_order_of_replicates_does_not_change_a_bit(replicates: list[float], chance: Random) -> None:
    left_out = [0.1, 0.2, 0.3, 0.1 + 0.2]
    shuffled = chance.sample(replicates, len(replicates)), chance.sample(left_out, 4)
    assert bca_from_replicates(0.5, *shuffled) == bca_from_replicates(0.5, replicates, left_out)


@given(SCORES, st.integers(0, 3))
def test_the_bootstrap_of_a_mean_is_the_same_by_both_ways(scores: list[float], seed: int) -> None:
    [by_counts] = paired_bootstrap([[score] for score in scores], 199, seed=seed)
    by_cases = bca_interval(scores, mean_of, 199, seed=seed)
    assert by_counts["reason"] == by_cases["reason"]
    assert by_counts["estimate"] == pytest.approx(by_cases["estimate"], abs=1e-12)
    assert by_counts["lo"] == pytest.approx(by_cases["lo"], abs=1e-9)
    assert by_counts["hi"] == pytest.approx(by_cases["hi"], abs=1e-9)


@given(st.lists(st.tuples(*[st.integers(-8, 8).map(lambda x: x / 10)] * 3), min_size=20, max_size=50), st.randoms())
def test_the_order_of_cases_does_not_change_a_bit(rows: list[tuple[float, float, float]], chance: Random) -> None:
    shuffled = chance.sample(rows, len(rows))
    assert paired_bootstrap(shuffled, 99, seed=1) == paired_bootstrap(rows, 99, seed=1)
    assert bca_interval(shuffled, mean_of, 99, seed=1) == bca_interval(rows, mean_of, 99, seed=1)


@given(SCORES, st.sampled_from([0.25, 2.0, 1024.0]))
def test_limits_scale_with_the_metric_and_grow_with_confidence(scores: list[float], factor: float) -> None:
    assume(len(set(scores)) > 1)
    [wide], [scaled] = (paired_bootstrap([[s * f] for s in scores], 199, 0.95, seed=2) for f in (1.0, factor))
    [narrow] = paired_bootstrap([[score] for score in scores], 199, 0.8, seed=2)
    assert None not in (wide["lo"], wide["hi"])
    assert scaled["lo"] == pytest.approx((wide["lo"] or 0.0) * factor, rel=1e-9)
    assert (wide["lo"] or 0.0) <= (narrow["lo"] or 0.0) <= (wide["estimate"] or 0.0) + 1e-15
    assert (wide["estimate"] or 0.0) - 1e-15 <= (narrow["hi"] or 0.0) <= (wide["hi"] or 0.0)


def test_one_more_metric_does_not_change_the_ones_before() -> None:
    one = paired_bootstrap(SKEWED[:, None], 499, seed=3)
    two = paired_bootstrap(np.column_stack([SKEWED, SKEWED[::-1]]), 499, seed=3)
    assert two[:1] == one


def test_equal_metrics_share_their_resamples() -> None:
    one, two = paired_bootstrap(np.column_stack([SKEWED, SKEWED]), 499, seed=3)
    assert one == two


def test_resamples_follow_the_seed_and_are_the_same_on_every_machine_and_numpy() -> None:
    [one] = paired_bootstrap(SKEWED[:, None], 999, seed=1)
    [two] = paired_bootstrap(SKEWED[:, None], 999, seed=2)
    assert one != two
    assert (one["lo"], one["hi"]) == (1.09626081137, 1.89754136572)


def test_an_interval_of_a_mean_covers_as_the_design_says() -> None:
    """Beta(8, 1) at 50 cases: .942 in the table of the design, give or take three simulation errors."""
    chance, covered = np.random.default_rng(4), 0
    for seed in range(400):
        [found] = paired_bootstrap(chance.beta(8.0, 1.0, (50, 1)), 999, seed=seed)
        covered += (found["lo"] or 1.0) <= 8.0 / 9.0 <= (found["hi"] or 0.0)
    assert covered / 400 == pytest.approx(0.942, abs=3 * math.sqrt(0.06 * 0.94 / 400))


@pytest.mark.parametrize("cases", [1, LEAST_CASES - 1])
def test_few_cases_give_no_limits_and_say_so(cases: int) -> None:
    for found in (paired_bootstrap([[1.0]] * cases, seed=1)[0], bca_interval([1.0] * cases, mean_of, seed=1)):
        assert (found["estimate"], found["lo"], found["hi"]) == (1.0, None, None)
        assert found["reason"] == f"{cases} cases: 20 are needed to resample them"


def test_equal_cases_give_no_limits_and_say_so() -> None:
    for found in (paired_bootstrap([[0.1]] * 30, 99, seed=1)[0], bca_interval([0.1] * 30, mean_of, 99, seed=1)):
        assert (found["lo"], found["hi"]) == (None, None)
        assert "all resamples give the same value" in found["reason"]


def test_f1_has_limits_around_it() -> None:
    rows = [[1, 1]] * 20 + [[1, 0]] * 5 + [[0, 1]] * 3 + [[0, 0]] * 30
    found = bca_interval(rows, f1, 1999, seed=1)
    assert found["estimate"] == pytest.approx(40 / 48)
    assert found["lo"] == pytest.approx(0.7, abs=0.05)
    assert found["hi"] == pytest.approx(0.92, abs=0.03)


def test_a_statistic_that_is_often_undefined_gets_no_limits() -> None:
    rows = [[1, 1], [1, 0]] + [[0, 0]] * 40
    found = bca_interval(rows, f1, 999, seed=1)
    assert found["estimate"] == pytest.approx(2 / 3)
    assert (found["lo"], found["hi"]) == (None, None)
    assert "undefined in" in found["reason"]
    assert bca_interval([[0, 0]] * 40, f1, 999, seed=1)["reason"] == "the statistic is undefined over these cases"


@pytest.mark.parametrize("diffs", [[], [[1.0], [float("nan")]], [[float("inf")]]])
def test_gaps_and_nothing_at_all_are_refused(diffs: list[list[float]]) -> None:
    with pytest.raises(ValueError, match="take missing values out first"):
        paired_bootstrap(diffs, seed=1)


def test_a_single_column_without_an_axis_is_refused() -> None:
    with pytest.raises(ValueError, match="cases × metrics"):
        paired_bootstrap([0.0] * 30, seed=1)


def test_fifty_metrics_of_two_thousand_cases_stay_within_fifty_megabytes() -> None:
    table = np.random.default_rng(5).standard_normal((2000, 50))
    tracemalloc.start()
    found = paired_bootstrap(table, 10_000, seed=1)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(found) == 50
    assert peak < 50e6
