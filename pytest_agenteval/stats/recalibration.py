"""Can a confidence be made honest for display? Temperature, Platt and isotonic fits, and which of them to take.

Fit on answers that are not shown afterwards. No increasing fit changes which case is more confident than another, so
no promise of ``routing`` depends on one. Answers as in ``calibration``; the order of the records changes no bit.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from itertools import groupby
from typing import Final

from pytest_agenteval.stats.calibration import CERTAIN, Answer, answers, log_loss
from pytest_agenteval.stats.checks import choice, unit_values

_FOLDS: Final = 5
_HALVINGS: Final = 60

_Curve = Callable[[float], float]
"""From the stated confidence to the one to show."""


def temperature_fit(confidence: Sequence[float], correct: Sequence[float]) -> float | None:
    """Temperature T of least log loss: the confidence to show is logistic(logit(stated)/T); T > 1 tames it.

    One number, fit from 50 answers on. None where no T is best: all answers on the right side of one half (T to 0),
    or confidence that says nothing, or the contrary (T to infinity). Source: Guo et al. (2017).

    >>> round(temperature_fit([0.9] * 10, [1] * 8 + [0] * 2), 3)
    1.585
    """
    counts = _counts(answers(confidence, correct))

    def slope(factor: float) -> float:
        return math.fsum(times * x * (_logistic(factor * x) - right) for (x, right), times in counts.items())

    if slope(0.0) >= 0.0 or not any(x * (0.5 - right) > 0.0 for x, right in counts):
        return None
    high = 1.0
    while slope(high) < 0.0:
        high *= 2.0
    low = high / 2.0 if high > 1.0 else 0.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2.0
        low, high = (middle, high) if slope(middle) < 0.0 else (low, middle)
    return 1.0 / high


def platt_fit(confidence: Sequence[float], correct: Sequence[float]) -> tuple[float, float] | None:
    """Intercept and slope of the logistic regression of correct on the logit of the stated confidence.

    From 100 answers on. None where there is no maximum: one outcome only, one confidence only, or confidences that
    part right from wrong without overlap. Source: Platt (1999), without his smoothing of the labels.

    >>> intercept, slope = platt_fit([0.5, 0.5, 0.5, 0.8, 0.8, 0.8], [1, 1, 0, 1, 1, 0])
    >>> round(intercept, 4), round(slope, 4)
    (0.6931, 0.0)
    """
    counts = _counts(answers(confidence, correct))
    sides = [[x for x, right in counts if right == side] for side in (0.0, 1.0)]
    if not all(sides) or max(sides[0]) <= min(sides[1]) or max(sides[1]) <= min(sides[0]):
        return None
    line, lower = (0.0, 0.0), _lower(counts, (0.0, 0.0))
    while lower != line:
        line, lower = lower, _lower(counts, lower)
    # Where the loss is flat to the last digit, the line is not yet: one step more settles it.
    step = _newton_step(counts, line)
    return line[0] + step[0], line[1] + step[1]


def _lower(counts: Mapping[Answer, int], line: tuple[float, float]) -> tuple[float, float]:
    """A line of less loss, by Newton's step, halved while it overshoots; the same line if there is none."""
    step, before = _newton_step(counts, line), _loss(counts, line)
    for _ in range(_HALVINGS):
        lower = line[0] + step[0], line[1] + step[1]
        if _loss(counts, lower) < before:
            return lower
        step = step[0] / 2.0, step[1] / 2.0
    return line


def _newton_step(counts: Mapping[Answer, int], line: tuple[float, float]) -> tuple[float, float]:
    parts = [(x, right, times, _logistic(line[0] + line[1] * x)) for (x, right), times in counts.items()]
    gradient = [math.fsum(times * (right - chance) * x**power for x, right, times, chance in parts) for power in (0, 1)]
    c0, c1, c2 = (
        math.fsum(times * chance * (1.0 - chance) * x**power for x, _, times, chance in parts) for power in (0, 1, 2)
    )
    determinant = c0 * c2 - c1 * c1
    return (c2 * gradient[0] - c1 * gradient[1]) / determinant, (c0 * gradient[1] - c1 * gradient[0]) / determinant


def _loss(counts: Mapping[Answer, int], line: tuple[float, float]) -> float:
    return math.fsum(
        times * _softplus(-(line[0] + line[1] * x) if right else line[0] + line[1] * x)
        for (x, right), times in counts.items()
    )


def isotonic_fit(confidence: Sequence[float], correct: Sequence[float]) -> list[float]:
    """Share of right answers as a non-decreasing function of confidence: one value per answer, by ascending confidence.

    From 1000 answers on; with fewer it follows chance. Equal confidences get one value.
    Source: Ayer et al. (1955), pooling of adjacent violators.

    >>> isotonic_fit([0.9, 0.6, 0.7, 0.8], [1, 1, 0, 1])
    [0.5, 0.5, 1.0, 1.0]
    """
    blocks: list[tuple[int, int]] = []
    for _, part in groupby(answers(confidence, correct), key=lambda pair: pair[0]):
        outcomes = [int(right) for _, right in part]
        right, size = sum(outcomes), len(outcomes)
        while blocks and blocks[-1][0] * size >= right * blocks[-1][1]:
            before = blocks.pop()
            right, size = right + before[0], size + before[1]
        blocks.append((right, size))
    return [right / size for right, size in blocks for _ in range(size)]


def recalibrated(
    shown: Sequence[float], confidence: Sequence[float], correct: Sequence[float], method: str
) -> list[float]:
    """The confidences to show instead of ``shown``, by a curve fitted on other answers.

    method: as stated, temperature, platt or isotonic (a staircase). ValueError where the answers allow no such fit.

    >>> recalibrated([0.95], [0.6] * 4 + [0.9] * 4, [1, 0, 0, 1, 1, 1, 1, 0], "isotonic")
    [0.75]
    """
    fit = _FITS[choice(method, "method", _FITS)][0]
    curve = fit(answers(confidence, correct))
    if curve is None:
        msg = f"these answers allow no fit by {method}: take another method, or more answers"
        raise ValueError(msg)
    return [curve(stated) for stated in unit_values(shown, "shown")]


def recalibration_losses(confidence: Sequence[float], correct: Sequence[float]) -> dict[str, float | None]:
    """Log loss of each method on answers that it was not fitted on (five folds): take the least.

    None where there are too few answers (50 for temperature, 100 for platt, 1000 for isotonic) or no fit. Every
    fifth answer by ascending confidence is a fold, so that the folds are alike and nothing is drawn.

    >>> losses = recalibration_losses([0.99, 0.9, 0.6] * 40, [1, 0, 1, 1, 1, 0] * 20)
    >>> losses["temperature"] < losses["as stated"], losses["isotonic"]
    (True, None)
    """
    pairs = answers(confidence, correct)
    return {
        method: _held_out_loss(pairs, fit) if len(pairs) >= least else None for method, (fit, least) in _FITS.items()
    }


def _held_out_loss(pairs: list[Answer], fit: Callable[[list[Answer]], _Curve | None]) -> float | None:
    shown: list[Answer] = []
    for fold in range(min(_FOLDS, len(pairs))):
        curve = fit([pair for place, pair in enumerate(pairs) if place % _FOLDS != fold])
        if curve is None:
            return None
        shown += [(curve(stated), right) for stated, right in pairs[fold::_FOLDS]]
    return log_loss([stated for stated, _ in shown], [right for _, right in shown])


def _as_stated(pairs: list[Answer]) -> _Curve | None:
    return lambda stated: stated


def _temperature_curve(pairs: list[Answer]) -> _Curve | None:
    temperature = temperature_fit(*_columns(pairs))
    return None if temperature is None else lambda stated: _logistic(_logit(stated) / temperature)


def _platt_curve(pairs: list[Answer]) -> _Curve | None:
    line = platt_fit(*_columns(pairs))
    return None if line is None else lambda stated: _logistic(line[0] + line[1] * _logit(stated))


def _isotonic_curve(pairs: list[Answer]) -> _Curve | None:
    stated, right = _columns(pairs)
    stairs = isotonic_fit(stated, right)
    return lambda shown: stairs[max(bisect_right(stated, shown) - 1, 0)]


_FITS: Final[Mapping[str, tuple[Callable[[list[Answer]], _Curve | None], int]]] = {
    "as stated": (_as_stated, 1),
    "temperature": (_temperature_curve, 50),
    "platt": (_platt_curve, 100),
    "isotonic": (_isotonic_curve, 1000),
}
"""How each method is fitted, and from how many answers on."""


def _columns(pairs: list[Answer]) -> tuple[list[float], list[float]]:
    return [stated for stated, _ in pairs], [right for _, right in pairs]


def _counts(pairs: list[Answer]) -> Counter[Answer]:
    """How often each logit came with each outcome."""
    return Counter((_logit(stated), right) for stated, right in pairs)


def _logit(stated: float) -> float:
    held = min(max(stated, CERTAIN), 1.0 - CERTAIN)
    return math.log(held) - math.log1p(-held)


def _logistic(x: float) -> float:
    return 1.0 / (1.0 + math.exp(-x)) if x >= 0.0 else math.exp(x) / (1.0 + math.exp(x))


def _softplus(x: float) -> float:
    return max(x, 0.0) + math.log1p(math.exp(-abs(x)))
