"""What the repeats of a suite's newest run that has any tell of its metrics."""

from __future__ import annotations

from collections.abc import Collection

from pytest_agenteval.errors import HistoryError
from pytest_agenteval.pipeline.compare import is_paired
from pytest_agenteval.pipeline.variance import flaky, variance
from pytest_agenteval.report.drawn import Drawn
from pytest_agenteval.report.past import SuiteRun
from pytest_agenteval.report.view import MetricRepeats


def repeats_of(drawn: Drawn, gating: Collection[str]) -> tuple[MetricRepeats, ...]:
    """The metrics of this week's run, or of the one before where only that has repeats; those that gate go first.

    A metric without bounds, such as seconds, is left out unless it gates: its repeats always differ.
    """
    for run in (drawn.this, drawn.last):
        if run is not None and (found := _repeats(run, gating)):
            return tuple(sorted(found, key=lambda one: (one.spec.name not in gating, one.spec.name)))
    return ()


def _repeats(run: SuiteRun, gating: Collection[str]) -> list[MetricRepeats]:
    found = []
    for metric in run.estimates:
        spec = run.spec(metric)
        if not is_paired(spec) or (spec.range is None and metric not in gating):
            continue
        try:
            cases = run.attempts(metric)
        except HistoryError:
            return []  # what cannot be read is told among the suite's problems
        parts = variance(cases, spec)
        if parts is not None:
            found.append(MetricRepeats(spec=spec, week=run.week, variance=parts, flaky=flaky(cases, spec)))
    return found
