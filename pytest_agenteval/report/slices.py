"""The slices of a metric that gates: the cases of each tag, this week, the week before, and against the baseline."""

from __future__ import annotations

from pytest_agenteval.errors import HistoryError
from pytest_agenteval.model.score import MetricSpec
from pytest_agenteval.pipeline.aggregate import Measured
from pytest_agenteval.pipeline.compare import is_paired
from pytest_agenteval.pipeline.looks import Gated, Policy, first_look
from pytest_agenteval.pipeline.slices import slice_of, telling
from pytest_agenteval.report.against import Verdicts, stand_in
from pytest_agenteval.report.drawn import Drawn, Reference
from pytest_agenteval.report.view import SliceView


def slices_of(drawn: Drawn, metric: str, reference: Reference, verdicts: Verdicts) -> tuple[SliceView, ...]:
    """The slices worth telling, the worst first; none of a metric that does not gate or has no value per case.

    The week before is taken over the cases that bear the tag this week, so that a case that was tagged in between
    moves nothing.
    """
    spec, key = drawn.this.spec(metric), (drawn.suite, metric)
    if metric not in reference.gating or not is_paired(spec):
        return ()
    now, before = drawn.this.measured(metric), _before(drawn, metric)
    stands_in = stand_in(before, drawn.this.run) if before else None
    whole = Gated(measured=now, bar=reference.bar(metric), baseline=stands_in)
    gates, gate = verdicts.slices.get(key, {}), verdicts.gate.get(key)
    found = {one.tag: one for one in gate.slices} if gate else {}
    views = []
    for tag in sorted({*telling(now), *gates}):
        part = slice_of(whole, tag)
        views.append(
            SliceView(
                tag=tag,
                this=part.measured.estimate,
                against_last=first_look(part, Policy()),
                finding=found.get(tag),
                verdict=gates.get(tag),
            )
        )
    return tuple(sorted(views, key=lambda one: _place(one, spec)))


def _before(drawn: Drawn, metric: str) -> Measured | None:
    if drawn.last is None or metric not in drawn.last.estimates:
        return None
    try:
        return drawn.last.measured(metric)
    except HistoryError:
        return None  # then nothing at all is compared with that week


def _place(one: SliceView, spec: MetricSpec) -> tuple[bool, float, str]:
    """What fell comes first, then by how much was lost against the baseline, or else since the week before."""
    compared = one.finding.comparison if one.finding else one.against_last
    lost = (compared.delta if compared else None) or 0.0
    return not (one.fell or one.fails_its_gate), lost if spec.better == "higher" else -lost, one.tag
