"""Is a stated confidence honest? Calibration error and Brier score."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Literal

from pytest_agenteval.stats.checks import choice, unit_values, whole
from pytest_agenteval.stats.exact import exact_mean

Answer = tuple[float, float]
"""Stated confidence, and 1.0 if the answer was right, else 0.0."""


def ece(
    confidence: Sequence[float],
    correct: Sequence[float],
    bins: int = 10,
    scheme: Literal["width", "mass"] = "width",
    closed: Literal["left", "right"] = "left",
) -> float:
    """Expected calibration error: mean gap of confidence and accuracy over bins, weighted by their cases.

    width: equal bins of [0, 1]; closed says which edge belongs to a bin. mass: bins of (nearly) equal
    numbers; tied confidences are ordered by correct, so that the order of records does not matter.
    Biased upwards: a perfect score shows about .07 at n = 100. Source: Naeini et al. (2015).

    >>> round(ece([0.95, 0.95, 0.55], [1, 1, 0]), 4)
    0.2167
    """
    choice(scheme, "scheme", ["width", "mass"])
    choice(closed, "closed", ["left", "right"])
    bins = whole(bins, "bins", low=1)
    answers = _answers(confidence, correct)
    parts = _equal_mass(answers, bins) if scheme == "mass" else _equal_width(answers, bins, closed)
    gaps = (abs(math.fsum(stated - right for stated, right in part)) for part in parts)
    return math.fsum(gaps) / len(answers)


def _equal_width(answers: list[Answer], bins: int, closed: str) -> Iterable[list[Answer]]:
    # Multiples of the width, unrounded (3 * 0.1 is above 0.3): published figures rest on these edges.
    edges = [place * (1.0 / bins) for place in range(bins)]
    parts: list[list[Answer]] = [[] for _ in range(bins)]
    for stated, right in answers:
        place = math.floor(stated * bins) if closed == "left" else bisect_left(edges, stated) - 1
        parts[min(max(place, 0), bins - 1)].append((stated, right))
    return parts


def _equal_mass(answers: list[Answer], bins: int) -> Iterable[list[Answer]]:
    ordered = sorted(answers)
    # As numpy.array_split: the first bins take what does not divide evenly.
    size, left_over = divmod(len(ordered), bins)
    edges = [place * size + min(place, left_over) for place in range(bins + 1)]
    return [ordered[start:end] for start, end in pairwise(edges)]


def brier_score(confidence: Sequence[float], correct: Sequence[float]) -> float:
    """Mean squared gap of stated confidence and outcome (0 or 1); 0 is perfect, always saying .5 gives .25.

    Source: Brier (1950).

    >>> brier_score([1.0, 0.5], [1, 0])
    0.125
    """
    return exact_mean([(stated - right) ** 2 for stated, right in _answers(confidence, correct)])


def _answers(confidence: Sequence[float], correct: Sequence[float]) -> list[Answer]:
    stated, right = unit_values(confidence, "confidence"), unit_values(correct, "correct")
    if any(outcome not in (0.0, 1.0) for outcome in right):
        msg = "correct holds a number other than 0 and 1: calibration is defined for right or wrong answers"
        raise ValueError(msg)
    return list(zip(stated, right, strict=True))
