"""Do two raters say the same, beyond what chance would give? Agreement of labels and of numbers.

Correlation is not agreement: a rater who always says twice as much correlates perfectly. Print the raw share
(``proportion_ci``), kappa, AC1, and positive and negative agreement side by side, without adjectives; below 50 cases
they are figures to look at and no verdict.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from itertools import combinations, product
from typing import Any, Final, Literal, TypedDict

from pytest_agenteval.stats.checks import choice, finite_values, fraction, whole
from pytest_agenteval.stats.distributions import normal_upper_quantile
from pytest_agenteval.stats.exact import exact_mean, sample_variance
from pytest_agenteval.stats.interval import mean_ci

Table = Sequence[Sequence[int]]
"""Counts of cases: a row per label of the first rater, a column per label of the second, in one order."""

Level = Literal["nominal", "ordinal", "interval", "ratio"]
Weights = Literal["linear", "quadratic"]

_Said = Counter[Any]
"""How many raters said what of one case."""

_LOA_Z: Final = 1.96
"""The limits of agreement are defined with it, whatever the confidence of their bias."""

_POWERS: Final = {"linear": 1, "quadratic": 2}
_NO_SPREAD: Final = 1e-15
"""A variance below this is rounding: the formula has nothing to say, and an error of 0 would be false certainty."""


class Kappa(TypedDict):
    """Cohen's kappa, its large-sample error and limits; None where they are undefined."""

    kappa: float | None
    se: float | None
    lo: float | None
    hi: float | None


class AC1(TypedDict):
    """Gwet's AC1 and its large-sample error; None where they are undefined."""

    ac1: float | None
    se: float | None


class SpecificAgreement(TypedDict):
    """Agreement on yes and on no; None where neither rater said it."""

    positive: float | None
    negative: float | None


class LimitsOfAgreement(TypedDict):
    """Mean and spread of a - b, the limits that most differences keep, and the interval of the mean."""

    bias: float
    sd: float | None
    loa_lo: float | None
    loa_hi: float | None
    bias_lo: float | None
    bias_hi: float | None


class Concordance(TypedDict):
    """Lin's concordance and its limits; None where they are undefined."""

    ccc: float | None
    lo: float | None
    hi: float | None


def positive_negative_agreement(table: Table) -> SpecificAgreement:
    """Agreement on yes, 2a/(2a+b+c), and on no, 2d/(2d+b+c), of a table [[a, b], [c, d]] with yes first.

    AC1 flatters where one label is everything; these two tell. Source: Cicchetti and Feinstein (1990),
    J. Clin. Epidemiol. 43:551.

    >>> positive_negative_agreement([[90, 5], [5, 0]])
    {'positive': 0.9473684210526315, 'negative': 0.0}
    """
    counts = _square(table)
    if len(counts) != 2:  # noqa: PLR2004 - yes and no
        msg = f"table has {len(counts)} labels: agreement on yes and on no needs two"
        raise ValueError(msg)
    (yes, apart_a), (apart_b, no) = counts
    apart = apart_a + apart_b
    return {
        "positive": 2 * yes / (2 * yes + apart) if yes + apart else None,
        "negative": 2 * no / (2 * no + apart) if no + apart else None,
    }


def cohen_kappa(table: Table, weights: Weights | None = None, confidence: float = 0.95) -> Kappa:
    """Cohen's kappa of two raters, (po - pe)/(1 - pe), with its large-sample interval.

    weights: None for labels without an order; linear or quadratic where a miss by two costs more than one by one.
    Depends on prevalence: 90 % agreement may be .8 or below 0. One label only: None, not 1. Where the formula
    knows no spread (complete agreement, one case) there is no interval.
    Source: Cohen (1960, 1968); error: Fleiss, Cohen and Everitt (1969), Psychol. Bull. 72.

    >>> cohen_kappa([[45, 5], [5, 45]])["kappa"], cohen_kappa([[100, 0], [0, 0]])["kappa"]
    (0.8, None)
    """
    counts = _square(table)
    z = normal_upper_quantile((1.0 - fraction(confidence, "confidence")) / 2.0)
    power = 0 if weights is None else _POWERS[choice(weights, "weights", _POWERS)]
    cells = list(product(range(len(counts)), repeat=2))
    cost = {(i, j): abs(i - j) ** power if i != j else 0 for i, j in cells}
    rows, columns = [sum(row) for row in counts], [sum(column) for column in zip(*counts, strict=True)]
    n = sum(rows)
    # Whole numbers up to the last division: renaming the labels changes no bit.
    met = sum(cost[i, j] * counts[i][j] for i, j in cells)
    by_chance = sum(cost[i, j] * rows[i] * columns[j] for i, j in cells)
    if by_chance == 0:
        return {"kappa": None, "se": None, "lo": None, "hi": None}
    ratio = n * met / by_chance
    row_cost = [sum(cost[i, j] * columns[j] for j in range(len(counts))) / n for i in range(len(counts))]
    column_cost = [sum(cost[i, j] * rows[i] for i in range(len(counts))) / n for j in range(len(counts))]
    variance = math.fsum(
        counts[i][j] / n * (cost[i, j] + met / n - (row_cost[i] + column_cost[j]) * ratio) ** 2 for i, j in cells
    )
    kappa = 1.0 - ratio
    if variance < _NO_SPREAD:
        return {"kappa": kappa, "se": None, "lo": None, "hi": None}
    se = math.sqrt(variance / n) * n * n / by_chance
    return {"kappa": kappa, "se": se, "lo": max(kappa - z * se, -1.0), "hi": min(kappa + z * se, 1.0)}


def gwet_ac1(ratings: Sequence[Sequence[Hashable | None]]) -> AC1:
    """Gwet's AC1 of two or more raters: a row per *case*, a column per rater; None is a missing rating.

    Chance agreement is Σπ(1 - π)/(Q - 1) over the Q labels that occur, so that a common label does not spoil it as
    it spoils kappa. A case with one rating counts for π alone. One label only, or no case with two ratings: None.
    Interval: AC1 ± z·se, rough under 50 cases. Source: Gwet (2008), Br. J. Math. Stat. Psychol. 61.

    >>> round(gwet_ac1([["yes", "yes"]] * 9 + [["yes", "no"]])["ac1"], 3)
    0.89
    """
    rated = [_Said(label for label in row if label is not None) for row in ratings]
    cases = [(said, 1) for said in rated if said]
    return _ac1(cases, len({label for said, _ in cases for label in said}))


def gwet_ac1_table(table: Table) -> AC1:
    """Gwet's AC1 of two raters from their table; a label that nobody used counts among the Q all the same.

    All else as in ``gwet_ac1``.

    >>> round(gwet_ac1_table([[90, 5], [5, 0]])["ac1"], 2)
    0.89
    """
    counts = _square(table)
    cells = [(_Said([i, j]), count) for i, row in enumerate(counts) for j, count in enumerate(row) if count]
    return _ac1(cells, len(counts))


def _ac1(cases: Sequence[tuple[_Said, int]], labels: int) -> AC1:
    """AC1 of cases (how often each label was said of it, and of how many cases), over so many labels."""
    n, paired = sum(times for _, times in cases), sum(times for said, times in cases if said.total() > 1)
    used = {label for said, _ in cases for label in said}
    if not paired or len(used) <= 1:
        return {"ac1": None, "se": None}
    shares = {label: math.fsum(times * said[label] / said.total() for said, times in cases) / n for label in used}
    chance = math.fsum(share * (1.0 - share) for share in shares.values()) / (labels - 1)
    met = math.fsum(times * _pairs_met(said) for said, times in cases) / paired
    ac1 = (met - chance) / (1.0 - chance)

    def influence(said: _Said) -> float:
        own = (_pairs_met(said) - chance) * n / paired if said.total() > 1 else 0.0
        rarity = math.fsum(count * (1.0 - shares[label]) for label, count in said.items()) / said.total()
        return (own - 2.0 * (1.0 - ac1) * (rarity / (labels - 1) - chance)) / (1.0 - chance) - ac1

    variance = math.fsum(times * influence(said) ** 2 for said, times in cases) / max(n - 1, 1)
    return {"ac1": ac1, "se": math.sqrt(variance / n) if variance > _NO_SPREAD else None}


def _pairs_met(said: _Said) -> float:
    """Share of the pairs of ratings of one case that are equal; 0 where there is no pair."""
    return sum(count * (count - 1) for count in said.values()) / max(said.total() * (said.total() - 1), 1)


def krippendorff_alpha(ratings: Sequence[Sequence[Hashable | None]], level: Level = "nominal") -> float | None:
    """Krippendorff's alpha, 1 - observed/expected disagreement: any number of raters, with gaps.

    ratings: a row per *rater*, a column per case; None is a gap. level: nominal for labels of any kind, else
    numbers; ratio for numbers from 0 on. A case with one rating is left out. One value only, or no case with two
    ratings: None. Interval: resample the cases.
    Source: Krippendorff (2011), Computing Krippendorff's Alpha-Reliability.

    >>> round(krippendorff_alpha([[1, 2, 3, None, 2], [1, 2, 2, 1, 2]], "ordinal"), 3)
    0.75
    """
    choice(level, "level", ["nominal", "ordinal", "interval", "ratio"])
    units = [Counter(value for value in unit if value is not None) for unit in zip(*ratings, strict=True)]
    units = [unit for unit in units if unit.total() > 1]
    totals = Counter[Any]()
    for unit in units:
        totals.update(unit)
    distance = _distance(level, totals)
    observed = math.fsum(
        unit[one] * unit[other] * distance(one, other) / (unit.total() - 1)
        for unit in units
        for one, other in combinations(unit, 2)
    )
    expected = math.fsum(totals[one] * totals[other] * distance(one, other) for one, other in combinations(totals, 2))
    return 1.0 - (totals.total() - 1) * observed / expected if expected else None


def _distance(level: Level, totals: Counter[Any]) -> Callable[[Any, Any], float]:
    """Squared distance of two values; of ranks, each value standing at the middle of its own."""
    if level == "nominal":
        return lambda one, other: 1.0
    values = sorted(finite_values(totals, "ratings", at_least=0))
    if level == "interval":
        return lambda one, other: float(one - other) ** 2
    if level == "ratio":
        if values and values[0] < 0.0:
            msg = f"ratings hold {values[0]}: ratios need numbers from 0 on, use level='interval'"
            raise ValueError(msg)
        return lambda one, other: float((one - other) / (one + other)) ** 2
    middle, below = {}, 0
    for value in values:
        middle[value] = below + totals[value] / 2.0
        below += totals[value]
    return lambda one, other: (middle[one] - middle[other]) ** 2


def bland_altman(a: Sequence[float], b: Sequence[float], confidence: float = 0.95) -> LimitsOfAgreement:
    """Bias of a against b, a pair of numbers per case, and the limits within which 95 % of a - b lie.

    loa: bias ± 1.96·sd, for differences near normal and of roughly constant spread; take logs of both where the spread
    grows with the value. bias_lo and bias_hi: t interval of the mean difference. One pair, or equal differences: no
    limits. Under 20 pairs: label it. Source: Bland and Altman (1986), Lancet 327:307.

    >>> bland_altman([3.0, 2.0, 4.0], [1.0, 1.0, 3.5])["sd"]
    0.7637626158259734
    """
    first, second = finite_values(a, "a"), finite_values(b, "b")
    diffs = [one - other for one, other in zip(first, second, strict=True)]
    mean = mean_ci(diffs, confidence)
    sd = math.sqrt(sample_variance(diffs)) if len(diffs) > 1 else None
    reach = None if sd is None or mean["lo"] is None else _LOA_Z * sd
    return {
        "bias": mean["mean"],
        "sd": sd,
        "loa_lo": None if reach is None else mean["mean"] - reach,
        "loa_hi": None if reach is None else mean["mean"] + reach,
        "bias_lo": mean["lo"],
        "bias_hi": mean["hi"],
    }


def lin_ccc(a: Sequence[float], b: Sequence[float], confidence: float = 0.95) -> Concordance:
    """Lin's concordance of two raters' numbers, 2·cov/(var + var + bias²), with its z-transform interval.

    1 only where both say the same number of each case. Depends on how far the cases differ: compare it on the same
    cases alone. Neither rater varies: None (and no bias), else 0. Fewer than three cases, or complete agreement: no
    interval. Under 20 cases: label it. Source: Lin (1989), Biometrics 45:255, with divisor n as corrected in 2000.

    >>> round(lin_ccc([1.0, 2.0, 3.0, 4.0], [1.0, 2.0, 3.0, 5.0])["ccc"], 3)
    0.929
    """
    first, second = finite_values(a, "a"), finite_values(b, "b")
    z = normal_upper_quantile((1.0 - fraction(confidence, "confidence")) / 2.0)
    n, mean_a, mean_b = len(first), exact_mean(first), exact_mean(second)
    pairs = [(one - mean_a, other - mean_b) for one, other in zip(first, second, strict=True)]
    var_a, var_b = math.fsum(x * x for x, _ in pairs) / n, math.fsum(y * y for _, y in pairs) / n
    covariance, bias = math.fsum(x * y for x, y in pairs) / n, mean_a - mean_b
    whole_spread = var_a + var_b + bias * bias
    if whole_spread == 0.0:
        return {"ccc": None, "lo": None, "hi": None}
    ccc = min(max(2.0 * covariance / whole_spread, -1.0), 1.0)
    scale = math.sqrt(var_a * var_b)
    if n <= 2 or scale == 0.0 or 1.0 - abs(ccc) < _NO_SPREAD:  # noqa: PLR2004 - the error divides by n - 2
        return {"ccc": ccc, "lo": None, "hi": None}
    # ccc = r·accuracy; Lin's formula divides by r, which may be 0, and accuracy takes its place.
    accuracy, shift, r = 2.0 * scale / whole_spread, bias * bias / scale, covariance / scale
    variance = accuracy**2 * (1.0 - ccc**2) * (1.0 - r * r) + ccc**2 * accuracy * (
        2.0 * (1.0 - ccc) * shift - accuracy * shift * shift / 2.0
    )
    half = z * math.sqrt(max(variance, 0.0) / (n - 2)) / (1.0 - ccc**2)
    return {"ccc": ccc, "lo": math.tanh(math.atanh(ccc) - half), "hi": math.tanh(math.atanh(ccc) + half)}


def _square(table: Table) -> list[list[int]]:
    counts = [[whole(count, f"table[{i}][{j}]") for j, count in enumerate(row)] for i, row in enumerate(table)]
    if len(counts) < 2 or any(len(row) != len(counts) for row in counts):  # noqa: PLR2004 - one label is no question
        msg = f"table has rows of {[len(row) for row in counts]} counts: it needs as many as it has rows, two at least"
        raise ValueError(msg)
    if not any(map(any, counts)):
        msg = "table has no case: report the agreement as not evaluated instead"
        raise ValueError(msg)
    return counts
