"""What the repeats of a suite's newest run that has any tell of its metrics."""

from __future__ import annotations

from collections.abc import Mapping

from pytest_agenteval.errors import HistoryError
from pytest_agenteval.model.baseline import Baseline
from pytest_agenteval.model.estimate import CaseScores
from pytest_agenteval.pipeline.compare import is_paired
from pytest_agenteval.pipeline.variance import case_regressions, flaky, variance
from pytest_agenteval.report.drawn import Drawn, Reference
from pytest_agenteval.report.past import SuiteRun
from pytest_agenteval.report.view import MetricRepeats


def repeats_of(drawn: Drawn, reference: Reference) -> tuple[MetricRepeats, ...]:
    """The metrics of this week's run, or of the one before where only that has repeats; those that gate go first.

    A metric without bounds, such as seconds, is left out unless it gates: its repeats always differ.
    """
    for run in (drawn.this, drawn.last):
        if run is not None and (found := _repeats(run, reference)):
            return tuple(sorted(found, key=lambda one: (one.spec.name not in reference.gating, one.spec.name)))
    return ()


def _repeats(run: SuiteRun, reference: Reference) -> list[MetricRepeats]:
    found = []
    for metric in run.estimates:
        spec = run.spec(metric)
        if not is_paired(spec) or (spec.range is None and metric not in reference.gating):
            continue
        try:
            cases = run.attempts(metric)
        except HistoryError:
            return []  # what cannot be read is told among the suite's problems
        parts = variance(cases, spec)
        if parts is not None:
            approved = reference.baselines.get(metric)
            fell = case_regressions(_values(approved), cases, spec) if approved and approved.spec == spec else ()
            found.append(MetricRepeats(spec=spec, week=run.week, variance=parts, flaky=flaky(cases, spec), fell=fell))
    return found


def _values(baseline: Baseline) -> Mapping[str, CaseScores]:
    """All that the baseline knows of each case."""
    held_back = baseline.held_back
    return {
        case: CaseScores(
            fingerprint=scores.fingerprint,
            values=scores.values + (held_back[case].values if case in held_back else ()),
        )
        for case, scores in baseline.screen.items()
    }
