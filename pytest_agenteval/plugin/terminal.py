"""What a session prints at its end: a table a suite, what the gate says, and the next step."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from pytest_agenteval.app.judging import Judged, estimates_by_suite
from pytest_agenteval.app.summary import Line, gate_lines, measured_lines

KINDS = {"agent": "agent error", "infrastructure": "infrastructure error"}
"""How an item without an answer is shown, by the kind of its fault."""

_MOST_SAID = 5
"""Items of which it is shown."""


def summarise(reporter: pytest.TerminalReporter, judged: Judged, exit_code: int, details: str) -> None:
    """Print the section *agent evaluation*, which ends with where the details are."""
    _tell_what_was_said(reporter)
    reporter.section("agent evaluation", sep="=")
    config = reporter.config
    verbose = config.get_verbosity() > 0
    asked = config.getoption("agent_eval_partial") or config.getoption("agent_eval_base")
    for suite, estimates in estimates_by_suite(judged).items():
        _print(reporter, measured_lines(judged, suite, estimates, verbose=verbose))
    _print(reporter, gate_lines(judged, exit_code, details, may_be_partial=not asked))


def _tell_what_was_said(reporter: pytest.TerminalReporter) -> None:
    """What agents that failed had printed: pytest shows that of tests that failed, and takes these for skipped."""
    if reporter.config.getoption("showcapture", "all") == "no":
        return
    failed = [report for kind in KINDS.values() for report in reporter.stats.get(kind, ()) if report.sections]
    if failed:
        reporter.section("printed by agents that failed", sep="=")
    for report in failed[:_MOST_SAID]:
        reporter.section(report.head_line or report.nodeid, sep="_")
        for name, text in report.sections:
            reporter.section(name, sep="-")
            reporter.line(text.rstrip("\n"))
    if len(failed) > _MOST_SAID:
        reporter.line(f"… and {len(failed) - _MOST_SAID} more agents that failed had printed something")


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
