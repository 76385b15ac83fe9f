"""τ²-bench: a model and its fine-tuned version on 40 tasks of a telephone company."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_agenteval import agent_cases, load_cases
from suites.airline.tau2 import METRICS, recorded

if TYPE_CHECKING:
    from pytest_agenteval import Trial
    from pytest_agenteval.contracts import Agent


@pytest.fixture(scope="session", params=["telecom-gpt-4.1", "telecom-gpt-4.1-sft"])
def agent(request: pytest.FixtureRequest) -> Agent:
    """A recorded run: a suite of its own, with baselines of its own."""
    return recorded(request.param)


@agent_cases(load_cases("tau2_telecom.jsonl"), metrics=METRICS)
def test_telecom_request(trial: Trial) -> None:
    assert trial.trajectory.seconds is not None, "each run of this corpus was timed"
