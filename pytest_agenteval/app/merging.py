"""``merge``: the shards of one run are judged as its whole, and kept in the history as one run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace

from pytest_agenteval.app.adaptive import AdaptiveRepeats
from pytest_agenteval.app.judging import Judged, judge_run, seal
from pytest_agenteval.app.recording import record
from pytest_agenteval.app.runs import Plan
from pytest_agenteval.app.shards import Shards
from pytest_agenteval.app.verdictfile import conclude
from pytest_agenteval.app.workspace import Workspace
from pytest_agenteval.errors import HistoryError
from pytest_agenteval.model.trial import Trial
from pytest_agenteval.pipeline.looks import GateMode

_Judge = Callable[[Plan, Sequence[Trial]], Judged]


def merge(workspace: Workspace, shards: Shards, *, gate: GateMode | None = None, base_ref: str | None = None) -> Judged:
    """Judge the shards as their session would have judged the whole; write the segment and the verdict.

    ``gate`` is the mode in place of that which the shards were given; with ``base_ref`` the run is held to the bars of
    its merge base. No second look can be taken. Raises UsageError where the run is in the history, or there is no base.
    """
    run = shards.run
    if workspace.history.has(run.id):
        message = (
            f"the history has run {run.id}: its shards were merged already. Judge it anew by pytest-agenteval gate"
        )
        raise HistoryError(message)
    with suppress(OSError):  # what cannot be taken away cannot be written either, and that is told
        workspace.verdict_file.unlink(missing_ok=True)
    mode = gate or shards.options.gate
    judged = _judged(workspace, shards, mode, base_ref)
    told = {cause.text for cause in judged.causes}
    causes = [*judged.causes, *seal(judged, workspace)]
    if shards.options.record:
        causes += record(judged, workspace)
    causes += [cause for cause in shards.causes if cause.text not in told]
    return conclude(replace(judged, causes=tuple(causes)), mode, workspace)


def _judged(workspace: Workspace, shards: Shards, mode: GateMode, base_ref: str | None) -> Judged:
    options = replace(shards.options, gate=mode)
    base = None
    if base_ref:
        from pytest_agenteval.app.base import read_base

        base = read_base(workspace, base_ref, options)
    excused = {test for end in shards.ends for test in end.excused}

    def judge(plan: Plan, trials: Sequence[Trial]) -> Judged:
        return judge_run(shards.run, trials, plan, workspace, options, base=base, excused=excused)

    if not shards.plan.adaptive:
        return judge(shards.plan, shards.trials)
    return _repeats(workspace, shards, judge).judged()


def _repeats(workspace: Workspace, shards: Shards, judge: _Judge) -> AdaptiveRepeats:
    """Adaptive repeats go on until a suite is settled, which no shard can see of a suite that others have a part of."""
    by_key = {trial.key: trial for trial in shards.trials}
    repeats = AdaptiveRepeats(shards.plan, by_key, judge, workspace)
    for suite, case, attempt in (key for end in shards.ends for key in end.failed):
        if (suite, case, int(attempt)) in by_key:
            repeats.failed(by_key[suite, case, int(attempt)])
    for node in sorted(shards.plan.items, key=lambda node: int(shards.plan.items[node][2])):
        repeats.over(node)
    return repeats
