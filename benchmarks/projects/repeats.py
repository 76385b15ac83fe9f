"""W3: the agent is asked again and again."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest

from benchmarks.projects.cases import METRICS, cases
from benchmarks.work import WORKS
from pytest_agenteval import Case, Trial, agent_cases

WORK = WORKS["W3"]


@pytest.fixture(scope="session")
def agent() -> Callable[[str], Awaitable[str]]:
    """The agent."""
    return WORK.ask


@agent_cases(cases(WORK), metrics=METRICS, repeats=WORK.repeats)
def test_agent(trial: Trial, case: Case) -> None:
    """Each answer is right."""
    assert trial.output == case.expect["output"]
