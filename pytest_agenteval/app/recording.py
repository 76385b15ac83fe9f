"""``--agent-eval-record``: the trials of a run become the recording of their suite and agent."""

from __future__ import annotations

from typing import cast

from pytest_agenteval.app.judging import Cause, Judged
from pytest_agenteval.app.targets import parameter_of, recordings_of
from pytest_agenteval.app.workspace import Workspace
from pytest_agenteval.errors import AgentEvalError
from pytest_agenteval.model.recording import RecordingHeader
from pytest_agenteval.pipeline import exits
from pytest_agenteval.store.files import safe_name
from pytest_agenteval.store.recordings import write_recording
from pytest_agenteval.store.redaction import SafeTrial


def record(judged: Judged, workspace: Workspace) -> list[Cause]:
    """Write one recording a suite, named after the agent's parameter, or else after the agent.

    A trial whose provider failed is left out: it is no answer. A part of a suite replaces no recording of the
    whole. What was not written is a cause, never raised.
    """
    causes = []
    for suite in judged.finished.suites():
        if suite in judged.finished.run.partial:
            text = f"only a part of {suite} ran, so no recording was written. Run the whole suite to record it"
            causes.append(Cause(code=exits.USAGE, text=text))
            continue
        answered = [
            trial
            for trial in judged.finished.of_suite(suite)
            if trial.error is None or trial.error.kind != "infrastructure"
        ]
        if not answered:
            continue
        agent = answered[0].trajectory.agent
        name = parameter_of(suite) or agent.name or "agent"
        path = recordings_of(workspace.settings, suite) / f"{safe_name(name)}.jsonl"
        header = RecordingHeader(agent=agent, at=judged.finished.run.started, suite=suite)
        try:
            write_recording(path, header, [cast(SafeTrial, trial) for trial in answered])
        except AgentEvalError as error:
            causes.append(Cause(code=exits.INTEGRITY, text=str(error)))
    return causes
