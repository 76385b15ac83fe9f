"""Function-calling models on 1700 questions, as a leaderboard published them on four dates."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_agenteval import agent_cases, load_cases

if TYPE_CHECKING:
    from pytest_agenteval import Trial


@agent_cases(load_cases("cases.jsonl"), metrics=["success"])
def test_function_call(trial: Trial) -> None:
    assert str(trial.output).startswith("sha256:"), "recordings of this suite hold digests, not answers"
