"""How sure are we of a number that has no formula? Resampled cases, bias-corrected and accelerated.

No remedy for few cases: for a mean, the t interval covers as well or better. Never for extreme quantiles.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final, TypedDict

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pytest_agenteval.stats.checks import finite_values, fraction, whole
from pytest_agenteval.stats.distributions import normal_upper_quantile, normal_upper_tail

LEAST_CASES: Final = 20
"""Under this many cases a resample is too coarse a picture of what other cases would have given."""

RESAMPLES: Final = 9_999

_DRAWS_AT_ONCE: Final = 100_000
"""Draws of one chunk: what fits the processor's cache is drawn, counted and multiplied twice as fast."""
_PRODUCTS_AT_ONCE: Final = 250_000
"""Size of one matrix product: for larger ones OpenBLAS wakes threads whose waiting costs more than the product."""
_MOST_UNDEFINED: Final = 0.01
_DIGITS: Final = 12
_TIE: Final = 1e-12


class BcaInterval(TypedDict):
    """Bias correction, acceleration and limits; None where the replicates give none."""

    z0: float | None
    a: float | None
    lo: float | None
    hi: float | None


class BootstrapInterval(TypedDict):
    """Estimate and limits; where there are no limits, reason says why (else it is empty)."""

    estimate: float | None
    lo: float | None
    hi: float | None
    reason: str


def bca_from_replicates(
    estimate: float, replicates: Sequence[float], jackknife: Sequence[float], confidence: float = 0.95
) -> BcaInterval:
    """Limits from a statistic's resampled values and its values with one case left out at a time.

    Quantiles (type 7) of the replicates at levels shifted by bias z0, half of the ties counted, and by skewness
    a. Never leaves the estimate out. All None where all replicates are equal or all lie on one side
    of the estimate. Assumes a smooth statistic of independent cases. Source: Efron (1987), JASA 82.

    >>> limits = bca_from_replicates(2.0, [1.0, 2.0, 3.0, 2.0], [1.9, 2.0, 2.1])
    >>> limits["z0"], limits["a"], round(limits["lo"], 3), round(limits["hi"], 3)
    (0.0, 0.0, 1.075, 2.925)
    """
    finite_values([estimate], "estimate")
    values = np.array(finite_values(replicates, "replicates"))
    left_out = np.array(sorted(finite_values(jackknife, "jackknife")))
    return _bca(estimate, values, left_out, confidence)


def _bca(estimate: float, replicates: NDArray[Any], left_out: NDArray[Any], confidence: float) -> BcaInterval:
    tail = (1.0 - fraction(confidence, "confidence")) / 2.0
    distances = replicates - estimate
    tie = _TIE * max(float(np.abs(replicates).max()), abs(estimate))
    below = int(np.count_nonzero(distances < -tie))
    share = (below + np.count_nonzero(np.abs(distances) <= tie) / 2.0) / len(replicates)
    if np.ptp(replicates) <= tie or not 0.0 < share < 1.0:
        return {"z0": None, "a": None, "lo": None, "hi": None}
    z0, a = -normal_upper_quantile(share), _acceleration(left_out)
    z = normal_upper_quantile(tail)
    low, high = np.quantile(replicates, [_level(z0, a, -z), _level(z0, a, z)]).tolist()
    return {"z0": z0 + 0.0, "a": a, "lo": min(low, estimate), "hi": max(high, estimate)}


def _acceleration(left_out: NDArray[Any]) -> float:
    pulls = left_out.mean() - left_out
    scale = 6.0 * float((pulls**2).sum()) ** 1.5
    return float((pulls**3).sum()) / scale if scale else 0.0


def _level(z0: float, a: float, z: float) -> float:
    shifted = z0 + z
    room = 1.0 - a * shifted
    if room <= 0.0:  # so skewed that the limit has run off the replicates
        return 1.0 if shifted > 0.0 else 0.0
    return normal_upper_tail(-(z0 + shifted / room))


def paired_bootstrap(
    diffs: ArrayLike, n_resamples: int = RESAMPLES, confidence: float = 0.95, *, seed: int
) -> list[BootstrapInterval]:
    """BCa interval of the mean difference of each metric, all metrics over the same resamples of the cases.

    diffs: cases × metrics, no gaps (NaN is refused: call again with the cases that a metric has).
    Under 20 cases, or where all differences are equal: no limits, and the reason. Same seed, same cases: the
    same digits whatever their order, machine or number of processors. Source: Efron (1987), JASA 82.

    >>> [one] = paired_bootstrap([[0.0], [1.0]] * 10, seed=1)
    >>> one["estimate"], round(one["lo"], 3), round(one["hi"], 3)
    (0.5, 0.3, 0.75)
    """
    table = _in_a_fixed_order(diffs)
    if table.ndim != 2:  # noqa: PLR2004 - cases × metrics
        msg = f"diffs has {table.ndim} axes, two are needed: cases × metrics"
        raise ValueError(msg)
    n, metrics = table.shape
    whole(n_resamples, "n_resamples", low=1)
    units, scales = _as_whole_numbers(table)
    totals = _resampled_totals(units, n_resamples, seed) if n >= LEAST_CASES else units[:0]
    return [
        _interval_of_mean(units[:, place], totals[:, place], float(scales[place]), confidence)
        for place in range(metrics)
    ]


def _interval_of_mean(units: NDArray[Any], totals: NDArray[Any], scale: float, confidence: float) -> BootstrapInterval:
    n = len(units)
    estimate = float(units.sum()) * scale / n
    if n < LEAST_CASES:
        return _unknown(estimate, _too_few(n))
    # Leaving a case out moves the mean by its distance from it, but for a factor that drops out of the formula.
    return _rounded(estimate, _bca(estimate, totals * (scale / n), -units, confidence))


def bca_interval(
    cases: ArrayLike,
    statistic: Callable[[NDArray[Any]], float | None],
    n_resamples: int = RESAMPLES,
    confidence: float = 0.95,
    *,
    seed: int,
) -> BootstrapInterval:
    """BCa interval of any statistic of the cases: F1, a ratio, a trimmed mean, a difference of medians.

    cases: numbers, one row (or one number) a case, its repeats averaged into it. statistic: gets such an array of as
    many cases and answers a number, or None where it is undefined. No limits, and the reason: under 20 cases,
    where it is undefined or the same over all resamples, or undefined in more than 1 % of them (fewer are left
    out). The order of the cases does not count. Source: Efron (1987), JASA 82.

    >>> ratio = lambda rows: rows[:, 0].sum() / rows[:, 1].sum()
    >>> found = bca_interval([[1, 2], [3, 4], [2, 2], [1, 3]] * 6, ratio, 999, seed=1)
    >>> found["lo"] < found["estimate"] < found["hi"]
    True
    """
    table = _in_a_fixed_order(cases)
    n = len(table)
    estimate = _plain(statistic(table))
    if estimate is None:
        return _unknown(None, "the statistic is undefined over these cases")
    if n < LEAST_CASES:
        return _unknown(estimate, _too_few(n))
    draws = (index for _, block in _drawn(n, whole(n_resamples, "n_resamples", low=1), seed) for index in block)
    replicates = [value for index in draws if (value := _plain(statistic(table[index]))) is not None]
    left_out = [value for case in range(n) if (value := _plain(statistic(np.delete(table, case, axis=0)))) is not None]
    if len(replicates) < (1.0 - _MOST_UNDEFINED) * n_resamples or len(left_out) < n:
        missing = n_resamples - len(replicates)
        return _unknown(estimate, f"the statistic is undefined in {missing} of {n_resamples} resamples")
    return _rounded(estimate, _bca(estimate, np.array(replicates), np.sort(left_out), confidence))


def _plain(value: float | None) -> float | None:
    return None if value is None else finite_values([value], "statistic")[0]


def _too_few(n: int) -> str:
    return f"{n} cases: {LEAST_CASES} are needed to resample them"


def _unknown(estimate: float | None, reason: str) -> BootstrapInterval:
    return {"estimate": estimate, "lo": None, "hi": None, "reason": reason}


def _rounded(estimate: float, found: BcaInterval) -> BootstrapInterval:
    if found["lo"] is None or found["hi"] is None:
        return _unknown(estimate, "all resamples give the same value, or all lie on one side of the estimate")
    low, high = (float(f"{limit:.{_DIGITS}g}") for limit in (found["lo"], found["hi"]))
    return {"estimate": estimate, "lo": min(low, estimate), "hi": max(high, estimate), "reason": ""}


def _in_a_fixed_order(cases: ArrayLike) -> NDArray[Any]:
    """The cases sorted by their values, so that a draw means the same case whatever their order was."""
    table = np.asarray(cases, dtype=np.float64) + 0.0
    if not (len(table) and np.isfinite(table).all()):
        msg = f"{len(table)} cases, some of them not finite: take missing values out first and count them"
        raise ValueError(msg)
    rows = table.reshape(len(table), -1)
    ordered: NDArray[Any] = table[np.lexsort(rows.T[::-1])]
    return ordered


def _as_whole_numbers(table: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Each column as whole multiples of a power of two, small enough that every sum of n of them is exact.

    So sums do not depend on how a machine groups them, and equal ones are equal.
    """
    bits = np.finfo(np.float64).nmant - len(table).bit_length()
    exponents = np.frexp(np.abs(table).max(axis=0))[1]
    return np.rint(np.ldexp(table, bits - exponents)), np.ldexp(1.0, exponents - bits)


def _chunk(n: int) -> int:
    return max(1, _DRAWS_AT_ONCE // n)


def _drawn(n: int, resamples: int, seed: int) -> Iterator[tuple[int, NDArray[np.int64]]]:
    """Resamples in chunks: the number of the first, and the cases of each, with replacement."""
    # Raw bits by multiply-shift: numpy keeps these stable over versions, not the methods above them.
    source = np.random.PCG64(seed)
    for start in range(0, resamples, _chunk(n)):
        rows = min(_chunk(n), resamples - start)
        raw = source.random_raw(-(-rows * n // 2)).astype("<u8", copy=False).view("<u4")[: rows * n]
        draws = raw.astype(np.uint64)
        draws *= np.uint64(n)
        draws >>= np.uint64(32)
        yield start, draws.view(np.int64).reshape(rows, n)


def _resampled_totals(units: NDArray[Any], resamples: int, seed: int) -> NDArray[Any]:
    """Resamples × metrics: sums over each resample, as products of how often each case is in it."""
    n, metrics = units.shape
    rows = min(resamples, _chunk(n))
    block = max(1, min(n, _PRODUCTS_AT_ONCE // (rows * metrics)))
    blocks = -(-n // block)
    factors = np.zeros((blocks, block, metrics))
    factors.reshape(-1, metrics)[:n] = units
    totals = np.empty((resamples, metrics))
    for start, draws in _drawn(n, resamples, seed):
        places = draws + np.arange(len(draws))[:, None] * (blocks * block)
        counts = np.bincount(places.ravel(), minlength=len(draws) * blocks * block).astype(np.float64)
        parts = np.matmul(counts.reshape(len(draws), blocks, block).transpose(1, 0, 2), factors)
        parts.sum(axis=0, out=totals[start : start + len(draws)])
    return totals
