from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import nct
from scipy.stats import t as student

from pytest_agenteval.stats import (
    cases_needed_pass,
    mcnemar_sample_size,
    minimum_detectable_effect,
    paired_bounds,
    paired_sample_size_t,
)


@pytest.mark.parametrize(("margin", "cases"), [(0.01, 1237), (0.02, 310), (0.03, 138), (0.05, 50)])
def test_cases_for_a_pass_are_those_of_the_published_table(margin: float, cases: int) -> None:
    assert cases_needed_pass(math.sqrt(0.02), margin) == cases


@pytest.mark.parametrize(("margin", "cases"), [(0.01, 268), (0.02, 133), (0.03, 88), (0.05, 52)])
def test_where_nothing_flips_the_answer_is_the_first_number_that_passes(margin: float, cases: int) -> None:
    assert cases_needed_pass(0.0, margin) == cases
    assert paired_bounds([0.0] * cases)[0] > -margin >= paired_bounds([0.0] * (cases - 1))[0]


@pytest.mark.parametrize(("n", "metrics", "points"), [(50, 1, 7.9), (200, 1, 3.9), (200, 10, 5.4), (2000, 10, 1.7)])
def test_the_smallest_drop_is_that_of_the_published_table(n: int, metrics: int, points: float) -> None:
    effect = minimum_detectable_effect(math.sqrt(0.05), n, metrics=metrics)
    assert 100 * effect == pytest.approx(points, abs=0.05)


def test_a_drop_within_the_margin_is_never_found() -> None:
    assert minimum_detectable_effect(0.2, 10_000, margin=0.05) == 0.05


@given(st.floats(0.01, 1), st.integers(2, 5000))
def test_more_cases_find_smaller_drops(sd: float, n: int) -> None:
    assert minimum_detectable_effect(sd, n + 1) < minimum_detectable_effect(sd, n)


@given(st.floats(0.05, 2), st.floats(0.02, 1.2))
def test_the_t_sample_size_is_the_smallest_with_that_power(sd: float, standardised: float) -> None:
    def power(n: int) -> float:
        return float(nct.sf(student.isf(0.05, n - 1), n - 1, standardised * math.sqrt(n)))

    n = paired_sample_size_t(sd, sd * standardised)
    assert power(n) >= 0.8 - 1e-9
    assert power(n - 1) < 0.8 + 1e-9


def test_even_the_largest_effect_needs_two_cases() -> None:
    assert paired_sample_size_t(0.001, 1.0) == 2


def test_a_gain_needs_as_many_cases_as_a_loss() -> None:
    assert mcnemar_sample_size(0.03, 0.08) == mcnemar_sample_size(0.08, 0.03)
    assert paired_sample_size_t(0.3, -0.05) == paired_sample_size_t(0.3, 0.05)


@given(st.floats(0.0, 0.25), st.floats(0.01, 0.4))
def test_more_power_needs_more_cases(p_gain: float, drop: float) -> None:
    weak, strong = (mcnemar_sample_size(p_gain, p_gain + drop, power=power) for power in (0.7, 0.95))
    assert weak <= strong
