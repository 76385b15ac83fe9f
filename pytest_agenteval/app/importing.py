"""Recordings made elsewhere, scored in bulk and kept in the history at their own dates."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from pytest_agenteval.agents.replay import read_recording
from pytest_agenteval.app.registry import Registry
from pytest_agenteval.app.runs import versions, with_always_measured
from pytest_agenteval.app.workspace import Workspace
from pytest_agenteval.errors import RecordingError
from pytest_agenteval.metrics.scoring import score_trial
from pytest_agenteval.model.case import Case
from pytest_agenteval.model.jsonvalue import digest
from pytest_agenteval.model.recording import RecordedTrial
from pytest_agenteval.model.run import FinishedRun, Run
from pytest_agenteval.model.trajectory import AgentIdentity
from pytest_agenteval.model.trial import Origin, Trial
from pytest_agenteval.pipeline.aggregate import measure_all
from pytest_agenteval.store.casefiles import read_cases
from pytest_agenteval.store.redaction import Redaction


@dataclass(frozen=True, slots=True, kw_only=True)
class Import:
    """A recording, the suite (with its parameter, if any) that it is of, its metrics, and its time.

    ``at`` goes before the time that the recording itself tells.
    """

    file: Path
    suite: str
    metrics: tuple[str, ...] = ("success",)
    at: datetime | None = None
    origin: Origin = "replay"


def import_recording(workspace: Workspace, registry: Registry, wanted: Import) -> FinishedRun:
    """Score the recording and append it to the history as a run of its own.

    A row that brings no input must name a case of the suite. The run's id is taken from the recording's
    content and time, so that the same recording is not taken in twice. Raises RecordingError.
    """
    recording = read_recording(wanted.file)
    at = wanted.at or recording.header.at
    if at is None:
        message = f"{wanted.file} does not say when it was recorded: give --at 2026-11-24T12:00:00Z"
        raise RecordingError(message)
    metrics = with_always_measured(wanted.metrics, registry)
    content = hashlib.sha256(wanted.suite.encode() + wanted.file.read_bytes()).hexdigest()[:6]
    run = Run(
        id=f"{at:%Y%m%dT%H%M%S}-{content}",
        started=at,
        ended=at,
        mode="import",
        specs={metric.spec.name: metric.spec for metric in metrics},
        versions=versions(),
    )
    known, redaction = _cases(workspace, wanted.suite), Redaction(registry.redactors())
    trials = []
    for row in recording.rows.values():
        trial = _trial(run, row, _case(row, known, wanted), recording.header.agent, wanted.origin)
        trials.append(redaction.trial(trial.with_scores(score_trial(metric, trial) for metric in metrics)))
    trials.sort(key=lambda trial: trial.key)
    measured = measure_all(wanted.suite, run.specs, trials)
    finished = FinishedRun(run=run, trials=trials, estimates=tuple(one.estimate for one in measured))
    workspace.history.append(finished)
    return finished


def _cases(workspace: Workspace, suite: str) -> dict[str, Case]:
    base = suite.partition("[")[0]
    placed = [one for file in workspace.case_files(base) for one in read_cases(file, base)]
    return {one.case.id: replace(one.case, suite=suite) for one in placed}


def _case(row: RecordedTrial, known: dict[str, Case], wanted: Import) -> Case:
    case = known.get(row.case)
    if case is None and row.input is None:
        where = f"in no case file of suite {wanted.suite!r}"
        message = f"{wanted.file}: case {row.case!r} is {where}, and the row has no input. Add one of the two"
        raise RecordingError(message)
    case = case or Case(id=row.case, suite=wanted.suite, input=row.input)
    if row.input is not None:
        case = replace(case, input=row.input)
    return case if row.expect is None else replace(case, expect=row.expect)


def _trial(run: Run, row: RecordedTrial, case: Case, agent: AgentIdentity, origin: Origin) -> Trial:
    told = row.trajectory.agent != AgentIdentity()
    return Trial(
        id=f"{run.id}-{digest([case.suite, case.id, row.attempt], length=8)}",
        case=case,
        trajectory=row.trajectory if told else replace(row.trajectory, agent=agent),
        origin=origin,
        attempt=row.attempt,
        at=row.at or run.started,
    )
