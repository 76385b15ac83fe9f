"""What do the textbook distributions say? The only door to ``scipy.special``, with plain floats outside.

Tails are asked for directly: 1 - cdf would lose them. ``scipy.special`` is imported by the first question that
needs it: a run of pass/fail metrics is judged without it, and the import costs more than the judging.
"""

from __future__ import annotations

import math
from itertools import accumulate
from statistics import NormalDist

_NORMAL = NormalDist()


def normal_upper_quantile(tail: float) -> float:
    """Return z with P(Z > z) = tail, accurate for tiny tails.

    >>> round(normal_upper_quantile(0.025), 4)
    1.96
    """
    return -_NORMAL.inv_cdf(tail)


def t_upper_quantile(tail: float, degrees: float) -> float:
    """Return t with P(T > t) = tail for Student's t.

    >>> round(t_upper_quantile(0.025, 10), 4)
    2.2281
    """
    from scipy import special

    return -float(special.stdtrit(degrees, tail))


def t_lower_tail(statistic: float, degrees: float) -> float:
    """P(T <= statistic) for Student's t; the upper tail is that of -statistic.

    >>> t_lower_tail(0.0, 5)
    0.5
    """
    from scipy import special

    return float(special.stdtr(degrees, statistic))


def binomial_rank(probability: float, n: int, p: float) -> int:
    """The smallest count with P(X <= count) >= probability, for X ~ Bin(n, p) with 0 < p < 1.

    >>> binomial_rank(0.5, 10, 0.5)
    5
    """
    logs = (math.log(p), math.log1p(-p))
    whole = math.lgamma(n + 1)
    masses = (
        math.exp(whole - math.lgamma(count + 1) - math.lgamma(n - count + 1) + count * logs[0] + (n - count) * logs[1])
        for count in range(n)
    )
    return next((count for count, below in enumerate(accumulate(masses)) if below >= probability), n)


def beta_quantile(probability: float, a: float, b: float) -> float:
    """Return x with P(B <= x) = probability for B ~ Beta(a, b).

    >>> round(beta_quantile(0.5, 1.0, 1.0), 12)
    0.5
    """
    from scipy import special

    return float(special.betaincinv(a, b, probability))


def beta_cdf(x: float, a: float, b: float) -> float:
    """P(B <= x) for B ~ Beta(a, b).

    >>> round(beta_cdf(0.25, 1.0, 1.0), 12)
    0.25
    """
    from scipy import special

    return float(special.betainc(a, b, x))


def noncentral_t_cdf(statistic: float, degrees: float, shift: float) -> float:
    """P(T <= statistic) for the noncentral t with noncentrality ``shift``.

    >>> noncentral_t_cdf(1.0, 10, 3.0) < 0.05
    True
    """
    from scipy import special

    return float(special.nctdtr(degrees, shift, statistic))
