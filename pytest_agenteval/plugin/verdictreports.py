"""The gate's verdicts as test reports of their own, so that terminal, JUnit, IDE and CI show them."""

from __future__ import annotations

from typing import Literal

import pytest

from pytest_agenteval.app.judging import Judged
from pytest_agenteval.app.workspace import Workspace
from pytest_agenteval.model.verdict import Outcome, Verdict
from pytest_agenteval.model.visible import visible
from pytest_agenteval.pipeline import exits
from pytest_agenteval.pipeline.gate import GateMode

_NOT_FOR_VERDICTS = ("lfplugin", "stepwiseplugin", "session", "dsession")
"""Plug-ins that count or remember items: a verdict is none, and --lf could not run it again."""


def publish(config: pytest.Config, judged: Judged, workspace: Workspace, mode: GateMode) -> None:
    """Send one report a verdict to every plug-in that shows results."""
    manager = config.pluginmanager
    others = [plugin for name in _NOT_FOR_VERDICTS if (plugin := manager.get_plugin(name)) is not None]
    begin = manager.subset_hook_caller("pytest_runtest_logstart", remove_plugins=others)
    send = manager.subset_hook_caller("pytest_runtest_logreport", remove_plugins=others)
    for verdict in judged.verdicts:
        reports = _reports(verdict, workspace, mode)
        begin(nodeid=reports[0].nodeid, location=reports[0].location)  # gives it a line of its own
        for report in reports:
            send(report=report)


def node_of(verdict: Verdict, workspace: Workspace) -> str:
    """'baselines/refunds/success.json::gate'."""
    path = workspace.baselines.path(verdict.suite, verdict.metric if verdict.metric != "*" else "any")
    root = workspace.settings.path("baselines").parent
    return f"{path.relative_to(root).as_posix()}::gate"


def _reports(verdict: Verdict, workspace: Workspace, mode: GateMode) -> list[pytest.TestReport]:
    nodeid = node_of(verdict, workspace)
    location = (nodeid.partition("::")[0], None, f"gate of {verdict.suite}/{verdict.metric}")
    text = visible(f"{verdict.outcome}: {verdict.message}. {verdict.next_step}".strip())
    outcome = _outcome(verdict, mode)
    longrepr = {"passed": None, "failed": text, "skipped": (location[0], 0, text)}[outcome]
    call = _report(nodeid, location, outcome, longrepr, "call")
    return [call, _report(nodeid, location, "passed", None, "teardown")]  # JUnit closes a case at its teardown


def _outcome(verdict: Verdict, mode: GateMode) -> Literal["passed", "failed", "skipped"]:
    if verdict.outcome is Outcome.PASS:
        return "passed"
    return "skipped" if exits.code_of(verdict, mode) == exits.OK else "failed"


def _report(
    nodeid: str,
    location: tuple[str, None, str],
    outcome: Literal["passed", "failed", "skipped"],
    longrepr: str | tuple[str, int, str] | None,
    when: Literal["call", "teardown"],
) -> pytest.TestReport:
    return pytest.TestReport(
        nodeid=nodeid, location=location, keywords={}, outcome=outcome, longrepr=longrepr, when=when
    )
