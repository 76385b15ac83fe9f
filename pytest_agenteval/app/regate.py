"""A stored run judged anew, under other settings or baselines; no agent is called and nothing is written."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import fields, replace
from typing import Any

from pytest_agenteval.app.judging import Judged, judge_run
from pytest_agenteval.app.runs import Plan, RunOptions
from pytest_agenteval.app.settings import SuiteSettings
from pytest_agenteval.app.workspace import Workspace
from pytest_agenteval.errors import SettingsError
from pytest_agenteval.model.baseline import Bar
from pytest_agenteval.model.codec import near
from pytest_agenteval.model.run import FinishedRun
from pytest_agenteval.pipeline.looks import GateMode

LIMITS = tuple(field.name for field in fields(Bar) if field.name != "slices")
"""What can be set of a bar."""


def judge_again(workspace: Workspace, finished: FinishedRun, gate: GateMode) -> Judged:
    """Judge the run's trials, those of its second look among them, as its own session would have.

    A further look cannot be taken: where one would be due, a single stage decides. Failed asserts are no part
    of a stored run.
    """
    run = finished.run
    keys = tuple((suite, case, str(attempt)) for suite, case, attempt in (trial.key for trial in finished.trials))
    plan = Plan(planned=keys, specs=run.specs, partial=run.partial, rounds=run.rounds)
    options = RunOptions(gate=gate)
    return judge_run(run, finished.trials, plan, workspace, options, second_look=finished.second_look)


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
