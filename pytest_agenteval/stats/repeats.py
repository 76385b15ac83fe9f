"""What do repeats of a case tell? Variance between and within cases, pass@k and pass^k."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal, TypedDict

from pytest_agenteval.stats.checks import choice, finite_values, whole
from pytest_agenteval.stats.exact import exact_mean, sample_variance


class VarianceComponents(TypedDict):
    """Variance within and between cases, and the share that lies between; None if nothing varies."""

    within: float
    between: float
    icc: float | None


class SuitePassRate(TypedDict):
    """Mean over the cases with at least k trials, its standard error, and how many those cases are."""

    mean: float | None
    se: float | None
    cases: int


def variance_components(groups: Sequence[Sequence[float]]) -> VarianceComponents:
    """Split the variance of scores into the part between cases and the part within (repeats of) cases.

    groups: the repeats of each case, unequal numbers allowed. Needs two cases and one repeat more than
    cases, else ValueError. A negative estimate between cases counts as 0.
    Source: Searle, Casella and McCulloch (1992), one-way random effects, ANOVA estimators.

    >>> variance_components([[1, 1], [0, 0]])["icc"]
    1.0
    """
    cases = [finite_values(group, f"groups[{place}]") for place, group in enumerate(groups)]
    n, total = len(cases), sum(map(len, cases))
    if n <= 1 or total == n:
        msg = f"{n} cases with {total} trials: two cases and some case with two repeats are needed"
        raise ValueError(msg)
    means = [exact_mean(case) for case in cases]
    grand = exact_mean([value for case in cases for value in case])
    ss_within = math.fsum((value - means[place]) ** 2 for place, case in enumerate(cases) for value in case)
    ss_between = math.fsum(len(case) * (means[place] - grand) ** 2 for place, case in enumerate(cases))
    within = ss_within / (total - n)
    typical_repeats = (total - sum(len(case) ** 2 for case in cases) / total) / (n - 1)
    between = max(0.0, (ss_between / (n - 1) - within) / typical_repeats)
    whole_variance = between + within
    return {"within": within, "between": between, "icc": between / whole_variance if whole_variance else None}


def pass_at_k(n: int, c: int, k: int) -> float | None:
    """Chance that at least one of k trials succeeds, from c successes in n trials; None if n < k.

    Unbiased only if n was fixed before looking. Source: Chen et al. (2021), arXiv 2107.03374.

    >>> pass_at_k(5, 1, 3)
    0.6
    """
    ways = _ways(n, c, k)
    return None if ways is None else (ways - math.comb(n - c, k)) / ways


def pass_hat_k(n: int, c: int, k: int) -> float | None:
    """Chance that all of k trials succeed, from c successes in n trials; None if n < k.

    Unbiased only if n was fixed before looking. Source: Yao et al. (2024), arXiv 2406.12045.

    >>> pass_hat_k(4, 2, 2) == 1 / 6
    True
    """
    ways = _ways(n, c, k)
    return None if ways is None else math.comb(c, k) / ways


def _ways(n: int, c: int, k: int) -> int | None:
    n, k = whole(n, "n"), whole(k, "k", low=1)
    whole(c, "c", high=n)
    return math.comb(n, k) if n >= k else None


def pass_k_suite(
    counts: Sequence[tuple[int, int] | Sequence[int]], k: int, kind: Literal["at", "hat"]
) -> SuitePassRate:
    """Mean of pass@k ("at") or pass^k ("hat") over the cases of a suite.

    counts: (trials, successes) of each case. A case with fewer than k trials is undefined: left out,
    and missing from ``cases``. No case left: mean is None; one case: its error is None.

    >>> pass_k_suite([(2, 2), (2, 1), (1, 1)], k=2, kind="hat")
    {'mean': 0.5, 'se': 0.5, 'cases': 2}
    """
    choice(kind, "kind", ["at", "hat"])
    estimate = pass_at_k if kind == "at" else pass_hat_k
    rates = [rate for n, c in counts if (rate := estimate(n, c, k)) is not None]
    return {
        "mean": exact_mean(rates) if rates else None,
        "se": math.sqrt(sample_variance(rates) / len(rates)) if len(rates) > 1 else None,
        "cases": len(rates),
    }
