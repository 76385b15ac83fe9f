from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from pytest_agenteval import stats


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize(
    "function",
    [
        stats.exact_mean,
        stats.mean_ci,
        stats.paired_bounds,
        stats.paired_t_bounds,
        stats.sign_flip_pvalue,
        lambda values: stats.quantile(values, 0.5),
        lambda values: stats.adjust_pvalues(values, "holm"),
        lambda values: stats.wilson_effective_n(values, 3),
    ],
)
def test_a_number_that_is_none_is_refused_with_its_place(function: Callable[[list[float]], object], bad: float) -> None:
    with pytest.raises(ValueError, match=r"\[1\] is .*(nan|inf).*take missing scores out"):
        function([0.5, bad])


def test_no_value_at_all_is_refused_and_not_zero() -> None:
    with pytest.raises(ValueError, match="0 values, 1 are needed: report it as not evaluated"):
        stats.exact_mean([])


def test_a_negative_zero_becomes_zero() -> None:
    assert math.copysign(1.0, stats.exact_mean([-0.0])) == 1.0


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: stats.proportion_ci(3, 2), r"k is 3, it must lie in \[0, 2\]"),
        (lambda: stats.proportion_ci(-1, 2), r"k is -1"),
        (lambda: stats.proportion_ci(0, 0), r"n is 0, it must lie in \[1, …\]"),
        (
            lambda: stats.proportion_ci(0.5, 2),  # type: ignore[arg-type]  # on purpose
            "must be a whole number: count",
        ),
        (lambda: stats.proportion_ci(1, 2, confidence=95), "95 % is 0.95"),
        (
            lambda: stats.proportion_ci(1, 2, method="wald"),  # type: ignore[arg-type]  # on purpose
            "'wald', known are: wilson, clopper-pearson",
        ),
        (lambda: stats.tango_bounds(1, 1, 1), r"c is 1, it must lie in \[0, 0\]"),
        (lambda: stats.tango_bounds(1, 1, 9, alpha=0.95), "strictly between 0 and 0.5"),
        (lambda: stats.paired_bounds([0.1], value_range=0.0), "value_range is 0.0"),
        (lambda: stats.paired_bounds([2.0]), "2.0 is larger than value_range = 1.0"),
        (lambda: stats.mean_ci([2.0], bounds=(0.0, 1.0)), r"outside \(0.0, 1.0\)"),
        (lambda: stats.wilson_effective_n([1.5], 3), r"case_means\[0\] is 1.5, outside \[0, 1\]"),
        (lambda: stats.quantile([1.0], 95), "95th percentile is 0.95"),
        (lambda: stats.variance_components([[1.0], [2.0]]), "2 cases with 2 trials"),
        (lambda: stats.variance_components([[1.0, 2.0]]), "1 cases with 2 trials"),
        (lambda: stats.brier_score([0.5], [0.5]), "right or wrong answers"),
        (lambda: stats.gate_verdict_binary(0, 0, 9, -0.1), "margin is -0.1"),
        (lambda: stats.mcnemar_sample_size(0.1, 0.1), "two different shares"),
        (lambda: stats.paired_sample_size_t(1.0, 1e-9), "ten million cases would not show it"),
        (lambda: stats.paired_t_pvalue([0.1], [0.1, 0.2]), "zip"),
    ],
)
def test_a_bad_number_is_named_with_its_reason(call: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()


def test_numpy_numbers_are_as_good_as_plain_ones() -> None:
    counts: Any = np.array([9, 10])
    diffs: Any = np.array([0.5, -0.25])
    assert stats.proportion_ci(counts[0], counts[1]) == stats.proportion_ci(9, 10)
    assert stats.paired_bounds(diffs) == stats.paired_bounds([0.5, -0.25])
