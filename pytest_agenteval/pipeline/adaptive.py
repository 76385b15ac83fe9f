"""Adaptive repeats: when enough has been seen of a suite, or of one case, to leave the further attempts out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pytest_agenteval.model.score import MetricSpec
from pytest_agenteval.model.trial import Trial
from pytest_agenteval.model.verdict import Outcome, Reason, Verdict
from pytest_agenteval.pipeline.aggregate import pass_value
from pytest_agenteval.pipeline.gate import sides_proven
from pytest_agenteval.pipeline.looks import Gated, Policy

LEAST_CASES = 20
"""Of fewer cases no look is taken before the last: far out in their tails the tests are no longer exact."""

_LEAST_LEVEL = 1e-9
"""Nothing is shown at a smaller level, and arithmetic does not bear it."""


def can_settle(policy: Policy, look: int, looks: int) -> bool:
    """Whether the level granted to a look is one at which anything could be shown.

    >>> [can_settle(Policy(), look, 5) for look in range(1, 6)]
    [True, True, True, True, True]
    >>> can_settle(Policy(), 1, 20)
    False
    """
    return policy.at_look(look, looks).alpha_pass >= _LEAST_LEVEL


def settled_suites(gated: Sequence[Gated], verdicts: Sequence[Verdict], policy: Policy) -> frozenset[str]:
    """The suites of whose gating metrics each is settled, by the levels of the look that is taken.

    A suite that has no baseline is not among them: what it measures is to become one. Nor is one that is held to
    a pass_at_k or pass_hat_k, of which all attempts must be made before anybody looks (STATISTICS 1.6).
    """
    pairs = zip(gated, verdicts, strict=True)
    unsettled = {one.measured.suite for one, verdict in pairs if _is_open(one, verdict, policy)}
    return frozenset({one.measured.suite for one in gated if one.baseline is not None} - unsettled)


def case_settled(trials: Sequence[Trial], specs: Mapping[str, MetricSpec], cap: int) -> bool:
    """Whether no further attempt could change the value that these metrics give to a case of at most ``cap``.

    ``trials`` are its first attempts. That holds for pass_hat_k with k = ``cap`` after a failure and for pass_at_k
    after a success. Each attempt counts in any other aggregate, so a case that has one goes on.
    """
    values: dict[str, list[float]] = {}
    for trial in trials:
        for score in trial.scores:
            if score.metric in specs:
                known = values.setdefault(score.metric, [])
                known += [] if score.value is None else [float(score.value)]
    return bool(values) and all(_decided(specs[name], known, cap) for name, known in values.items())


def _decided(spec: MetricSpec, values: Sequence[float], cap: int) -> bool:
    of_all = spec.aggregate in (f"pass_at_{cap}", f"pass_hat_{cap}")
    return of_all and pass_value(spec, values, cap) is not None


def _is_open(one: Gated, verdict: Verdict, policy: Policy) -> bool:
    """Whether further attempts might change what the gate says of the metric."""
    n = verdict.estimate.n if verdict.estimate else 0
    pairs = n if verdict.comparison is None else verdict.comparison.n_pairs
    if one.spec.aggregate.startswith("pass_") or min(n, pairs) < LEAST_CASES:
        return True
    # What the first look shows is settled: the second one follows, with as many attempts.
    if verdict.outcome in (Outcome.BELOW_FLOOR, Outcome.REGRESSED) or verdict.reason is Reason.NOT_LOOKED:
        return False
    # A merge passes over a floor that is merely not broken; to stop there, it must be proven kept.
    return verdict.outcome is not Outcome.PASS or any(side <= 0 for side in sides_proven(one, policy))
