"""The gate's verdicts as test reports of their own, so that terminal, JUnit, IDE and CI show them."""

from __future__ import annotations

from typing import Literal

import pytest

from pytest_agenteval.app.judging import Judged
from pytest_agenteval.app.runs import RunOptions
from pytest_agenteval.app.workspace import Workspace
from pytest_agenteval.model.verdict import Outcome, Reason, Verdict
from pytest_agenteval.model.visible import visible
from pytest_agenteval.pipeline import exits

_NOT_FOR_VERDICTS = ("lfplugin", "stepwiseplugin", "session", "dsession")
"""Plug-ins that count or remember items: a verdict is none, and --lf could not run it again."""


def publish(config: pytest.Config, judged: Judged, workspace: Workspace, options: RunOptions) -> None:
    """Send one report a verdict to every plug-in that shows results."""
    manager = config.pluginmanager
    others = [plugin for name in _NOT_FOR_VERDICTS if (plugin := manager.get_plugin(name)) is not None]
    begin = manager.subset_hook_caller("pytest_runtest_logstart", remove_plugins=others)
    send = manager.subset_hook_caller("pytest_runtest_logreport", remove_plugins=others)
    terminal = manager.get_plugin("terminalreporter")
    verbose = config.get_verbosity() > 0
    if terminal is not None and judged.verdicts and not verbose:
        terminal.line("")  # the items' line of letters has ended
        terminal.write("gate ")
    for verdict in judged.verdicts:
        reports = _reports(verdict, workspace, options)
        if verbose:
            begin(nodeid=reports[0].nodeid, location=reports[0].location)  # gives it a line of its own
        for report in reports:
            send(report=report)


def node_of(verdict: Verdict, workspace: Workspace) -> str:
    """'baselines/refunds/success.json::gate', of a slice '…::gate[vip]'."""
    path = workspace.baselines.path(verdict.suite, verdict.metric)
    part = f"[{verdict.slice}]" if verdict.slice else ""
    file = path.relative_to(workspace.settings.path("baselines").parent)
    return f"{(file if verdict.metric != '*' else file.parent).as_posix()}::gate{part}"


def _reports(verdict: Verdict, workspace: Workspace, options: RunOptions) -> list[pytest.TestReport]:
    nodeid = node_of(verdict, workspace)
    location = (nodeid.partition("::")[0], None, f"gate of {verdict.name}")
    text = visible(f"{verdict.outcome}: {verdict.message}. {verdict.next_step}".strip())
    outcome = _outcome(verdict, options)
    longrepr = {"passed": None, "failed": text, "skipped": (location[0], 0, f"{visible(verdict.name)}: {text}")}[
        outcome
    ]
    call = _report(nodeid, location, outcome, longrepr, "call")
    return [call, _report(nodeid, location, "passed", None, "teardown")]  # JUnit closes a case at its teardown


def _outcome(verdict: Verdict, options: RunOptions) -> Literal["passed", "failed", "skipped"]:
    if verdict.outcome is Outcome.PASS:
        return "passed"
    meant = verdict.reason is Reason.PARTIAL and options.partial_is_meant
    return "skipped" if meant or exits.code_of(verdict, options.gate) == exits.OK else "failed"


def _report(
    nodeid: str,
    location: tuple[str, None, str],
    outcome: Literal["passed", "failed", "skipped"],
    longrepr: str | tuple[str, int, str] | None,
    when: Literal["call", "teardown"],
) -> pytest.TestReport:
    return pytest.TestReport(
        nodeid=nodeid,
        location=location,
        keywords={},
        outcome=outcome,
        longrepr=longrepr,
        when=when,
    )
