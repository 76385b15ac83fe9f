"""Approving a baseline: from a run in the history to reviewed files, with a change on record."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from pytest_agenteval.app.settings import TABLE
from pytest_agenteval.app.workspace import Workspace
from pytest_agenteval.errors import BaselineError, HistoryError
from pytest_agenteval.model.baseline import Approval, Bar, Baseline
from pytest_agenteval.model.change import Change
from pytest_agenteval.model.codec import encode, near
from pytest_agenteval.model.estimate import CaseScores
from pytest_agenteval.model.jsonvalue import JSON
from pytest_agenteval.model.run import FinishedRun
from pytest_agenteval.pipeline.aggregate import Measured, measure
from pytest_agenteval.pipeline.compare import is_paired
from pytest_agenteval.pipeline.gate import ERROR_RATE, effective_bar

_LEAST_TO_SPLIT = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """Who wants which metrics of a suite approved, why, and from which run (the last whole one if not told)."""

    suite: str
    by: str
    reason: str
    at: datetime
    metrics: tuple[str, ...] = ()
    run: str | None = None


def approve(workspace: Workspace, request: Request) -> list[Baseline]:
    """Write the baselines of a suite: of the named metrics, or of those that gate already.

    Raises BaselineError where there is no whole run, nothing to approve, or a metric without any value.
    """
    finished = source_run(workspace, request.suite, request.run)
    names = request.metrics or _gating(workspace, request.suite)
    if not names:
        message = (
            f"no metric of suite {request.suite!r} gates yet: name one by --metric, or set "
            f"[{TABLE}.suites.{request.suite}.gate] in pyproject.toml"
        )
        raise BaselineError(message)
    made = [_baseline(workspace, request, finished, name) for name in names]
    for baseline in made:
        before = workspace.baselines.read(baseline.suite, baseline.metric)
        workspace.baselines.write(baseline, _change(request, before, baseline))
    return made


def source_run(workspace: Workspace, suite: str, run_id: str | None) -> FinishedRun:
    """The named run, or the last one in which the whole suite ran."""
    if run_id is not None:
        finished = workspace.history.read(run_id)
    else:
        whole = [run for run in workspace.history.runs(suite) if run.stands_for(suite)]
        if not whole:
            message = f"the history has no whole run of suite {suite!r}; make one: pytest --agent-eval"
            raise HistoryError(message)
        finished = workspace.history.read(whole[-1].id)
    if suite in finished.run.partial:
        message = (
            f"in run {finished.run.id} only a part of suite {suite!r} ran; it can be no baseline. Run the whole suite"
        )
        raise BaselineError(message)
    if suite not in finished.suites():
        message = f"run {finished.run.id} has no trial of suite {suite!r}{near(suite, finished.suites())}"
        raise BaselineError(message)
    return finished


def _gating(workspace: Workspace, suite: str) -> tuple[str, ...]:
    table = set(workspace.settings.gate_of(suite))
    return tuple(sorted((table | set(workspace.baselines.metrics(suite))) - ({ERROR_RATE} - table)))


def _baseline(workspace: Workspace, request: Request, finished: FinishedRun, metric: str) -> Baseline:
    spec = finished.run.specs.get(metric)
    if spec is None:
        message = f"run {finished.run.id} did not measure {metric!r}{near(metric, list(finished.run.specs))}"
        raise BaselineError(message)
    measured = measure(request.suite, spec, finished.of_suite(request.suite))
    if not measured.cases:
        reason = next(iter(measured.not_evaluated.values()), "no case was asked for it")
        message = f"{request.suite}/{metric} has no value in run {finished.run.id} ({reason}); it can be no baseline"
        raise BaselineError(message)
    screen, held_back = split(measured.cases) if is_paired(spec) else (dict(measured.cases), {})
    # The newly approved bar is what the settings ask now; what they leave open stays as it was approved.
    before = workspace.baselines.read(request.suite, metric)
    wanted = workspace.settings.gate_of(request.suite).get(metric, Bar())
    old = before.bar if before else Bar()
    bar = Bar(**{name: _first(getattr(wanted, name), getattr(old, name)) for name in ("floor", "ceiling", "margin")})
    return Baseline(
        suite=request.suite,
        spec=spec,
        bar=effective_bar(bar, None, metric)[0],
        screen=screen,
        held_back=held_back,
        estimate=measured.estimate,
        approval=Approval(by=request.by, at=request.at, reason=request.reason, run=finished.run.id),
        agent=finished.of_suite(request.suite)[0].trajectory.agent,
    )


def split(cases: Mapping[str, CaseScores]) -> tuple[dict[str, CaseScores], dict[str, CaseScores]]:
    """The first half of each case's attempts for the screen, the rest held back for a second look.

    A case with one attempt has it in the screen. The attempts are independent, so their order is no choice.
    """
    screen, held_back = {}, {}
    for case_id, scores in cases.items():
        if len(scores.values) < _LEAST_TO_SPLIT:
            screen[case_id] = scores
            continue
        middle = (len(scores.values) + 1) // 2
        screen[case_id] = _part(scores, slice(None, middle))
        held_back[case_id] = _part(scores, slice(middle, None))
    return screen, held_back


def _part(scores: CaseScores, attempts: slice) -> CaseScores:
    return CaseScores(fingerprint=scores.fingerprint, values=scores.values[attempts], answers=scores.answers[attempts])


def _first(*values: float | None) -> float | None:
    return next((value for value in values if value is not None), None)


def _change(request: Request, before: Baseline | None, after: Baseline) -> Change:
    return Change(
        at=request.at,
        actor=request.by,
        action="baseline.approve",
        subject=f"{after.suite}/{after.metric}",
        reason=request.reason,
        before=_summary(before) if before else None,
        after=_summary(after),
    )


def _summary(baseline: Baseline) -> dict[str, JSON]:
    return {
        "bar": encode(baseline.bar),
        "value": baseline.estimate.value,
        "n": baseline.estimate.n,
        "run": baseline.approval.run,
        "version": baseline.spec.version,
    }


def measured_of(workspace: Workspace, suite: str, run_id: str | None) -> tuple[str, Sequence[Measured]]:
    """The id of a run and every metric of one suite in it, for showing a difference."""
    from pytest_agenteval.pipeline.aggregate import measure_all

    finished = source_run(workspace, suite, run_id)
    return finished.run.id, measure_all(suite, finished.run.specs, finished.of_suite(suite))
