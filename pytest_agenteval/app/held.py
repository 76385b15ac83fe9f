"""What a baseline holds a run to: a metric, the loss that is tolerated, and the values behind it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median_high
from typing import TYPE_CHECKING

from pytest_agenteval.model.baseline import Bar, Baseline
from pytest_agenteval.model.estimate import CaseScores
from pytest_agenteval.model.score import MetricSpec
from pytest_agenteval.pipeline.bar import margin_of
from pytest_agenteval.pipeline.compare import is_paired
from pytest_agenteval.pipeline.looks import Policy
from pytest_agenteval.stats.scatter import Scatter

if TYPE_CHECKING:
    from pytest_agenteval.stats.population import Population

ASSUMED_FLIPS = 0.1
"""Share of cases on which two runs disagree, where nothing at all is known of a suite."""

ADVISED_BASELINE = (3, 3)
"""Attempts for the screen and held back, where there is no baseline yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A gating metric and the values that it is, or would be, compared with.

    ``references`` are the values a case, look by look: two looks where values are held back. No values at all
    stand for the assumption of pass/fail.
    """

    spec: MetricSpec
    margin: float
    values: Sequence[Sequence[float]] = ()
    references: tuple[int, ...] = ADVISED_BASELINE
    bars: int = 1

    @property
    def pass_fail(self) -> bool:
        """Whether every value is 0 or 1."""
        return self.spec.range == (0.0, 1.0) and all(value in (0.0, 1.0) for case in self.values for value in case)

    @property
    def counts(self) -> list[tuple[int, int]]:
        """Values of each case, and how many of them are the best there is."""
        return [(len(case), sum(value == self.spec.best for value in case)) for case in self.values]

    @property
    def scatter(self) -> Scatter:
        """How the values scatter."""
        if not self.values:
            return Scatter.of_flips(ASSUMED_FLIPS)
        return Scatter.of_pass_fail(self.counts) if self.pass_fail else Scatter.of_values(self.values, self.spec.worst)

    @property
    def repeated(self) -> bool:
        """Whether any case has two values, so that noise is told from difficulty."""
        return any(len(case) > 1 for case in self.values)

    def population(self) -> Population:
        """The cases that these stand for."""
        from pytest_agenteval.stats.population import Graded, PassFail

        if self.pass_fail:
            return PassFail.fitted(self.counts) if self.values else PassFail.assumed(self.scatter)
        limits = self.spec.range
        return Graded(scatter=self.scatter, width=None if limits is None else limits[1] - limits[0])


def held_by(baseline: Baseline, bar: Bar, margin: float | None = None) -> Held | None:
    """What a baseline holds a run to; None where no drop of the metric would stop it."""
    tolerated = margin_of(bar, baseline.spec) if margin is None else margin
    if tolerated is None or not is_paired(baseline.spec):
        return None
    screen, held = baseline.screen, baseline.held_back
    again = len(held) >= Policy().least_common * len(screen)
    values = [_values(screen.get(case)) + _values(held.get(case)) for case in sorted({*screen, *held})]
    return Held(
        spec=baseline.spec,
        margin=tolerated,
        values=values,
        references=(usual(screen), usual(held)) if again and held else (usual(screen),),
        bars=1 + len(bar.slices),
    )


def _values(scores: CaseScores | None) -> tuple[float, ...]:
    return scores.values if scores else ()


def usual(cases: Mapping[str, CaseScores]) -> int:
    """How many values most cases have."""
    return median_high([len(scores.values) for scores in cases.values()])


def points(size: float, spec: MetricSpec) -> str:
    """A size in words: hundredths of a metric from 0 to 1 are points; else the metric's own unit."""
    if spec.range == (0.0, 1.0):
        return f"{100 * size:.1f} points"
    return f"{size:.3g} {spec.unit}".rstrip()
