"""What do the textbook distributions say? The only door to ``scipy.special``, with plain floats outside.

Tails are asked for directly: 1 - cdf would lose them.
"""

from __future__ import annotations

from scipy import special


def normal_upper_quantile(tail: float) -> float:
    """Return z with P(Z > z) = tail, accurate for tiny tails.

    >>> round(normal_upper_quantile(0.025), 4)
    1.96
    """
    return -float(special.ndtri(tail))


def t_upper_quantile(tail: float, degrees: float) -> float:
    """Return t with P(T > t) = tail for Student's t.

    >>> round(t_upper_quantile(0.025, 10), 4)
    2.2281
    """
    return -float(special.stdtrit(degrees, tail))


def t_lower_tail(statistic: float, degrees: float) -> float:
    """P(T <= statistic) for Student's t; the upper tail is that of -statistic.

    >>> t_lower_tail(0.0, 5)
    0.5
    """
    return float(special.stdtr(degrees, statistic))


def binomial_cdf(count: int, n: int, p: float) -> float:
    """P(X <= count) for X ~ Bin(n, p).

    >>> binomial_cdf(1, 2, 0.5)
    0.75
    """
    return float(special.bdtr(count, n, p))


def beta_quantile(probability: float, a: float, b: float) -> float:
    """Return x with P(B <= x) = probability for B ~ Beta(a, b).

    >>> round(beta_quantile(0.5, 1.0, 1.0), 12)
    0.5
    """
    return float(special.betaincinv(a, b, probability))


def beta_cdf(x: float, a: float, b: float) -> float:
    """P(B <= x) for B ~ Beta(a, b).

    >>> round(beta_cdf(0.25, 1.0, 1.0), 12)
    0.25
    """
    return float(special.betainc(a, b, x))


def noncentral_t_cdf(statistic: float, degrees: float, shift: float) -> float:
    """P(T <= statistic) for the noncentral t with noncentrality ``shift``.

    >>> noncentral_t_cdf(1.0, 10, 3.0) < 0.05
    True
    """
    return float(special.nctdtr(degrees, shift, statistic))
