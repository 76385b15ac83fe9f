"""W4: an agent behind HTTP, asked by what ``connect`` gives."""

from __future__ import annotations

import os

import pytest

from benchmarks.projects.cases import METRICS, cases
from benchmarks.work import WORKS
from pytest_agenteval import Case, Trial, agent_cases, connect


@pytest.fixture(scope="session")
def agent() -> object:
    """The service."""
    return connect(os.environ["BENCHMARK_URL"])


@agent_cases(cases(WORKS["W4"]), metrics=METRICS)
def test_agent(trial: Trial, case: Case) -> None:
    """Each answer is right."""
    assert trial.output == case.expect["output"]
