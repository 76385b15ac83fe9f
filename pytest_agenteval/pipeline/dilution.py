"""Floors and ceilings on the cases that were there before: new ones that are easy prove nothing of the others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from pytest_agenteval.model.verdict import Outcome, Verdict
from pytest_agenteval.pipeline.aggregate import part_of
from pytest_agenteval.pipeline.bar import limits_of
from pytest_agenteval.pipeline.gate import at_limits
from pytest_agenteval.pipeline.looks import Gated, Policy

_ORDER = tuple(Outcome)


def on_known_cases(
    gated: Sequence[Gated], verdicts: Sequence[Verdict], known: Mapping[str, frozenset[str]], policy: Policy
) -> list[Verdict]:
    """The verdicts, of which none keeps its floor or ceiling only by cases that are not among the known ones.

    ``known`` has them by suite. What is asked of all cases is asked of these for themselves, and the outcome that
    comes first in the order of ``Outcome`` stands.
    """
    pairs = zip(gated, verdicts, strict=True)
    return [_held(one, verdict, known.get(one.measured.suite, frozenset()), policy) for one, verdict in pairs]


def _held(one: Gated, verdict: Verdict, known: frozenset[str], policy: Policy) -> Verdict:
    asked = one.measured.cases.keys()
    # An expected calibration error has no value of a part of the cases.
    if (
        one.slice
        or one.partial
        or not limits_of(one.bar)
        or one.spec.aggregate == "ece"
        or not 0 < len(asked & known) < len(asked)
    ):
        return verdict
    of_known = part_of(replace(one.measured, slices={"": known}), "")
    found = at_limits(replace(one, measured=of_known, baseline=None), policy)
    if found is None or _ORDER.index(found.outcome) >= _ORDER.index(verdict.outcome):
        return verdict
    message = (
        f"on the cases that the base knows {found.message}; with the new ones: {verdict.outcome} ({verdict.message})"
    )
    return replace(verdict, outcome=found.outcome, reason=found.reason, message=message, next_step=found.next_step)
