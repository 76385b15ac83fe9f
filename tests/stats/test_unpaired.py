from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.stats import ttest_ind

from pytest_agenteval.stats import unpaired_proportion_diff_ci, welch_pvalue

COUNTS = st.integers(1, 200).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))
METHODS = st.sampled_from(["newcombe", "agresti-caffo"])
SAMPLE = st.lists(st.floats(-10, 10), min_size=2, max_size=30)


@given(COUNTS, COUNTS)
def test_newcombes_interval_encloses_the_difference(one: tuple[int, int], other: tuple[int, int]) -> None:
    low, high = unpaired_proportion_diff_ci(*one, *other)
    assert -1.0 <= low <= one[0] / one[1] - other[0] / other[1] <= high <= 1.0
    assert low < high


@given(COUNTS, COUNTS, METHODS)
def test_swapping_the_samples_mirrors_the_interval(one: tuple[int, int], other: tuple[int, int], method: str) -> None:
    low, high = unpaired_proportion_diff_ci(*one, *other, method=method)  # type: ignore[arg-type]  # drawn
    swapped = unpaired_proportion_diff_ci(*other, *one, method=method)  # type: ignore[arg-type]  # drawn
    assert swapped == pytest.approx((-high, -low), abs=1e-15)


@given(COUNTS, COUNTS)
def test_agresti_and_caffo_stay_in_the_range(one: tuple[int, int], other: tuple[int, int]) -> None:
    low, high = unpaired_proportion_diff_ci(*one, *other, method="agresti-caffo")
    assert -1.0 <= low < high <= 1.0


@given(SAMPLE, SAMPLE)
def test_welch_agrees_with_scipy_and_ignores_which_sample_is_first(a: list[float], b: list[float]) -> None:
    assume(max(a) - min(a) > 1e-3)
    assume(max(b) - min(b) > 1e-3)
    assert welch_pvalue(a, b) == pytest.approx(ttest_ind(a, b, equal_var=False).pvalue, rel=1e-7, abs=1e-12)
    assert welch_pvalue(a, b) == welch_pvalue(b, a)


def test_one_sample_may_be_constant() -> None:
    got = welch_pvalue([1.0, 2.0, 3.0, 4.0], [9.0, 9.0])
    assert got is not None
    assert got < 0.05


@pytest.mark.parametrize(("a", "b"), [([1.0], [1.0, 2.0]), ([1.0, 1.0], [2.0, 2.0])])
def test_without_a_variance_there_is_no_p_value(a: list[float], b: list[float]) -> None:
    assert welch_pvalue(a, b) is None
