"""Which cases do people look at next, and what do the reviewed ones say of all cases?

The share among the reviewed is wrong where hard cases are reviewed more often. Every estimate here needs to know how
the cases were chosen; where nobody knows there is none. A case whose review is missing is a case not reviewed.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple, TypedDict

from pytest_agenteval.stats.checks import finite_values, fraction, unit_values, whole
from pytest_agenteval.stats.distributions import normal_upper_quantile
from pytest_agenteval.stats.exact import exceeds, stable_seed
from pytest_agenteval.stats.judges import Rate, lang_reiczigel_ci, limits_around, observed_share, rogan_gladen

_SLOTS_A_RANDOM_ONE: Final = 10
"""Of so many slots one is random: without it no rate of all cases could be estimated."""


class WeightedRate(TypedDict):
    """A share of all cases and its standard error; None where the cases give none."""

    rate: float
    se: float | None


class Reviewable(NamedTuple):
    """A case that could be looked at: harm if wrong, the agent's confidence, earlier reviews in its slice."""

    case: str
    severity: float
    confidence: float
    earlier_reviews: int


class ReviewSample(NamedTuple):
    """Cases to review: the first by rank, and a random sample of all others."""

    ranked: list[str]
    random: list[str]


def review_sample(cases: Iterable[Reviewable], slots: int, seed: Sequence[str]) -> ReviewSample:
    """Choose the cases to review: severity first, then confident ones, then unlike those seen; one in ten at random.

    The random tenth (rounded up) is drawn from the cases that the ranks left out, by SHA-256 of the words of ``seed``
    (run id, metric) and the case's name: the same on every machine and in every order. The rates of all cases follow
    by ``stratified_rate`` with two strata: the ranked, all reviewed, and the others, of which the random ones are.

    >>> cases = [Reviewable("a", 1, 0.6, 0), Reviewable("b", 3, 0.5, 0), Reviewable("c", 1, 0.9, 4)]
    >>> review_sample(cases, 3, ["run-1"])
    ReviewSample(ranked=['b', 'c'], random=['a'])
    """
    slots, known = whole(slots, "slots"), list(cases)
    finite_values((number for case in known for number in case[1:]), "severity, confidence or reviews", at_least=0)
    ordered = sorted(known, key=lambda case: (-case.severity, -case.confidence, case.earlier_reviews, case.case))
    names = [case.case for case in ordered]
    if len(set(names)) < len(names):
        msg = "cases hold a name twice: a case can be reviewed once, name its trials apart"
        raise ValueError(msg)
    by_rank = slots - math.ceil(slots / _SLOTS_A_RANDOM_ONE)
    drawn = sorted(names[by_rank:], key=lambda name: stable_seed([*seed, "review", name]))
    return ReviewSample(ranked=names[:by_rank], random=drawn[: slots - by_rank])


def stratified_rate(strata: Sequence[Sequence[int]], confidence: float = 0.95) -> Rate:
    """Share of all cases that people would overrule, from strata of which random parts were reviewed.

    strata: (cases, reviewed, overruled) of each, such as a band of confidence. Σ W·k/n; two pseudo-reviews a stratum
    keep the interval honest, 99 % at 200 cases of which 5 % were reviewed. A stratum without reviews counts as one
    half. No finite-population correction: conservative where nearly all are reviewed. Unknown chances of being
    reviewed: there is no estimate. Source: stratified sampling with the add-one estimate of Agresti and Coull (1998).

    >>> stratified_rate([(120, 120, 30), (880, 44, 3)])["rate"]
    0.09
    """
    z = normal_upper_quantile((1.0 - fraction(confidence, "confidence")) / 2.0)
    counted = [_stratum(stratum, f"strata[{place}]") for place, stratum in enumerate(strata)]
    total = sum(cases for cases, _, _ in counted)
    if total == 0:
        msg = "strata hold no case: report the rate as not evaluated instead"
        raise ValueError(msg)
    rate = math.fsum(cases / total * observed_share(k, n) for cases, n, k in counted)
    centre = math.fsum(cases / total * (k + 1) / (n + 2) for cases, n, k in counted)
    variance = math.fsum((cases / total) ** 2 * (k + 1) * (n - k + 1) / (n + 2) ** 3 for cases, n, k in counted)
    low, high = limits_around(rate, centre, z * math.sqrt(variance))
    return {"rate": rate, "lo": low, "hi": high}


def _stratum(stratum: Sequence[int], what: str) -> tuple[int, int, int]:
    cases, reviewed, overruled = stratum
    cases = whole(cases, f"cases of {what}")
    reviewed = whole(reviewed, f"reviewed of {what}", high=cases)
    return cases, reviewed, whole(overruled, f"overruled of {what}", high=reviewed)


def hajek_rate(outcomes: Sequence[float], probabilities: Sequence[float | None]) -> WeightedRate:
    """Share of all cases, from reviewed ones that were chosen with known, unequal probabilities.

    outcomes: 0 or 1 of each reviewed case; probabilities: its chance of being reviewed, in (0, 1]. Error linearised,
    with divisor n - 1; too small where few cases were reviewed at a low rate (68 % coverage at 200 cases and 5 %):
    prefer ``stratified_rate`` where there are strata. One case, or equal outcomes: no error. An unknown
    probability: ValueError. Source: Horvitz and Thompson (1952), JASA 47; Hájek (1971).

    >>> hajek_rate([1, 0], [0.25, 1.0])["rate"]
    0.8
    """
    values, weights = unit_values(outcomes, "outcomes"), _weights(probabilities)
    pairs = list(zip(values, weights, strict=True))
    n, total = len(pairs), math.fsum(weights)
    rate = min(math.fsum(weight * value for value, weight in pairs) / total, 1.0)
    if not exceeds(max(values), min(values)):
        return {"rate": values[0], "se": None}
    spread = math.fsum((weight * (value - rate)) ** 2 for value, weight in pairs)
    return {"rate": rate, "se": math.sqrt(spread * n / (n - 1)) / total}


def horvitz_thompson_total(outcomes: Sequence[float], probabilities: Sequence[float | None]) -> float:
    """Number of such cases (or sum of their values) among all, each reviewed case standing for 1/probability.

    Unbiased for any known probabilities above 0, and far off where a rare one is small. An unknown one: ValueError.
    Source: Horvitz and Thompson (1952), JASA 47.

    >>> horvitz_thompson_total([1, 0, 1], [0.05, 0.2, 1.0])
    21.0
    """
    values = finite_values(outcomes, "outcomes")
    return math.fsum(weight * value for value, weight in zip(values, _weights(probabilities), strict=True))


def _weights(probabilities: Sequence[float | None]) -> list[float]:
    for place, chance in enumerate(probabilities):
        if chance is None or not 0.0 < chance <= 1.0:
            msg = f"probabilities[{place}] is {chance}: without a known chance in (0, 1] of being reviewed, no rate"
            raise ValueError(msg)
    return [1.0 / chance for chance in probabilities if chance is not None]


def corrected_error_rate(
    *,
    overruled: int,
    reviewed: int,
    seeded_wrong: int,
    caught: int,
    known_right: int,
    let_stand: int,
    confidence: float = 0.95,
) -> Rate | None:
    """Error rate behind an override rate, people waving wrong outputs through and overruling right ones.

    caught of seeded_wrong outputs that were known to be wrong, let_stand of known_right ones tell how people judge.
    overruled of reviewed is a lower bound of the error rate without it. None where people catch too little to say
    (see ``lang_reiczigel_ci``). Assumes seeded outputs that look like real ones, shown blind.
    Source: Rogan and Gladen (1978); Lang and Reiczigel (2014); Parasuraman and Manzey (2010).

    >>> rate = corrected_error_rate(
    ...     overruled=60, reviewed=1000, seeded_wrong=100, caught=60, known_right=200, let_stand=198
    ... )
    >>> round(rate["rate"], 3)
    0.085
    """
    limits = lang_reiczigel_ci(
        judge_pass=overruled,
        judged=reviewed,
        true_pass_labelled=seeded_wrong,
        judge_pass_of_those=caught,
        true_fail_labelled=known_right,
        judge_fail_of_those=let_stand,
        confidence=confidence,
    )
    if limits is None:
        return None
    rate = rogan_gladen(
        judge_pass=overruled,
        judged=reviewed,
        sensitivity=caught / seeded_wrong,
        specificity=let_stand / known_right,
    )
    return {"rate": rate, "lo": limits[0], "hi": limits[1]}
