"""How much of a beta distribution lies below a point? Student's t and the binomial tails are this one function.

A point is told by its log odds, log(x/(1 - x)): so both ends of [0, 1] keep all their digits. Plain Python, because
loading ``scipy.special`` costs more than a run's verdict. Right to about 1e-12 of the probability, however small.
"""

from __future__ import annotations

import math
from typing import Final

_ROUNDING: Final = 4e-15
_NEAR: Final = 1e-10
"""After a step of Newton's as small as this the next would be lost in rounding: each squares the error."""

_MOST_STEPS: Final = 60
_LARGE: Final = 16.0


def share_of_odds(log_odds: float) -> float:
    """The x in [0, 1] with these log odds.

    >>> share_of_odds(0.0), share_of_odds(-800.0)
    (0.5, 0.0)
    """
    return math.exp(min(log_odds, 0.0)) / (1.0 + math.exp(-abs(log_odds)))


def log_beta_cdf(log_odds: float, a: float, b: float) -> tuple[float, float]:
    """Log of P(B <= x) for B ~ Beta(a, b), and its slope: the derivative by the log odds of x.

    Up to the mean by the continued fraction, beyond it as the rest that the mirrored one leaves.
    Source: DiDonato and Morris (1992), ACM TOMS 18:360, equation 9.

    >>> [round(number, 4) for number in log_beta_cdf(math.log(1 / 3), 1.0, 1.0)]
    [-1.3863, 0.75]
    """
    if log_odds <= math.log(a / b):
        slope = _fraction(log_odds, a, b)
        return _log_density(log_odds, a, b) - math.log(slope), slope
    log_density = _log_density(-log_odds, b, a)
    log_cdf = math.log1p(-math.exp(log_density) / _fraction(-log_odds, b, a))
    return log_cdf, math.exp(log_density - log_cdf)


def beta_log_odds(probability: float, a: float, b: float) -> float:
    """The log odds of the x with P(B <= x) = probability, in (0, 1), for B ~ Beta(a, b).

    Newton's method from the mean, on the smaller side. Over the log odds the log of the probability is concave
    (the density of the log odds is log-concave): from the second step on it comes nearer from one side, always.

    >>> round(beta_log_odds(0.25, 1.0, 1.0), 12) == round(math.log(1 / 3), 12)
    True
    """
    if probability > 0.5:  # noqa: PLR2004  # one half: the other tail is the smaller one
        return -beta_log_odds(1.0 - probability, b, a)
    log_odds = math.log(a / b)
    for _ in range(_MOST_STEPS):  # some 15 do; were a and b beyond 10^12, rounding might never let it come near
        log_cdf, slope = log_beta_cdf(log_odds, a, b)
        step = (math.log(probability) - log_cdf) / slope
        log_odds += step
        if abs(step) <= _NEAR:
            break
    return log_odds


def _log_density(log_odds: float, a: float, b: float) -> float:
    """Log of x^a (1 - x)^b / B(a, b), the density of the log odds.

    Large gammas are nearly equal to Stirling's formula, and cancel. What is left of each is small.
    """
    rounding = math.log1p(math.exp(-abs(log_odds)))
    log_x, log_rest = min(log_odds, 0.0) - rounding, min(-log_odds, 0.0) - rounding
    stirling = 0.5 * math.log(2.0 * math.pi * (1.0 / a + 1.0 / b))
    exponent = a * (log_x + math.log1p(b / a)) + b * (log_rest + math.log1p(a / b))
    return exponent - stirling + _beyond_stirling(a + b) - _beyond_stirling(a) - _beyond_stirling(b)


def _beyond_stirling(z: float) -> float:
    """Log of gamma(z), less Stirling's formula."""
    if z < _LARGE:
        return math.lgamma(z) - (z - 0.5) * math.log(z) + z - 0.5 * math.log(2.0 * math.pi)
    q = 1.0 / (z * z)
    return (1 / 12 - q * (1 / 360 - q * (1 / 1260 - q * (1 / 1680 - q / 1188)))) / z


def _fraction(log_odds: float, a: float, b: float) -> float:
    """The density of the log odds over P(B <= x), for an x up to the mean: a few dozen terms by Lentz's method."""
    x, rest = share_of_odds(log_odds), share_of_odds(-log_odds)
    to_mean = a * rest - b * x
    value = upper = a * (to_mean + 1.0) / (a + 1.0)
    lower = change = 0.0
    n = 0
    while abs(change - 1.0) > _ROUNDING:
        n += 1
        place = a + 2 * n
        above = (a + n - 1) * (a + b + n - 1) * n * (b - n) * (x / (place - 1)) ** 2
        below = n + n * (b - n) * x / (place - 1) + (a + n) * (to_mean + 1.0 + n * (1.0 + rest)) / (place + 1)
        upper = below + above / upper
        lower = 1.0 / (below + above * lower)
        change = upper * lower
        value *= change
    return value
