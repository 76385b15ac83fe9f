from __future__ import annotations

import math
from random import Random

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.stats import binom, hypergeom

from pytest_agenteval.stats import (
    case_regression_pvalue,
    flake_rate,
    pass_at_k,
    pass_hat_k,
    pass_k_suite,
    this_suite_se,
    variance_components,
)

CASES = st.integers(1, 20).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, n)))
GROUPS = st.lists(st.lists(st.integers(0, 8).map(lambda x: x / 8), min_size=2, max_size=5), min_size=2, max_size=8)


@given(CASES)
def test_one_trial_passes_as_often_as_the_case_did(case: tuple[int, int]) -> None:
    n, c = case
    assert pass_at_k(n, c, 1) == pass_hat_k(n, c, 1) == c / n


@given(CASES)
def test_more_trials_pass_at_least_once_more_often_and_all_less_often(case: tuple[int, int]) -> None:
    n, c = case
    once = [pass_at_k(n, c, k) for k in range(1, n + 1)]
    always = [pass_hat_k(n, c, k) for k in range(1, n + 1)]
    assert once == sorted(once, key=lambda rate: rate or 0.0)
    assert always == sorted(always, key=lambda rate: -(rate or 0.0))


@given(CASES, st.integers(1, 20))
def test_all_fail_is_the_mirror_of_all_pass(case: tuple[int, int], k: int) -> None:
    n, c = case
    assume(k <= n)
    assert pass_at_k(n, c, k) == pytest.approx(1.0 - (pass_hat_k(n, n - c, k) or 0.0), abs=1e-15)


def test_fewer_trials_than_k_are_undefined_and_not_one() -> None:
    assert pass_at_k(2, 2, 3) is None
    assert pass_hat_k(2, 2, 3) is None


def test_a_suite_leaves_out_undefined_cases_and_counts_the_rest() -> None:
    assert pass_k_suite([(5, 5), (2, 2)], 3, "at") == {"mean": 1.0, "se": None, "cases": 1}


def test_a_suite_without_a_defined_case_has_no_value() -> None:
    assert pass_k_suite([(1, 1)], 2, "hat") == {"mean": None, "se": None, "cases": 0}


@given(st.lists(CASES, min_size=1, max_size=10))
def test_a_suite_at_one_trial_has_the_mean_pass_rate(cases: list[tuple[int, int]]) -> None:
    mean = pass_k_suite(cases, 1, "at")["mean"]
    assert mean == pass_k_suite(cases, 1, "hat")["mean"]
    assert mean == pytest.approx(np.mean([c / n for n, c in cases]))


@given(GROUPS, st.randoms(use_true_random=False))
def test_variances_have_the_same_bits_in_every_order(groups: list[list[float]], chance: Random) -> None:
    shuffled = [chance.sample(group, len(group)) for group in groups]
    chance.shuffle(shuffled)
    assert variance_components(shuffled) == variance_components(groups)


@given(st.integers(2, 6), st.integers(2, 6), st.randoms(use_true_random=False))
def test_balanced_variances_are_those_of_the_textbook(n: int, r: int, chance: Random) -> None:
    scores = np.array([[chance.random() for _ in range(r)] for _ in range(n)])
    assume(scores.max() - scores.min() > 1e-6)
    within = scores.var(axis=1, ddof=1).mean()
    between = max(0.0, scores.mean(axis=1).var(ddof=1) - within / r)
    got = variance_components(scores.tolist())
    assert got["within"] == pytest.approx(within)
    assert got["between"] == pytest.approx(between, abs=1e-12)
    assert got["icc"] == pytest.approx(between / (between + within), abs=1e-12)


def test_where_nothing_varies_the_share_between_cases_is_unknown() -> None:
    assert variance_components([[0.5, 0.5], [0.5]]) == {"within": 0.0, "between": 0.0, "icc": None}


@pytest.mark.parametrize(("n", "c", "k"), [(3, 1, 2), (10, 4, 5), (40, 39, 30)])
def test_the_estimator_is_not_the_biased_power_of_the_rate(n: int, c: int, k: int) -> None:
    assert not math.isclose(pass_hat_k(n, c, k) or 0.0, (c / n) ** k)


@given(st.integers(2, 12), st.integers(0, 100).map(lambda percent: percent / 100))
def test_the_flake_rate_is_on_average_the_chance_that_two_trials_disagree(r: int, p: float) -> None:
    mean = math.fsum((flake_rate([(r, c)]) or 0.0) * binom.pmf(c, r, p) for c in range(r + 1))
    assert mean == pytest.approx(2.0 * p * (1.0 - p), abs=1e-12)


@given(st.lists(CASES, max_size=12), st.randoms(use_true_random=False))
def test_the_flake_rate_leaves_out_single_trials_and_ignores_order(
    cases: list[tuple[int, int]], chance: Random
) -> None:
    repeated = [case for case in cases if case[0] > 1]
    assert flake_rate(chance.sample(cases, len(cases))) == flake_rate(repeated)
    assert (flake_rate(cases) is None) is (not repeated)


@given(CASES, CASES)
def test_a_case_that_got_worse_agrees_with_scipys_hypergeometric(base: tuple[int, int], cand: tuple[int, int]) -> None:
    chances = hypergeom(base[0] + cand[0], base[1] + cand[1], cand[0])
    oracle = chances.cdf(cand[1]) - chances.pmf(cand[1]) / 2
    assert case_regression_pvalue(*base, *cand) == pytest.approx(oracle, abs=1e-10)


@given(CASES, CASES)
def test_one_more_pass_is_never_stronger_evidence_of_a_worse_case(base: tuple[int, int], cand: tuple[int, int]) -> None:
    worse, better = (case_regression_pvalue(*base, cand[0] + 1, kept) for kept in (cand[1], cand[1] + 1))
    assert 0.0 < worse < better or worse == better == 0.5


@pytest.mark.parametrize(("runs", "least"), [(1, 0.25), (3, 0.025), (5, 1 / 504)])
def test_few_trials_a_side_can_show_only_so_much(runs: int, least: float) -> None:
    assert case_regression_pvalue(runs, runs, runs, 0) == pytest.approx(least)


@given(GROUPS)
def test_the_error_over_this_very_suite_is_that_of_the_textbook(groups: list[list[float]]) -> None:
    noises = [np.var(group, ddof=1) / len(group) for group in groups]
    assume(max(noises) > 0.0)
    twice = math.sqrt(2.0 * sum(noises)) / len(groups)
    assert this_suite_se(groups, groups) == pytest.approx(twice)
    assert this_suite_se([[1.0, 1.0]] * len(groups), groups) == pytest.approx(twice / math.sqrt(2.0))


def test_single_repeats_or_equal_ones_give_no_error_over_this_suite() -> None:
    assert this_suite_se([[0.0, 1.0], [1.0]], [[1.0, 1.0], [1.0, 1.0]]) is None
    assert this_suite_se([[1.0, 1.0]], [[0.0, 0.0]]) is None
