"""Could the signs of the differences as well be others? The exact test, in a module of its own for numpy's sake."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from pytest_agenteval.stats.checks import choice, finite_values
from pytest_agenteval.stats.exact import whole_units
from pytest_agenteval.stats.paired import ALTERNATIVES, Alternative

_ENUMERATED: Final = 12
_DRAWS: Final = 9_999
_CHUNK: Final = 1_000


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
    units = np.array(sorted(unit for unit in whole_units(finite_values(diffs, "diffs")) if unit), dtype=np.int64)
    exact = len(units) <= _ENUMERATED
    patterns = _all_flips(len(units)) if exact else _drawn_flips(len(units), seed)
    observed, slack = int(units.sum()), len(units)
    hits = draws = 0
    for flips in patterns:
        sums = observed - 2 * (flips @ units)
        hits += int(np.count_nonzero(_as_extreme(sums, observed, slack, alternative)))
        draws += len(flips)
    return hits / draws if exact else (1 + hits) / (1 + draws)


def _as_extreme(sums: NDArray[np.int64], observed: int, slack: int, alternative: Alternative) -> NDArray[np.bool_]:
    if alternative == "less":
        return sums <= observed + slack
    if alternative == "greater":
        return sums >= observed - slack
    return np.abs(sums) >= abs(observed) - slack


def _all_flips(size: int) -> Iterator[NDArray[Any]]:
    yield (np.arange(2**size)[:, None] >> np.arange(size)) & 1


def _drawn_flips(size: int, seed: int) -> Iterator[NDArray[Any]]:
    # Raw bits of the generator: numpy keeps these stable over versions, not the methods above them.
    source = np.random.PCG64(seed)
    words = -(-size // 64)
    for start in range(0, _DRAWS, _CHUNK):
        rows = min(_CHUNK, _DRAWS - start)
        raw = source.random_raw(rows * words).astype("<u8").view(np.uint8).reshape(rows, words * 8)
        yield np.unpackbits(raw, axis=1, count=size)
