"""W4: an agent behind HTTP, asked with the openai client."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest

from benchmarks.programs.chat import chat_agent
from benchmarks.projects.cases import METRICS, cases
from benchmarks.work import WORKS
from pytest_agenteval import Case, Trial, agent_cases


@pytest.fixture(scope="session")
def agent() -> Callable[[str], Awaitable[str]]:
    """One client for all calls."""
    return chat_agent()


@agent_cases(cases(WORKS["W4"]), metrics=METRICS)
def test_agent(trial: Trial, case: Case) -> None:
    """Each answer is right."""
    assert trial.output == case.expect["output"]
