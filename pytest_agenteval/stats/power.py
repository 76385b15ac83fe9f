"""How many cases are enough, and what can this many find? Asked before a run and in every verdict."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

from pytest_agenteval.stats.checks import finite_values, fraction, one_sided_level, positive, whole
from pytest_agenteval.stats.distributions import (
    noncentral_t_cdf,
    normal_upper_quantile,
    normal_upper_tail,
    t_upper_quantile,
)
from pytest_agenteval.stats.scatter import Scatter

_MOST_CASES: Final = 10**7
_HALVINGS: Final = 20
_TINY: Final = 1e-12
_POINTS: Final = [place * 0.3 for place in range(-10, 11)]
_GRID: Final = [(z, 0.3 * math.exp(-z * z / 2.0) / math.sqrt(2.0 * math.pi)) for z in _POINTS]
"""The standard normal as 21 points with weights."""


def cases_needed_pass(sd_diff: float, margin: float, alpha: float = 0.05, power: float = 0.8) -> int:
    """Cases for a PASS at this margin, with the given probability, when nothing really changed.

    sd_diff: standard deviation of the case differences, in the metric's unit; for binary results the
    root of the share that flips. At 0 (nothing flips) the stabilised bound of a metric of range 1
    decides: more than z²(1 - margin)/margin. Normal approximation.

    >>> cases_needed_pass(0.3, 0.02), cases_needed_pass(0.0, 0.02)
    (1392, 133)
    """
    positive(margin, "margin")
    z = normal_upper_quantile(one_sided_level(alpha))
    if _spread(sd_diff) == 0.0:
        return max(math.floor(z * z * (1.0 - margin) / margin) + 1, 1)
    return max(math.ceil(((z + _z_of_power(power)) * sd_diff / margin) ** 2), 1)


def minimum_detectable_effect(
    sd_diff: float, n: int, alpha: float = 0.05, power: float = 0.8, *, metrics: int = 1, margin: float = 0.0
) -> float:
    """Smallest drop, in the metric's unit, that a gate over n cases finds with the given probability.

    metrics: how many gate together (Bonferroni, a little pessimistic for Holm). A drop within the
    margin is never reported, so the result is at least the margin. Normal approximation.
    Source: Miller (2024), arXiv 2411.00640.

    >>> round(minimum_detectable_effect(0.28, 200), 4)
    0.0492
    """
    root_n = math.sqrt(whole(n, "n", low=1))
    z = normal_upper_quantile(one_sided_level(alpha) / whole(metrics, "metrics", low=1))
    return max((z + _z_of_power(power)) * _spread(sd_diff) / root_n, margin)


def policy_detectable_effect(
    scatter: Scatter,
    n: int,
    *,
    attempts: int,
    references: Sequence[int],
    alphas: Sequence[float],
    margin: float,
    power: float = 0.8,
) -> float | None:
    """Smallest drop that each of one or two looks shows, proven and beyond the margin, with this probability.

    references: values a case in the baseline, look by look; alphas: the looks' one-sided levels, the first
    already shared among the metrics. Half of the drops are a class of cases that breaks, half all cases getting a
    little worse. Normal approximation: within about a twentieth at 200 cases, a tenth at 50. None where not even
    a total loss is found.

    >>> scatter = Scatter(level=0.9, between=0.05, within=0.04, pass_fail=True)
    >>> design = {"attempts": 1, "references": [3, 3], "alphas": [0.05, 0.05]}
    >>> round(policy_detectable_effect(scatter, 200, **design, margin=0.02), 3)
    0.067
    """
    needs = [normal_upper_quantile(one_sided_level(alpha)) for alpha in alphas]

    def chance(drop: float) -> float:
        total = 0.0
        for shared, now in _fallen(scatter, drop):
            own = [now / attempts + scatter.within / reference for reference in references]
            looks = [
                (drop - max(z * math.sqrt((shared + each) / n), margin), math.sqrt(each / n) + _TINY)
                for z, each in zip(needs, own, strict=True)
            ]
            total += _all_show(looks, math.sqrt(shared / n)) / 2.0
        return total

    low, high = margin, scatter.level
    if high <= low or chance(high) < fraction(power, "power"):
        return None
    for _ in range(_HALVINGS):
        middle = (low + high) / 2.0
        low, high = (middle, high) if chance(middle) < power else (low, middle)
    return high


def _fallen(scatter: Scatter, drop: float) -> list[tuple[float, float]]:
    """For both kinds of drop: the variance of the cases' true losses, and that of one attempt of the agent."""
    part, square = drop / scatter.level, scatter.level**2 + scatter.between
    left = 1.0 - part
    broken = max(part * square - drop * drop, 0.0), left * scatter.within
    if scatter.pass_fail:
        return [broken, (part * part * scatter.between, left * scatter.level - left * left * square)]
    return [broken, (0.0, scatter.within)]


def _all_show(looks: Sequence[tuple[float, float]], shared: float) -> float:
    """Chance that all looks lie beyond what they need; each is (distance, own error), one error is shared."""
    return math.fsum(
        weight * math.prod(1.0 - normal_upper_tail((distance + shared * z) / own) for distance, own in looks)
        for z, weight in _GRID
    )


def mcnemar_sample_size(p_gain: float, p_loss: float, alpha: float = 0.05, power: float = 0.8) -> int:
    """Cases for a one-sided McNemar test when these shares of cases become right and wrong.

    Raises ValueError where the shares are equal: no number of cases shows a difference that is not there.
    Source: Connor (1987), Biometrics 43.

    >>> mcnemar_sample_size(0.03, 0.08)
    270
    """
    finite_values([p_gain, p_loss], "p_gain, p_loss")
    flips, change = p_gain + p_loss, abs(p_gain - p_loss)
    if min(p_gain, p_loss) < 0.0 or flips > 1.0 or change == 0.0:
        msg = f"p_gain = {p_gain}, p_loss = {p_loss}: give two different shares whose sum is at most 1"
        raise ValueError(msg)
    z = normal_upper_quantile(one_sided_level(alpha))
    root = z * math.sqrt(flips) + _z_of_power(power) * math.sqrt(flips - change**2)
    return max(math.ceil((root / change) ** 2), 1)


def paired_sample_size_t(sd_diff: float, effect: float, alpha: float = 0.05, power: float = 0.8) -> int:
    """Cases for a one-sided paired t test to find a mean difference of this size; at least two.

    Exact for normal differences (noncentral t). Raises ValueError above ten million cases.
    Source: as R ``power.t.test(type = "paired", alternative = "one.sided")``.

    >>> paired_sample_size_t(0.3, 0.05)
    224
    """
    standardised = positive(abs(effect), "effect") / positive(sd_diff, "sd_diff")
    z = normal_upper_quantile(one_sided_level(alpha)) + _z_of_power(power)
    # The t test needs the few cases more than a normal one that estimating the spread costs.
    n = max(math.ceil((z / standardised) ** 2), 2)
    if n > _MOST_CASES:
        msg = f"effect = {effect} is too small for sd_diff = {sd_diff}: ten million cases would not show it"
        raise ValueError(msg)
    while noncentral_t_cdf(t_upper_quantile(alpha, n - 1), n - 1, standardised * math.sqrt(n)) > 1.0 - power:
        n += 1
    return n


def _spread(sd_diff: float) -> float:
    return 0.0 if sd_diff == 0.0 else positive(sd_diff, "sd_diff")


def _z_of_power(power: float) -> float:
    return -normal_upper_quantile(fraction(power, "power"))
