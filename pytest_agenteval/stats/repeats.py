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


def flake_rate(counts: Sequence[tuple[int, int] | Sequence[int]]) -> float | None:
    """Chance that two trials of a case disagree, averaged over the cases of a suite: 2c(r - c)/(r(r - 1)) of each.

    counts: (trials, successes) of each case. Unbiased; the share of flips that planning asks for. Cases of one trial
    say nothing of it and are left out; no case left: None. A rate of 0 means that no case was seen to differ, not that
    none does: a case that passes nine times in ten looks stable in 59 % of studies of five trials.

    >>> flake_rate([(2, 1), (2, 2), (1, 0)])
    0.5
    """
    rates = []
    for trials, successes in counts:
        r = whole(trials, "trials", low=1)
        c = whole(successes, "successes", high=r)
        if r > 1:
            rates.append(2 * c * (r - c) / (r * (r - 1)))
    return exact_mean(rates) if rates else None


def case_regression_pvalue(base_runs: int, base_passed: int, cand_runs: int, cand_passed: int) -> float:
    """P-value that one case passes less often than it did: hypergeometric mid-p, one-sided, exact in integers.

    Given how often both sides passed together, each way to deal the passes to the trials is equally likely while
    nothing changed. Over many cases adjust it (``adjust_pvalues``, "bh"), and only report it. 3 against 3 trials
    reach .025 at best, 1 against 1 never under .25; all passed or all failed: .5. Assumes independent trials.
    Source: Fisher (1935); mid-p: Lancaster (1961), JASA 56.

    >>> round(case_regression_pvalue(5, 5, 5, 1), 4)
    0.0119
    """
    before = whole(base_runs, "base_runs", low=1)
    now = whole(cand_runs, "cand_runs", low=1)
    kept = whole(cand_passed, "cand_passed", high=now)
    passed = kept + whole(base_passed, "base_passed", high=before)
    ways = [math.comb(now, k) * math.comb(before, passed - k) for k in range(max(0, passed - before), kept + 1)]
    return (2 * sum(ways[:-1]) + ways[-1]) / (2 * math.comb(before + now, passed))


def this_suite_se(base: Sequence[Sequence[float]], cand: Sequence[Sequence[float]]) -> float | None:
    """Standard error of the mean difference over these very cases, if only the trials were drawn anew.

    base, cand: the repeats of each case, the cases in the same order. SE² = Σ(s²_c/r_c + s²_b/r_b)/n². Smaller than the
    error for "cases like these", which the gate uses. None where a case has one repeat on a side, and where
    no repeat of any case differs (nothing seen is no proof of nothing). Source: Miller (2024), arXiv 2411.00640.

    >>> this_suite_se([[0.0, 1.0], [1.0, 1.0]], [[1.0, 1.0], [1.0, 1.0]])
    0.25
    """
    noises = []
    for place, pair in enumerate(zip(base, cand, strict=True)):
        sides = [finite_values(side, f"repeats of case {place}") for side in pair]
        if min(map(len, sides)) == 1:
            return None
        noises += [sample_variance(side) / len(side) for side in sides]
    total = math.fsum(noises)
    return math.sqrt(total) / len(base) if total > 0.0 else None
