"""The gate: from estimates and comparisons to one verdict a metric. Rules of STATISTICS 2.4, in words."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from pytest_agenteval import stats
from pytest_agenteval.model.baseline import Bar, Baseline
from pytest_agenteval.model.score import MetricSpec
from pytest_agenteval.model.verdict import Comparison, Outcome, Reason, Verdict
from pytest_agenteval.pipeline import words
from pytest_agenteval.pipeline.aggregate import Measured, bounds_of, is_binary
from pytest_agenteval.pipeline.compare import compare, is_paired

GateMode = Literal["merge", "release"]

DEFAULT_MARGIN = 0.02
"""Share of a bounded metric's range whose loss is tolerated where nothing else is set."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """How strict the gate is. ``alpha_block`` is the level of Holm's family of drops in one stage.

    A replay has no second look at the agent, so one stage must be enough: hence .01 and not .05.
    """

    mode: GateMode = "merge"
    alpha_block: float = 0.01
    alpha_floor: float = 0.05
    least_common: float = 0.8
    most_missing: float = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Gated:
    """A gating metric as it stands before the gate: what was measured, and what it is held against."""

    measured: Measured
    bar: Bar
    baseline: Baseline | None = None
    loosened: str = ""
    partial: bool = False
    comparison: Comparison | None = None

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


def margin_of(bar: Bar, spec: MetricSpec) -> float | None:
    """The bar's margin, or the default; None where an unbounded metric has none set."""
    if bar.margin is not None or spec.range is None:
        return bar.margin
    return DEFAULT_MARGIN * (spec.range[1] - spec.range[0])


def effective_bar(wanted: Bar | None, baseline: Baseline | None, metric: str) -> tuple[Bar, str]:
    """The bar that counts, and where the settings are looser than what was approved.

    Stricter settings count at once; looser ones are told, and the approved ones go on counting.
    """
    wanted = wanted or Bar()
    if metric == ERROR_RATE and wanted.ceiling is None:
        wanted = replace(wanted, ceiling=0.0)
    if baseline is None:
        return wanted, ""
    loosened, strict, approved = [], {}, baseline.bar
    if wanted.margin is not None:  # where no margin was set, the default was approved
        approved = replace(approved, margin=margin_of(approved, baseline.spec))
    for name, stricter in (("floor", max), ("ceiling", min), ("margin", min)):
        mine, its = getattr(wanted, name), getattr(approved, name)
        if mine is not None and its is not None and stricter(mine, its) != mine:
            loosened.append(f"{name} {mine:g} where {its:g} was approved")
        known = [value for value in (mine, its) if value is not None]
        strict[name] = stricter(known) if known else None
    return Bar(**strict), ", ".join(loosened)


def judge(gated: Sequence[Gated], policy: Policy) -> list[Verdict]:
    """One verdict a gating metric, in the order given.

    Drops are tested with Holm's correction over all comparisons of the run, since any of them would stop
    the merge; a pass needs none. Of several outcomes that hold, the first in the order of ``Outcome``
    is given; a run of part of a suite is not judged at all.
    """
    compared = [_compared(one) for one in gated]
    raw = {place: p for place, one in enumerate(compared) if (p := _p_of_drop(one)) is not None}
    adjusted = dict(zip(raw, stats.adjust_pvalues(list(raw.values()), "holm") if raw else [], strict=True))
    return [_judge(one, adjusted.get(place), len(raw), policy) for place, one in enumerate(compared)]


def _p_of_drop(one: Gated) -> float | None:
    """The p-value of a drop that could stop the merge; without a margin none could."""
    return None if one.comparison is None or one.margin is None else one.comparison.p_value


def _compared(one: Gated) -> Gated:
    if one.baseline is None or not one.same_metric or one.partial:
        return one
    found = compare(one.baseline.screen, one.baseline.estimate, one.measured, margin=one.margin)
    return replace(one, comparison=found)


def _judge(one: Gated, p_value: float | None, family: int, policy: Policy) -> Verdict:
    # The last rule always holds.
    outcome, reason = next(found for rule in _RULES if (found := rule(one, p_value, policy)) is not None)
    facts = words.Facts(
        measured=one.measured,
        bar=replace(one.bar, margin=one.margin),
        comparison=one.comparison,
        p_value=p_value,
        family=family,
        loosened=one.loosened,
        drop_proven=p_value is not None and p_value <= policy.alpha_block,
    )
    message, next_step = words.explain(outcome, reason, facts)
    return Verdict(
        suite=one.measured.suite,
        metric=one.spec.name,
        outcome=outcome,
        reason=reason,
        estimate=one.measured.estimate,
        comparison=one.comparison,
        message=message,
        next_step=next_step,
    )


_Found = tuple[Outcome, Reason]
_Rule = Callable[[Gated, float | None, Policy], _Found | None]


def _partial(one: Gated, _p: float | None, _policy: Policy) -> _Found | None:
    return (Outcome.INCONCLUSIVE, Reason.PARTIAL) if one.partial else None


def _loosened(one: Gated, _p: float | None, _policy: Policy) -> _Found | None:
    return (Outcome.LOOSENED, Reason.NONE) if one.loosened else None


def _below_floor(one: Gated, _p: float | None, policy: Policy) -> _Found | None:
    proven = any(side < 0 for side in _sides_proven_at(one, policy.alpha_floor))
    return (Outcome.BELOW_FLOOR, Reason.NONE) if proven else None


def _incomparable(one: Gated, p_value: float | None, policy: Policy) -> _Found | None:
    if not one.same_metric:
        return Outcome.INCOMPARABLE, Reason.METRIC_VERSION
    if one.comparison and one.comparison.regraded and not proven_despite_regrading(one, p_value, policy):
        return Outcome.INCOMPARABLE, Reason.METRIC_CHANGED
    return None


def _regressed(one: Gated, p_value: float | None, policy: Policy) -> _Found | None:
    if one.comparison is None or one.comparison.delta is None or p_value is None or one.margin is None:
        return None
    found = _statistical_verdict(one, one.comparison, p_value, policy)
    return (Outcome.REGRESSED, Reason.NONE) if found == "REGRESSED" else None


def _no_baseline(one: Gated, _p: float | None, _policy: Policy) -> _Found | None:
    # The error rate is held to its ceiling alone: it needs no past to be too high.
    needs_one = one.baseline is None and not (one.spec.name == ERROR_RATE and one.bar.ceiling is not None)
    return (Outcome.NO_BASELINE, Reason.NONE) if needs_one else None


def _missing(one: Gated, _p: float | None, policy: Policy) -> _Found | None:
    few = one.measured.missing_share > policy.most_missing or one.measured.estimate.n == 0
    return (Outcome.INCONCLUSIVE, Reason.MISSING) if few else None


def _case_set(one: Gated, _p: float | None, policy: Policy) -> _Found | None:
    if one.comparison is None or one.baseline is None:
        return None
    few = one.comparison.n_pairs < policy.least_common * len(one.baseline.screen)
    return (Outcome.INCONCLUSIVE, Reason.CASE_SET) if few else None


def _floor_open(one: Gated, _p: float | None, policy: Policy) -> _Found | None:
    """Under the floor though not proven so; in release mode also above it but not proven so."""
    value = one.measured.estimate.value
    under = value is not None and any(stats.exceeds(sign * limit, sign * value) for sign, limit in _limits(one.bar))
    unproven = policy.mode == "release" and any(side <= 0 for side in _sides_proven_at(one, policy.alpha_floor))
    return (Outcome.INCONCLUSIVE, Reason.FLOOR) if under or unproven else None


def _too_few(one: Gated, p_value: float | None, policy: Policy) -> _Found | None:
    if one.comparison is None or one.margin is None or not is_paired(one.spec):
        return None
    if p_value is not None and _statistical_verdict(one, one.comparison, p_value, policy) == "PASS":
        return None
    return Outcome.INCONCLUSIVE, Reason.TOO_FEW


def _pass(_one: Gated, _p: float | None, _policy: Policy) -> _Found:
    return Outcome.PASS, Reason.NONE


_RULES: tuple[_Rule, ...] = (
    _partial,
    _loosened,
    _below_floor,
    _incomparable,
    _regressed,
    _no_baseline,
    _missing,
    _case_set,
    _floor_open,
    _too_few,
    _pass,
)

ERROR_RATE = "error_rate"
"""The one metric that gates in every suite, with a ceiling of 0 where none is set."""


def proven_despite_regrading(one: Gated, p_value: float | None, policy: Policy) -> bool:
    """Whether a drop stands although some equal answers were scored otherwise.

    The scorer then changed, and may have harmed further cases whose answers changed as well. It is
    granted as many as the upper bound of the share of equal answers that it marked down would give; the
    drop must be proven without them.
    """
    found = one.comparison
    if found is None or p_value is None or found.delta is None or one.margin is None:
        return False
    cases = one.measured.cases
    if one.spec.range != (0.0, 1.0) or not is_binary(cases.values()) or found.n_same_answers == 0:
        return False
    regraded = set(found.regraded)
    harmed = len(regraded & set(found.lost))
    share = stats.proportion_upper(harmed, found.n_same_answers)
    granted = harmed + math.ceil(share * (found.n_pairs - found.n_same_answers))
    lost, won = max(0, len(found.lost) - granted), len(found.won)
    p_left = stats.mcnemar(won, lost, alternative="less")
    # The correction over the family is taken over as it was for the whole comparison.
    p_left = min(1.0, p_left * (p_value / found.p_value if found.p_value else 1.0))
    return p_left <= policy.alpha_block and (lost - won) / found.n_pairs > one.margin


def _statistical_verdict(one: Gated, found: Comparison, p_value: float, policy: Policy) -> str:
    higher = one.spec.better == "higher"
    delta, bound = found.delta, found.low if higher else found.high
    sign = 1.0 if higher else -1.0
    return stats.gate_verdict(
        delta=sign * (delta or 0.0),
        lower=None if bound is None else sign * bound,
        p_value=p_value,
        n=found.n_pairs,
        margin=one.margin or 0.0,
        alpha_block=policy.alpha_block,
    )


def _limits(bar: Bar) -> list[tuple[float, float]]:
    """(+1, floor) and (−1, ceiling), where set: the value times the sign must not lie under the limit's."""
    pairs = ((1.0, bar.floor), (-1.0, bar.ceiling))
    return [(sign, limit) for sign, limit in pairs if limit is not None]


def _sides_proven_at(one: Gated, alpha: float) -> list[int]:
    """For floor and ceiling: 1 proven to be kept, -1 proven to be broken, 0 open."""
    value = one.measured.estimate.value
    low, high = bounds_of(one.measured, confidence=1 - 2 * alpha)
    sides = []
    for sign, limit in _limits(one.bar):
        worst, best = (low, high) if sign > 0 else (high, low)
        if limit == one.spec.best and value is not None and (sign > 0) == (one.spec.better == "higher"):
            # One miss disproves perfection. No sample proves it; nothing else was seen, and that must do.
            sides.append(1 if value == limit else -1)
        elif best is not None and stats.exceeds(sign * limit, sign * best):
            sides.append(-1)
        else:
            sides.append(int(worst is not None and not stats.exceeds(sign * limit, sign * worst)))
    return sides
