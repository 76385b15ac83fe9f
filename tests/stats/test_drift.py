from __future__ import annotations

from random import Random

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.spatial.distance import jensenshannon
from scipy.stats import chi2, chi2_contingency

from pytest_agenteval.stats import (
    chi2_homogeneity,
    decile_counts,
    drifted,
    js_distance,
    ks_two_sample,
    psi,
    psi_threshold,
)

BINS = st.lists(st.tuples(st.integers(0, 90), st.integers(0, 90)), min_size=2, max_size=12).filter(
    lambda pairs: all(map(sum, zip(*pairs, strict=True)))
)
FULL_BINS = st.lists(st.tuples(st.integers(25, 90), st.integers(25, 90)), min_size=2, max_size=6)
SAMPLES = st.lists(st.integers(-20, 20).map(lambda tenth: tenth / 10), min_size=1, max_size=30)


def sides(pairs: list[tuple[int, int]]) -> tuple[list[int], list[int]]:
    return [old for old, _ in pairs], [new for _, new in pairs]


@given(BINS)
def test_the_distance_agrees_with_scipy(pairs: list[tuple[int, int]]) -> None:
    assert js_distance(*sides(pairs)) == pytest.approx(np.nan_to_num(jensenshannon(*sides(pairs), base=2)), abs=1e-7)


@given(BINS)
def test_indices_are_symmetric_and_never_below_zero(pairs: list[tuple[int, int]]) -> None:
    old, new = sides(pairs)
    assert psi(old, new) == psi(new, old) >= 0.0
    assert js_distance(old, new) == js_distance(new, old)
    assert 0.0 <= js_distance(old, new) <= 1.0


@given(BINS, st.integers(1, 4))
def test_equal_shares_are_no_drift(pairs: list[tuple[int, int]], times: int) -> None:
    old, _ = sides(pairs)
    more = [times * count for count in old]
    assert psi(old, more) == pytest.approx(0.0, abs=1e-15)
    assert js_distance(old, more) == pytest.approx(0.0, abs=1e-7)


@given(BINS, st.randoms(use_true_random=False))
def test_the_order_of_the_bins_does_not_change_a_bit(pairs: list[tuple[int, int]], chance: Random) -> None:
    shuffled = chance.sample(pairs, len(pairs))
    for measure in (psi, js_distance):
        assert measure(*sides(shuffled)) == measure(*sides(pairs))
    assert chi2_homogeneity(*sides(shuffled)) == chi2_homogeneity(*sides(pairs))


@pytest.mark.parametrize("measure", [psi, js_distance, chi2_homogeneity])
@pytest.mark.parametrize(("old", "new"), [([1, 2], [3]), ([0, 0], [1, 1]), ([1, 1], [0, 0]), ([], [])])
def test_samples_that_cannot_be_compared_are_refused(measure: object, old: list[int], new: list[int]) -> None:
    assert callable(measure)
    with pytest.raises(ValueError, match="count both in the same bins"):
        measure(old, new)


def test_without_drift_one_sample_in_a_hundred_exceeds_the_limit_and_far_more_a_fixed_one() -> None:
    chance = np.random.default_rng(1)
    draws = chance.multinomial(500, [0.1] * 10, size=(2, 3000)).tolist()
    found = np.array([psi(old, new) for old, new in zip(*draws, strict=True)])
    assert (found > psi_threshold(10, 500, 500)).mean() == pytest.approx(0.01, abs=0.007)
    small = chance.multinomial(100, [0.1] * 10, size=(2, 300)).tolist()
    assert np.mean([psi(old, new) > 0.1 for old, new in zip(*small, strict=True)]) > 0.75


@given(st.integers(2, 20), st.integers(1, 5000), st.integers(1, 5000))
def test_the_limit_agrees_with_scipys_chi_square(bins: int, n: int, m: int) -> None:
    assert psi_threshold(bins, n, m) == pytest.approx(chi2.ppf(0.99, bins - 1) * (1 / n + 1 / m))


@given(FULL_BINS)
def test_chi_square_of_full_categories_agrees_with_scipy(pairs: list[tuple[int, int]]) -> None:
    oracle = chi2_contingency(list(sides(pairs)), correction=False)
    found = chi2_homogeneity(*sides(pairs))
    assert found["df"] == oracle.dof
    assert found["statistic"] == pytest.approx(oracle.statistic, abs=1e-9)
    assert found["pvalue"] == pytest.approx(oracle.pvalue, abs=1e-9)


@given(FULL_BINS)
def test_rare_categories_are_counted_as_one(pairs: list[tuple[int, int]]) -> None:
    rare = [*pairs, (3, 4), (4, 3), (2, 2), (0, 0)]
    assert chi2_homogeneity(*sides(rare)) == chi2_homogeneity(*sides([*pairs, (9, 9)]))


def test_a_pool_that_is_still_small_takes_the_next_category_in() -> None:
    assert chi2_homogeneity([100, 30, 2], [100, 30, 1]) == chi2_homogeneity([100, 32], [100, 31])


def test_one_category_says_nothing() -> None:
    assert chi2_homogeneity([50, 1], [60, 2]) == {"statistic": None, "df": 0, "pvalue": None}


@given(SAMPLES, SAMPLES)
def test_the_largest_distance_of_two_samples_is_that_of_their_steps(a: list[float], b: list[float]) -> None:
    found, swapped = ks_two_sample(a, b), ks_two_sample(b, a)
    steps = [abs(np.mean(np.array(a) <= x) - np.mean(np.array(b) <= x)) for x in [*a, *b]]
    assert found["statistic"] == pytest.approx(max(steps))
    assert found == pytest.approx(swapped)
    assert ks_two_sample(a, a) == {"statistic": 0.0, "pvalue": 1.0}


@given(SAMPLES, SAMPLES)
def test_binning_loses_no_case(reference: list[float], current: list[float]) -> None:
    old, new = decile_counts(reference, current)
    assert (sum(old), sum(new)) == (len(reference), len(current))
    assert len(old) == len(new) <= 10
    assert all(old)


@given(st.integers(2, 12), st.integers(1, 20))
def test_distinct_values_fill_equal_bins(bins: int, each: int) -> None:
    reference = [float(value) for value in range(bins * each)]
    assume(each > 1)
    assert decile_counts(reference, reference[::-1], bins) == ([each] * bins, [each] * bins)


def test_an_alarm_needs_both_proof_and_size() -> None:
    assert drifted([1e-9, 1e-9, 0.03, 0.03], [0.2, 0.05, 0.2, 0.05]) == [True, False, False, False]
    assert drifted([0.001], [0.1]) == [False]
