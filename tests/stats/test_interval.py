from __future__ import annotations

import math
from random import Random
from typing import get_args

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.stats import beta as beta_distribution
from scipy.stats import binomtest, norm, sem
from scipy.stats import t as student

from pytest_agenteval.stats import clustered_se, mean_ci, proportion_ci, proportion_upper, wilson_effective_n
from pytest_agenteval.stats.interval import ProportionMethod

METHODS: tuple[ProportionMethod, ...] = get_args(ProportionMethod)
COUNTS = st.integers(1, 400).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))
CONFIDENCES = st.sampled_from([0.8, 0.9, 0.95, 0.99])
SHARES = st.lists(st.sampled_from([0.0, 0.25, 1 / 3, 0.5, 2 / 3, 1.0]), min_size=2, max_size=40)


@given(COUNTS, CONFIDENCES, st.sampled_from(METHODS))
def test_a_proportion_lies_in_its_interval_which_has_width(
    counts: tuple[int, int], confidence: float, method: ProportionMethod
) -> None:
    low, high = proportion_ci(*counts, method, confidence)
    assert 0.0 <= low <= counts[0] / counts[1] <= high <= 1.0
    assert low < high


@given(COUNTS, CONFIDENCES, st.sampled_from(METHODS))
def test_counting_failures_instead_of_successes_mirrors_the_interval(
    counts: tuple[int, int], confidence: float, method: ProportionMethod
) -> None:
    k, n = counts
    low, high = proportion_ci(k, n, method, confidence)
    assert proportion_ci(n - k, n, method, confidence) == pytest.approx((1 - high, 1 - low), abs=1e-12)


@given(COUNTS, st.sampled_from(METHODS))
def test_one_success_more_raises_both_limits(counts: tuple[int, int], method: ProportionMethod) -> None:
    k, n = counts
    assume(k < n)
    fewer, more = proportion_ci(k, n, method), proportion_ci(k + 1, n, method)
    assert fewer[0] <= more[0]
    assert fewer[1] <= more[1]


@given(COUNTS, st.sampled_from(METHODS))
def test_more_confidence_is_wider_and_four_times_the_cases_narrower(
    counts: tuple[int, int], method: ProportionMethod
) -> None:
    k, n = counts
    low, high = proportion_ci(k, n, method)
    wider_low, wider_high = proportion_ci(k, n, method, 0.99)
    more_low, more_high = proportion_ci(4 * k, 4 * n, method)
    assert wider_high - wider_low > high - low > more_high - more_low


@given(COUNTS, CONFIDENCES)
def test_wilson_and_clopper_pearson_agree_with_scipy(counts: tuple[int, int], confidence: float) -> None:
    exact = binomtest(*counts)
    wilson = exact.proportion_ci(confidence, "wilson")
    clopper = exact.proportion_ci(confidence, "exact")
    assert proportion_ci(*counts, "wilson", confidence) == pytest.approx(tuple(wilson), abs=1e-12)
    assert proportion_ci(*counts, "clopper-pearson", confidence) == pytest.approx(tuple(clopper), abs=1e-9)


@given(COUNTS, CONFIDENCES)
def test_jeffreys_is_the_beta_posterior_between_the_ends(counts: tuple[int, int], confidence: float) -> None:
    k, n = counts
    assume(0 < k < n)
    posterior = beta_distribution(k + 0.5, n - k + 0.5).interval(confidence)
    assert proportion_ci(k, n, "jeffreys", confidence) == pytest.approx(posterior, abs=1e-9)


@given(COUNTS, CONFIDENCES)
def test_the_one_sided_upper_bound_agrees_with_scipy(counts: tuple[int, int], confidence: float) -> None:
    oracle = binomtest(*counts, alternative="less").proportion_ci(confidence, "exact").high
    assert proportion_upper(*counts, confidence) == pytest.approx(oracle, abs=1e-9)


@given(st.lists(st.floats(-100, 100), min_size=2, max_size=40), CONFIDENCES)
def test_the_t_interval_agrees_with_scipy(values: list[float], confidence: float) -> None:
    assume(max(values) - min(values) > 1e-3)
    got = mean_ci(values, confidence)
    assert got["lo"] is not None
    assert got["hi"] is not None
    assert (got["lo"] + got["hi"]) / 2 == pytest.approx(got["mean"], abs=1e-12)
    # Asked for the tail: the quantiles of scipy 1.12 have nine digits.
    beyond = student.sf((got["hi"] - got["lo"]) / 2 / sem(values), len(values) - 1)
    assert beyond == pytest.approx((1 - confidence) / 2, rel=1e-7)


@given(SHARES, st.randoms(use_true_random=False))
def test_intervals_of_means_have_the_same_bits_in_every_order(values: list[float], chance: Random) -> None:
    shuffled = list(values)
    chance.shuffle(shuffled)
    assert mean_ci(shuffled) == mean_ci(values)
    assert wilson_effective_n(shuffled, 3) == wilson_effective_n(values, 3)


@given(SHARES)
def test_a_bounded_mean_lies_in_an_interval_inside_the_range(values: list[float]) -> None:
    got = mean_ci(values, bounds=(0.0, 1.0))
    assert got["lo"] is not None
    assert got["hi"] is not None
    assert 0.0 <= got["lo"] <= got["mean"] <= got["hi"] <= 1.0
    assert got["lo"] < got["hi"]


def test_one_value_has_a_mean_and_no_interval() -> None:
    assert mean_ci([0.5]) == {"mean": 0.5, "se": None, "lo": None, "hi": None}


def test_equal_values_of_an_unbounded_metric_have_no_interval() -> None:
    assert mean_ci([3.0] * 5) == {"mean": 3.0, "se": 0.0, "lo": None, "hi": None}


def test_equal_values_at_the_end_of_a_range_are_as_unsure_as_wilson() -> None:
    assert mean_ci([1.0] * 10, bounds=(0.0, 1.0))["lo"] == pytest.approx(proportion_ci(10, 10)[0])


@given(st.lists(st.tuples(st.floats(0, 1), st.sampled_from("abc")), min_size=1, max_size=30))
def test_the_clustered_error_is_that_of_the_definition(trials: list[tuple[float, str]]) -> None:
    values, clusters = [value for value, _ in trials], [cluster for _, cluster in trials]
    groups, mean = set(clusters), math.fsum(values) / len(values)
    got = clustered_se(values, clusters)
    if len(groups) == 1:
        assert got is None
        return
    spread = sum(sum(v - mean for v, c in trials if c == group) ** 2 for group in groups)
    expected = math.sqrt(len(groups) / (len(groups) - 1) * spread) / len(values)
    assert got == pytest.approx(expected, rel=1e-9, abs=1e-12)


@given(st.lists(st.floats(0, 1), min_size=2, max_size=20), st.integers(1, 5))
def test_with_equal_repeats_the_clustered_error_is_that_of_the_case_means(means: list[float], repeats: int) -> None:
    values = [mean for mean in means for _ in range(repeats)]
    clusters = [case for case in range(len(means)) for _ in range(repeats)]
    assert clustered_se(values, clusters) == pytest.approx(mean_ci(means)["se"], rel=1e-9, abs=1e-12)


@given(SHARES, st.integers(1, 10), CONFIDENCES)
def test_a_pass_rate_with_repeats_lies_in_its_interval(means: list[float], repeats: int, confidence: float) -> None:
    got = wilson_effective_n(means, repeats, confidence)
    assert got["lo"] is not None
    assert got["hi"] is not None
    assert 0.0 <= got["lo"] <= math.fsum(means) / len(means) + 1e-12
    assert math.fsum(means) / len(means) - 1e-12 <= got["hi"] <= 1.0
    assert 1.0 <= got["n_eff"] <= len(means) * repeats


@given(st.lists(st.integers(0, 1), min_size=2, max_size=60))
def test_repeats_that_always_agree_are_worth_no_more_than_one(results: list[int]) -> None:
    assert wilson_effective_n(results, 10)["n_eff"] <= len(results)


def test_one_case_gives_no_interval_however_often_it_ran() -> None:
    assert wilson_effective_n([0.7], 10) == {"n_eff": 1.0, "lo": None, "hi": None}


def test_agresti_coull_is_a_plain_interval_around_two_more_of_each() -> None:
    z = norm.isf(0.025)
    centre = (15 + z * z / 2) / (148 + z * z)
    assert sum(proportion_ci(15, 148, "agresti-coull")) / 2 == pytest.approx(centre)


def test_the_width_of_equal_values_follows_the_range() -> None:
    share = proportion_ci(10, 10)[0]
    assert mean_ci([5.0] * 10, bounds=(1.0, 5.0))["lo"] == pytest.approx(1.0 + 4.0 * share)


@pytest.mark.parametrize("n", [2, 4, 10])
def test_results_without_repeats_are_worth_one_trial_less_than_their_number(n: int) -> None:
    assert wilson_effective_n([0.0, 1.0] * (n // 2), 1)["n_eff"] == pytest.approx(n - 1)
