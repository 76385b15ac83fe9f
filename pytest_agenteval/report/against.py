"""One week held against another, and against the baselines, by the rules of the gate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from pytest_agenteval.model.baseline import Approval, Bar, Baseline
from pytest_agenteval.model.quarantine import standing
from pytest_agenteval.model.run import Run
from pytest_agenteval.model.verdict import Outcome, Verdict
from pytest_agenteval.pipeline.aggregate import Measured
from pytest_agenteval.pipeline.gate import judge
from pytest_agenteval.pipeline.looks import Gated, Policy, without
from pytest_agenteval.pipeline.slices import slice_of
from pytest_agenteval.report.drawn import Drawn, Reference

Key = tuple[str, str]
"""Suite and metric."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """What the gate said, and what was measured on both sides of it."""

    verdict: Verdict
    before: Measured
    now: Measured
    margin: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdicts:
    """By suite and metric: this week against the last, the last against this one, this week's gate.

    ``slices`` has the gate's verdicts of those slices that gate for themselves, by tag.
    """

    since: Mapping[Key, Compared]
    back: Mapping[Key, Compared]
    gate: Mapping[Key, Verdict]
    slices: Mapping[Key, Mapping[str, Verdict]] = field(default_factory=dict)

    def improved(self, key: Key) -> bool:
        """Whether to go back to the week before would be a regression."""
        found = self.back.get(key)
        return found is not None and found.verdict.outcome is Outcome.REGRESSED


def verdicts_of(drawn: Sequence[Drawn], references: Sequence[Reference]) -> Verdicts:
    """Judge all suites of a report. Each direction between the weeks is one family of Holm's."""
    sides = [
        (before, now, replace(reference.bar(now.spec.name), floor=None, ceiling=None), suite.this.run)
        for suite, reference in zip(drawn, references, strict=True)
        for before, now in suite.pairs()
    ]
    gate, slices = _gate(drawn, references)
    return Verdicts(
        since=_judged([(before, now, bar, run) for before, now, bar, run in sides]),
        back=_judged([(now, before, bar, run) for before, now, bar, run in sides]),
        gate=gate,
        slices=slices,
    )


def _judged(sides: Sequence[tuple[Measured, Measured, Bar, Run]]) -> dict[Key, Compared]:
    """Hold the second of each pair against the first, which stands in the place of a baseline."""
    gated = [
        # What the gate finds in slices is told of the baseline alone.
        Gated(measured=replace(now, slices={}), bar=bar, baseline=stand_in(before, run))
        for before, now, bar, run in sides
    ]
    return {
        (verdict.suite, verdict.metric): Compared(verdict=verdict, before=before, now=now, margin=one.margin)
        for verdict, (before, now, _, _), one in zip(judge(gated, Policy()), sides, gated, strict=True)
    }


def stand_in(measured: Measured, run: Run) -> Baseline:
    """What was measured of another week, in the place of a baseline."""
    approval = Approval(by="the history", at=run.started, reason="the run of another week", run=run.id)
    return Baseline(
        suite=measured.suite,
        spec=measured.spec,
        bar=Bar(),
        screen=measured.cases,
        estimate=measured.estimate,
        approval=approval,
    )


def _gate(
    drawn: Sequence[Drawn], references: Sequence[Reference]
) -> tuple[dict[Key, Verdict], dict[Key, dict[str, Verdict]]]:
    """The verdicts of the gate, and of its slices; what was one run is one family of Holm's, as when it ran."""
    by_run: dict[str, list[Gated]] = {}
    for suite, reference in zip(drawn, references, strict=True):
        held = standing(reference.quarantined, suite.this.run.started).cases
        for metric in sorted(reference.gating & suite.this.estimates.keys()):
            bar, loosened = reference.bars[metric]
            approved = reference.baselines.get(metric)
            gated = Gated(
                measured=suite.this.without(metric, held),
                bar=bar,
                baseline=without(approved, held) if approved else None,
                loosened=loosened,
                # Where no second look was taken, the first one had shown nothing to confirm.
                looks_again=suite.suite in suite.this.run.looked_again,
                again=suite.this.again(metric),
                n_quarantined=len(held & approved.screen.keys()) if approved else 0,
            )
            parts = [slice_of(gated, tag) for tag in bar.slices if tag in gated.measured.slices]
            by_run.setdefault(suite.this.run.id, []).extend([gated, *parts])
    whole: dict[Key, Verdict] = {}
    slices: dict[Key, dict[str, Verdict]] = {}
    for verdict in (verdict for gated in by_run.values() for verdict in judge(gated, Policy())):
        key = (verdict.suite, verdict.metric)
        if verdict.slice:
            slices.setdefault(key, {})[verdict.slice] = verdict
        else:
            whole[key] = verdict
    return whole, slices
