"""Where a metric's variance comes from (cases, repeats, judge), and which cases are flaky."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from pytest_agenteval import stats
from pytest_agenteval.model.estimate import CaseScores
from pytest_agenteval.model.run import in_order
from pytest_agenteval.model.score import MetricSpec
from pytest_agenteval.model.trial import Trial
from pytest_agenteval.pipeline.aggregate import is_binary

_LEAST_TO_DIFFER = 2
"""Values without which no difference can be seen."""

_FALSE_SHARE = 0.10
"""At most this share of the cases that are told to have fallen did not."""

MOST_NAMED = 8
"""Flaky cases that a line names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Variance:
    """The variance of a metric's single scores: the part between cases and that within (repeats of) a case.

    ``icc`` is the share that lies between cases. ``between`` and ``icc`` are None where one case alone has
    scores, ``icc`` also where nothing varies. ``judge`` is the variance of a judge's scores of one and the same
    answer of a case, a part of ``within``; where it cannot be told it is None, and ``no_judge`` says why.
    ``flake_rate`` is the chance that two runs disagree on a case; None for a graded metric. ``fewest`` and
    ``most`` count the repeats of the ``n_repeated`` cases that have any.
    """

    n_repeated: int
    fewest: int
    most: int
    within: float
    between: float | None = None
    icc: float | None = None
    judge: float | None = None
    no_judge: str = ""
    flake_rate: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FlakyCase:
    """A case whose repeats differ. ``right`` counts those with the best value; None for a graded metric."""

    case: str
    repeats: int
    low: float
    high: float
    right: int | None = None

    @property
    def disagreement(self) -> float:
        """Chance that two repeats disagree; for a graded metric the spread of its values."""
        if self.right is None:
            return self.high - self.low
        return 2 * self.right * (self.repeats - self.right) / (self.repeats * (self.repeats - 1))

    @property
    def words(self) -> str:
        """'2 of 5', or '0.2 to 0.9 in 5'.

        >>> FlakyCase(case="late", repeats=5, low=0.0, high=1.0, right=2).words
        '2 of 5'
        """
        if self.right is None:
            return f"{self.low:.4g} to {self.high:.4g} in {self.repeats}"
        return f"{self.right} of {self.repeats}"


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseRegression:
    """A case that succeeds less often than in its baseline: (right, of how many) on both sides.

    ``q_value`` is corrected for all cases that were compared (Benjamini and Hochberg).
    """

    case: str
    before: tuple[int, int]
    now: tuple[int, int]
    q_value: float


def attempts(trials: Sequence[Trial], metrics: Collection[str]) -> dict[str, dict[str, CaseScores]]:
    """By metric and case, the values that the attempts were given, whatever the metric's aggregate.

    Attempts without a value are left out. What stands for an answer is empty where the agent erred: nothing was
    there to be judged.
    """
    found: dict[str, dict[str, tuple[str, list[float], list[str]]]] = {metric: {} for metric in metrics}
    for trial in in_order(trials):
        answer, case = "" if trial.error else trial.answer_digest, trial.case.id
        for score in trial.scores:
            if score.metric in found and score.value is not None:
                _, values, answers = found[score.metric].setdefault(case, (trial.case_fingerprint, [], []))
                values.append(float(score.value))
                answers.append(answer)
    return {
        metric: {
            case: CaseScores(fingerprint=fingerprint, values=tuple(values), answers=tuple(answers))
            for case, (fingerprint, values, answers) in cases.items()
        }
        for metric, cases in found.items()
    }


def variance(cases: Mapping[str, CaseScores], spec: MetricSpec) -> Variance | None:
    """The parts of the metric's variance, from the attempts of each case; None where no case has a repeat.

    Assumes that repeats of a case are independent. Few repeats or cases make the parts uncertain: they are shown,
    and decide nothing. Source: STATISTICS 1.5 and 3.1.
    """
    groups = [case.values for case in cases.values()]
    counts = [len(values) for values in groups if len(values) >= _LEAST_TO_DIFFER]
    if not counts:
        return None
    judge, no_judge = _judge(cases, spec)
    found: stats.VarianceComponents | None = stats.variance_components(groups) if len(groups) > 1 else None
    return Variance(
        n_repeated=len(counts),
        fewest=min(counts),
        most=max(counts),
        within=found["within"] if found else _pooled(groups),
        between=found["between"] if found else None,
        icc=found["icc"] if found else None,
        judge=judge,
        no_judge=no_judge,
        flake_rate=_flake_rate(cases, spec),
    )


def flaky(cases: Mapping[str, CaseScores], spec: MetricSpec) -> tuple[FlakyCase, ...]:
    """The cases whose repeats differ, the flakiest first. Those of an unbounded metric always do: none is named."""
    if spec.range is None:
        return ()
    binary = _is_binary(cases, spec)
    found = [
        FlakyCase(
            case=case,
            repeats=len(scores.values),
            low=min(scores.values),
            high=max(scores.values),
            right=scores.values.count(spec.best) if binary and spec.best is not None else None,
        )
        for case, scores in cases.items()
        if len(set(scores.values)) > 1 and stats.exceeds(max(scores.values), min(scores.values))
    ]
    return tuple(sorted(found, key=lambda one: (-one.disagreement, one.case)))


def case_regressions(
    reference: Mapping[str, CaseScores], cases: Mapping[str, CaseScores], spec: MetricSpec
) -> tuple[CaseRegression, ...]:
    """The cases that fell, each tested by its repeats alone; those told are wrong in one of ten at most.

    To be reported, never to gate. Only of a metric that says plain yes or no, and of cases that are the same on both
    sides. Source: STATISTICS 2.9, hypergeometric mid-p.
    """
    both = [case for case in cases if case in reference and reference[case].fingerprint == cases[case].fingerprint]
    if not both or spec.best is None or not (_is_binary(reference, spec) and _is_binary(cases, spec)):
        return ()
    counts = [
        tuple((side[case].values.count(spec.best), len(side[case].values)) for side in (reference, cases))
        for case in both
    ]
    p_values = [stats.case_regression_pvalue(r0, c0, r1, c1) for (c0, r0), (c1, r1) in counts]
    found = [
        CaseRegression(case=case, before=before, now=now, q_value=q_value)
        for case, (before, now), q_value in zip(both, counts, stats.adjust_pvalues(p_values, "bh"), strict=True)
        if q_value <= _FALSE_SHARE
    ]
    return tuple(sorted(found, key=lambda one: (one.q_value, one.case)))


def variance_words(metric: str, found: Variance) -> str:
    """'success: 71 % of the variance is between cases; two runs disagree on 8 % of the cases'."""
    parts = [] if found.icc is None else [f"{percent(found.icc)} of the variance is between cases"]
    if found.flake_rate is not None:
        parts.append(f"two runs disagree on {percent(found.flake_rate)} of the cases")
    if found.judge is not None:
        parts.append(
            f"the judge scores one and the same answer {math.sqrt(found.judge):.2g} apart (standard deviation)"
        )
    return f"{metric}: {'; '.join(parts) or f'its repeats vary by {math.sqrt(found.within):.4g} (standard deviation)'}"


def attempts_words(fewest: int, most: int) -> str:
    """'5 attempts', or '2 to 5 attempts'."""
    return f"{most} attempts" if fewest == most else f"{fewest} to {most} attempts"


def flaky_words(cases: Sequence[FlakyCase], quarantined: Collection[str] = ()) -> str:
    """'case-7 (2 of 5), case-3 (4 of 5, quarantined)': the first few, and how many more there are."""
    more = f" and {len(cases) - MOST_NAMED:,} more" if len(cases) > MOST_NAMED else ""
    told = [one.words + ", quarantined" * (one.case in quarantined) for one in cases[:MOST_NAMED]]
    return ", ".join(f"{one.case} ({words})" for one, words in zip(cases, told, strict=False)) + more


def percent(share: float) -> str:
    """A share in whole per cent; what is not nothing is not said to be nothing.

    >>> percent(0.0), percent(0.001), percent(0.71), percent(0.999)
    ('0 %', 'under 1 %', '71 %', 'over 99 %')
    """
    rounded = round(100 * share)
    if rounded == 0 and share > 0:
        return "under 1 %"
    return "over 99 %" if rounded == 100 and share < 1 else f"{rounded} %"  # noqa: PLR2004  # the whole


def _is_binary(cases: Mapping[str, CaseScores], spec: MetricSpec) -> bool:
    return spec.range == (0.0, 1.0) and is_binary(cases.values())


def _flake_rate(cases: Mapping[str, CaseScores], spec: MetricSpec) -> float | None:
    if not _is_binary(cases, spec):
        return None
    return stats.flake_rate([(len(case.values), round(sum(case.values))) for case in cases.values()])


def _judge(cases: Mapping[str, CaseScores], spec: MetricSpec) -> tuple[float | None, str]:
    if spec.deterministic:
        return None, "not a judge's metric: equal answers have equal scores"
    groups: dict[tuple[str, str], list[float]] = {}
    for case, scores in cases.items():
        for answer, value in zip(scores.answers, scores.values, strict=False):
            if answer:
                groups.setdefault((case, answer), []).append(value)
    several = [values for values in groups.values() if len(values) >= _LEAST_TO_DIFFER]
    return (_pooled(several), "") if several else (None, "no answer was given twice, so nothing was judged twice")


def _pooled(groups: Sequence[Sequence[float]]) -> float:
    """Variance within groups, of which one at least has two values."""
    several = [group for group in groups if len(group) >= _LEAST_TO_DIFFER]
    spread = math.fsum(stats.sample_variance(group) * (len(group) - 1) for group in several)
    return spread / sum(len(group) - 1 for group in several)
