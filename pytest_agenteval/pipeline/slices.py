"""A gating metric over the cases of each tag: told beside its verdict, to show where a drop sits."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from pytest_agenteval import stats
from pytest_agenteval.model.verdict import SliceFinding
from pytest_agenteval.pipeline.aggregate import Measured, part_of
from pytest_agenteval.pipeline.compare import is_paired
from pytest_agenteval.pipeline.looks import Gated, Policy, first_look, holds_back_enough

_LEAST_CASES = 5
"""A slice of fewer cases says nothing that the cases themselves do not say."""

_FALSE_SHARE = 0.10
"""At most this share of the slices that are told to have fallen did not (Benjamini and Hochberg)."""


def findings(gated: Sequence[Gated], policy: Policy) -> list[tuple[SliceFinding, ...]]:
    """For each metric what is found in its slices, in the order of the tags.

    Nothing where the metric has no baseline to compare with, or is itself a slice. Cases may be in several
    slices, which makes the tests positively dependent; the correction allows that.
    """
    found = [(place, one) for place, each in enumerate(gated) for one in _of(each, policy)]
    p_values = [1.0 if one.comparison.p_value is None else one.comparison.p_value for _, one in found]
    told: list[list[SliceFinding]] = [[] for _ in gated]
    for (place, one), q_value in zip(found, stats.adjust_pvalues(p_values, "bh") if found else [], strict=True):
        told[place].append(replace(one, q_value=q_value, fell=q_value <= _FALSE_SHARE and _beyond(one, gated[place])))
    return [tuple(several) for several in told]


def telling(measured: Measured) -> list[str]:
    """The tags, in order, whose cases say more than single cases do, and other than the whole does."""
    known = measured.cases.keys()
    return [tag for tag, cases in sorted(measured.slices.items()) if _LEAST_CASES <= len(cases & known) < len(known)]


def slice_of(one: Gated, tag: str) -> Gated:
    """The metric over the cases of one tag, to gate for itself: by the margin alone."""
    bar = replace(one.bar, floor=None, ceiling=None, slices=())
    part = replace(one, slice=tag, measured=part_of(one.measured, tag), bar=bar)
    return replace(part, looks_again=one.looks_again and holds_back_enough(part))


def _of(one: Gated, policy: Policy) -> Iterable[SliceFinding]:
    if one.slice or one.partial or one.baseline is None or one.margin is None or not is_paired(one.spec):
        return
    for tag in telling(one.measured):
        part = slice_of(one, tag)
        found = first_look(part, policy)
        if found is not None and found.delta is not None:
            yield SliceFinding(tag=tag, estimate=part.measured.estimate, comparison=found)


def _beyond(one: SliceFinding, whole: Gated) -> bool:
    delta, margin = one.comparison.delta, whole.margin
    loss = None if delta is None else -delta if whole.spec.better == "higher" else delta
    return loss is not None and margin is not None and stats.exceeds(loss, margin)
