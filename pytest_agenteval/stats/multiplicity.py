"""How strict must each of many tests be, so that the whole family keeps its promise?"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import accumulate
from typing import Literal, TypedDict

from pytest_agenteval.stats.checks import choice, positive, unit_values


class GatekeptPvalues(TypedDict):
    """Adjusted p-values of the metrics, and of each metric's slices, in the order given."""

    metrics: list[float]
    slices: list[list[float]]


def adjust_pvalues(
    pvalues: Sequence[float], method: Literal["holm", "bh"], weights: Sequence[float] | None = None
) -> list[float]:
    """Adjusted p-values, in the order given; compare each with the level of the family. Ties stay tied.

    holm: bounds the chance of any false alarm, whatever the dependence: for gating metrics. weights, above 0 and
    for holm alone, give important metrics a larger part of the level; only their ratios count.
    bh: bounds the share of false alarms, under independence or positive dependence: for slices in a
    report. Source: Holm (1979), Scand. J. Stat. 6; Benjamini and Hochberg (1995), JRSS B 57.

    >>> adjust_pvalues([0.01, 0.25], "holm"), adjust_pvalues([0.01, 0.25], "bh")
    ([0.02, 0.25], [0.02, 0.25])
    >>> adjust_pvalues([0.01, 0.25], "holm", weights=[1.0, 3.0])
    [0.04, 0.25]
    """
    choice(method, "method", ["holm", "bh"])
    raw = unit_values(pvalues, "pvalues", at_least=0)
    if method == "holm":
        return _holm(raw, _shares_of_level(weights, len(raw)))
    if weights is not None:
        msg = "weights go with method 'holm': 'bh' has none"
        raise ValueError(msg)
    n = len(raw)
    order = sorted(range(n), key=raw.__getitem__)
    # n / rank first: at the last rank the factor is exactly 1, and the result never above Holm's.
    factors = [n / (rank + 1) * raw[place] for rank, place in enumerate(order)]
    steps = list(accumulate(reversed(factors), min))[::-1]
    adjusted = dict(zip(order, steps, strict=True))
    return [min(1.0, adjusted[place]) for place in range(n)]


def _shares_of_level(weights: Sequence[float] | None, n: int) -> list[float]:
    shares = [1.0] * n if weights is None else [positive(weight, "weights") for weight in weights]
    if len(shares) != n:
        msg = f"{len(shares)} weights for {n} p-values: give one each"
        raise ValueError(msg)
    return shares


def _holm(raw: Sequence[float], weights: Sequence[float]) -> list[float]:
    order = sorted(range(len(raw)), key=lambda place: raw[place] / weights[place])
    left = [math.fsum(weights[place] for place in order[rank:]) for rank in range(len(order))]
    # The ratio of weights first: for the last one it is exactly 1, and equal weights give Holm's own factors.
    steps = accumulate((left[rank] / weights[place] * raw[place] for rank, place in enumerate(order)), max)
    adjusted = dict(zip(order, steps, strict=True))
    return [min(1.0, adjusted[place]) for place in range(len(raw))]


def gatekeep(
    metrics: Sequence[float], slices: Sequence[Sequence[float]], weights: Sequence[float] | None = None
) -> GatekeptPvalues:
    """Adjusted p-values where a metric's slices are asked only if the metric itself is flagged.

    metrics: a p-value each; slices: those of each metric's slices (none: []). Compare with the level of the
    family: the chance of any false alarm, among metrics and slices together, stays below it whatever the dependence.
    Each metric has its share of the level (weights) and hands it to its slices, by Holm; what a metric whose
    slices are all flagged had goes to the others. Without slices this is Holm over the metrics.
    Source: Dmitrienko and Tamhane (2007), Pharm. Stat. 6; Bretz et al. (2009), Stat. Med. 28.

    >>> gatekeep([0.01, 0.25], [[0.125, 0.0625], [0.001]])
    {'metrics': [0.02, 0.25], 'slices': [[0.25, 0.25], [0.25]]}
    """
    heads = unit_values(metrics, "metrics", at_least=0)
    shares = _shares_of_level(weights, len(heads))
    # Within a family: what each test asks for if the family had the whole level. The metric comes first.
    families = [
        [head, *(max(head, below) for below in adjust_pvalues(members, "holm"))]
        for head, members in zip(heads, slices, strict=True)
    ]
    order = sorted(range(len(heads)), key=lambda place: max(families[place]) / shares[place])
    found: list[list[float]] = [[1.0] * len(family) for family in families]
    reached = 0.0
    for rank, done in enumerate(order):
        left = math.fsum(shares[place] for place in order[rank:])
        for place in order[rank:]:
            asked = [max(reached, left / shares[place] * p) for p in families[place]]
            found[place] = [min(pair) for pair in zip(found[place], asked, strict=True)]
        reached = max(found[done])
    return {"metrics": [family[0] for family in found], "slices": [family[1:] for family in found]}
