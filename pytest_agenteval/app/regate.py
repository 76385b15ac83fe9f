"""A stored run judged anew, under other settings or baselines; no agent is called and nothing is written."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import fields, replace
from functools import cached_property
from typing import Any

from pytest_agenteval.app.base import Base
from pytest_agenteval.app.judging import Judged, judge_run
from pytest_agenteval.app.runs import Plan, RunOptions
from pytest_agenteval.app.settings import TABLE, Settings, SuiteSettings
from pytest_agenteval.app.workspace import Workspace
from pytest_agenteval.errors import SettingsError
from pytest_agenteval.model.baseline import Bar, Baseline
from pytest_agenteval.model.codec import near
from pytest_agenteval.model.run import FinishedRun
from pytest_agenteval.model.verdict import Outcome, Verdict
from pytest_agenteval.pipeline.looks import GateMode
from pytest_agenteval.pipeline.rules import plain
from pytest_agenteval.store.audit import Audit
from pytest_agenteval.store.baselines import Baselines

LIMITS = tuple(field.name for field in fields(Bar) if field.name != "slices")
"""What can be set of a bar."""


def judge_again(workspace: Workspace, finished: FinishedRun, gate: GateMode, base: Base | None = None) -> Judged:
    """Judge the run's trials, those of its second look among them, as its own session would have.

    A further look cannot be taken: where one would be due, a single stage decides. Failed asserts are no part
    of a stored run. Of what is looser than in a ``base`` only that is found which files and scores tell: the run
    alone knows which metric it imported, what was excused, and what its command line left out.
    """
    run = finished.run
    plan = Plan(specs=run.specs, partial=run.partial, rounds=run.rounds)  # nothing is due but what is there
    options = RunOptions(gate=gate)
    if base is not None:
        ran = {name for suite in finished.suites() for name in (suite, plain(suite))}
        base = replace(base, rules=replace(base.rules, suites=base.rules.suites & ran, repeats={}))
    return judge_run(run, finished.trials, plan, workspace, options, second_look=finished.second_look, base=base)


def told_alone(judged: Judged, finished: FinishedRun, workspace: Workspace, gate: GateMode) -> Judged:
    """The run as it was judged; what is loosened also tells what the looser limits alone would have said."""
    if not any(verdict.outcome is Outcome.LOOSENED for verdict in judged.verdicts):
        return judged
    alone = judge_again(_AsIfApproved(workspace.settings), finished, gate).verdicts
    by_name = {verdict.name: verdict for verdict in alone}
    told = [
        _with_other(verdict, by_name[verdict.name])
        if verdict.outcome is Outcome.LOOSENED and verdict.name in by_name
        else verdict
        for verdict in judged.verdicts
    ]
    return replace(judged, verdicts=tuple(told))


def _with_other(verdict: Verdict, other: Verdict) -> Verdict:
    there = f"these limits in [{TABLE}.suites.{verdict.suite}.gate], and the baseline approved anew"
    return replace(
        verdict,
        message=f"{verdict.message}; by these limits alone: {other.outcome} ({other.message})",
        next_step=f"Nothing was changed by this. To have it so: {there}",
    )


class _AsIfApproved(Workspace):
    """A workspace in which the settings' limits stand in the baselines."""

    @cached_property
    def baselines(self) -> Baselines:
        """The approved values, with bars that hold the settings to nothing."""
        return _Unbarred(self.settings, self.audit)


class _Unbarred(Baselines):
    def __init__(self, settings: Settings, audit: Audit) -> None:
        super().__init__(settings.path("baselines"), audit)
        self._settings = settings

    def read(self, suite: str, metric: str) -> Baseline | None:
        """The baseline, and of its bar what the settings leave open."""
        found = super().read(suite, metric)
        wanted = self._settings.gate_of(suite).get(metric, Bar())
        told = {name: value for name in (*LIMITS, "slices") if (value := getattr(wanted, name)) not in (None, ())}
        return replace(found, bar=replace(found.bar, **told)) if found else None


def limits_of(texts: Iterable[str], finished: FinishedRun) -> dict[str, dict[str, float]]:
    """By metric and limit the number, from texts like ``success.floor=0.8``. Raises SettingsError."""
    found: dict[str, dict[str, float]] = {}
    for text in texts:
        name, _, number = text.partition("=")
        metric, _, limit = name.rpartition(".")
        if metric not in finished.run.specs:
            known = near(metric, list(finished.run.specs))
            message = f"{text!r}: run {finished.run.id} did not measure {metric!r}{known}; write METRIC.floor=0.8"
            raise SettingsError(message)
        if limit not in LIMITS:
            message = f"{text!r}: {limit!r} is none of {', '.join(LIMITS)}{near(limit, LIMITS)}"
            raise SettingsError(message)
        try:
            found.setdefault(metric, {})[limit] = float(number)
        except ValueError as error:
            message = f"{text!r}: {number!r} is no number; write {name}=0.8"
            raise SettingsError(message) from error
    return found


def with_limits(workspace: Workspace, finished: FinishedRun, limits: Mapping[str, Mapping[str, Any]]) -> Workspace:
    """The workspace with these limits in the gate tables of all suites of the run; its files stay as they are."""
    settings = workspace.settings
    suites = dict(settings.suites)
    for suite in finished.suites():
        table = dict(settings.gate_of(suite))
        for metric, wanted in limits.items():
            table[metric] = replace(table.get(metric, Bar()), **wanted)
        suites[suite] = SuiteSettings(gate=table)
    return Workspace(replace(settings, suites=suites))
