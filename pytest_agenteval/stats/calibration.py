"""Is a stated confidence honest, and does it rank well? Calibration errors, scores, and the risk at each coverage.

A case is an answer with a stated confidence in [0, 1] that was right (1) or wrong (0), one per case; an answer without
a confidence, or one that nobody judged, is left out before. Equal confidences always share a bin, so that no figure
depends on the order of the records.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from itertools import groupby, pairwise
from typing import Final, Literal, TypedDict

from pytest_agenteval.stats.checks import choice, unit_values, whole
from pytest_agenteval.stats.exact import exact_mean
from pytest_agenteval.stats.interval import proportion_ci

Answer = tuple[float, float]
"""Stated confidence, and 1.0 if the answer was right, else 0.0."""

Scheme = Literal["width", "mass"]
Closed = Literal["left", "right"]

CERTAIN: Final = 1e-6
"""A confidence counts as no nearer to 0 or 1 than this where its logarithm is taken."""

_LEAST_PER_BIN: Final = 30


class ReliabilityBin(TypedDict):
    """Answers of like confidence: their number, range and mean confidence, share of right ones with its limits."""

    n: int
    lowest: float
    highest: float
    confidence: float
    accuracy: float
    lo: float
    hi: float


class MurphyParts(TypedDict):
    """The Brier score is reliability - resolution + uncertainty."""

    reliability: float
    resolution: float
    uncertainty: float


def ece(
    confidence: Sequence[float],
    correct: Sequence[float],
    bins: int = 10,
    scheme: Scheme = "width",
    closed: Closed = "left",
) -> float:
    """Expected calibration error: mean gap of confidence and accuracy over bins, weighted by their cases.

    width: equal bins of [0, 1]; closed says which edge belongs to a bin. mass: bins of (nearly) equal numbers.
    Biased upwards: show it only beside ``ece_if_calibrated``; an ECE of .05 at n = 200 is noise.
    Source: Naeini et al. (2015).

    >>> round(ece([0.95, 0.95, 0.55], [1, 1, 0]), 4)
    0.2167
    """
    parts = _bins(answers(confidence, correct), bins, scheme, closed)
    gaps = (abs(math.fsum(stated - right for stated, right in part)) for part in parts)
    return math.fsum(gaps) / len(confidence)


def ece_if_calibrated(
    confidence: Sequence[float], bins: int = 10, scheme: Scheme = "width", closed: Closed = "left"
) -> float:
    """About the ECE that these confidences would show by chance alone, were they perfectly calibrated.

    Each bin's gap is taken as normal, which is close from about ten cases a bin on. With confidences around .9 and
    ten bins: .07 at n = 100, .02 at 1000. Source: mean of the half-normal distribution.

    >>> round(ece_if_calibrated([0.92] * 50 + [0.88] * 50), 3)
    0.034
    """
    stated = unit_values(confidence, "confidence")
    parts = _bins([(number, 0.0) for number in stated], bins, scheme, closed)
    variances = [math.fsum(number * (1.0 - number) for number, _ in part) for part in parts]
    return math.fsum(math.sqrt(2.0 / math.pi * variance) for variance in variances) / len(stated)


def ece_l2_debiased(confidence: Sequence[float], correct: Sequence[float], bins: int = 10) -> float:
    """Squared calibration error over bins of equal mass, less what chance adds; a perfect score shows 0 on average.

    May come out below 0: show 0 then. Bins of two answers at least; under 300 answers show the diagram
    (``reliability_table``) instead. Source: Kumar, Liang and Ma (2019), Verified uncertainty calibration.

    >>> round(ece_l2_debiased([0.5, 0.6, 0.7, 0.8], [0, 1, 1, 0], bins=2), 4)
    -0.2175
    """
    pairs = answers(confidence, correct, at_least=2)
    parts = []
    for part in _equal_mass(pairs, min(whole(bins, "bins", low=1), len(pairs) // 2), least=2):
        stated, right = (exact_mean(column) for column in zip(*part, strict=True))
        parts.append(len(part) * ((stated - right) ** 2 - right * (1.0 - right) / (len(part) - 1)))
    return math.fsum(parts) / len(pairs)


def reliability_table(
    confidence: Sequence[float], correct: Sequence[float], bins: int = 10, level: float = 0.95
) -> list[ReliabilityBin]:
    """The reliability diagram: bins of equal mass and 30 answers at least, each with its Wilson interval.

    Fewer bins where there are fewer answers; under 30 there is one. level: of the intervals, each by itself.

    >>> [(row["n"], row["accuracy"]) for row in reliability_table([0.6] * 40 + [0.9] * 40, [1, 0] * 20 + [1] * 40)]
    [(40, 0.5), (40, 1.0)]
    """
    pairs = answers(confidence, correct)
    bins = min(whole(bins, "bins", low=1), max(len(pairs) // _LEAST_PER_BIN, 1))
    return [_reliability(part, level) for part in _equal_mass(pairs, bins, least=_LEAST_PER_BIN)]


def _reliability(part: list[Answer], level: float) -> ReliabilityBin:
    stated, right = [number for number, _ in part], sum(int(outcome) for _, outcome in part)
    low, high = proportion_ci(right, len(part), confidence=level)
    return {
        "n": len(part),
        "lowest": stated[0],
        "highest": stated[-1],
        "confidence": exact_mean(stated),
        "accuracy": right / len(part),
        "lo": low,
        "hi": high,
    }


def brier_score(confidence: Sequence[float], correct: Sequence[float]) -> float:
    """Mean squared gap of stated confidence and outcome (0 or 1); 0 is perfect, always saying .5 gives .25.

    Source: Brier (1950).

    >>> brier_score([1.0, 0.5], [1, 0])
    0.125
    """
    return exact_mean([(stated - right) ** 2 for stated, right in answers(confidence, correct)])


def log_loss(confidence: Sequence[float], correct: Sequence[float]) -> float:
    """Mean of -ln(confidence given to what happened), in nats; always saying .5 gives .693.

    Confidences are held in [1e-6, 1 - 1e-6]: a certainty that was wrong costs 13.8 instead of everything.

    >>> round(log_loss([0.5, 0.9], [0, 1]), 4)
    0.3993
    """
    pairs = answers(confidence, correct)
    return exact_mean([-math.log(held if right else 1.0 - held) for held, right in map(_held, pairs)])


def _held(answer: Answer) -> Answer:
    return min(max(answer[0], CERTAIN), 1.0 - CERTAIN), answer[1]


def murphy_decomposition(confidence: Sequence[float], correct: Sequence[float]) -> MurphyParts:
    """Brier score = reliability (0 is honest) - resolution (higher tells more) + uncertainty of the outcomes.

    Groups are the different confidences: for scores that hardly repeat round them to a few values first, else
    reliability is noise. Source: Murphy (1973), J. Appl. Meteorol. 12.

    >>> murphy_decomposition([0.5, 0.5, 1.0, 1.0], [1, 0, 1, 1])
    {'reliability': 0.0, 'resolution': 0.0625, 'uncertainty': 0.1875}
    """
    pairs = answers(confidence, correct)
    n, overall = len(pairs), exact_mean([right for _, right in pairs])
    groups = [(stated, [right for _, right in part]) for stated, part in groupby(pairs, key=lambda pair: pair[0])]
    accuracies = [(stated, sum(part) / len(part), len(part)) for stated, part in groups]
    return {
        "reliability": math.fsum(size * (stated - right) ** 2 for stated, right, size in accuracies) / n,
        "resolution": math.fsum(size * (right - overall) ** 2 for _, right, size in accuracies) / n,
        "uncertainty": overall * (1.0 - overall),
    }


def aurc(confidence: Sequence[float], correct: Sequence[float]) -> float:
    """Area under the risk-coverage curve: mean over i of the error rate among the i most confident answers.

    Low where wrong answers state low confidence; compare it with the error rate at full coverage, which a
    confidence that ranks nothing shows on average. Ties count as wrong as their block is on average.
    Source: Geifman and El-Yaniv (2017).

    >>> aurc([0.9, 0.8], [1, 0]), aurc([0.8, 0.9], [1, 0])
    (0.25, 0.75)
    """
    pairs = answers(confidence, correct)
    risks, errors, seen = [], 0, 0
    for _, block in groupby(reversed(pairs), key=lambda pair: pair[0]):
        wrong = [1 - int(right) for _, right in block]
        rate = sum(wrong) / len(wrong)
        risks += [(errors + place * rate) / (seen + place) for place in range(1, len(wrong) + 1)]
        errors, seen = errors + sum(wrong), seen + len(wrong)
    return exact_mean(risks)


def answers(confidence: Sequence[float], correct: Sequence[float], *, at_least: int = 1) -> list[Answer]:
    """The answers by ascending confidence, as every figure of this module takes them.

    >>> answers([0.9, 0.5], [1, 0])
    [(0.5, 0.0), (0.9, 1.0)]
    """
    stated = unit_values(confidence, "confidence", at_least=at_least)
    right = unit_values(correct, "correct", at_least=at_least)
    if any(outcome not in (0.0, 1.0) for outcome in right):
        msg = "correct holds a number other than 0 and 1: calibration is defined for right or wrong answers"
        raise ValueError(msg)
    return sorted(zip(stated, right, strict=True))


def _bins(pairs: list[Answer], bins: int, scheme: str, closed: str) -> list[list[Answer]]:
    choice(scheme, "scheme", ["width", "mass"])
    choice(closed, "closed", ["left", "right"])
    bins = whole(bins, "bins", low=1)
    return _equal_mass(sorted(pairs), bins, least=1) if scheme == "mass" else _equal_width(pairs, bins, closed)


def _equal_width(pairs: list[Answer], bins: int, closed: str) -> list[list[Answer]]:
    # Multiples of the width, unrounded (3 * 0.1 is above 0.3): published figures rest on these edges.
    edges = [place * (1.0 / bins) for place in range(bins)]
    parts: list[list[Answer]] = [[] for _ in range(bins)]
    for stated, right in pairs:
        place = math.floor(stated * bins) if closed == "left" else bisect_left(edges, stated) - 1
        parts[min(max(place, 0), bins - 1)].append((stated, right))
    return parts


def _equal_mass(pairs: list[Answer], bins: int, *, least: int) -> list[list[Answer]]:
    """Cuts as of numpy.array_split, moved up to where the confidence changes; one that leaves too few is left out."""
    size, left_over = divmod(len(pairs), bins)
    cuts = [0]
    for place in range(1, bins):
        cut = bisect_right(pairs, (pairs[max(place * size + min(place, left_over), 1) - 1][0], 1.0))
        if least <= cut - cuts[-1] and cut <= len(pairs) - least:
            cuts.append(cut)
    return [pairs[start:end] for start, end in pairwise([*cuts, len(pairs)])]
