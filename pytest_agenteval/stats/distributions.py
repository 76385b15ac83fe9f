"""What do the textbook distributions say? Plain floats in and out.

Tails are asked for directly: 1 - cdf would lose them. What a verdict needs (normal, t, beta, and with it the binomial)
is plain Python: loading ``scipy.special`` costs more than the judging. The other questions load it when they are asked.
"""

from __future__ import annotations

import math
from functools import lru_cache
from itertools import accumulate
from statistics import NormalDist

from pytest_agenteval.stats.incomplete_beta import beta_log_odds, log_beta_cdf, share_of_odds

_HALF = 0.5
_NORMAL = NormalDist()


def normal_upper_quantile(tail: float) -> float:
    """Return z with P(Z > z) = tail, accurate for tiny tails.

    >>> round(normal_upper_quantile(0.025), 4)
    1.96
    """
    return -_NORMAL.inv_cdf(tail)


def normal_upper_tail(z: float) -> float:
    """P(Z > z) for the standard normal, accurate far out.

    >>> round(normal_upper_tail(1.959964), 6)
    0.025
    """
    return 0.5 * math.erfc(z / math.sqrt(2.0))


@lru_cache(maxsize=64)  # the metrics of a run have their number of cases in common
def t_upper_quantile(tail: float, degrees: float) -> float:
    """Return t with P(T > t) = tail for Student's t.

    >>> round(t_upper_quantile(0.025, 10), 4)
    2.2281
    """
    if tail == _HALF:
        return 0.0
    if tail > _HALF:
        return -t_upper_quantile(1.0 - tail, degrees)
    return math.sqrt(degrees) * math.exp(-beta_log_odds(2.0 * tail, degrees / 2.0, 0.5) / 2.0)


def t_lower_tail(statistic: float, degrees: float) -> float:
    """P(T <= statistic) for Student's t; the upper tail is that of -statistic.

    degrees/(degrees + T²) is Beta(degrees/2, 1/2), and its odds are degrees/T².

    >>> t_lower_tail(0.0, 5)
    0.5
    """
    if statistic == 0.0:
        return _HALF
    if statistic > 0.0:
        return 1.0 - t_lower_tail(-statistic, degrees)
    log_odds = math.log(degrees) - 2.0 * math.log(-statistic)
    return _HALF * math.exp(log_beta_cdf(log_odds, degrees / 2.0, 0.5)[0])


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
    if not 0.0 < probability < 1.0:
        return float(probability >= 1.0)
    return share_of_odds(beta_log_odds(probability, a, b))


def beta_cdf(x: float, a: float, b: float) -> float:
    """P(B <= x) for B ~ Beta(a, b).

    >>> round(beta_cdf(0.25, 1.0, 1.0), 12)
    0.25
    """
    if not 0.0 < x < 1.0:
        return float(x >= 1.0)
    return math.exp(log_beta_cdf(math.log(x) - math.log1p(-x), a, b)[0])


def noncentral_t_cdf(statistic: float, degrees: float, shift: float) -> float:
    """P(T <= statistic) for the noncentral t with noncentrality ``shift``.

    >>> noncentral_t_cdf(1.0, 10, 3.0) < 0.05
    True
    """
    from scipy import special

    return float(special.nctdtr(degrees, shift, statistic))


def binomial_mid_tails(x: int, n: int, p: float) -> tuple[float, float]:
    """P(X < x) + P(X = x)/2 and P(X > x) + P(X = x)/2 for X ~ Bin(n, p), each from its own side.

    >>> binomial_mid_tails(1, 2, 0.5)
    (0.5, 0.5)
    """
    from scipy import special

    below, at_most = (float(special.bdtr(k, n, p)) if k >= 0 else 0.0 for k in (x - 1, x))
    above, at_least = (float(special.bdtrc(k, n, p)) if k >= 0 else 1.0 for k in (x, x - 1))
    return (below + at_most) / 2.0, (above + at_least) / 2.0


def poisson_mid_tails(x: int, mean: float) -> tuple[float, float]:
    """P(X < x) + P(X = x)/2 and P(X > x) + P(X = x)/2 for a Poisson count, each from its own side.

    >>> [round(tail, 4) for tail in poisson_mid_tails(0, 1.0)]
    [0.1839, 0.8161]
    """
    from scipy import special

    below, at_most = (float(special.pdtr(k, mean)) if k >= 0 else 0.0 for k in (x - 1, x))
    above, at_least = (float(special.pdtrc(k, mean)) if k >= 0 else 1.0 for k in (x, x - 1))
    return (below + at_most) / 2.0, (above + at_least) / 2.0


def chi_square_upper_tail(statistic: float, degrees: float) -> float:
    """P(X > statistic) for chi-square.

    >>> round(chi_square_upper_tail(3.841459, 1), 6)
    0.05
    """
    from scipy import special

    return float(special.chdtrc(degrees, statistic))


def chi_square_upper_quantile(tail: float, degrees: float) -> float:
    """Return x with P(X > x) = tail for chi-square.

    >>> round(chi_square_upper_quantile(0.05, 1), 4)
    3.8415
    """
    from scipy import special

    return float(special.chdtri(degrees, tail))
