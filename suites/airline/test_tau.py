"""τ-bench: a customer-service agent, four attempts at each of 25 tasks."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pytest_agenteval import agent_cases, connect, load_cases
from pytest_agenteval.metrics import pass_hat_k

if TYPE_CHECKING:
    from pytest_agenteval import Trial
    from pytest_agenteval.contracts import Agent

ATTEMPTS = 4


@pytest.fixture(scope="session")
def agent() -> Agent:
    """The recorded agent."""
    return connect(Path(__file__).parent / "recordings" / "gpt-4o.jsonl.gz")


@agent_cases(
    load_cases("tau.jsonl"),
    metrics=[
        "success",
        "tool_calls",
        "tool_calls_subsequence",
        *(pass_hat_k(k) for k in range(1, ATTEMPTS + 1)),
    ],
    repeats=ATTEMPTS,
)
def test_customer_request(trial: Trial) -> None:
    assert trial.attempt <= ATTEMPTS
    assert all(step.name for step in trial.calls)
