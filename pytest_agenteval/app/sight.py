"""What a run can see, told before it asks an agent anything."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from pytest_agenteval.app.planning import sight
from pytest_agenteval.app.runs import Plan
from pytest_agenteval.app.workspace import Workspace
from pytest_agenteval.errors import QuarantineError
from pytest_agenteval.model.quarantine import standing
from pytest_agenteval.pipeline.bar import effective_bar
from pytest_agenteval.pipeline.looks import without


def sights(workspace: Workspace, plan: Plan, *, live: bool, at: datetime) -> Iterator[str]:
    """For each whole suite that has baselines, the smallest drop that its gate finds 8 times in 10.

    A file that cannot be read is left out; the end of the run tells it. ``live`` says that the agent itself is
    asked, and can be asked again. What is quarantined ``at`` that instant does not gate.
    """
    for suite in sorted({suite for suite, _, _ in plan.planned} - set(plan.partial)):
        held = _quarantined(workspace, suite, at)
        approved, _ = workspace.baselines.of_suite(suite)
        left = {name: without(baseline, held) for name, baseline in approved.items()}
        baselines = {name: baseline for name, baseline in left.items() if baseline.screen}
        table = workspace.settings.gate_of(suite)
        bars = {name: effective_bar(table.get(name), baseline, name)[0] for name, baseline in baselines.items()}
        trials = [(case, int(attempt)) for name, case, attempt in plan.planned if name == suite and case not in held]
        told = sight(
            baselines,
            bars,
            cases=len({case for case, _ in trials}),
            repeats=max((attempt for _, attempt in trials), default=1),
            looks_again=live and suite in plan.looks_again,
        )
        if told:
            yield f"{suite}: {told}"


def _quarantined(workspace: Workspace, suite: str, at: datetime) -> frozenset[str]:
    try:
        return standing(workspace.quarantines.read(suite), at).cases
    except QuarantineError:
        return frozenset()
