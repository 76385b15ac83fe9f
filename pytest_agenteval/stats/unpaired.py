"""Do two runs without common cases differ? For the report only: an unpaired comparison never gates."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

from pytest_agenteval.stats.checks import choice, finite_values, fraction, whole
from pytest_agenteval.stats.distributions import normal_upper_quantile, t_lower_tail
from pytest_agenteval.stats.exact import exact_mean, exceeds, sample_variance
from pytest_agenteval.stats.interval import wilson_limits


def unpaired_proportion_diff_ci(
    k1: int,
    n1: int,
    k2: int,
    n2: int,
    *,
    method: Literal["newcombe", "agresti-caffo"] = "newcombe",
    confidence: float = 0.95,
) -> tuple[float, float]:
    """Interval for k1/n1 - k2/n2 of two independent samples; never of zero width, valid from one case each.

    Source: Newcombe (1998), Stat. Med. 17:873, method 10; Agresti and Caffo (2000), one more success and
    failure in each sample.

    >>> [round(limit, 4) for limit in unpaired_proportion_diff_ci(56, 70, 48, 80)]
    [0.0524, 0.3339]
    """
    choice(method, "method", ["newcombe", "agresti-caffo"])
    n1, n2 = whole(n1, "n1", low=1), whole(n2, "n2", low=1)
    k1, k2 = whole(k1, "k1", high=n1), whole(k2, "k2", high=n2)
    z = normal_upper_quantile((1.0 - fraction(confidence, "confidence")) / 2.0)
    if method == "agresti-caffo":
        return _agresti_caffo((k1 + 1) / (n1 + 2), n1 + 2, (k2 + 1) / (n2 + 2), n2 + 2, z)
    p1, p2 = k1 / n1, k2 / n2
    (low1, high1), (low2, high2) = wilson_limits(p1, n1, z), wilson_limits(p2, n2, z)
    return p1 - p2 - math.hypot(p1 - low1, high2 - p2), p1 - p2 + math.hypot(high1 - p1, p2 - low2)


def _agresti_caffo(p1: float, n1: int, p2: float, n2: int, z: float) -> tuple[float, float]:
    half = z * math.sqrt(p1 * (1.0 - p1) / n1 + p2 * (1.0 - p2) / n2)
    return max(p1 - p2 - half, -1.0), min(p1 - p2 + half, 1.0)


def welch_pvalue(a: Sequence[float], b: Sequence[float]) -> float | None:
    """Two-sided p-value that two independent samples have one mean, variances free to differ.

    None where it cannot be had: a sample of one, or no variance in either. Near normal means assumed;
    few or skewed values: read it with care. Source: Welch (1947).

    >>> round(welch_pvalue([1.0, 2.0, 3.0], [2.0, 3.0, 4.0]), 4)
    0.2879
    """
    first, second = finite_values(a, "a"), finite_values(b, "b")
    if min(len(first), len(second)) == 1 or not any(exceeds(max(x), min(x)) for x in (first, second)):
        return None
    squares = [sample_variance(sample) / len(sample) for sample in (first, second)]
    total = math.fsum(squares)
    degrees = total**2 / (squares[0] ** 2 / (len(first) - 1) + squares[1] ** 2 / (len(second) - 1))
    return 2.0 * t_lower_tail(-abs(exact_mean(first) - exact_mean(second)) / math.sqrt(total), degrees)
