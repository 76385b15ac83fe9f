"""What the gate looks at: a metric against its baseline once, and where a drop shows, a second time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from pytest_agenteval import stats
from pytest_agenteval.model.baseline import Bar, Baseline
from pytest_agenteval.model.estimate import CaseScores
from pytest_agenteval.model.score import MetricSpec
from pytest_agenteval.model.verdict import Comparison
from pytest_agenteval.pipeline.aggregate import Measured, of_cases
from pytest_agenteval.pipeline.bar import margin_of
from pytest_agenteval.pipeline.compare import common_cases, compare

GateMode = Literal["merge", "release"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """How strict the gate is.

    A drop stops a merge where a first look shows it (Holm's family at ``alpha_screen``) and a second,
    independent one shows it again (``alpha_confirm``, shared among the metrics that are looked at again).
    Where no second look is possible, one must be enough: hence the stricter ``alpha_single``. A pass excludes
    a loss of the margin at ``alpha_pass``; floors are judged at ``alpha_floor``. All are one-sided. ``others``
    counts comparisons of the run that are not among those at hand and belong to Holm's family all the same.
    """

    mode: GateMode = "merge"
    alpha_screen: float = 0.05
    alpha_confirm: float = 0.05
    alpha_single: float = 0.01
    alpha_pass: float = 0.05
    alpha_floor: float = 0.05
    least_common: float = 0.8
    most_missing: float = 0.05
    others: int = 0

    def at_look(self, look: int, looks: int) -> Policy:
        """The policy at one of several looks, evenly spaced: each level is what is granted to that look alone.

        What the spending function of O'Brien and Fleming grants to all looks adds up to the level itself, so that
        a false answer at any of them is no likelier than in one look.
        """
        if looks == 1:
            return self
        shares = [number / looks for number in range(1, looks + 1)]

        def granted(level: float) -> float:
            return stats.spending_increments(shares, level)[look - 1]

        return replace(
            self,
            alpha_screen=granted(self.alpha_screen),
            alpha_single=granted(self.alpha_single),
            alpha_pass=granted(self.alpha_pass),
            alpha_floor=granted(self.alpha_floor),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Gated:
    """A gating metric as it stands before the gate: what was measured, and what it is held against.

    ``looks_again`` says that the agent can be asked once more about what the first look finds; ``again`` is
    what it then gave, None while it was not asked. ``slice`` is the tag of a slice that gates for itself.
    ``n_quarantined`` counts the baseline's cases that are left out of all this: they are quarantined. ``rounds``
    says which look this is of how many, where repeats are adaptive.
    """

    measured: Measured
    bar: Bar
    baseline: Baseline | None = None
    loosened: str = ""
    partial: bool = False
    slice: str = ""
    looks_again: bool = False
    again: Measured | None = None
    n_quarantined: int = 0
    rounds: tuple[int, int] = (1, 1)

    def alpha(self, policy: Policy) -> float:
        """The level at which the first look shows a drop, where it is the only one of its kind."""
        return policy.alpha_screen if self.looks_again else policy.alpha_single

    @property
    def n_approved(self) -> int:
        """How many cases the baseline was approved with."""
        return self.n_quarantined + (len(self.baseline.screen) if self.baseline else 0)

    @property
    def spec(self) -> MetricSpec:
        """The metric as this run has it."""
        return self.measured.spec

    @property
    def margin(self) -> float | None:
        """The tolerated loss in the metric's own points; None where an unbounded metric has none set."""
        return margin_of(self.bar, self.spec)

    @property
    def same_metric(self) -> bool:
        """Whether the baseline was measured by this version of the metric, in the same direction."""
        mine, its = self.spec, self.baseline.spec if self.baseline else self.spec
        return (mine.version, mine.better, mine.range, mine.aggregate) == (
            its.version,
            its.better,
            its.range,
            its.aggregate,
        )


def without(baseline: Baseline, cases: frozenset[str]) -> Baseline:
    """The baseline as if it had never had these cases; an ECE, which has no value per case, stays what it was."""
    screen = {case: scores for case, scores in baseline.screen.items() if case not in cases}
    held_back = {case: scores for case, scores in baseline.held_back.items() if case not in cases}
    kept = replace(baseline, screen=screen, held_back=held_back)
    if baseline.spec.aggregate == "ece" or not cases & {*baseline.screen, *baseline.held_back}:
        return kept
    parts = (screen, held_back)
    both = {
        case: CaseScores(
            fingerprint=next(part[case].fingerprint for part in parts if case in part),
            values=tuple(value for part in parts if case in part for value in part[case].values),
        )
        for case in sorted({*screen, *held_back})
    }
    return replace(kept, estimate=of_cases(baseline.suite, baseline.spec, both).estimate)


@dataclass(frozen=True, slots=True, kw_only=True)
class Looks:
    """A gating metric and what one or two looks at it showed.

    ``p_value`` is that of a drop in the first look, corrected for the ``family`` of the run's comparisons, and for
    the looks that may be taken of adaptive repeats.
    ``flagged`` counts the metrics that the second look is shared among, 0 where this one is not of them.
    """

    one: Gated
    first: Comparison | None = None
    p_value: float | None = None
    family: int = 0
    flagged: int = 0
    second: Comparison | None = None

    def alpha(self, policy: Policy) -> float:
        """The level at which the first look shows a drop."""
        return self.one.alpha(policy)

    def said(self, policy: Policy) -> str:
        """PASS, REGRESSED or INCONCLUSIVE by the first look; empty where there is nothing to compare."""
        if self.first is None or self.p_value is None:
            return ""
        return _said(self.one, self.first, self.p_value, self.alpha(policy))

    def looked_again(self, policy: Policy) -> bool:
        """Whether the second look took place, on as many cases as it takes."""
        if self.second is None or self.first is None or self.one.again is None:
            return False
        few = self.second.n_pairs < policy.least_common * self.first.n_pairs
        return not few and self.one.again.missing_share <= policy.most_missing

    def confirmed(self, policy: Policy) -> bool:
        """Whether the second look shows the drop of the first."""
        p_value = self.second_p_value
        if self.second is None or p_value is None or not self.looked_again(policy):
            return False
        return _said(self.one, self.second, p_value, policy.alpha_confirm) == "REGRESSED"

    @property
    def second_p_value(self) -> float | None:
        """The p-value of a drop in the second look, corrected for the metrics that it is shared among."""
        if self.second is None or self.second.p_value is None:
            return None
        return min(1.0, self.second.p_value * self.flagged)


def look(gated: Sequence[Gated], policy: Policy) -> list[Looks]:
    """Look at each metric once, and again where a drop shows and the agent was asked again.

    Drops are tested with Holm's correction over all comparisons of the run, since any of them would stop
    the merge; a pass needs none (Berger 1982).
    """
    firsts = [first_look(one, policy) for one in gated]
    raw = {place: p for place, one in enumerate(gated) if (p := _p_of_drop(one, firsts[place], policy)) is not None}
    family = [*raw.values(), *[1.0] * policy.others]
    adjusted = dict(zip(raw, stats.adjust_pvalues(family, "holm") if raw else [], strict=False))
    looks = [
        Looks(one=one, first=found, p_value=adjusted.get(place), family=len(family))
        for place, (one, found) in enumerate(zip(gated, firsts, strict=True))
    ]
    flagged = sum(_is_flagged(each, policy) for each in looks)
    return [
        replace(each, flagged=flagged, second=_second_look(each.one, policy)) if _is_flagged(each, policy) else each
        for each in looks
    ]


def common_with(one: Gated) -> list[str]:
    """The cases that a metric has in common with its baseline."""
    return common_cases(one.baseline.screen, one.measured.cases) if one.baseline else []


def holds_back_enough(one: Gated) -> bool:
    """Whether the baseline holds values back on enough of the common cases for a second look."""
    common, held_back = common_with(one), one.baseline.held_back if one.baseline else {}
    return bool(common) and sum(case in held_back for case in common) >= Policy().least_common * len(common)


def _is_flagged(each: Looks, policy: Policy) -> bool:
    return each.one.looks_again and each.said(policy) == "REGRESSED"


def _p_of_drop(one: Gated, found: Comparison | None, policy: Policy) -> float | None:
    """The p-value of a drop that could stop the merge; without a margin none could.

    At one of several looks it is as much larger as the level granted to that look is smaller.
    """
    if found is None or found.p_value is None or one.margin is None:
        return None
    return min(1.0, found.p_value * one.alpha(policy) / one.alpha(policy.at_look(*one.rounds)))


def first_look(one: Gated, policy: Policy) -> Comparison | None:
    """The metric against the screen values of its baseline; None where it cannot be compared."""
    if one.baseline is None or not one.same_metric or one.partial:
        return None
    screen, estimate = one.baseline.screen, one.baseline.estimate
    if one.slice:
        screen = {case: screen[case] for case in sorted(screen.keys() & one.measured.cases.keys())}
        estimate = of_cases(one.measured.suite, one.spec, screen, slice=one.slice).estimate
    alpha_pass = policy.at_look(*one.rounds).alpha_pass
    return compare(screen, estimate, one.measured, margin=one.margin, alpha_pass=alpha_pass)


def _second_look(one: Gated, policy: Policy) -> Comparison | None:
    if one.baseline is None or one.again is None:
        return None
    held_back: Mapping[str, CaseScores] = one.baseline.held_back
    cases = [case for case in common_with(one) if case in held_back and case in one.again.cases]
    again = of_cases(one.again.suite, one.spec, {case: one.again.cases[case] for case in cases}, slice=one.slice)
    reference = {case: held_back[case] for case in cases}
    estimate = of_cases(one.again.suite, one.spec, reference, slice=one.slice).estimate
    return compare(reference, estimate, again, margin=one.margin, alpha_pass=policy.alpha_pass, stage="confirmation")


def _said(one: Gated, found: Comparison, p_value: float, alpha: float) -> str:
    if found.delta is None or one.margin is None:
        return ""
    sign = 1.0 if one.spec.better == "higher" else -1.0
    bound = found.low if sign > 0 else found.high
    return stats.gate_verdict(
        delta=sign * found.delta,
        lower=None if bound is None else sign * bound,
        p_value=p_value,
        n=found.n_pairs,
        margin=one.margin,
        alpha_block=alpha,
    )
