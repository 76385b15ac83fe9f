"""``gate``: judge a stored run anew."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from pytest_agenteval.cli.saying import say, workspace_of
from pytest_agenteval.model.run import week_of

if TYPE_CHECKING:
    from pytest_agenteval.cli.saying import Parts


def add_to(parts: Parts) -> None:
    """Add the words of the command's part."""
    part = parts.add_parser("gate", help="judge a stored run anew, without calling an agent")
    part.add_argument("run", metavar="RUN", help="the run, as history list names it")
    part.add_argument("--mode", choices=("merge", "release"), default="merge", help="as --agent-eval-gate")
    part.add_argument("--set", action="append", default=[], metavar="METRIC.LIMIT=NUMBER", help="as success.floor=0.8")
    part.add_argument("-v", "--verbose", action="store_true", help="name every failing trial")
    part.set_defaults(act=gate)


def gate(options: argparse.Namespace) -> int:
    """``gate``."""
    from pytest_agenteval.app.judging import estimates_by_suite
    from pytest_agenteval.app.regate import judge_again, limits_of, told_alone, with_limits
    from pytest_agenteval.app.summary import gate_lines, measured_lines

    workspace = workspace_of(options)
    finished = workspace.history.open(options.run)
    limits = limits_of(options.set, finished)
    other = with_limits(workspace, finished, limits)
    judged = told_alone(judge_again(other, finished, options.mode), finished, other, options.mode)
    say(f"run {finished.run.id} of {week_of(finished.run.started)}, judged anew in {options.mode} mode")
    for suite, estimates in estimates_by_suite(judged).items():
        say(*(line.text for line in measured_lines(judged, suite, estimates, verbose=options.verbose)))
    say(*(line.text for line in gate_lines(judged, judged.code, "asserts are no part of it, and verdict.json stays")))
    return judged.code
