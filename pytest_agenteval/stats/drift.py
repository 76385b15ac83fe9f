"""Have the inputs changed? How much, and whether that is more than chance: an alarm needs both.

A test alone flags trifles among a hundred thousand inputs, an index alone flags noise among a hundred.
"""

from __future__ import annotations

import math
import warnings
from bisect import bisect_right
from collections.abc import Sequence
from typing import Final, TypedDict

from pytest_agenteval.stats.checks import finite_values, fraction, whole
from pytest_agenteval.stats.distributions import chi_square_upper_quantile, chi_square_upper_tail
from pytest_agenteval.stats.exact import exceeds
from pytest_agenteval.stats.multiplicity import adjust_pvalues

_EMPTY: Final = 1e-4
"""Share that an empty bin counts with: a logarithm of nothing says too much."""

_LEAST_EXPECTED: Final = 5
"""Categories in which fewer are expected are pooled: chi-square is an approximation for larger counts."""


class TwoSampleTest(TypedDict):
    """Size of the difference and its p-value."""

    statistic: float
    pvalue: float


class HomogeneityTest(TypedDict):
    """Chi-square, its degrees of freedom after pooling, and its p-value; None where one category is left."""

    statistic: float | None
    df: int
    pvalue: float | None


def decile_counts(reference: Sequence[float], current: Sequence[float], bins: int = 10) -> tuple[list[int], list[int]]:
    """Count both samples in bins that hold equal parts of the reference; a value at an edge belongs above it.

    Edges are values of the reference; equal ones (ties) are one, so that there may be fewer bins, and none is empty.

    >>> decile_counts([1, 2, 3, 4], [4, 5, 6], bins=2)
    ([2, 2], [0, 3])
    """
    old, new = sorted(finite_values(reference, "reference")), finite_values(current, "current")
    parts = whole(bins, "bins", low=2)
    edges = sorted({old[part * len(old) // parts] for part in range(1, parts)} - {old[0]})
    counts = ([0] * (len(edges) + 1), [0] * (len(edges) + 1))
    for sample, counted in zip((old, new), counts, strict=True):
        for value in sample:
            counted[bisect_right(edges, value)] += 1
    return counts


def psi(ref_counts: Sequence[int], cur_counts: Sequence[int]) -> float:
    """Population stability index of two samples counted in the same bins: 0 for equal shares; symmetric.

    Σ(p - q)·ln(p/q); an empty bin counts as a share of 1e-4. Use bins made from the reference (``decile_counts``).
    With no drift at all 100 against 100 cases give .19 on average: compare with ``psi_threshold``, never with .1
    alone. Under 100 cases: report only. Source: Yurdakul and Naranjo (2020), J. Risk Model Valid. 14.

    >>> psi([50, 50], [50, 50]), round(psi([50, 50], [40, 60]), 4)
    (0.0, 0.0405)
    """
    pairs = [(max(old, _EMPTY), max(new, _EMPTY)) for old, new in zip(*_shares(ref_counts, cur_counts), strict=True)]
    return math.fsum((old - new) * (math.log(old) - math.log(new)) for old, new in pairs)


def psi_threshold(bins: int, n_ref: int, n_cur: int, level: float = 0.99) -> float:
    """The index that chance alone exceeds with probability 1 - level when nothing has drifted.

    χ²(bins - 1)·(1/n_ref + 1/n_cur), good when bins hold five cases or more. Source: Yurdakul and Naranjo (2020).

    >>> round(psi_threshold(10, 1000, 1000), 3)
    0.043
    """
    sizes = whole(n_ref, "n_ref", low=1), whole(n_cur, "n_cur", low=1)
    limit = chi_square_upper_quantile(1.0 - fraction(level, "level"), whole(bins, "bins", low=2) - 1)
    return limit * (1.0 / sizes[0] + 1.0 / sizes[1])


def js_distance(ref_counts: Sequence[int], cur_counts: Sequence[int]) -> float:
    """Jensen-Shannon distance (the root of the divergence, base 2), in [0, 1]: 0 for equal shares; symmetric.

    Above .1 by chance alone in most samples of 100: a size, never an alarm. Source: Lin (1991); Endres and
    Schindelin (2003), IEEE Trans. Inf. Theory 49.

    >>> js_distance([1, 0], [0, 1]), js_distance([3, 3], [5, 5])
    (1.0, 0.0)
    """
    pairs = list(zip(*_shares(ref_counts, cur_counts), strict=True))
    divergence = math.fsum(_excess(old, old + new) + _excess(new, old + new) for old, new in pairs) / 2.0
    return math.sqrt(min(max(divergence, 0.0), 1.0))


def _excess(share: float, both: float) -> float:
    return share * math.log2(2.0 * share / both) if share > 0.0 else 0.0


def ks_two_sample(a: Sequence[float], b: Sequence[float]) -> TwoSampleTest:
    """Largest distance D of two samples' distribution functions, and its two-sided p-value.

    Exact up to 10,000 values a side, asymptotic above; for continuous values, with ties conservative. Symmetric.
    Source: Kolmogorov (1933), Smirnov (1939), as ``scipy.stats.ks_2samp``.

    >>> ks_two_sample([1.0, 2.0], [3.0, 4.0])["statistic"]
    1.0
    """
    from scipy import stats

    with warnings.catch_warnings():
        # Where the exact p rounds to a little above 1, scipy warns and takes the asymptotic one: 1 as well.
        warnings.simplefilter("ignore", RuntimeWarning)
        test = stats.ks_2samp(finite_values(a, "a"), finite_values(b, "b"))
    return {"statistic": float(test.statistic), "pvalue": min(float(test.pvalue), 1.0)}


def chi2_homogeneity(ref_counts: Sequence[int], cur_counts: Sequence[int]) -> HomogeneityTest:
    """Have both samples the same shares of each category? Pearson's chi-square, without continuity correction.

    Categories in which either sample expects under 5 are pooled (the rarest first, until the pool expects 5 too). One
    category left: nothing can be said. Source: Pearson (1900); Cochran (1954), Biometrics 10.

    >>> round(chi2_homogeneity([30, 70], [50, 50])["pvalue"], 4)
    0.0039
    """
    _shares(ref_counts, cur_counts)
    pairs = _pooled([(old, new) for old, new in zip(ref_counts, cur_counts, strict=True) if old + new])
    if len(pairs) == 1:
        return {"statistic": None, "df": 0, "pvalue": None}
    totals = [sum(side) for side in zip(*pairs, strict=True)]
    terms = [
        (seen - expected) ** 2 / expected
        for pair in pairs
        for seen, total in zip(pair, totals, strict=True)
        for expected in [sum(pair) * total / sum(totals)]
    ]
    statistic, df = math.fsum(terms), len(pairs) - 1
    return {"statistic": statistic, "df": df, "pvalue": chi_square_upper_tail(statistic, df)}


def _pooled(pairs: list[tuple[int, int]]) -> list[tuple[int, int]]:
    smaller = min(sum(side) for side in zip(*pairs, strict=True)) / sum(map(sum, pairs))
    rest = sorted(pairs, key=lambda pair: (sum(pair), pair))  # of two as rare, always the same one first
    pool = (0, 0)
    while rest and (sum(rest[0]) * smaller < _LEAST_EXPECTED or 0 < sum(pool) * smaller < _LEAST_EXPECTED):
        old, new = rest.pop(0)
        pool = (pool[0] + old, pool[1] + new)
    return [pool, *rest] if sum(pool) else rest


def drifted(pvalues: Sequence[float], sizes: Sequence[float], least_size: float = 0.1, q: float = 0.01) -> list[bool]:
    """Which inputs to call drifted: proven (p at most q after Benjamini-Hochberg over all) and large enough.

    sizes: psi, D of ``ks_two_sample``, or another measure, one per input; a tie with least_size is no alarm.

    >>> drifted([0.0001, 0.0001, 0.2], [0.3, 0.01, 0.4])
    [True, False, False]
    """
    adjusted = adjust_pvalues(pvalues, "bh")
    return [p <= q and exceeds(size, least_size) for p, size in zip(adjusted, sizes, strict=True)]


def _shares(ref_counts: Sequence[int], cur_counts: Sequence[int]) -> tuple[list[float], list[float]]:
    old = [whole(count, "ref_counts") for count in ref_counts]
    new = [whole(count, "cur_counts") for count in cur_counts]
    if len(old) != len(new) or not sum(old) or not sum(new):
        msg = f"{len(old)} bins hold {sum(old)} and {len(new)} bins {sum(new)} cases: count both in the same bins"
        raise ValueError(msg)
    return [count / sum(old) for count in old], [count / sum(new) for count in new]
