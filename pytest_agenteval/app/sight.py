"""What a run can see, told before it asks an agent anything."""

from __future__ import annotations

from collections.abc import Iterator

from pytest_agenteval.app.planning import sight
from pytest_agenteval.app.runs import Plan
from pytest_agenteval.app.workspace import Workspace
from pytest_agenteval.pipeline.bar import effective_bar


def sights(workspace: Workspace, plan: Plan, *, live: bool) -> Iterator[str]:
    """For each whole suite that has baselines, the smallest drop that its gate finds 8 times in 10.

    A baseline that cannot be read is left out; the end of the run tells it. ``live`` says that the agent itself is
    asked, and can be asked again.
    """
    for suite in sorted({suite for suite, _, _ in plan.planned} - set(plan.partial)):
        baselines, _ = workspace.baselines.of_suite(suite)
        table = workspace.settings.gate_of(suite)
        bars = {name: effective_bar(table.get(name), baseline, name)[0] for name, baseline in baselines.items()}
        trials = [(case, int(attempt)) for name, case, attempt in plan.planned if name == suite]
        told = sight(
            baselines,
            bars,
            cases=len({case for case, _ in trials}),
            repeats=max(attempt for _, attempt in trials),
            looks_again=live and suite in plan.looks_again,
        )
        if told:
            yield f"{suite}: {told}"
