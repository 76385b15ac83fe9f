"""The pytest plug-in: options, and one ``if``. Everything else is loaded by ``--agent-eval`` alone."""

from __future__ import annotations

import argparse
import re
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Generator

_CASES = "pytest_agenteval.plugin.cases"
"""Loaded by the first test module that uses ``agent_cases``; while it is not, there is nothing to do."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options of the group *agent evaluation*."""
    group = parser.getgroup("agent evaluation")
    group.addoption("--agent-eval", action="store_true", help="run the agent over all cases, score, compare, gate")
    group.addoption(
        "--agent-eval-mode",
        choices=("live", "replay"),
        default="live",
        help="where trials come from: the agent itself, or the recordings of each suite",
    )
    group.addoption("--agent-eval-repeats", type=int, metavar="N", help="attempts a case, in place of repeats=")
    group.addoption(
        "--agent-eval-agent",
        metavar="TARGET",
        help="another agent in place of the fixture: a URL, 'cmd: …', module:object, or a recording's name or file",
    )
    group.addoption(
        "--agent-eval-concurrency", type=int, metavar="N", help="calls of agents under way at once (default: 16)"
    )
    group.addoption(
        "--agent-eval-budget",
        action="append",
        metavar="MOST",
        help="stop calling when it is spent, judge what is there, exit 11: 5usd, 200k-tokens, 30min, 500-calls",
    )
    group.addoption("--agent-eval-cache", action="store_true", help="answers of earlier runs stand for the same calls")
    group.addoption(
        "--agent-eval-gate",
        choices=("merge", "release"),
        default="merge",
        help="merge: stopped by a proven loss; release: needs proof that there is none",
    )
    _add_options_of_the_run(group)


def _add_options_of_the_run(group: pytest.OptionGroup) -> None:
    """What it is kept as, what it is held to, and which part of it this session makes."""
    group.addoption("--agent-eval-record", action="store_true", help="write the trials to the suite's recordings/")
    group.addoption(
        "--agent-eval-base",
        metavar="REF",
        help="judge by the bars at the merge base of REF and HEAD; what is looser in the change is red: origin/main",
    )
    group.addoption(
        "--agent-eval-partial",
        action="store_true",
        help="a part of a suite is meant: the asserts decide, nothing is judged",
    )
    group.addoption(
        "--agent-eval-shard",
        metavar="I/N",
        help="run the I-th of N parts of the cases, for pytest-agenteval merge to judge; needs --agent-eval-run-id",
    )
    group.addoption(
        "--agent-eval-resume",
        nargs="?",
        const="",
        metavar="RUN",
        help="go on with a run that was cut off (default: the latest): what it has is not called again",
    )
    group.addoption(
        "--agent-eval-run-id",
        type=_run_id,
        metavar="ID",
        help="the run's id, for verdict check to ask for (default: made of the time)",
    )


def _run_id(text: str) -> str:
    """An id that a file can be named by; argparse tells what this raises."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}", text):
        message = f"{text!r} is no id: letters, digits, '.', '_' and '-', at most 80"
        raise argparse.ArgumentTypeError(message)
    return text


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker; load the rest where it is asked for."""
    config.addinivalue_line("markers", "agent_cases(…): runs once a case, with --agent-eval (use @agent_cases)")
    if config.getoption("agent_eval_base", None) and not config.getoption("agent_eval", False):
        message = "--agent-eval-base judges a run of agents: add --agent-eval"
        raise pytest.UsageError(message)
    if config.getoption("agent_eval", False):
        from pytest_agenteval.plugin import begin

        begin.start(config)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Show the cases to whoever asks for items without running them."""
    if _CASES in sys.modules and not metafunc.config.getoption("agent_eval", False):
        from pytest_agenteval.plugin import idle

        idle.generate(metafunc)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> Generator[None]:
    """Skip each agent test, with the command as the reason."""
    yield
    if _CASES in sys.modules and not config.getoption("agent_eval", False):
        from pytest_agenteval.plugin import idle

        idle.skip(config, items)
