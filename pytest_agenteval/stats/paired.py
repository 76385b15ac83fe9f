"""Did the candidate lose against its baseline, case by case? Tests and one-sided bounds.

A difference is candidate minus baseline; below zero the candidate is worse. Cases without a pair are taken
out before, cases that did not change stay in: a zero carries information.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import Final, Literal

from pytest_agenteval.stats.checks import choice, finite_values, one_sided_level, positive, whole
from pytest_agenteval.stats.distributions import (
    normal_upper_quantile,
    normal_upper_tail,
    t_lower_tail,
    t_upper_quantile,
)
from pytest_agenteval.stats.exact import exact_mean, exceeds, sample_variance, whole_units

Alternative = Literal["less", "greater", "two-sided"]

MIN_PAIRS_FOR_T_BOUNDS: Final = 30
"""Below this the t bound of an unbounded metric is too often wrong to promise anything."""

ALTERNATIVES: Final = ("less", "greater", "two-sided")


def mcnemar(
    b: int, c: int, method: Literal["mid-p", "exact"] = "mid-p", alternative: Alternative = "two-sided"
) -> float:
    """P-value for binary results: b cases newly right, c newly wrong; "less" asks whether it got worse.

    Computed in integers, rounded once. Nothing changed: 1. With b + c < 4 the mid-p cannot reach .05.
    Below about 1e-323 it is 0.0. Source: McNemar (1947); mid-p: Fagerland, Lydersen and Laake (2013).

    >>> mcnemar(1, 7), mcnemar(2, 9, alternative="less")
    (0.0390625, 0.019287109375)
    """
    choice(method, "method", ["mid-p", "exact"])
    choice(alternative, "alternative", ALTERNATIVES)
    b, c = whole(b, "b"), whole(c, "c")
    if b + c == 0:
        return 1.0
    if alternative == "two-sided":
        return min(1.0, 2.0 * _fair_coin_tail(min(b, c), b + c, method))
    return _fair_coin_tail(b if alternative == "less" else c, b + c, method)


def _fair_coin_tail(count: int, tosses: int, method: str) -> float:
    ways, halves = 1, 0
    for done in range(count):
        halves += 2 * ways
        ways = ways * (tosses - done) // (done + 1)
    return (halves + (2 if method == "exact" else 1) * ways) / (1 << (tosses + 1))


def paired_t_pvalue(
    base: Sequence[float], cand: Sequence[float], margin: float = 0.0, alternative: Alternative = "less"
) -> float:
    """P-value of the paired t test on candidate - baseline + margin, one value per case.

    "less" asks whether the candidate lost; "greater" with a margin asks whether it did not lose as much.
    Assumes independent cases. Where all differences are equal (or there is one) t has no scale: then the
    sign-flip answer, 1/2^n for one side. Source: Student (1908).

    >>> round(paired_t_pvalue([0.9, 0.8, 0.7], [0.7, 0.7, 0.7]), 4)
    0.1127
    """
    choice(alternative, "alternative", ALTERNATIVES)
    before, after = finite_values(base, "base"), finite_values(cand, "cand")
    diffs = [new - old + margin for old, new in zip(before, after, strict=True)]
    mean = exact_mean(diffs)
    if not exceeds(max(diffs), min(diffs)):
        return _pvalue_of_equal(mean, len(diffs), alternative)
    statistic = mean / math.sqrt(sample_variance(diffs) / len(diffs))
    if alternative == "two-sided":
        return 2.0 * t_lower_tail(-abs(statistic), len(diffs) - 1)
    return t_lower_tail(statistic if alternative == "less" else -statistic, len(diffs) - 1)


def _pvalue_of_equal(mean: float, n: int, alternative: Alternative) -> float:
    toward = {"less": -mean, "greater": mean, "two-sided": abs(mean)}[alternative]
    if not exceeds(toward, 0.0):
        return 1.0
    return math.ldexp(2.0 if alternative == "two-sided" else 1.0, -n)


def wilcoxon_pratt(base: Sequence[float], cand: Sequence[float], alternative: Alternative = "two-sided") -> float:
    """P-value of the signed-rank test, for ordered labels whose mean means nothing; one value per case.

    Ranks of |candidate - baseline|: zeros are ranked and then left out (Pratt), ties share their mean rank, and so do
    differences that differ by rounding alone. Normal approximation without continuity correction: good from about ten
    non-zero differences on. Nothing changed: 1. Assumes independent cases whose differences are symmetric while
    nothing changed; it tests no mean, so no margin goes with it. Source: Wilcoxon (1945); Pratt (1959), JASA 54.

    >>> round(wilcoxon_pratt([3, 3, 2, 4, 3, 5], [2, 2, 2, 3, 3, 4], "less"), 4)
    0.0228
    """
    choice(alternative, "alternative", ALTERNATIVES)
    before, after = finite_values(base, "base"), finite_values(cand, "cand")
    changes = [new - old for old, new in zip(before, after, strict=True)]
    *diffs, _ = whole_units([*changes, max(map(abs, [*before, *after]))])  # to 12 digits of the largest score
    n, tied = len(diffs), Counter(map(abs, diffs))
    zeros = tied.pop(0, 0)
    if zeros == n:
        return 1.0
    rank_of, ranked = {}, zeros  # all in twice the ranks: whole numbers, so that the order of the cases cannot matter
    for size in sorted(tied):
        rank_of[size] = 2 * ranked + tied[size] + 1
        ranked += tied[size]
    excess = 2 * sum(rank_of[diff] for diff in diffs if diff > 0) - (n * (n + 1) - zeros * (zeros + 1))
    squares = 2 * (n * (n + 1) * (2 * n + 1) - zeros * (zeros + 1) * (2 * zeros + 1))
    variance = squares - sum(times**3 - times for times in tied.values())
    z = excess / math.sqrt(variance / 3.0)
    if alternative == "two-sided":
        return 2.0 * normal_upper_tail(abs(z))
    return normal_upper_tail(-z if alternative == "less" else z)


def tost_pvalue(diffs: Sequence[float], margin: float) -> float:
    """P-value of "the mean difference is as large as the margin, up or down"; small: no change worth speaking of.

    At most alpha exactly when the two-sided 1 - 2·alpha t interval lies inside ±margin. For claims such as "latency has
    not changed" (on log seconds a margin of ln 1.1 is 10 %). Assumes independent cases and a mean near
    normal: under 20 cases, or with bounded scores of which few change, no promise. Source: Schuirmann (1987).

    >>> round(tost_pvalue([0.01, -0.02, 0.0, 0.01, -0.01, 0.02], margin=0.05), 5)
    0.00024
    """
    numbers, limit = finite_values(diffs, "diffs"), positive(margin, "margin")
    zeros = [0.0] * len(numbers)
    return max(paired_t_pvalue(zeros, numbers, limit, "greater"), paired_t_pvalue(zeros, numbers, -limit, "less"))


def equivalent(diffs: Sequence[float], margin: float, alpha: float = 0.05) -> bool | None:
    """Say whether two one-sided t tests at level alpha exclude a change of the margin, up and down (TOST).

    None under 30 cases: too few for a promise. False is no proof of a change. See ``tost_pvalue``.

    >>> equivalent([0.01, -0.02, 0.0, 0.01, -0.01] * 8, margin=0.05), equivalent([0.0] * 5, margin=0.05)
    (True, None)
    """
    p_value = tost_pvalue(diffs, margin)
    return None if len(diffs) < MIN_PAIRS_FOR_T_BOUNDS else p_value <= one_sided_level(alpha)


def tango_bounds(b: int, c: int, n: int, alpha: float = 0.05) -> tuple[float, float]:
    """One-sided score bounds, each at level alpha, for the change (b - c)/n of a pass rate.

    b cases newly right, c newly wrong, of n cases that both sides tried.
    Real width even when nothing changed: z²/(n + z²). Conservative, also for few cases. Assumes one trial
    per case on both sides and independent cases. Source: Tango (1998), Stat. Med. 17:891.

    >>> [round(bound, 4) for bound in tango_bounds(4, 9, 100)]
    [-0.1151, 0.0102]
    """
    n = whole(n, "n", low=1)
    b = whole(b, "b", high=n)
    c = whole(c, "c", high=n - b)
    z = normal_upper_quantile(one_sided_level(alpha))
    return _tango_lower(b, c, n, z), -_tango_lower(c, b, n, z)


def _tango_lower(b: int, c: int, n: int, z: float) -> float:
    low, high = -1.0, (b - c) / n
    for _ in range(60):  # 2 / 2^60 is below the last digit of any bound
        middle = (low + high) / 2.0
        distance = b - c - n * middle
        if distance > z * math.sqrt(n * _tango_variance(b, c, n, middle)):
            low = middle
        else:
            high = middle
    return low


def _tango_variance(b: int, c: int, n: int, delta: float) -> float:
    """Variance of one case's difference, the loss rate being estimated under the change delta."""
    linear = -b - c + (2 * n - b + c) * delta
    constant = -c * delta * (1.0 - delta)
    loss_rate = (math.sqrt(max(linear * linear - 8 * n * constant, 0.0)) - linear) / (4 * n)
    return max(2.0 * loss_rate + delta * (1.0 - delta), 0.0)


def paired_bounds(diffs: Sequence[float], alpha: float = 0.05, value_range: float = 1.0) -> tuple[float, float]:
    """One-sided bounds, each at level alpha, for the mean difference of a bounded metric.

    value_range: width R of the metric's range; differences lie in [-R, R]. z² pseudo-cases, half at +R
    and half at -R, keep the bound from collapsing when few cases changed; equals ``tango_bounds`` when
    none did. Valid from one case, wide. Source: generalises Bonett and Price (2012).

    >>> [round(bound, 4) for bound in paired_bounds([0.0] * 50)]
    [-0.0513, 0.0513]
    """
    numbers = finite_values(diffs, "diffs")
    width, z = positive(value_range, "value_range"), normal_upper_quantile(one_sided_level(alpha))
    largest = max(map(abs, numbers))
    if exceeds(largest, width):
        msg = f"a difference of {largest} is larger than value_range = {width}: correct the metric's range"
        raise ValueError(msg)
    size = len(numbers) + z * z
    mean = math.fsum(numbers) / size
    square = (math.fsum(number * number for number in numbers) + (z * width) ** 2) / size
    half = z * math.sqrt((square - mean * mean) / size)
    return max(mean - half, -width), min(mean + half, width)


def paired_t_bounds(diffs: Sequence[float], alpha: float = 0.05) -> tuple[float, float] | None:
    """One-sided t bounds, each at level alpha, for an unbounded metric such as log latency or cost.

    None under 30 pairs, and where all differences are equal: without a range nothing says how large the
    unseen ones are. Never for bounded scores: it collapses when few cases change.

    >>> [round(bound, 3) for bound in paired_t_bounds([0.1, -0.1] * 20)]
    [-0.027, 0.027]
    """
    numbers = finite_values(diffs, "diffs")
    tail, n = one_sided_level(alpha), len(numbers)
    if n < MIN_PAIRS_FOR_T_BOUNDS or not exceeds(max(numbers), min(numbers)):
        return None
    mean, half = exact_mean(numbers), t_upper_quantile(tail, n - 1) * math.sqrt(sample_variance(numbers) / n)
    return mean - half, mean + half
