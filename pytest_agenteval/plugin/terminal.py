"""What a session prints at its end: a table a suite, what the gate says, and the next step."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from pytest_agenteval.app.judging import Judged, estimates_by_suite
from pytest_agenteval.app.summary import Line, gate_lines, measured_lines


def summarise(reporter: pytest.TerminalReporter, judged: Judged, exit_code: int, details: str) -> None:
    """Print the section *agent evaluation*, which ends with where the details are."""
    reporter.section("agent evaluation", sep="=")
    config = reporter.config
    verbose = config.get_verbosity() > 0
    asked = config.getoption("agent_eval_partial") or config.getoption("agent_eval_base")
    for suite, estimates in estimates_by_suite(judged).items():
        _print(reporter, measured_lines(judged, suite, estimates, verbose=verbose))
    _print(reporter, gate_lines(judged, exit_code, details, may_be_partial=not asked))


def say(reporter: pytest.TerminalReporter, text: str) -> None:
    """Write a line of its own, while items run or xdist's workers come up."""
    reporter.ensure_newline()
    writer = reporter.config.get_terminal_writer()
    if writer.width_of_current_line:  # what xdist writes has no path before it
        writer.line()
    reporter.write_line(text)


def _print(reporter: pytest.TerminalReporter, lines: Iterable[Line]) -> None:
    for line in lines:
        reporter.line(line.text, **dict.fromkeys(line.style, True))
