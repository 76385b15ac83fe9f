"""What a report is made of: the weeks compared, suite by suite and metric by metric. Numbers, no words."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from pytest_agenteval.model.baseline import Bar, Baseline
from pytest_agenteval.model.estimate import Estimate
from pytest_agenteval.model.quarantine import Standing as Quarantine
from pytest_agenteval.model.run import Run
from pytest_agenteval.model.score import MetricSpec
from pytest_agenteval.model.verdict import Comparison, Outcome, SliceFinding, Verdict
from pytest_agenteval.pipeline.variance import CaseRegression, FlakyCase, Variance

Standing = Literal["worse", "better", "held", "unknown", "unjudged"]
"""What became of a metric since the week before; ``unjudged`` is none of the other words' business."""


def is_worse(verdict: Verdict | None) -> bool:
    """Whether it says that something is worse than what was approved."""
    worse = (Outcome.REGRESSED, Outcome.BELOW_FLOOR, Outcome.LOOSENED)
    return verdict is not None and verdict.outcome in worse


MOST_READ = 20
"""Of the cases that fell or rose by a metric, those whose trials are read; a page shows fewer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseChange:
    """A case whose value fell or rose, with what was asked and what was answered on both sides.

    Of several attempts, those are shown that make the change plainest. ``trial`` is the id of the new one. Trials are
    read of the first ``MOST_READ`` cases that fell and that rose by a metric; of the others only the values are known.
    """

    case: str
    failure_mode: str | None = None
    tags: tuple[str, ...] = ()
    before: float
    now: float
    asked: str
    said_before: str
    said_now: str
    trial: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SystemChange:
    """Something of the system that is not as it was in the week before."""

    what: str
    before: str
    now: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricRepeats:
    """What the repeats of a week's run tell of one metric: the parts of its variance, and its flaky cases.

    ``fell`` are cases that succeed less often than in the baseline, each by its own repeats.
    """

    spec: MetricSpec
    week: str
    variance: Variance
    flaky: tuple[FlakyCase, ...] = ()
    fell: tuple[CaseRegression, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SliceView:
    """A gating metric over the cases of one tag: this week, against the week before, and against the baseline.

    ``finding`` is what the gate of this week's run found in it, None without a baseline; ``verdict`` is there where
    the slice gates for itself.
    """

    tag: str
    this: Estimate
    against_last: Comparison | None = None
    finding: SliceFinding | None = None
    verdict: Verdict | None = None

    @property
    def fell(self) -> bool:
        """Whether the gate says that the slice likely fell from its baseline, by more than the margin."""
        return self.finding is not None and self.finding.fell

    @property
    def fails_its_gate(self) -> bool:
        """Whether the slice gates for itself, and is worse than what was approved."""
        return is_worse(self.verdict)


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricView:
    """One metric of a suite: this week, the week before, and the baseline.

    ``against_last`` and ``verdict_vs_last`` are None where there is no week before, or the metric has no
    value per case and no bounds. ``improved``: by the same rules, the week before would be a regression
    from this one. ``weeks`` has each calendar week; None where no run measured this version of the metric.
    ``why_missing`` is the reason of the first trial without a value. ``fell`` and ``rose`` are the cases that
    the comparison names. ``slices`` are those of a metric that gates, the worst first.
    """

    spec: MetricSpec
    this: Estimate
    last: Estimate | None = None
    bar: Bar
    gates: bool = False
    against_last: Comparison | None = None
    verdict_vs_last: Verdict | None = None
    improved: bool = False
    baseline: Baseline | None = None
    against_baseline: Comparison | None = None
    verdict_vs_baseline: Verdict | None = None
    weeks: tuple[tuple[str, float | None], ...] = ()
    why_missing: str = ""
    fell: tuple[CaseChange, ...] = ()
    rose: tuple[CaseChange, ...] = ()
    slices: tuple[SliceView, ...] = ()

    @property
    def fallen(self) -> tuple[str, ...]:
        """The tags on whose cases the metric fell, but for those that gate for themselves and stop a merge."""
        return tuple(one.tag for one in self.slices if one.fell and not one.fails_its_gate)

    @property
    def standing(self) -> Standing:
        """The verdict against the week before, in one of five words."""
        if self.verdict_vs_last is None:
            return "unjudged"
        if self.verdict_vs_last.outcome is Outcome.REGRESSED:
            return "worse"
        if self.improved:
            return "better"
        return "held" if self.verdict_vs_last.outcome is Outcome.PASS else "unknown"

    @property
    def fails_its_gate(self) -> bool:
        """Whether the verdict says that the metric is worse than what was approved.

        A merge is stopped by ``no_baseline`` too; that is no news of the agent, and stands in the suite's table.
        """
        return is_worse(self.verdict_vs_baseline)


@dataclass(frozen=True, slots=True, kw_only=True)
class SuiteView:
    """A suite in its newest week that has a whole run, beside the last week before it that has one.

    ``gap_weeks`` are the weeks between the two, in which no whole run was. ``vanished`` names the metrics
    that the week before had and this one has not. ``repeats`` are of the newer of the two runs that has any,
    ``quarantine`` has the cases that do not gate when the report is made. ``problems`` keep something from being
    said.
    """

    suite: str
    report_week: str
    week: str
    last_week: str | None = None
    gap_weeks: tuple[str, ...] = ()
    run: Run
    last_run: Run | None = None
    system: tuple[SystemChange, ...] = ()
    changes: tuple[SystemChange, ...] = ()
    metrics: tuple[MetricView, ...] = ()
    vanished: tuple[str, ...] = ()
    repeats: tuple[MetricRepeats, ...] = ()
    quarantine: Quarantine = field(default_factory=Quarantine)
    problems: tuple[str, ...] = ()

    @property
    def is_current(self) -> bool:
        """Whether the suite has a whole run in the week of the report."""
        return self.week == self.report_week


@dataclass(frozen=True, slots=True, kw_only=True)
class WeekReport:
    """The report of a week. ``week`` is None where the history has no whole run at all."""

    week: str | None
    generated: datetime
    owner: str = ""
    suites: tuple[SuiteView, ...] = ()
    problems: tuple[str, ...] = ()

    def standing(self, word: Standing) -> list[tuple[SuiteView, MetricView]]:
        """The metrics of which the word holds, each with its suite."""
        return self._those(lambda metric: metric.standing == word)

    def failing_gates(self) -> list[tuple[SuiteView, MetricView]]:
        """The metrics whose verdict against the baseline stops a merge, each with its suite."""
        return self._those(lambda metric: metric.fails_its_gate)

    def failing_slices(self) -> list[tuple[SuiteView, MetricView, SliceView]]:
        """The slices that gate for themselves and stop a merge, each with its suite and metric."""
        each = [(suite, metric, one) for suite in self.suites for metric in suite.metrics for one in metric.slices]
        return [found for found in each if found[2].fails_its_gate]

    def fallen_in_slices(self) -> list[tuple[SuiteView, MetricView]]:
        """The metrics that as a whole do not fail their gate and fell on the cases of a tag, each with its suite."""
        return self._those(lambda metric: not metric.fails_its_gate and bool(metric.fallen))

    def _those(self, holds: Callable[[MetricView], bool]) -> list[tuple[SuiteView, MetricView]]:
        return [(suite, metric) for suite in self.suites for metric in suite.metrics if holds(metric)]
