"""What a session prints at its end: a table a suite, what the gate says, and the next step."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from pytest_agenteval.app.judging import Judged, estimates_by_suite
from pytest_agenteval.app.summary import Line, gate_lines, measured_lines
from pytest_agenteval.app.workspace import Workspace


def summarise(reporter: pytest.TerminalReporter, judged: Judged, exit_code: int, workspace: Workspace) -> None:
    """Print the section *agent evaluation*."""
    reporter.section("agent evaluation", sep="=")
    verbose = reporter.config.get_verbosity() > 0
    for suite, estimates in estimates_by_suite(judged).items():
        _print(reporter, measured_lines(judged, suite, estimates, verbose=verbose))
    _print(reporter, gate_lines(judged, exit_code, f"details in {workspace.settings.work}/verdict.json"))


def _print(reporter: pytest.TerminalReporter, lines: Iterable[Line]) -> None:
    for line in lines:
        reporter.line(line.text, **dict.fromkeys(line.style, True))
