from __future__ import annotations

import math

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import special

from pytest_agenteval.stats.distributions import beta_cdf, beta_quantile, t_lower_tail, t_upper_quantile

SIZES = st.floats(0.0, 6.0).map(lambda digits: 10.0**digits)
DEGREES = st.integers(1, 1_000_000) | SIZES
TAILS = st.floats(1e-9, 0.5) | st.floats(-300.0, -0.31).map(lambda digits: 10.0**digits)
SHAPES = st.integers(1, 5_000) | st.floats(-0.3, 4.0).map(lambda digits: 10.0**digits)


@given(st.floats(-6.0, 140.0).map(lambda digits: 10.0**digits) | st.floats(0.1, 40.0), DEGREES)
def test_the_tail_of_t_agrees_with_scipy_however_small_it_is(statistic: float, degrees: float) -> None:
    oracle = float(special.stdtr(degrees, -statistic))
    assume(oracle > 1e-300)
    assert t_lower_tail(-statistic, degrees) == pytest.approx(oracle, rel=1e-11)
    assert t_lower_tail(statistic, degrees) == pytest.approx(1.0 - oracle, rel=1e-14)


@given(TAILS, DEGREES)
def test_beyond_the_quantile_of_t_lies_the_tail_that_was_asked_for(tail: float, degrees: float) -> None:
    found = t_upper_quantile(tail, degrees)
    assert float(special.stdtr(degrees, -found)) == pytest.approx(tail, rel=1e-10)
    assert t_upper_quantile(1.0 - 2.0**-10, degrees) == -t_upper_quantile(2.0**-10, degrees)


# Made with mpmath at 40 digits.
@pytest.mark.parametrize(
    ("statistic", "degrees", "tail"),
    [
        (-0.001, 7.0, 0.49961500862249942),
        (-0.9, 1000000.0, 0.18406023370995244),
        (-2.5, 1.0, 0.1211189415908434),
        (-3.25, 19.5, 0.0020544674693353164),
        (-12.0, 4.0, 0.00013821427425148648),
        (-36.0, 1000000.0, 6.3669955601995134e-284),
        (-35.0, 12345.678, 2.8579450924808331e-256),
        (-1e200, 1.0, 3.1830988618379068e-201),
        (-1e100, 2.5, 7.1933971908317221e-251),
    ],
)
def test_the_tail_of_t_has_its_digits(statistic: float, degrees: float, tail: float) -> None:
    assert t_lower_tail(statistic, degrees) == pytest.approx(tail, rel=1e-12)
    assert t_upper_quantile(tail, degrees) == pytest.approx(-statistic, rel=1e-12)


def test_a_t_at_the_ends_leaves_nothing_or_all() -> None:
    assert [t_lower_tail(end, 3.0) for end in (-math.inf, 0.0, math.inf)] == [0.0, 0.5, 1.0]
    assert t_upper_quantile(0.5, 3.0) == 0.0


@given(st.floats(1e-12, 1.0 - 1e-12), SHAPES, SHAPES)
def test_beta_agrees_with_scipy(share: float, a: float, b: float) -> None:
    oracle = float(special.betainc(a, b, share))
    assume(oracle > 1e-280)
    assert beta_cdf(share, a, b) == pytest.approx(oracle, rel=1e-10)


@given(st.floats(1e-12, 1.0 - 1e-12), SHAPES, SHAPES)
def test_the_quantile_of_beta_agrees_with_scipy(probability: float, a: float, b: float) -> None:
    assert beta_quantile(probability, a, b) == pytest.approx(float(special.betaincinv(a, b, probability)), rel=1e-10)


@given(st.integers(1, 60), st.integers(1, 60), st.integers(1, 63))
def test_beta_of_whole_numbers_is_a_binomial_tail(a: int, b: int, of_64: int) -> None:
    n = a + b - 1
    ways = sum(math.comb(n, k) * of_64**k * (64 - of_64) ** (n - k) for k in range(a, n + 1))
    assert beta_cdf(of_64 / 64, a, b) == pytest.approx(ways / 64**n, rel=1e-12)


def test_beta_has_nothing_below_0_and_all_below_1() -> None:
    assert (beta_cdf(0.0, 2.0, 3.0), beta_cdf(1.0, 2.0, 3.0)) == (0.0, 1.0)
    assert (beta_quantile(0.0, 2.0, 3.0), beta_quantile(1.0, 2.0, 3.0)) == (0.0, 1.0)


def test_a_million_cases_are_no_harder() -> None:
    share = beta_quantile(0.95, 1.0, 1e6)
    assert share == pytest.approx(-math.expm1(math.log(0.05) / 1e6), rel=1e-10)
    assert beta_cdf(0.5, 1e7, 1e7) == pytest.approx(0.5, rel=1e-9)
