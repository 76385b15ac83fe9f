"""How slow is the slowest twentieth? Quantiles, and intervals that assume no distribution."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal, TypedDict

from pytest_agenteval.stats.checks import choice, finite_values, fraction
from pytest_agenteval.stats.distributions import beta_cdf, binomial_rank


class QuantileInterval(TypedDict):
    """Ranks (from 1) and values of the limits; None where the data reach no such limit."""

    lower_rank: int | None
    upper_rank: int | None
    lo: float | None
    hi: float | None


def quantile(values: Sequence[float], p: float, method: Literal["linear", "harrell-davis"] = "linear") -> float:
    """Point estimate of the p-quantile, p in [0, 1], of at least one value.

    linear: type 7, as numpy. harrell-davis: a weighted mean of all order statistics, smoother for few
    values. Source: Hyndman and Fan (1996); Harrell and Davis (1982), Biometrika 69.

    >>> quantile([4.0, 1.0, 2.0, 3.0], 0.5)
    2.5
    """
    choice(method, "method", ["linear", "harrell-davis"])
    ordered = sorted(finite_values(values, "values"))
    if not 0.0 <= p <= 1.0:
        msg = f"p is {p}, it must lie in [0, 1] (the 95th percentile is 0.95)"
        raise ValueError(msg)
    if method == "harrell-davis" and 0.0 < p < 1.0:
        return _harrell_davis(ordered, p)
    place = (len(ordered) - 1) * p
    below, above = ordered[math.floor(place)], ordered[math.ceil(place)]
    return min(below + (place - math.floor(place)) * (above - below), above)


def _harrell_davis(ordered: list[float], p: float) -> float:
    n = len(ordered)
    steps = [beta_cdf(i / n, (n + 1) * p, (n + 1) * (1.0 - p)) for i in range(n + 1)]
    total = math.fsum(y * (steps[i + 1] - steps[i]) for i, y in enumerate(ordered))
    return min(max(total, ordered[0]), ordered[-1])


def quantile_ci(values: Sequence[float], p: float, confidence: float = 0.95) -> QuantileInterval:
    """Interval for a quantile from order statistics; right for any distribution, conservative with ties.

    Assumes independent values; with repeats use one value per case. The upper end of p95 needs 72 values
    at 95 %, p50 needs 6: below that the end is None ("not enough data"). Source: Conover (1999).

    >>> quantile_ci(range(1, 21), 0.5)
    {'lower_rank': 6, 'upper_rank': 15, 'lo': 6.0, 'hi': 15.0}
    """
    ordered = sorted(finite_values(values, "values"))
    n = len(ordered)
    lower, upper = _ranks(n, p, confidence)
    return {
        "lower_rank": lower,
        "upper_rank": upper,
        "lo": None if lower is None else ordered[lower - 1],
        "hi": None if upper is None else ordered[upper - 1],
    }


def _ranks(n: int, p: float, confidence: float) -> tuple[int | None, int | None]:
    fraction(p, "p")
    tail = (1.0 - fraction(confidence, "confidence")) / 2.0
    lower = binomial_rank(tail, n, p)
    upper = binomial_rank(1.0 - tail, n, p) + 1
    return (lower if lower >= 1 else None), (upper if upper <= n else None)
