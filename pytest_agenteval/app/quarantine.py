"""Quarantine: a case that was measured flaky does not gate for a while; nobody declares it so by hand."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from pytest_agenteval.app.workspace import Workspace
from pytest_agenteval.errors import InvalidValue, QuarantineError
from pytest_agenteval.model.change import Change
from pytest_agenteval.model.codec import encode, near
from pytest_agenteval.model.estimate import CaseScores
from pytest_agenteval.model.quarantine import LONGEST_DAYS, QuarantinedCase, checked_day, day_of, days_after
from pytest_agenteval.model.run import Run
from pytest_agenteval.model.score import MetricSpec
from pytest_agenteval.pipeline.bar import ERROR_RATE
from pytest_agenteval.pipeline.variance import attempts_words, flaky
from pytest_agenteval.store.history.excerpt import read_some

MEASURE = "pytest --agent-eval --agent-eval-repeats 5"
"""How flakiness is measured."""

_SEVERAL = 2
"""Attempts without which no difference can be seen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Who wants which case of a suite quarantined, until which day (``2026-12-24``), why, and who mends it."""

    suite: str
    case: str
    owner: str
    until: str
    reason: str
    by: str
    at: datetime


def quarantine(workspace: Workspace, wanted: Wanted) -> QuarantinedCase:
    """Quarantine a case, or renew its quarantine, by the newest whole run that called it several times.

    Raises QuarantineError for a day that is past or too far ahead, for a case that must pass, and for one that this
    run, of the last 90 days, did not measure to be flaky by a metric that gates.
    """
    _refuse_day(wanted)
    run, metric, values = _measured_flaky(workspace, wanted)
    entry = QuarantinedCase(
        case=wanted.case,
        owner=wanted.owner,
        since=day_of(wanted.at),
        until=wanted.until,
        reason=wanted.reason,
        run=run.id,
        metric=metric,
        values=values,
    )
    others, before = _apart(workspace, wanted.suite, wanted.case)
    change = Change(
        at=wanted.at,
        actor=wanted.by,
        action="quarantine.add",
        subject=f"{wanted.suite}/{wanted.case}",
        reason=wanted.reason,
        before=encode(before) if before else None,
        after=encode(entry),
    )
    workspace.quarantines.write(wanted.suite, [*others, entry], change)
    return entry


def release(workspace: Workspace, suite: str, case: str, *, by: str, reason: str, at: datetime) -> None:
    """Take a case out of quarantine: it gates again. Raises QuarantineError where it is not in it."""
    others, entry = _apart(workspace, suite, case)
    if entry is None:
        known = [one.case for one in others]
        message = f"case {case!r} of suite {suite!r} is not quarantined{near(case, known)}. See: quarantine list"
        raise QuarantineError(message)
    change = Change(
        at=at,
        actor=by,
        action="quarantine.remove",
        subject=f"{suite}/{case}",
        reason=reason,
        before=encode(entry),
    )
    workspace.quarantines.write(suite, others, change)


def _apart(workspace: Workspace, suite: str, case: str) -> tuple[list[QuarantinedCase], QuarantinedCase | None]:
    """The quarantined cases of the suite but this one, and this one where it is among them."""
    entries = workspace.quarantines.read(suite)
    return [one for one in entries if one.case != case], next((one for one in entries if one.case == case), None)


def _refuse_day(wanted: Wanted) -> None:
    today = day_of(wanted.at)
    last = days_after(today, LONGEST_DAYS)
    try:
        checked_day(wanted.until)
    except InvalidValue as error:
        message = f"--until: {error}"
        raise QuarantineError(message) from error
    if not today <= wanted.until <= last:
        message = (
            f"--until {wanted.until}: a case is quarantined for at most {LONGEST_DAYS} days. "
            f"Name a day from {today} to {last}"
        )
        raise QuarantineError(message)


def _measured_flaky(workspace: Workspace, wanted: Wanted) -> tuple[Run, str, tuple[float, ...]]:
    """The newest whole run that called the case several times, as it is now; the metric it is flaky by; its values."""
    since = wanted.at - timedelta(days=LONGEST_DAYS)
    runs = workspace.history.runs(wanted.suite)
    own = [run for run in reversed(runs) if not run.candidate and since <= run.started <= wanted.at]
    looks = [(run, found) for run in own if (found := _scores(workspace, run, wanted))]
    if not looks:
        known = {case for run in own[:1] for case in _cases(workspace, run, wanted.suite)}
        hint = near(wanted.case, sorted(known))
        message = f"no run of the last {LONGEST_DAYS} days has case {wanted.case!r} of suite {wanted.suite!r}{hint}"
        raise QuarantineError(message)
    _refuse_must_pass(workspace, looks[0][0], wanted)
    newest = next(iter(looks[0][1].values())).fingerprint
    stable = "as it is now, it was never called several times in a whole run"
    for run, by_metric in looks:
        same = {metric: scores for metric, scores in by_metric.items() if scores.fingerprint == newest}
        n_repeats = max((len(scores.values) for scores in same.values()), default=0)
        if n_repeats < _SEVERAL or not run.stands_for(wanted.suite):
            continue
        for metric, scores in same.items():
            if flaky({wanted.case: scores}, run.specs.get(metric, MetricSpec(name=metric))):
                return run, metric, scores.values
        # An older run may have been of an agent that was worse: the newest decides.
        stable = f"it looked stable in {attempts_words(n_repeats, n_repeats)} of {run.id}, the newest that can tell"
        break
    message = (
        f"case {wanted.case!r} of suite {wanted.suite!r} was not measured flaky by a metric that gates: {stable}. "
        f"No case is declared flaky by hand; measure it: {MEASURE}"
    )
    raise QuarantineError(message)


def _scores(workspace: Workspace, run: Run, wanted: Wanted) -> dict[str, CaseScores]:
    """The case's scores in the run by each metric that gates; the error rate's last."""
    table = workspace.settings.gate_of(wanted.suite)
    gating = {*table, *workspace.baselines.metrics(wanted.suite), ERROR_RATE}
    found = workspace.history.case_scores(run.id, wanted.suite)
    names = sorted(gating & found.keys(), key=lambda name: (name == ERROR_RATE, name))
    return {name: found[name][wanted.case] for name in names if wanted.case in found[name]}


def _cases(workspace: Workspace, run: Run, suite: str) -> set[str]:
    return {case for cases in workspace.history.case_scores(run.id, suite).values() for case in cases}


def _refuse_must_pass(workspace: Workspace, run: Run, wanted: Wanted) -> None:
    trials = read_some(workspace.history.root, run, wanted.suite, {wanted.case}).trials
    if any(trial.case.must_pass for trial in trials):
        message = (
            f"case {wanted.case!r} of suite {wanted.suite!r} is tagged must_pass, and may not be quarantined. "
            "Mend it, or take the tag away where it need not always pass"
        )
        raise QuarantineError(message)
