"""How sure are we of one number? Intervals for proportions and means of one run."""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from typing import Final, Literal, TypedDict

from pytest_agenteval.stats.checks import choice, finite_values, fraction, positive, unit_values, whole
from pytest_agenteval.stats.distributions import beta_quantile, normal_upper_quantile, t_upper_quantile
from pytest_agenteval.stats.exact import exact_mean, exceeds, sample_variance

ProportionMethod = Literal["wilson", "clopper-pearson", "jeffreys", "agresti-coull"]


class MeanInterval(TypedDict):
    """Mean, its standard error and its limits; None where the data give no such number."""

    mean: float
    se: float | None
    lo: float | None
    hi: float | None


class EffectiveInterval(TypedDict):
    """Effective number of independent trials, and the limits; None where one case gives none."""

    n_eff: float
    lo: float | None
    hi: float | None


def wilson_limits(share: float, n: float, z: float) -> tuple[float, float]:
    """Wilson score limits of a share in [0, 1] seen in n (not necessarily whole) trials.

    >>> [round(limit, 4) for limit in wilson_limits(0.5, 10, 1.96)]
    [0.2366, 0.7634]
    """
    shrink = 1.0 + z * z / n
    centre = (share + z * z / (2.0 * n)) / shrink
    half = z * math.sqrt(share * (1.0 - share) / n + (z / (2.0 * n)) ** 2) / shrink
    # At the ends the formula gives exactly 0 or 1; rounding must not leave 1e-17 there.
    low = 0.0 if share == 0.0 else min(centre - half, share)
    high = 1.0 if share == 1.0 else max(centre + half, share)
    return max(low, 0.0), min(high, 1.0)


def _clopper_pearson(k: int, n: int, tail: float) -> tuple[float, float]:
    low = 0.0 if k == 0 else beta_quantile(tail, k, n - k + 1)
    high = 1.0 if k == n else beta_quantile(1.0 - tail, k + 1, n - k)
    return low, high


def _jeffreys(k: int, n: int, tail: float) -> tuple[float, float]:
    low = 0.0 if k == 0 else beta_quantile(tail, k + 0.5, n - k + 0.5)
    high = 1.0 if k == n else beta_quantile(1.0 - tail, k + 0.5, n - k + 0.5)
    return low, high


def _agresti_coull(k: int, n: int, tail: float) -> tuple[float, float]:
    z = normal_upper_quantile(tail)
    size = n + z * z
    centre = (k + z * z / 2.0) / size
    half = z * math.sqrt(centre * (1.0 - centre) / size)
    return max(centre - half, 0.0), min(centre + half, 1.0)


def _wilson(k: int, n: int, tail: float) -> tuple[float, float]:
    return wilson_limits(k / n, n, normal_upper_quantile(tail))


_PROPORTION_METHODS: Final = {
    "wilson": _wilson,
    "clopper-pearson": _clopper_pearson,
    "jeffreys": _jeffreys,
    "agresti-coull": _agresti_coull,
}


def proportion_ci(k: int, n: int, method: ProportionMethod = "wilson", confidence: float = 0.95) -> tuple[float, float]:
    """Two-sided interval for a proportion, k of n independent cases: valid from n = 1, never of zero width.

    wilson: for reports. clopper-pearson: for promises (never covers less than it says). jeffreys and
    agresti-coull: options. Repeats of a case are not independent: use ``wilson_effective_n``.
    Source: Wilson (1927); Clopper and Pearson (1934); Brown, Cai and DasGupta (2001), Stat. Sci. 16.

    >>> [round(limit, 4) for limit in proportion_ci(9, 10)]
    [0.5958, 0.9821]
    """
    n = whole(n, "n", low=1)
    k = whole(k, "k", high=n)
    tail = (1.0 - fraction(confidence, "confidence")) / 2.0
    return _PROPORTION_METHODS[choice(method, "method", _PROPORTION_METHODS)](k, n, tail)


def proportion_upper(k: int, n: int, confidence: float = 0.95) -> float:
    """One-sided exact (Clopper-Pearson) upper bound of a proportion; 1 - (1 - confidence)^(1/n) at k = 0.

    >>> round(proportion_upper(0, 149), 4)
    0.0199
    """
    n = whole(n, "n", low=1)
    k = whole(k, "k", high=n)
    fraction(confidence, "confidence")
    return 1.0 if k == n else beta_quantile(confidence, k + 1, n - k)


def mean_ci(
    values: Sequence[float], confidence: float = 0.95, *, bounds: tuple[float, float] | None = None
) -> MeanInterval:
    """Student t interval for the mean of case values (average the repeats of a case first).

    bounds: the metric's range, if it has one; limits are clipped to it. Assumes independent cases and a
    mean that is near normal: under n = 20, or with strong skew, coverage falls to about .9.
    One value gives no interval. Equal values never give zero width: with bounds the stabilised limit
    of ``paired_bounds``, without bounds none. Source: Student (1908).

    >>> mean_ci([1.0, 1.0, 1.0, 1.0], bounds=(0.0, 1.0))["lo"] < 0.6
    True
    """
    numbers = finite_values(values, "values")
    tail = (1.0 - fraction(confidence, "confidence")) / 2.0
    n, mean = len(numbers), exact_mean(numbers)
    if bounds is not None and not bounds[0] <= min(numbers) <= max(numbers) <= bounds[1]:
        msg = f"values lie in [{min(numbers)}, {max(numbers)}], outside {bounds}: correct the range"
        raise ValueError(msg)
    if n == 1:
        return {"mean": mean, "se": None, "lo": None, "hi": None}
    se = math.sqrt(sample_variance(numbers) / n)
    half: float | None = t_upper_quantile(tail, n - 1) * se
    if not exceeds(max(numbers), min(numbers)):
        half = None if bounds is None else _half_width_of_equal_values(n, tail, bounds[1] - bounds[0])
    if half is None:
        return {"mean": mean, "se": se, "lo": None, "hi": None}
    low, high = bounds if bounds is not None else (-math.inf, math.inf)
    return {"mean": mean, "se": se, "lo": max(mean - half, low), "hi": min(mean + half, high)}


def _half_width_of_equal_values(n: int, tail: float, width: float) -> float:
    k = normal_upper_quantile(tail) ** 2
    return width * k / (n + k)


def clustered_se(values: Sequence[float], clusters: Sequence[Hashable]) -> float | None:
    """Standard error of the mean when trials of one cluster hang together; None for a single cluster.

    values and clusters have one entry per trial. Factor G/(G-1), t with G-1 degrees. Fewer than 30
    clusters: say so. Source: Liang and Zeger (1986), CR1 as in Miller (2024), appendix A.

    >>> round(clustered_se([1, 1, 0, 0], ["a", "a", "b", "b"]), 4)
    0.5
    """
    numbers = finite_values(values, "values")
    mean = exact_mean(numbers)
    residuals: dict[Hashable, list[float]] = {}
    for number, cluster in zip(numbers, clusters, strict=True):
        residuals.setdefault(cluster, []).append(number - mean)
    groups = len(residuals)
    if groups == 1:
        return None
    spread = math.fsum(math.fsum(members) ** 2 for members in residuals.values())
    return math.sqrt(groups / (groups - 1) * spread) / len(numbers)


def wilson_effective_n(case_means: Sequence[float], repeats: float, confidence: float = 0.95) -> EffectiveInterval:
    """Interval for a pass rate measured with repeats: Wilson with the number of trials the data are worth.

    case_means: pass rate of each case, in [0, 1]. repeats: trials per case (their mean if unequal).
    n_eff = m(1-m)/SE², held in [1, n·repeats]; n if all cases agree; t with n-1
    degrees for z. One case gives no limits. Source: Korn and Graubard (1998), on a Wilson base.

    >>> round(wilson_effective_n([1.0] * 10, repeats=3)["lo"], 4)
    0.6615
    """
    means = unit_values(case_means, "case_means")
    tail = (1.0 - fraction(confidence, "confidence")) / 2.0
    n, most = len(means), len(means) * positive(repeats, "repeats")
    if n == 1:
        return {"n_eff": 1.0, "lo": None, "hi": None}
    mean, variance = exact_mean(means), sample_variance(means)
    agree = not exceeds(max(means), min(means))
    n_eff = float(n) if agree else min(max(mean * (1.0 - mean) * n / variance, 1.0), most)
    low, high = wilson_limits(mean, n_eff, t_upper_quantile(tail, n - 1))
    return {"n_eff": n_eff, "lo": low, "hi": high}
