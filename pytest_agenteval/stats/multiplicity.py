"""How strict must each of many tests be, so that the whole family keeps its promise?"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from typing import Literal

from pytest_agenteval.stats.checks import choice, unit_values


def adjust_pvalues(pvalues: Sequence[float], method: Literal["holm", "bh"]) -> list[float]:
    """Adjusted p-values, in the order given; compare each with the level of the family. Ties stay tied.

    holm: bounds the chance of any false alarm, whatever the dependence: for gating metrics.
    bh: bounds the share of false alarms, under independence or positive dependence: for slices in a
    report. Source: Holm (1979), Scand. J. Stat. 6; Benjamini and Hochberg (1995), JRSS B 57.

    >>> adjust_pvalues([0.01, 0.25], "holm"), adjust_pvalues([0.01, 0.25], "bh")
    ([0.02, 0.25], [0.02, 0.25])
    """
    choice(method, "method", ["holm", "bh"])
    raw = unit_values(pvalues, "pvalues", at_least=0)
    n = len(raw)
    order = sorted(range(n), key=raw.__getitem__)
    if method == "holm":
        steps = list(accumulate(((n - rank) * raw[place] for rank, place in enumerate(order)), max))
    else:
        # n / rank first: at the last rank the factor is exactly 1, and the result never above Holm's.
        factors = [n / (rank + 1) * raw[place] for rank, place in enumerate(order)]
        steps = list(accumulate(reversed(factors), min))[::-1]
    adjusted = dict(zip(order, steps, strict=True))
    return [min(1.0, adjusted[place]) for place in range(n)]
