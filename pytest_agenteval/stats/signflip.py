"""Could the signs of the differences as well be others? Few are enumerated; for the draws of many numpy is loaded."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from pytest_agenteval.stats.checks import choice, finite_values
from pytest_agenteval.stats.exact import whole_units
from pytest_agenteval.stats.paired import ALTERNATIVES, Alternative

_ENUMERATED: Final = 12
_DRAWS: Final = 9_999
_CHUNK: Final = 1_000
_TOWARD: Final[Mapping[str, Callable[[int], int]]] = {"less": operator.neg, "greater": operator.pos, "two-sided": abs}


def sign_flip_pvalue(diffs: Sequence[float], alternative: Alternative = "less", *, seed: int = 0) -> float:
    """P-value for the mean difference when, under "no change", each difference could as well be its negative.

    Exact up to 12 non-zero differences (all sign patterns), else 9,999 draws seeded by ``seed`` and
    (1 + hits)/(1 + draws). Sums that differ by rounding count as ties, hence as hits. Zeros change
    nothing. Needs exchangeable arms: equal repeats. Source: Fisher (1935); Phipson and Smyth (2010).

    >>> sign_flip_pvalue([-0.5, -0.25, 0.0])
    0.25
    """
    choice(alternative, "alternative", ALTERNATIVES)
    # Sorted, so that the draws meet the same differences whatever the order of the records.
    units = sorted(unit for unit in whole_units(finite_values(diffs, "diffs")) if unit)
    exact = len(units) <= _ENUMERATED
    sums = _all_sums(units) if exact else _drawn_sums(units, seed)
    toward = _TOWARD[alternative]
    limit = toward(sum(units)) - len(units)  # each unit may be off by rounding: ties count
    hits = sum(toward(total) >= limit for total in sums)
    return hits / len(sums) if exact else (1 + hits) / (1 + len(sums))


def _all_sums(units: list[int]) -> list[int]:
    sums = [0]
    for unit in units:
        sums = [total + signed for total in sums for signed in (unit, -unit)]
    return sums


def _drawn_sums(units: list[int], seed: int) -> list[int]:
    import numpy as np

    # Raw bits of the generator: numpy keeps these stable over versions, not the methods above them.
    source, changes = np.random.PCG64(seed), np.array(units, dtype=np.int64)
    words = -(-len(units) // 64)
    sums: list[int] = []
    for start in range(0, _DRAWS, _CHUNK):
        rows = min(_CHUNK, _DRAWS - start)
        raw = source.random_raw(rows * words).astype("<u8").view(np.uint8).reshape(rows, words * 8)
        flips = np.unpackbits(raw, axis=1, count=len(units))
        sums += (changes.sum() - 2 * (flips @ changes)).tolist()
    return sums
