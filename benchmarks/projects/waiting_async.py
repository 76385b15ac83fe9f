"""W2: the agent waits on the event loop."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest

from benchmarks.projects.cases import METRICS, cases
from benchmarks.work import WORKS
from pytest_agenteval import Case, Trial, agent_cases

WORK = WORKS["W2"]


@pytest.fixture(scope="session")
def agent() -> Callable[[str], Awaitable[str]]:
    """The agent."""
    return WORK.ask


@agent_cases(cases(WORK), metrics=METRICS)
def test_agent(trial: Trial, case: Case) -> None:
    """Each answer is right."""
    assert trial.output == case.expect["output"]
