"""The gate: from looks at a run's metrics to one verdict a metric. Rules of STATISTICS 2.4 and 2.5, in words."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from pytest_agenteval import stats
from pytest_agenteval.model.estimate import CaseScores
from pytest_agenteval.model.verdict import Outcome, Reason, SliceFinding, Verdict
from pytest_agenteval.pipeline import words
from pytest_agenteval.pipeline.aggregate import bounds_of, is_binary, of_cases
from pytest_agenteval.pipeline.bar import ERROR_RATE, limits_of
from pytest_agenteval.pipeline.compare import is_paired
from pytest_agenteval.pipeline.looks import Gated, Looks, Policy, common_with, look
from pytest_agenteval.pipeline.slices import findings


def judge(gated: Sequence[Gated], policy: Policy) -> list[Verdict]:
    """One verdict a gating metric, in the order given.

    Of several outcomes that hold, the first in the order of ``Outcome`` is given; a run of part of a suite is
    not judged at all.
    """
    told = findings(gated, policy)
    return [_judge(each, slices, policy) for each, slices in zip(look(gated, policy), told, strict=True)]


def asked_again(gated: Sequence[Gated], verdicts: Sequence[Verdict]) -> dict[str, frozenset[str]]:
    """By suite, the cases that a second look takes: all that the doubtful metrics share with their baselines."""
    found: dict[str, frozenset[str]] = {}
    for one, verdict in zip(gated, verdicts, strict=True):
        if verdict.reason is Reason.NOT_LOOKED and one.again is None:
            suite = one.measured.suite
            found[suite] = found.get(suite, frozenset()) | set(common_with(one))
    return found


def at_limits(one: Gated, policy: Policy) -> Verdict | None:
    """What floor and ceiling alone say of a metric; None where it keeps them."""
    [each] = look([one], policy)
    found = _below_floor(each, policy) or _floor_open(each, policy)
    return None if found is None else _told(each, found, (), policy)


def _judge(each: Looks, slices: tuple[SliceFinding, ...], policy: Policy) -> Verdict:
    return _told(each, _found(each, policy), slices, policy)


def _told(each: Looks, found: _Found, slices: tuple[SliceFinding, ...], policy: Policy) -> Verdict:
    one = each.one
    outcome, reason = found
    confirmed = each.confirmed(policy)
    message, next_step = words.explain(outcome, reason, words.Facts(looks=each, policy=policy))
    return Verdict(
        suite=one.measured.suite,
        metric=one.spec.name,
        slice=one.slice,
        outcome=outcome,
        reason=reason,
        confirmed=confirmed,
        estimate=one.measured.estimate,
        comparison=each.first,
        confirmation=each.second,
        slices=slices,
        message=message,
        next_step=next_step,
    )


_Found = tuple[Outcome, Reason]
_Rule = Callable[[Looks, Policy], _Found | None]


def _found(each: Looks, policy: Policy) -> _Found:
    # The last rule always holds.
    return next(found for rule in _RULES if (found := rule(each, policy)) is not None)


def _partial(each: Looks, _policy: Policy) -> _Found | None:
    return (Outcome.INCONCLUSIVE, Reason.PARTIAL) if each.one.partial else None


def _loosened(each: Looks, _policy: Policy) -> _Found | None:
    return (Outcome.LOOSENED, Reason.NONE) if each.one.loosened else None


def _below_floor(each: Looks, policy: Policy) -> _Found | None:
    proven = any(side < 0 for side in sides_proven(each.one, policy))
    return (Outcome.BELOW_FLOOR, Reason.NONE) if proven else None


def _incomparable(each: Looks, policy: Policy) -> _Found | None:
    if not each.one.same_metric:
        return Outcome.INCOMPARABLE, Reason.METRIC_VERSION
    if each.first and each.first.regraded and not proven_despite_regrading(each, policy):
        return Outcome.INCOMPARABLE, Reason.METRIC_CHANGED
    return None


def _regressed(each: Looks, policy: Policy) -> _Found | None:
    if each.said(policy) != "REGRESSED" or (each.one.looks_again and not each.confirmed(policy)):
        return None
    return Outcome.REGRESSED, Reason.NONE


def _no_baseline(each: Looks, _policy: Policy) -> _Found | None:
    # The error rate is held to its ceiling alone: it needs no past to be too high.
    one = each.one
    needs_one = one.baseline is None and not (one.spec.name == ERROR_RATE and one.bar.ceiling is not None)
    return (Outcome.NO_BASELINE, Reason.NONE) if needs_one else None


def _not_looked(each: Looks, policy: Policy) -> _Found | None:
    due = each.flagged > 0 and not each.looked_again(policy)
    return (Outcome.INCONCLUSIVE, Reason.NOT_LOOKED) if due else None


def _missing(each: Looks, policy: Policy) -> _Found | None:
    one = each.one
    if one.measured.estimate.n and (
        one.measured.missing_share <= policy.most_missing or _passes_whatever_is_missing(one, policy)
    ):
        return None
    return Outcome.INCONCLUSIVE, Reason.MISSING


def _passes_whatever_is_missing(one: Gated, policy: Policy) -> bool:
    """Whether the metric passes with every missing case at its worst, and with every one at its best."""
    worst, best = one.spec.worst, one.spec.best
    if worst is None or best is None or not is_paired(one.spec):
        return False
    filled = [_filled(one, value) for value in (worst, best)]
    return all(_found(look([other], policy)[0], policy)[0] is Outcome.PASS for other in filled)


def _filled(one: Gated, value: float) -> Gated:
    measured = one.measured
    known: Mapping[str, CaseScores] = one.baseline.screen if one.baseline else {}
    attempts = max(len(scores.values) for scores in measured.cases.values())
    added = {
        case: CaseScores(fingerprint=known[case].fingerprint if case in known else "", values=(value,) * attempts)
        for case in measured.not_evaluated.keys() - measured.not_asked
    }
    whole = of_cases(measured.suite, one.spec, {**measured.cases, **added}, slice=one.slice)
    return replace(one, measured=whole)


def _case_set(each: Looks, policy: Policy) -> _Found | None:
    if each.first is None or each.one.baseline is None or each.one.slice:
        return None
    few = each.first.n_pairs < policy.least_common * each.one.n_approved
    return (Outcome.INCONCLUSIVE, Reason.CASE_SET) if few else None


def _floor_open(each: Looks, policy: Policy) -> _Found | None:
    """Under the floor though not proven so; in release mode also above it but not proven so."""
    one = each.one
    value = one.measured.estimate.value
    under = value is not None and any(stats.exceeds(sign * limit, sign * value) for sign, limit in limits_of(one.bar))
    unproven = policy.mode == "release" and any(side <= 0 for side in sides_proven(one, policy))
    return (Outcome.INCONCLUSIVE, Reason.FLOOR) if under or unproven else None


def _not_confirmed(each: Looks, _policy: Policy) -> _Found | None:
    return (Outcome.INCONCLUSIVE, Reason.NOT_CONFIRMED) if each.flagged else None


def _too_few(each: Looks, policy: Policy) -> _Found | None:
    if each.first is None or each.one.margin is None or not is_paired(each.one.spec):
        return None
    return None if each.said(policy) == "PASS" else (Outcome.INCONCLUSIVE, Reason.TOO_FEW)


def _pass(_each: Looks, _policy: Policy) -> _Found:
    return Outcome.PASS, Reason.NONE


_RULES: tuple[_Rule, ...] = (
    _partial,
    _loosened,
    _below_floor,
    _incomparable,
    _regressed,
    _no_baseline,
    _not_looked,
    _missing,
    _case_set,
    _floor_open,
    _not_confirmed,
    _too_few,
    _pass,
)


def proven_despite_regrading(each: Looks, policy: Policy) -> bool:
    """Whether a drop stands although some equal answers were scored otherwise.

    The scorer then changed, and may have harmed further cases whose answers changed as well. It is
    granted as many as the upper bound of the share of equal answers that it marked down would give; the
    drop must be proven without them.
    """
    one, found, p_value = each.one, each.first, each.p_value
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
    return p_left <= policy.alpha_single and (lost - won) / found.n_pairs > one.margin


def sides_proven(one: Gated, policy: Policy) -> list[int]:
    """For floor and ceiling, as far as set: 1 proven to be kept, -1 proven to be broken, 0 open."""
    value = one.measured.estimate.value
    low, high = bounds_of(one.measured, confidence=1 - 2 * policy.at_look(*one.rounds).alpha_floor)
    sides = []
    for sign, limit in limits_of(one.bar):
        worst, best = (low, high) if sign > 0 else (high, low)
        if limit == one.spec.best and value is not None and (sign > 0) == (one.spec.better == "higher"):
            # One miss disproves perfection. No sample proves it; nothing else was seen, and that must do.
            sides.append(1 if value == limit else -1)
        elif best is not None and stats.exceeds(sign * limit, sign * best):
            sides.append(-1)
        else:
            sides.append(int(worst is not None and not stats.exceeds(sign * limit, sign * worst)))
    return sides
