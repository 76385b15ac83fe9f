"""The gate's tests over many imagined merges at once: the same answers as one by one, in arrays.

What a table of error rates or a plan asks thousands of times. A *gain* is what one case won (below zero: lost)
against its baseline, as a whole number of units: so sums are exact, and a tie is a tie. The last axis holds the
cases; what is before it are merges.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy import special

from pytest_agenteval.stats.distributions import normal_upper_quantile, t_upper_quantile
from pytest_agenteval.stats.exact import TIE
from pytest_agenteval.stats.paired import MIN_PAIRS_FOR_T_BOUNDS
from pytest_agenteval.stats.signflip import sign_flip_pvalue

Numbers = NDArray[Any]
Flags = NDArray[np.bool_]

FEW_CHANGES: Final = 20
"""With fewer changed cases the signs are flipped, where both sides have as many attempts."""

_FAR_FROM_ANY_LEVEL: Final = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Sums:
    """What the tests need of the gains: their sum, that of their squares, and how many cases won and lost.

    ``unit`` is one unit of gain in the metric's own points. ``won`` and ``lost`` are None where no test asks.
    """

    n: int
    unit: float
    total: Numbers
    squares: Numbers
    won: Numbers | None = None
    lost: Numbers | None = None

    @property
    def delta(self) -> Numbers:
        """Mean gain in points."""
        return self.total * (self.unit / self.n)


def sums_of(gains: Numbers, unit: float) -> Sums:
    """The sums over the cases.

    >>> sums_of(np.array([[1, -1, -1, 0]]), 0.5).delta
    array([-0.125])
    """
    wide = gains.astype(np.int64)
    return Sums(
        n=gains.shape[-1],
        unit=unit,
        total=wide.sum(axis=-1),
        squares=(wide * wide).sum(axis=-1),
        won=np.count_nonzero(gains > 0, axis=-1),
        lost=np.count_nonzero(gains < 0, axis=-1),
    )


def drop_pvalues(gains: Numbers, sums: Sums, *, one_value_each: bool, alike: bool) -> Numbers:
    """P-values of a drop, by the test that the gate takes.

    one_value_each: pass/fail, one attempt on both sides. alike: as many attempts on both sides. A sign-flip
    test whose t is far from any level is answered by t: nobody decides by it.

    >>> gains = np.array([[1, -1, -1, -1, -1, -1, -1, 0]])
    >>> drop_pvalues(gains, sums_of(gains, 1.0), one_value_each=True, alike=True)
    array([0.03515625])
    """
    assert sums.won is not None
    assert sums.lost is not None
    if one_value_each:
        return mcnemar_pvalues(sums.won, sums.lost)
    found = t_pvalues(sums.total, sums.squares, sums.n)
    if alike:
        few = (sums.won + sums.lost < FEW_CHANGES) & (found < _FAR_FROM_ANY_LEVEL)
        for place in zip(*np.nonzero(few), strict=True):
            found[place] = _flipped(tuple(np.sort(gains[place][gains[place] != 0]).tolist()))
    return found


@lru_cache(maxsize=100_000)
def _flipped(gains: tuple[int, ...]) -> float:
    return sign_flip_pvalue(gains)


def mcnemar_pvalues(won: Numbers, lost: Numbers) -> Numbers:
    """One-sided mid-p of McNemar's test, for each pair of counts; 1 where nothing changed.

    >>> mcnemar_pvalues(np.array([2, 0]), np.array([9, 0])).round(6)
    array([0.019287, 1.      ])
    """
    changed = np.maximum(won + lost, 1)
    below = np.where(won > 0, special.bdtr(np.maximum(won - 1, 0), changed, 0.5), 0.0)
    mid = (special.bdtr(won, changed, 0.5) + below) / 2.0
    return np.where(won + lost > 0, mid, 1.0)


def t_pvalues(total: Numbers, squares: Numbers, n: int) -> Numbers:
    """One-sided p-values of the paired t test, from sums over n cases; where all gains are equal, as it says there.

    >>> t_pvalues(np.array([-40, -3, 0]), np.array([1000, 3, 0]), 3).round(4)
    array([0.1349, 0.125 , 1.    ])
    """
    spread = n * squares - total * total
    known = spread > 0
    statistic = total * np.sqrt((n - 1) / np.where(known, spread, 1))
    equal = np.where(total < 0, 2.0**-n, 1.0)
    return np.where(known, special.stdtr(max(n - 1, 1), statistic), equal)


def holm(pvalues: Numbers) -> Numbers:
    """P-values adjusted by Holm over the last axis, the metrics of a merge.

    >>> holm(np.array([[0.01, 0.25, 0.02]]))
    array([[0.03, 0.25, 0.04]])
    """
    order = np.argsort(pvalues, axis=-1, kind="stable")
    steps = np.take_along_axis(pvalues, order, axis=-1) * np.arange(pvalues.shape[-1], 0, -1)
    adjusted = np.empty_like(pvalues)
    np.put_along_axis(adjusted, order, np.minimum(np.maximum.accumulate(steps, axis=-1), 1.0), axis=-1)
    return adjusted


def regressed(pvalues: Numbers, deltas: Numbers, alpha: float, margin: float) -> Flags:
    """Where a drop is proven at the level and larger than the margin; a tie with either is as in the gate.

    >>> regressed(np.array([0.05, 0.01]), np.array([-0.03, -0.02]), 0.05, 0.02)
    array([ True, False])
    """
    return (pvalues - alpha <= TIE) & (-margin - deltas > TIE)


def excludes_margin(
    sums: Sums, margin: float, *, one_value_each: bool, width: float | None = 1.0, alpha: float = 0.05
) -> Flags:
    """Where the one-sided bound excludes a loss of the margin: Tango's, or the stabilised one of a range this wide.

    Tango's bound is not solved for: it lies above the loss that its own score test rejects. Without a range
    (``width`` None) it is the t bound.

    >>> nothing = sums_of(np.zeros((1, 133), int), 1.0)
    >>> [excludes_margin(nothing, m, one_value_each=True).item() for m in (0.0198, 0.02)]
    [False, True]
    """
    z = normal_upper_quantile(alpha)
    if one_value_each:
        assert sums.won is not None
        assert sums.lost is not None
        distance = sums.won - sums.lost + sums.n * margin
        return np.asarray(distance > z * np.sqrt(sums.n * _tango_variance(sums.won, sums.lost, sums.n, -margin)))
    if width is None:
        spread = np.maximum(sums.n * sums.squares - sums.total * sums.total, 0.0) * sums.unit**2
        half = t_upper_quantile(alpha, sums.n - 1) * np.sqrt(spread / (sums.n - 1)) / sums.n
        return np.asarray((spread > 0) & (sums.n >= MIN_PAIRS_FOR_T_BOUNDS) & (sums.delta - half + margin > TIE))
    size = sums.n + z * z
    mean = sums.total * (sums.unit / size)
    square = (sums.squares * sums.unit**2 + (z * width) ** 2) / size
    lower = mean - z * np.sqrt((square - mean * mean) / size)
    return np.asarray(lower + margin > TIE)


def _tango_variance(won: Numbers, lost: Numbers, n: int, delta: float) -> Numbers:
    linear = -won - lost + (2 * n - won + lost) * delta
    constant = -lost * delta * (1.0 - delta)
    loss_rate = (np.sqrt(np.maximum(linear * linear - 8 * n * constant, 0.0)) - linear) / (4 * n)
    return np.maximum(2.0 * loss_rate + delta * (1.0 - delta), 0.0)


@cache
def flip_pvalues(changed: tuple[int, ...]) -> Numbers:
    """P-values of the sign-flip test, where ``changed[k]`` cases changed by k + 1 units, up or down.

    By adding up the equally likely sums, without a draw. The first entry is that of the smallest sum, when all
    fell; each further one is that of a sum one unit larger.

    >>> flip_pvalues((2,))  # sums -2, -1, 0, 1, 2
    array([0.25, 0.25, 0.75, 0.75, 1.  ])
    """
    ways = np.ones(1)
    for size, times in enumerate(changed, start=1):
        for _ in range(times):
            still = np.zeros(2 * size)
            ways = (np.concatenate([ways, still]) + np.concatenate([still, ways])) / 2.0
    return np.asarray(np.cumsum(ways))
