"""Approving a baseline: from a run in the history to reviewed files, with a change on record."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from pytest_agenteval.app.settings import TABLE
from pytest_agenteval.app.workspace import Workspace
from pytest_agenteval.errors import BaselineError, HistoryError
from pytest_agenteval.model.baseline import Approval, Bar, Baseline, Renewal
from pytest_agenteval.model.change import Change
from pytest_agenteval.model.codec import encode, near
from pytest_agenteval.model.estimate import CaseScores
from pytest_agenteval.model.jsonvalue import JSON
from pytest_agenteval.model.run import FinishedRun
from pytest_agenteval.pipeline.aggregate import Measured, measure, measure_all, of_cases
from pytest_agenteval.pipeline.bar import ERROR_RATE, effective_bar, limits_of
from pytest_agenteval.pipeline.compare import is_paired
from pytest_agenteval.pipeline.gate import sides_proven
from pytest_agenteval.pipeline.looks import Gated, Policy, look

_LEAST_TO_SPLIT = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """Who wants which metrics of a suite approved, why, and from which run (the last whole one if not told).

    ``accept_drop`` says that values below those of the former baseline are meant.
    """

    suite: str
    by: str
    reason: str
    at: datetime
    metrics: tuple[str, ...] = ()
    run: str | None = None
    accept_drop: bool = False


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


def broken_limits(baseline: Baseline) -> list[str]:
    """The limits of its own bar that the approved values are proven to break: ['below the floor 0.7']."""
    cases = {
        case: replace(scores, values=scores.values + held.values, answers=scores.answers + held.answers)
        if (held := baseline.held_back.get(case))
        else scores
        for case, scores in baseline.screen.items()
    }
    gated = Gated(measured=of_cases(baseline.suite, baseline.spec, cases), bar=baseline.bar)
    sides = zip(limits_of(baseline.bar), sides_proven(gated, Policy()), strict=True)
    return [
        f"{'below the floor' if sign > 0 else 'above the ceiling'} {limit:g}"
        for (sign, limit), side in sides
        if side < 0
    ]


def source_run(workspace: Workspace, suite: str, run_id: str | None) -> FinishedRun:
    """The named run, or the last one in which the whole suite ran."""
    if run_id is not None:
        finished = workspace.history.open(run_id)
    else:
        whole = [run for run in workspace.history.runs(suite) if run.stands_for(suite)]
        if not whole:
            message = f"the history has no whole run of suite {suite!r}; make one: pytest --agent-eval"
            raise HistoryError(message)
        finished = workspace.history.open(whole[-1].id)
    if suite in finished.run.partial:
        message = (
            f"in run {finished.run.id} only a part of suite {suite!r} ran; it can be no baseline. Run the whole suite"
        )
        raise BaselineError(message)
    rounds = finished.run.rounds.get(suite)
    if rounds is not None and rounds.used < rounds.cap:
        message = (
            f"in run {finished.run.id} suite {suite!r} stopped after {rounds.used} of {rounds.cap} attempts, as soon "
            f"as it was settled; that favours extremes, so it can be no baseline. Make one of a fixed number: "
            f"pytest --agent-eval --agent-eval-repeats 6"
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
    planned = finished.run.planned(request.suite)
    measured = measure(request.suite, spec, finished.of_suite(request.suite), planned=planned)
    if not measured.cases:
        reason = next(iter(measured.not_evaluated.values()), "no case was asked for it")
        message = f"{request.suite}/{metric} has no value in run {finished.run.id} ({reason}); it can be no baseline"
        raise BaselineError(message)
    screen, held_back = split(measured.cases) if is_paired(spec) else (dict(measured.cases), {})
    _refuse_gaps(measured)
    # The newly approved bar is what the settings ask now; what they leave open stays as it was approved.
    before = workspace.baselines.read(request.suite, metric)
    wanted = workspace.settings.gate_of(request.suite).get(metric, Bar())
    old = before.bar if before else Bar()
    limits = {name: _first(getattr(wanted, name), getattr(old, name)) for name in ("floor", "ceiling", "margin")}
    bar = Bar(**limits, slices=wanted.slices or old.slices)
    return Baseline(
        suite=request.suite,
        spec=spec,
        bar=effective_bar(bar, None, metric)[0],
        screen=screen,
        held_back=held_back,
        estimate=measured.estimate,
        approval=Approval(by=request.by, at=request.at, reason=request.reason, run=finished.run.id),
        agent=finished.of_suite(request.suite)[0].trajectory.agent,
        lineage=_lineage(request, before, measured),
    )


def _refuse_gaps(measured: Measured) -> None:
    """A reference with holes would be a bar that nobody has seen."""
    if measured.missing_share > Policy().most_missing:
        missing = len(measured.not_evaluated.keys() - measured.not_asked)
        reason = next(reason for case, reason in measured.not_evaluated.items() if case not in measured.not_asked)
        message = (
            f"{measured.suite}/{measured.spec.name} has no value on {missing} of its cases ({reason}), more than "
            f"{Policy().most_missing:.0%}; it can be no baseline. Mend what the reason names, and run again"
        )
        raise BaselineError(message)


def _lineage(request: Request, before: Baseline | None, measured: Measured) -> tuple[Renewal, ...]:
    """The baselines before the new one, with what it lost against the last of them.

    Raises BaselineError for a drop that nobody said was meant: one that the gate would call a regression, or
    small ones that have added up to more than the margin since the first baseline.
    """
    if before is None:
        return ()
    gated = Gated(measured=measured, bar=before.bar, baseline=before)
    [looks] = look([gated], Policy())
    delta = looks.first.delta if looks.first else None
    renewal = Renewal(value=before.estimate.value, n=before.estimate.n, approval=before.approval, delta=delta)
    lineage = (*before.lineage, renewal)
    sign = 1.0 if before.spec.better == "higher" else -1.0
    loss = -sign * math.fsum(one.delta or 0.0 for one in lineage)
    regressed = looks.said(Policy()) == "REGRESSED"
    added_up = gated.margin is not None and delta is not None and sign * delta < 0 and loss > gated.margin
    if (regressed or added_up) and not request.accept_drop:
        since = f" ({-loss:+.4f} since the first of {len(lineage)} baselines)" if len(lineage) > 1 else ""
        message = (
            f"{before.suite}/{before.metric} would fall by {abs(delta or 0.0):.4f} from the approved baseline{since}, "
            f"more than its margin {gated.margin:g} allows. If that is meant, say --accept-drop with the reason"
        )
        raise BaselineError(message)
    return lineage


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
    finished = source_run(workspace, suite, run_id)
    return finished.run.id, measure_all(
        suite, finished.run.specs, finished.of_suite(suite), planned=finished.run.planned(suite)
    )
