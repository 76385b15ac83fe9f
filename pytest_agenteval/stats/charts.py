"""How far may a week's number stray? Control charts, and the limits that keep false alarms as rare as stated.

The average run length (ARL) is the mean number of weeks up to a false alarm while nothing has changed. All charts
take z: deviations in the harmful direction, in standard errors, independent, near N(0, 1) while nothing has changed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import cache
from itertools import accumulate, pairwise
from typing import Any, Final, TypedDict

import numpy as np
from numpy.typing import NDArray

from pytest_agenteval.stats.checks import finite_values, positive, whole
from pytest_agenteval.stats.distributions import normal_upper_quantile, normal_upper_tail
from pytest_agenteval.stats.exact import exact_mean

MEAN_RANGE_OF_TWO: Final = 2.0 / math.sqrt(math.pi)
"""Mean distance of two independent N(0, 1) numbers: the 1.128 of the published charts."""

_NODES: Final = 80
_HALVINGS: Final = 40
_LEAST_LIMIT: Final = 1e-6
_FAR: Final = 8.0


class LaneyLimits(TypedDict):
    """Mean rate, and by how much weeks vary beyond counting noise (1: not at all)."""

    p_bar: float
    sigma_z: float


def mean_moving_range(z: Sequence[float]) -> float:
    """The standard deviation that the jumps from one value to the next speak for; at least two values.

    >>> round(mean_moving_range([0.0, 1.0, 0.0]), 4)
    0.8862
    """
    return exact_mean([abs(later - sooner) for sooner, later in pairwise(z)]) / MEAN_RANGE_OF_TWO


def laney_sigma_z(counts: Sequence[int], sizes: Sequence[int]) -> LaneyLimits:
    """The figures of a Laney p' chart, whose limits are p_bar ± 3·sigma_z·sqrt(p_bar(1 - p_bar)/n): for drawing.

    counts of sizes, a pair a week in order, at least two weeks; no week without cases. ValueError where every case
    counts or none: no spread. From 8 weeks on it is worth drawing. Source: Laney (2002), Qual. Eng. 14.

    >>> laney_sigma_z([5, 5, 5], [100, 100, 100])
    {'p_bar': 0.05, 'sigma_z': 0.0}
    """
    seen = [whole(size, "sizes", low=1) for size in sizes]
    hits = [whole(count, "counts", high=size) for count, size in zip(counts, seen, strict=True)]
    if len(hits) <= 1 or not 0 < sum(hits) < sum(seen):
        msg = f"{sum(hits)} of {sum(seen)} cases in {len(hits)} weeks: two weeks and some spread are needed"
        raise ValueError(msg)
    rate = sum(hits) / sum(seen)
    z = [(hit / size - rate) / math.sqrt(rate * (1.0 - rate) / size) for hit, size in zip(hits, seen, strict=True)]
    return {"p_bar": rate, "sigma_z": mean_moving_range(z)}


def shewhart_limit(arl: float, sides: int = 1) -> float:
    """The z that a single week passes by chance once in arl weeks, on one side or on either of two.

    Source: Montgomery, Introduction to Statistical Quality Control.

    >>> round(shewhart_limit(52), 4)
    2.0699
    """
    return normal_upper_quantile(1.0 / (_run_length(arl) * whole(sides, "sides", low=1, high=2)))


def cusum_path(z: Sequence[float], k: float = 0.5) -> list[float]:
    """Running sum of what z exceeds k, never below 0; alarm above h. Finds small lasting shifts (of about 2k).

    Source: Page (1954), Biometrika 41.

    >>> cusum_path([1.0, 2.0, -3.0], k=0.5)
    [0.5, 2.0, 0.0]
    """
    numbers = finite_values(z, "z", at_least=0)
    return list(accumulate(numbers, lambda total, value: max(0.0, total + value - k), initial=0.0))[1:]


def ewma_path(z: Sequence[float], lam: float = 0.2) -> list[float]:
    """Moving average that forgets: lam for the newest week, in (0, 1]; starts at 0.

    Alarm outside ±L·sqrt(lam/(2 - lam)). Source: Roberts (1959), Technometrics 1.

    >>> ewma_path([1.0, 0.0], lam=0.5)
    [0.5, 0.25]
    """
    numbers, newest = finite_values(z, "z", at_least=0), _newest_weight(lam)
    return list(accumulate(numbers, lambda mean, value: (1.0 - newest) * mean + newest * value, initial=0.0))[1:]


def cusum_arl(k: float, h: float, shift: float = 0.0) -> float:
    """Mean number of weeks up to an alarm of a one-sided CUSUM, each z having mean ``shift``.

    Solves Page's integral equation at Gauss-Legendre nodes, more exact than the Markov chain of Brook and Evans
    (1972) and as short. Source: Page (1954); Crowder (1987).

    >>> round(cusum_arl(0.5, 4.0), 1), round(cusum_arl(0.5, 4.0, shift=1.0), 2)
    (335.4, 8.38)
    """
    finite_values([k, shift], "k, shift")
    nodes, weights = _gauss_legendre(0.0, positive(h, "h"))
    starts = np.append(0.0, nodes)  # the reflecting end is a state of its own, with the mass below it
    kernel = np.empty((len(starts), len(starts)))
    kernel[:, 1:] = weights * _density(nodes + k - shift - starts[:, None])
    kernel[:, 0] = [normal_upper_tail(start - k + shift) for start in starts.tolist()]
    return float(np.linalg.solve(np.eye(len(starts)) - kernel, np.ones(len(starts)))[0])


def cusum_limit(k: float, arl: float) -> float:
    """The limit h of a one-sided CUSUM whose false alarms are arl weeks apart on average.

    >>> round(cusum_limit(0.5, 52.0), 3), round(cusum_limit(0.5, 104.0), 2)
    (2.259, 2.89)
    """
    return _limit_with(lambda h: cusum_arl(k, h), _run_length(arl))


def ewma_arl_two_sided(lam: float, L: float, shift: float = 0.0) -> float:
    """Mean number of weeks up to an alarm of a two-sided EWMA with limits ±L·sqrt(lam/(2 - lam)).

    Source: Crowder (1987), Technometrics 29, by Gauss-Legendre nodes.

    >>> round(ewma_arl_two_sided(0.1, 2.703))
    372
    """
    finite_values([shift], "shift")
    edge = positive(L, "L") * _ewma_spread(lam)
    return _ewma_arl(lam, -edge, edge, shift)


def ewma_limit(lam: float, arl: float) -> float:
    """The L of an EWMA that alarms on one side alone, above L·sqrt(lam/(2 - lam)), once in arl weeks by chance.

    >>> round(ewma_limit(0.2, 52.0), 2)
    1.67
    """
    spread = _ewma_spread(lam)
    return _limit_with(lambda L: _ewma_arl(lam, -_FAR * spread, L * spread, 0.0), _run_length(arl))


def _ewma_spread(lam: float) -> float:
    return math.sqrt(_newest_weight(lam) / (2.0 - lam))


def _newest_weight(lam: float) -> float:
    if not 0.0 < lam <= 1.0:
        msg = f"lam is {lam}, it must lie in (0, 1]: the weight of the newest week"
        raise ValueError(msg)
    return float(lam)


def _ewma_arl(lam: float, low: float, high: float, shift: float) -> float:
    nodes, weights = _gauss_legendre(low, high)
    starts = np.append(0.0, nodes)
    kernel = weights / lam * _density((nodes - (1.0 - lam) * starts[:, None]) / lam - shift)
    lengths = np.linalg.solve(np.eye(len(nodes)) - kernel[1:], np.ones(len(nodes)))
    return float(1.0 + kernel[0] @ lengths)


def _run_length(arl: float) -> float:
    if not (math.isfinite(arl) and arl > 1.0):
        msg = f"arl is {arl}, it must be a finite number of weeks above 1"
        raise ValueError(msg)
    return float(arl)


def _gauss_legendre(low: float, high: float) -> tuple[NDArray[Any], NDArray[Any]]:
    nodes, weights = _nodes_of_the_unit()
    half = (high - low) / 2.0
    return half * nodes + (high + low) / 2.0, half * weights


@cache
def _nodes_of_the_unit() -> tuple[NDArray[Any], NDArray[Any]]:
    nodes, weights = np.polynomial.legendre.leggauss(_NODES)
    return nodes, weights


def _density(z: NDArray[Any]) -> NDArray[Any]:
    heights: NDArray[Any] = np.exp(-0.5 * z * z) / math.sqrt(2.0 * math.pi)
    return heights


def _limit_with(run_length: Callable[[float], float], arl: float) -> float:
    low, high = _LEAST_LIMIT, 1.0
    if run_length(low) >= arl:
        msg = f"arl is {arl}: even with no room at all, alarms are {run_length(low):.2f} weeks apart; ask for more"
        raise ValueError(msg)
    while run_length(high) < arl:
        low, high = high, 2.0 * high
    for _ in range(_HALVINGS):
        middle = (low + high) / 2.0
        low, high = (middle, high) if run_length(middle) < arl else (low, middle)
    return high
