"""W2: the agent blocks its thread."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from benchmarks.projects.cases import METRICS, cases
from benchmarks.work import WORKS
from pytest_agenteval import Case, Trial, agent_cases

WORK = WORKS["W2"]


@pytest.fixture(scope="session")
def agent() -> Callable[[str], str]:
    """The agent."""
    return WORK.ask_blocking


@agent_cases(cases(WORK), metrics=METRICS)
def test_agent(trial: Trial, case: Case) -> None:
    """Each answer is right."""
    assert trial.output == case.expect["output"]
