"""What is the true pass rate behind a judge that errs? Rates corrected by human labels, and what a judge may gate.

A judge says pass or fail, or a score in [0, 1]; people say what is right of a part of the cases. A case that the judge
or the person left without a label is out of both counts. The raw rate of a judge is almost never the true one.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final, TypedDict

from pytest_agenteval.stats.checks import fraction, positive, unit_values, whole
from pytest_agenteval.stats.distributions import normal_upper_quantile
from pytest_agenteval.stats.exact import exact_mean, sample_variance
from pytest_agenteval.stats.unpaired import unpaired_proportion_diff_ci

LEAST_JUDGE_INFORMATION: Final = 0.1
"""A judge whose J may be as low says too little: no rate is corrected by it, and it gates nothing."""

FEW_JUDGE_LABELS: Final = 300
"""Under so many human labels a margin is scaled by the lower bound of J, not by its estimate."""


class Rate(TypedDict):
    """A share of all cases and its limits."""

    rate: float
    lo: float
    hi: float


class PoweredRate(TypedDict):
    """A mean over all cases and its limits; None where the labels give no limits."""

    rate: float
    lo: float | None
    hi: float | None


class JudgeInformation(TypedDict):
    """J = sensitivity + specificity - 1, its limits, and the number of human labels behind it."""

    j: float
    lo: float
    hi: float
    labels: int


def judge_information(
    *,
    true_pass_labelled: int,
    judge_pass_of_those: int,
    true_fail_labelled: int,
    judge_fail_of_those: int,
    confidence: float = 0.95,
) -> JudgeInformation:
    """J = sensitivity + specificity - 1: the part of a true change of the pass rate that the judge shows.

    Of the cases that people call a pass the judge passed some, of those they call a fail it failed some. 1 is a
    perfect judge, 0 a coin. Assumes errors that do not depend on the version judged. Interval as for a difference of
    two independent shares, valid from one label each. Source: Youden (1950); Newcombe (1998), Stat. Med. 17:873.

    >>> judge_information(
    ...     true_pass_labelled=80, judge_pass_of_those=72, true_fail_labelled=20, judge_fail_of_those=16
    ... )["j"]
    0.7
    """
    passes, fails = (
        whole(true_pass_labelled, "true_pass_labelled", low=1),
        whole(true_fail_labelled, "true_fail_labelled", low=1),
    )
    passed = whole(judge_pass_of_those, "judge_pass_of_those", high=passes)
    failed = whole(judge_fail_of_those, "judge_fail_of_those", high=fails)
    low, high = unpaired_proportion_diff_ci(passed, passes, fails - failed, fails, confidence=confidence)
    j = (passed * fails + failed * passes - passes * fails) / (passes * fails)
    return {"j": j, "lo": low, "hi": high, "labels": passes + fails}


def judge_margin(margin: float, information: JudgeInformation) -> float | None:
    """Margin for a binary metric that a judge scores: the margin meant, times J (``judge_information``).

    With J = .7 a true drop of 2 points shows as 1.4, so that a margin of 2 would let 2.9 pass. Under 300 labels the
    lower bound of J is taken. None where that is .1 or less: such a judge gates nothing.

    >>> judge_margin(0.02, {"j": 0.75, "lo": 0.5, "hi": 0.8, "labels": 120})
    0.01
    """
    j = information["lo" if information["labels"] < FEW_JUDGE_LABELS else "j"]
    return positive(margin, "margin") * j if j > LEAST_JUDGE_INFORMATION else None


def poststratified_rate(
    *,
    judged: int,
    judge_pass: int,
    n_pass_labelled: int,
    human_pass_of_pass: int,
    n_fail_labelled: int,
    human_pass_of_fail: int,
    confidence: float = 0.95,
) -> Rate:
    """True pass rate of a batch of which a random part of each verdict was labelled by people.

    Of the ``judged`` cases ``judge_pass`` were passed; people looked at so many of either kind and called so many a
    pass. As narrow as PPI++, and keeps its level with few labels. A verdict without labels counts as one half, and
    the interval says so: report it, do not gate on it. Labels from another batch: ``lang_reiczigel_ci``.
    Source: post-stratification, with two pseudo-labels a verdict as in Agresti and Coull (1998).

    >>> poststratified_rate(
    ...     judged=1000,
    ...     judge_pass=800,
    ...     n_pass_labelled=80,
    ...     human_pass_of_pass=76,
    ...     n_fail_labelled=20,
    ...     human_pass_of_fail=5,
    ... )["rate"]
    0.81
    """
    judged = whole(judged, "judged", low=1)
    share = whole(judge_pass, "judge_pass", high=judged) / judged
    of_pass = whole(n_pass_labelled, "n_pass_labelled", high=judge_pass)
    of_fail = whole(n_fail_labelled, "n_fail_labelled", high=judged - judge_pass)
    right_pass = whole(human_pass_of_pass, "human_pass_of_pass", high=of_pass)
    right_fail = whole(human_pass_of_fail, "human_pass_of_fail", high=of_fail)
    z = normal_upper_quantile((1.0 - fraction(confidence, "confidence")) / 2.0)
    rate = share * observed_share(right_pass, of_pass) + (1.0 - share) * observed_share(right_fail, of_fail)
    passed, failed = (right_pass + 1) / (of_pass + 2), (right_fail + 1) / (of_fail + 2)
    centre = share * passed + (1.0 - share) * failed
    variance = (
        share**2 * passed * (1.0 - passed) / (of_pass + 2)
        + (1.0 - share) ** 2 * failed * (1.0 - failed) / (of_fail + 2)
        + (passed - failed) ** 2 * share * (1.0 - share) / judged
    )
    low, high = limits_around(rate, centre, z * math.sqrt(variance))
    return {"rate": rate, "lo": low, "hi": high}


def observed_share(k: int, n: int) -> float:
    """k/n, and one half where nobody looked.

    >>> observed_share(1, 4), observed_share(0, 0)
    (0.25, 0.5)
    """
    return k / n if n else 0.5


def limits_around(rate: float, centre: float, half: float) -> tuple[float, float]:
    """Limits centre ± half inside [0, 1]; pseudo-observations move the centre, but never past the rate itself.

    >>> limits_around(1.0, 0.9, 0.05)[1]
    1.0
    """
    return max(min(centre - half, rate), 0.0), min(max(centre + half, rate), 1.0)


def rogan_gladen(*, judge_pass: int, judged: int, sensitivity: float, specificity: float) -> float:
    """True pass rate from the judge's: (share + specificity - 1)/(sensitivity + specificity - 1), held in [0, 1].

    For labels from elsewhere, if sensitivity and specificity carry over. ValueError for a judge no better than a
    coin. Source: Rogan and Gladen (1978), Am. J. Epidemiol. 107.

    >>> round(rogan_gladen(judge_pass=790, judged=1000, sensitivity=0.9, specificity=0.8), 4)
    0.8429
    """
    share = whole(judge_pass, "judge_pass", high=whole(judged, "judged", low=1)) / judged
    sensitivity, specificity = unit_values([sensitivity, specificity], "sensitivity and specificity")
    if sensitivity + specificity <= 1.0:
        msg = f"sensitivity {sensitivity} and specificity {specificity} are those of a coin: the judge says nothing"
        raise ValueError(msg)
    return min(max((share + specificity - 1.0) / (sensitivity + specificity - 1.0), 0.0), 1.0)


def lang_reiczigel_ci(
    *,
    judge_pass: int,
    judged: int,
    true_pass_labelled: int,
    judge_pass_of_those: int,
    true_fail_labelled: int,
    judge_fail_of_those: int,
    confidence: float = 0.95,
) -> tuple[float, float] | None:
    """Interval for the true pass rate of a batch, the judge's errors being known from labels of another batch.

    Contains the estimate of ``rogan_gladen``. None where J (``judge_information``) may be .1 or less: refuse the
    correction then. If the labels are of this very batch it is wider than leaving the judge out: use
    ``poststratified_rate``. Source: Lang and Reiczigel (2014), Prev. Vet. Med. 113.

    >>> limits = lang_reiczigel_ci(
    ...     judge_pass=790,
    ...     judged=1000,
    ...     true_pass_labelled=85,
    ...     judge_pass_of_those=77,
    ...     true_fail_labelled=15,
    ...     judge_fail_of_those=12,
    ... )
    >>> [round(limit, 3) for limit in limits]
    [0.728, 0.933]
    """
    information = judge_information(
        true_pass_labelled=true_pass_labelled,
        judge_pass_of_those=judge_pass_of_those,
        true_fail_labelled=true_fail_labelled,
        judge_fail_of_those=judge_fail_of_those,
        confidence=confidence,
    )
    if information["lo"] <= LEAST_JUDGE_INFORMATION:
        return None
    sensitivity, specificity = judge_pass_of_those / true_pass_labelled, judge_fail_of_those / true_fail_labelled
    rate = rogan_gladen(judge_pass=judge_pass, judged=judged, sensitivity=sensitivity, specificity=specificity)
    z = normal_upper_quantile((1.0 - confidence) / 2.0)
    size, size_pass, size_fail = judged + z * z, true_pass_labelled + 2, true_fail_labelled + 2
    share = (judge_pass + z * z / 2.0) / size
    se, sp = (judge_pass_of_those + 1) / size_pass, (judge_fail_of_those + 1) / size_fail
    spread_se, spread_sp = se * (1.0 - se) / size_pass, sp * (1.0 - sp) / size_fail
    j = se + sp - 1.0
    adjusted = (share + sp - 1.0) / j
    variance = share * (1.0 - share) / size + adjusted**2 * spread_se + (1.0 - adjusted) ** 2 * spread_sp
    centre = adjusted + 2.0 * z * z * (adjusted * spread_se - (1.0 - adjusted) * spread_sp)
    return limits_around(rate, centre, z * math.sqrt(variance) / j)


def ppi_mean(
    labels: Sequence[float],
    judge_labelled: Sequence[float],
    judge_unlabelled: Sequence[float],
    confidence: float = 0.95,
    *,
    tuned: bool = True,
) -> PoweredRate:
    """Mean of human labels in [0, 1], helped by a graded judge that saw more cases: prediction-powered inference.

    labels and judge_labelled: one pair per labelled case, a random part of the batch; judge_unlabelled: the rest.
    tuned: PPI++, which trusts the judge as far as it follows the labels, so that a bad one does no harm. Normal
    limits: with few labels and rare failures they cover less than they say (88 % at 100 labels and 5 % failures);
    for binary judges take ``poststratified_rate``. No spread at all, or one label: no limits.
    Source: Angelopoulos et al. (2023), Science 382; Angelopoulos, Duchi and Zrnic (2023), arXiv 2311.01453.

    >>> ppi_mean([1, 1, 0, 1], [1, 1, 0, 0], [1, 0, 1, 1], tuned=False)["rate"]
    1.0
    """
    truth, seen = unit_values(labels, "labels"), unit_values(judge_labelled, "judge_labelled")
    unseen = unit_values(judge_unlabelled, "judge_unlabelled")
    pairs = list(zip(truth, seen, strict=True))
    z = normal_upper_quantile((1.0 - fraction(confidence, "confidence")) / 2.0)
    trust = _trust(pairs, seen + unseen) if tuned else 1.0
    corrections = [label - trust * judge for label, judge in pairs]
    rate = min(max(trust * exact_mean(unseen) + exact_mean(corrections), 0.0), 1.0)
    variance = trust**2 * _spread(unseen) / len(unseen) + _spread(corrections) / len(pairs)
    if len(pairs) == 1 or variance == 0.0:
        return {"rate": rate, "lo": None, "hi": None}
    half = z * math.sqrt(variance)
    return {"rate": rate, "lo": max(rate - half, 0.0), "hi": min(rate + half, 1.0)}


def _trust(pairs: list[tuple[float, float]], judged: list[float]) -> float:
    """The share of the judge's deviation that is believed, in [0, 1]."""
    n, more = len(pairs), len(judged) - len(pairs)
    mean_label, mean_judge = exact_mean([label for label, _ in pairs]), exact_mean([judge for _, judge in pairs])
    covariance = math.fsum((label - mean_label) * (judge - mean_judge) for label, judge in pairs) / n
    variance = sample_variance(judged)
    return min(max(covariance / ((1.0 + n / more) * variance), 0.0), 1.0) if variance else 0.0


def _spread(values: list[float]) -> float:
    """Variance with divisor n, as published for these estimators."""
    return sample_variance(values) * (len(values) - 1) / len(values) if len(values) > 1 else 0.0
