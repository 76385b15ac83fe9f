"""One metric of a run against a reference, paired by case."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

from pytest_agenteval import stats
from pytest_agenteval.model.estimate import CaseScores, Estimate
from pytest_agenteval.model.score import MetricSpec
from pytest_agenteval.model.verdict import Comparison
from pytest_agenteval.pipeline.aggregate import Measured, is_binary

ALPHA_PASS = 0.05
"""A pass excludes a loss of the margin at this one-sided level."""

_FEW_CHANGES = 20
"""With fewer changed cases than this the sign-flip test is taken in place of the t test."""


def compare(
    reference: Mapping[str, CaseScores],
    reference_estimate: Estimate,
    measured: Measured,
    *,
    margin: float | None = None,
    alpha_pass: float = ALPHA_PASS,
    stage: Literal["screen", "confirmation"] = "screen",
) -> Comparison:
    """Pair the cases of a run with those of a reference, and test whether the run is worse.

    Only cases with the same fingerprint on both sides are paired; the others are listed as added,
    removed or edited and never enter the difference. Assumes independent cases. Nothing in common gives
    a comparison without a difference.
    """
    spec, current = measured.spec, measured.cases
    in_both = reference.keys() & current.keys()
    common = common_cases(reference, current)
    sign = 1.0 if spec.better == "higher" else -1.0
    gains = {case: sign * _difference(current[case].mean, reference[case].mean) for case in common}
    paired = bool(common) and is_paired(spec)
    regraded, n_same = _regraded(reference, current, common, spec)
    found = Comparison(
        stage=stage,
        reference=reference_estimate,
        current=measured.estimate,
        before=stats.exact_mean([reference[case].mean for case in common]) if paired else None,
        now=stats.exact_mean([current[case].mean for case in common]) if paired else None,
        n_pairs=len(common),
        lost=tuple(case for case in common if gains[case] < 0),
        won=tuple(case for case in common if gains[case] > 0),
        added=tuple(sorted(current.keys() - reference.keys() - measured.not_evaluated.keys())),
        # A case that no longer has the metric's expectation is gone for the metric.
        removed=tuple(sorted(reference.keys() - current.keys() - (measured.not_evaluated.keys() - measured.not_asked))),
        edited=tuple(sorted(in_both - set(common))),
        regraded=regraded,
        n_same_answers=n_same,
    )
    if not paired:
        return found
    pairs = [side[case] for side in (reference, current) for case in common]
    binary = spec.range == (0.0, 1.0) and all(len(one.values) == 1 for one in pairs) and is_binary(pairs)
    # Signs may be flipped only where both sides are drawn alike.
    alike = all(len(reference[case].values) == len(current[case].values) for case in common)
    tested = _tested(list(gains.values()), spec, binary=binary, alike=alike, alpha=alpha_pass)
    total = _cases_in_all(list(gains.values()), margin, spec)
    low, high = tested.bounds if sign > 0 else tested.bounds[::-1]
    return replace(
        found,
        test=tested.test,
        p_value=tested.p_value,
        delta=sign * tested.delta,
        low=None if low is None else sign * low,
        high=None if high is None else sign * high,
        cases_needed=None if total is None else max(1, total - len(common)),
        repeats_needed=_repeats_needed(total, [current[case] for case in common], margin, spec),
    )


def common_cases(reference: Mapping[str, CaseScores], current: Mapping[str, CaseScores]) -> list[str]:
    """The ids, in order, of the cases that both sides have and that were not edited in between."""
    in_both = sorted(reference.keys() & current.keys())
    return [case for case in in_both if reference[case].fingerprint == current[case].fingerprint]


def _difference(now: float, before: float) -> float:
    """Now minus before; what only rounding tells apart is no change: .1 + .2 is .3."""
    changed = now != before and (stats.exceeds(now, before) or stats.exceeds(before, now))
    return now - before if changed else 0.0


def is_paired(spec: MetricSpec) -> bool:
    """Whether a value per case stands behind the metric; a quantile or an ECE has none."""
    return spec.aggregate == "mean" or spec.aggregate.startswith("pass_")


@dataclass(frozen=True, slots=True)
class _Tested:
    """Difference, bounds and p-value, all in the direction in which more is better."""

    test: str
    delta: float
    bounds: tuple[float | None, float | None]
    p_value: float


def _tested(gains: list[float], spec: MetricSpec, *, binary: bool, alike: bool, alpha: float) -> _Tested:
    delta = stats.exact_mean(gains)
    if binary:
        won, lost = sum(gain > 0 for gain in gains), sum(gain < 0 for gain in gains)
        p_value = stats.mcnemar(won, lost, alternative="less")
        return _Tested("McNemar mid-p", delta, stats.tango_bounds(won, lost, len(gains), alpha), p_value)
    changed = sum(gain != 0 for gain in gains)
    few = alike and changed < _FEW_CHANGES
    p_value = 1.0
    if changed:
        p_value = stats.sign_flip_pvalue(gains) if few else stats.paired_t_pvalue([0.0] * len(gains), gains)
    bounds: tuple[float | None, float | None] = (None, None)
    if spec.range is not None:
        bounds = stats.paired_bounds(gains, alpha, spec.range[1] - spec.range[0])
    else:
        bounds = stats.paired_t_bounds(gains, alpha) or bounds
    return _Tested("sign flips" if few else "paired t", delta, bounds, p_value)


def _cases_in_all(gains: list[float], margin: float | None, spec: MetricSpec) -> int | None:
    """How many cases like these let a run that changed nothing pass; None where unknown.

    Where there are as many already, the loss that was seen is taken to be real.
    """
    if not margin or len(gains) < 2:  # noqa: PLR2004  # no spread can be taken from one case
        return None
    centre = stats.exact_mean(gains)
    spread = math.sqrt(math.fsum((gain - centre) ** 2 for gain in gains) / (len(gains) - 1))
    if spread == 0 and spec.range is None:
        return None
    width = 1.0 if spec.range is None else spec.range[1] - spec.range[0]
    total = stats.cases_needed_pass(spread / width, margin / width)
    if total > len(gains):
        return total
    left = margin + min(0.0, centre)
    return stats.cases_needed_pass(spread / width, left / width) if left > 0 else None


def _repeats_needed(total: int | None, pairs: list[CaseScores], margin: float | None, spec: MetricSpec) -> int | None:
    """How many attempts a case do as much as so many cases; None where no number of attempts does.

    Where nothing changed only the noise of single attempts is left, and attempts lessen it as cases do; but
    under as many cases as pass when nothing moves at all (2.3), attempts are of no use.
    """
    if total is None or not margin or spec.aggregate != "mean":
        return None
    width = 1.0 if spec.range is None else spec.range[1] - spec.range[0]
    if spec.range is not None and len(pairs) < stats.cases_needed_pass(0.0, margin / width):
        return None
    attempts = max(len(pair.values) for pair in pairs)
    return max(attempts + 1, math.ceil(attempts * total / len(pairs)))


def _regraded(
    reference: Mapping[str, CaseScores],
    current: Mapping[str, CaseScores],
    common: list[str],
    spec: MetricSpec,
) -> tuple[tuple[str, ...], int]:
    """Cases whose answer is the same while its score is not, and how many have an answer in common.

    The scores of an unbounded metric (seconds, cost) are no function of the answer alone, nor are those
    of a judge; of them nothing can be said.
    """
    if not spec.deterministic or spec.kind == "unbounded":
        return (), 0
    changed, same = [], 0
    for case in common:
        old, new = reference[case], current[case]
        shared = set(old.answers).intersection(new.answers)
        if not shared:
            continue
        same += 1
        before, now = (dict(zip(side.answers, side.values, strict=False)) for side in (old, new))
        if any(before[answer] != now[answer] for answer in shared):
            changed.append(case)
    return tuple(changed), same
