"""Metrics of what a trial cost: time, tokens, money; an agent that erred has cost too."""

from __future__ import annotations

from pytest_agenteval.metrics.declare import FunctionMetric, metric
from pytest_agenteval.model.score import Score
from pytest_agenteval.model.trial import Trial


@metric(better="lower", unit="seconds", range=None, aggregate="p50", needs={"seconds"}, on_agent_error="ask")
def latency_seconds(trial: Trial) -> float | None:
    """How long the agent took, median over the trials; lower is better."""
    return trial.trajectory.seconds


@metric(better="lower", unit="seconds", range=None, aggregate="p95", needs={"seconds"}, on_agent_error="ask")
def latency_p95_seconds(trial: Trial) -> float | None:
    """How long the agent took, 95th percentile over the trials; lower is better."""
    return trial.trajectory.seconds


@metric(better="lower", unit="tokens", range=None, needs={"tokens"}, on_agent_error="ask")
def tokens(trial: Trial) -> int | None:
    """Tokens in and out over all steps; lower is better."""
    return trial.trajectory.tokens


def cost_usd(*, zero_is_free: bool = False) -> FunctionMetric:
    """A metric of the total cost over all steps in US dollars; lower is better.

    A cost of exactly 0 although tokens were used is *not evaluated*, since providers and tools store 0 where
    they do not know the price. zero_is_free: it is really free (a model on one's own machine).
    """

    @metric(better="lower", unit="USD", range=None, needs={"cost_usd"}, on_agent_error="ask")
    def cost_usd(trial: Trial) -> float | Score | None:
        """Total cost over all steps in US dollars; lower is better."""
        cost, used = trial.trajectory.cost_usd, trial.trajectory.tokens
        if cost == 0 and used and not zero_is_free:
            reason = f"0 is stored although {used} tokens were used: the price is unknown"
            return Score(metric="cost_usd", value=None, reason=reason)
        return cost

    return cost_usd
