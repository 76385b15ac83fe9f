"""Metrics of the agent's own confidence: does it say .9 of what succeeds nine times in ten?"""

from __future__ import annotations

from pytest_agenteval.metrics.declare import metric
from pytest_agenteval.metrics.outcome import success
from pytest_agenteval.metrics.scoring import score_trial
from pytest_agenteval.model.score import Score
from pytest_agenteval.model.trial import Trial


@metric(better="lower", unit="squared difference", needs={"confidence"}, on_agent_error="missing")
def brier(trial: Trial) -> Score:
    """Squared difference of the stated confidence and ``success``; lower is better.

    0 is perfect; always saying .5 gives .25. Source: Brier (1950).
    """
    return _against_success("brier", trial, power=2)


@metric(better="lower", unit="fraction", aggregate="ece", needs={"confidence"}, on_agent_error="missing")
def ece(trial: Trial) -> Score:
    """Expected calibration error, a figure of all trials together; lower is better.

    A trial's own value is the difference of its confidence and its ``success``; its evidence holds both.
    """
    return _against_success("ece", trial, power=1)


def _against_success(name: str, trial: Trial, *, power: int) -> Score:
    confidence, succeeded = trial.trajectory.confidence, score_trial(success, trial)
    if confidence is None or succeeded.value is None:
        return Score(metric=name, value=None, reason=f"success is not evaluated: {succeeded.reason}")
    correct = int(succeeded.value)
    return Score(
        metric=name,
        value=abs(confidence - correct) ** power,
        evidence={"confidence": confidence, "correct": correct},
    )
