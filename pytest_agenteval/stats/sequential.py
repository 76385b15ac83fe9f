"""May we look before the end? Levels for planned looks, and evidence that bears unplanned ones."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Final, Literal, TypedDict

from pytest_agenteval.stats.checks import choice, finite_values, fraction, whole
from pytest_agenteval.stats.distributions import normal_upper_quantile, normal_upper_tail
from pytest_agenteval.stats.exact import exceeds

SpendingKind = Literal["obrien-fleming", "pocock"]

BETS: Final = (0.02, 0.05, 0.1, 0.2, 0.35, 0.5, 0.7, 0.9)
"""Shares of the largest bet that can never ruin; a mean over them needs no tuning."""

_LARGEST_LOG: Final = 690.0
"""Capital is shown up to about 1e299, so that it stays a finite number."""


class SequentialDecision(TypedDict):
    """Log-likelihood ratio of p1 against p0, the two limits, and good, bad or continue."""

    llr: float
    upper: float
    lower: float
    decision: Literal["good", "bad", "continue"]


def alpha_spending(
    fractions: Sequence[float], alpha: float = 0.05, kind: SpendingKind = "obrien-fleming"
) -> list[float]:
    """The level that may be spent up to each look, at these rising shares of the planned cases, in (0, 1].

    obrien-fleming: 2(1 - Φ(z/√t)), next to nothing early, so that the last look keeps almost all.
    pocock: α·ln(1 + (e - 1)t), spread evenly. The cases must come in a random order and the looks be fixed before
    them; the first needs 20 cases. Source: Lan and DeMets (1983), Biometrika 70.

    >>> [round(level, 4) for level in alpha_spending([0.25, 0.5, 1.0])]
    [0.0001, 0.0056, 0.05]
    """
    choice(kind, "kind", ["obrien-fleming", "pocock"])
    shares, level = _rising_shares(fractions), fraction(alpha, "alpha")
    if kind == "pocock":
        return [level * math.log1p(math.expm1(1.0) * share) for share in shares]
    z = normal_upper_quantile(level / 2.0)
    return [level if share == 1.0 else 2.0 * normal_upper_tail(z / math.sqrt(share)) for share in shares]


def _rising_shares(fractions: Sequence[float]) -> list[float]:
    shares = finite_values(fractions, "fractions")
    if not 0.0 < shares[0] <= shares[-1] <= 1.0 or any(later <= sooner for sooner, later in pairwise(shares)):
        msg = f"fractions are {shares}: give rising shares of the planned cases, each above 0 and at most 1"
        raise ValueError(msg)
    return shares


def spending_increments(
    fractions: Sequence[float], alpha: float = 0.05, kind: SpendingKind = "obrien-fleming"
) -> list[float]:
    """The level of each look by itself: what ``alpha_spending`` allows there, less what earlier looks had.

    They add up to alpha at the last look (fraction 1), so that the chance of any false answer is at most alpha
    however the looks depend on each other (a union bound; exact boundaries would gain little).

    >>> [round(level, 4) for level in spending_increments([0.25, 0.5, 1.0])]
    [0.0001, 0.0055, 0.0444]
    """
    levels = alpha_spending(fractions, alpha, kind)
    return [later - sooner for sooner, later in pairwise([0.0, *levels])]


def sprt_decision(
    successes: int, failures: int, p0: float, p1: float, *, alpha: float = 0.05, beta: float = 0.05
) -> SequentialDecision:
    """Is the pass rate p0 (bad) or p1 > p0 (good)? May be asked after every case.

    alpha: chance of "good" at a true rate of p0; beta: of "bad" at p1. Assumes independent cases, one trial each. At
    a cap of cases "continue" means undecided: cap at twice the fixed design, or the errors grow. From one case on;
    a tie with a limit goes on. Source: Wald (1945), Ann. Math. Stat. 16.

    >>> sprt_decision(40, 0, 0.85, 0.92)["decision"], sprt_decision(20, 2, 0.85, 0.92)["decision"]
    ('good', 'continue')
    """
    passed, failed = whole(successes, "successes"), whole(failures, "failures")
    bad, good = fraction(p0, "p0"), fraction(p1, "p1")
    if not bad < good:
        msg = f"p0 = {bad} must be below p1 = {good}: p0 is the rate to refuse, p1 the rate to accept"
        raise ValueError(msg)
    false_good, false_bad = fraction(alpha, "alpha"), fraction(beta, "beta")
    if not false_good + false_bad < 1.0:
        msg = f"alpha + beta is {false_good + false_bad}, it must be below 1: the limits would cross"
        raise ValueError(msg)
    upper, lower = math.log((1.0 - false_bad) / false_good), math.log(false_bad / (1.0 - false_good))
    ratio = passed * math.log(good / bad) + failed * (math.log1p(-good) - math.log1p(-bad))
    decision: Literal["good", "bad", "continue"] = "continue"
    if exceeds(ratio, upper):
        decision = "good"
    elif exceeds(lower, ratio):
        decision = "bad"
    return {"llr": ratio, "upper": upper, "lower": lower, "decision": decision}


def eprocess_mixture(
    values: Sequence[float],
    null_mean: float,
    side: Literal["up", "down"],
    *,
    low: float = 0.0,
    high: float = 1.0,
    grid: Sequence[float] = BETS,
) -> list[float]:
    """Evidence against "the mean is at most null_mean" (up) or "at least" (down), after each value, in order.

    values lie in [low, high]; grid: bets in (0, 1), as shares of the largest safe one. At 1/alpha or more the
    hypothesis is rejected at level alpha, whenever one looks and for whatever reason one stops (Ville 1939); the
    evidence of independent runs multiplies. Valid from the first value, weak with few; weaker than a test of fixed
    size. Assumes that each value, given the past, has its mean on the null's side. No values: no evidence, [].
    Source: Waudby-Smith and Ramdas (2024), JRSS B 86.

    >>> [round(capital, 3) for capital in eprocess_mixture([0, 0, 0, 1], 0.5, "down")]
    [1.353, 1.921, 2.861, 1.271]
    """
    choice(side, "side", ["up", "down"])
    numbers = finite_values(values, "values", at_least=0)
    if not low < null_mean < high or any(not low <= number <= high for number in numbers):
        msg = f"null_mean {null_mean} must lie inside [{low}, {high}] and each value in it: correct low and high"
        raise ValueError(msg)
    bets = [fraction(bet, "grid") for bet in grid]
    room = null_mean - low if side == "up" else null_mean - high  # below zero for "down": the mirror image
    logs, path = [0.0] * len(bets), []
    for number in numbers:
        logs = [log + math.log1p(bet * (number - null_mean) / room) for log, bet in zip(logs, bets, strict=True)]
        path.append(_mean_of_exponentials(logs))
    return path


def _mean_of_exponentials(logs: Sequence[float]) -> float:
    top = max(logs)
    return math.exp(min(top + math.log(math.fsum(math.exp(log - top) for log in logs) / len(logs)), _LARGEST_LOG))
