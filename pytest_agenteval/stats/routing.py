"""Which cases may skip review? Thresholds on a confidence with a promise on their errors, and its exact words.

A case is routed past review if its confidence is at least the threshold. Labels must be a random sample of the cases
that are to be routed; a case without a label, or without a confidence, is left out before.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Sequence
from itertools import accumulate, pairwise
from typing import Final, TypedDict

from pytest_agenteval.stats.checks import finite_values, fraction, unit_values, whole
from pytest_agenteval.stats.distributions import beta_cdf
from pytest_agenteval.stats.exact import exceeds
from pytest_agenteval.stats.quantiles import quantile

_COVERAGES: Final = tuple(percent / 100 for percent in range(5, 101, 5))
_HEADROOM: Final = 1.5
"""The first threshold is tried where so many times the cases of an errorless certificate are expected."""


class Threshold(TypedDict):
    """Least confidence that skips review; None where none can be certified."""

    threshold: float | None


def binomial_risk_pvalue(errors: int, n: int, alpha: float) -> float:
    """P(X <= errors) for X ~ Bin(n, alpha): small where the error rate of n independent cases is below alpha.

    Exact for every n; no case at all: 1. Source: Clopper and Pearson (1934), one-sided.

    >>> round(binomial_risk_pvalue(0, 149, 0.02), 4)
    0.0493
    """
    n = whole(n, "n")
    errors = whole(errors, "errors", high=n)
    fraction(alpha, "alpha")
    return 1.0 if errors == n else beta_cdf(1.0 - alpha, n - errors, errors + 1)


def min_cases_for_risk(errors: int, alpha: float, confidence: float = 0.95) -> int:
    """Fewest selected cases that, with so many errors among them, still prove an error rate of at most alpha.

    Without errors ceil(ln(1 - confidence)/ln(1 - alpha)): 149 for 2 % at 95 %.

    >>> min_cases_for_risk(0, 0.02), min_cases_for_risk(1, 0.02)
    (149, 236)
    """
    errors, level = whole(errors, "errors"), 1.0 - fraction(confidence, "confidence")
    few, enough = errors, errors + 1  # as many errors as cases never prove anything
    while binomial_risk_pvalue(errors, enough, alpha) > level:
        few, enough = enough, 2 * enough
    while enough - few > 1:
        middle = (few + enough) // 2
        few, enough = (middle, enough) if binomial_risk_pvalue(errors, middle, alpha) > level else (few, middle)
    return enough


def routing_thresholds(confidence: Sequence[float], labels: int, alpha: float, delta: float = 0.05) -> list[float]:
    """Thresholds to try, strict to loose: those that 5, 10, … 100 % of the cases reach, fixed before any label.

    confidence: of unlabelled cases, else of the labelled ones. labels: their number. The first level is the one at
    which 1.5 times the least number of cases (``min_cases_for_risk(0, …)``) is expected to be selected; too few
    labels for any: an empty list.

    >>> routing_thresholds([0.1, 0.3, 0.5, 0.7, 0.9], labels=99, alpha=0.05)
    [0.18, 0.14000000000000004, 0.1]
    """
    stated = finite_values(confidence, "confidence")
    least = _HEADROOM * min_cases_for_risk(0, alpha, 1.0 - fraction(delta, "delta"))
    return [quantile(stated, 1.0 - share) for share in _COVERAGES if share * whole(labels, "labels") >= least]


def ltt_fixed_sequence(
    confidence: Sequence[float], error: Sequence[int], thresholds: Sequence[float], alpha: float, delta: float = 0.05
) -> Threshold:
    """Loosest threshold whose selected cases are wrong at most at rate alpha, with confidence 1 - delta.

    error: 1 for a wrong case. thresholds: from strict to loose, fixed before the labels were seen
    (``routing_thresholds``). Each is tested at delta until the first that is not proven, so that trying several costs
    nothing. One certificate per set of labels: a second try on them voids both. Assumes that calibration and future
    cases are exchangeable; below 149 selected cases nothing is certified at 2 %. Equal confidences go together.
    Source: Angelopoulos, Bates, Candès, Jordan and Lei (2021), Learn then Test.

    >>> ltt_fixed_sequence([0.9] * 60 + [0.4] * 40, [0] * 60 + [1] * 40, [0.9, 0.4], alpha=0.05)
    {'threshold': 0.9}
    """
    selected = _Selected(confidence, error)
    delta, certified = fraction(delta, "delta"), None
    for threshold in _strict_to_loose(thresholds):
        cases, errors = selected.at(threshold)
        if binomial_risk_pvalue(errors, cases, alpha) > delta:
            break
        certified = threshold
    return {"threshold": certified}


def more_labels_needed(
    confidence: Sequence[float], error: Sequence[int], thresholds: Sequence[float], alpha: float, delta: float = 0.05
) -> int | None:
    """About how many labels more would certify some threshold, were the new ones like those at hand.

    None where at no threshold less than alpha is wrong: no number of labels mends a bad confidence. A guess to plan
    with, and an optimistic one where few errors were seen; 0 where the labels at hand would do.

    >>> more_labels_needed([0.9] * 40 + [0.4] * 40, [0] * 40 + [1] * 40, [0.9, 0.4], alpha=0.05)
    38
    """
    selected = _Selected(confidence, error)
    level = 1.0 - fraction(delta, "delta")
    counts = [selected.at(threshold) for threshold in _strict_to_loose(thresholds)]
    needed = [
        math.ceil(_cases_at_rate(errors / cases, alpha, level) * selected.size / cases) - selected.size
        for cases, errors in counts
        if errors < alpha * cases
    ]
    return max(min(needed), 0) if needed else None


def _cases_at_rate(rate: float, alpha: float, level: float) -> int:
    """Cases that prove alpha when the given share of them, below alpha, is wrong."""
    cases = min_cases_for_risk(0, alpha, level)
    while (enough := min_cases_for_risk(math.ceil(rate * cases), alpha, level)) > cases:
        cases = enough
    return cases


def crc_threshold(confidence: Sequence[float], error: Sequence[int], alpha: float) -> Threshold:
    """Least confidence at which at most alpha of *all* cases are wrong and unreviewed, on average over calibrations.

    Another promise than ``ltt_fixed_sequence``: print which (``routing_promise``, ``average_promise``). None where
    even the most confident cases hold too many errors, or there are fewer than 1/alpha - 1 labels. Equal confidences
    go together. Source: Angelopoulos, Bates, Fisch, Lei and Schuster (2022), Conformal Risk Control.

    >>> crc_threshold([0.9, 0.8, 0.7, 0.6], [0, 0, 1, 1], alpha=0.4)
    {'threshold': 0.7}
    """
    fraction(alpha, "alpha")
    selected, lowest = _Selected(confidence, error), None
    for threshold in reversed(selected.levels):
        if exceeds(selected.at(threshold)[1] + 1, alpha * (selected.size + 1)):
            break
        lowest = threshold
    return {"threshold": lowest}


def routing_promise(alpha: float, n: int, confidence: float = 0.95) -> str:
    """What a threshold of ``ltt_fixed_sequence`` promises, to be printed word by word beside it.

    >>> print(routing_promise(0.02, 1200)[:72])
    With 95 % confidence over the draw of the 1200 labelled cases, at most 2
    """
    sure, wrong = _percent(confidence, "confidence"), _percent(alpha, "alpha")
    return (
        f"With {sure} confidence over the draw of the {whole(n, 'n', low=1)} labelled cases, at most {wrong} of the "
        "cases that skip review are wrong, as long as new cases resemble the labelled ones and the agent, its prompt "
        f"and its confidence score stay as they were. It does not promise {wrong} in every slice or every week, and "
        "says nothing about cases that go to review."
    )


def average_promise(alpha: float, n: int) -> str:
    """What a threshold of ``crc_threshold`` promises, to be printed word by word beside it.

    >>> print(average_promise(0.03, 500)[:66])
    On average over draws of 500 labelled cases, at most 3 % of all ca
    """
    wrong = _percent(alpha, "alpha")
    return (
        f"On average over draws of {whole(n, 'n', low=1)} labelled cases, at most {wrong} of all cases are wrong and "
        "skip review, as long as new cases resemble the labelled ones and the agent, its prompt and its confidence "
        f"score stay as they were. It does not promise {wrong} of the cases that skip review, nor for this one draw "
        "of labels."
    )


def _percent(share: float, what: str) -> str:
    return f"{100.0 * fraction(share, what):.12g} %"


def _strict_to_loose(thresholds: Sequence[float]) -> list[float]:
    numbers = finite_values(thresholds, "thresholds", at_least=0)
    if any(later > earlier for earlier, later in pairwise(numbers)):
        msg = f"thresholds are {numbers}: give them from strict (high) to loose, as they are to be tried"
        raise ValueError(msg)
    return numbers


class _Selected:
    """How many labelled cases, and how many wrong ones, a threshold selects."""

    def __init__(self, confidence: Sequence[float], error: Sequence[int]) -> None:
        stated, wrong = finite_values(confidence, "confidence"), unit_values(error, "error")
        if any(outcome not in (0.0, 1.0) for outcome in wrong):
            msg = "error holds a number other than 0 and 1: a case is wrong or it is not"
            raise ValueError(msg)
        pairs = sorted(zip(stated, wrong, strict=True))
        self.size = len(pairs)
        self._stated = [level for level, _ in pairs]
        self._wrong_below = [0, *accumulate(int(outcome) for _, outcome in pairs)]

    @property
    def levels(self) -> list[float]:
        """The different confidences, ascending."""
        return sorted(set(self._stated))

    def at(self, threshold: float) -> tuple[int, int]:
        """Cases whose confidence is at least the threshold, and how many of them are wrong."""
        below = bisect_left(self._stated, threshold)
        return self.size - below, self._wrong_below[-1] - self._wrong_below[below]
