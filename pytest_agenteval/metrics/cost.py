"""Metrics of what a trial cost: time, tokens, money; an agent that erred has cost too."""

from __future__ import annotations

import math

from pytest_agenteval.errors import MetricError
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


@metric(better="lower", unit="log seconds", range=None, needs={"seconds"}, on_agent_error="ask", deterministic=False)
def log_latency_seconds(trial: Trial) -> float | Score | None:
    """Natural logarithm of the seconds; lower is better. A difference of means is the log of a ratio of times.

    A margin of 0.10 tolerates calls that take a tenth longer. Compared case by case, unlike the quantiles.
    """
    seconds = trial.trajectory.seconds
    if seconds == 0:
        return Score(metric="log_latency_seconds", value=None, reason="0 seconds have no logarithm")
    return None if seconds is None else math.log(seconds)


def slower_than(seconds: float) -> FunctionMetric:
    """A metric of the share of calls slower than a fixed limit; lower is better.

    A proportion, so it is compared and held to a ceiling like any pass rate. An agent that erred or ran out of
    time counts as slower. Raises MetricError for a limit that is not above 0.

    >>> slower_than(2.5).spec.name
    'slower_than_2_5_seconds'
    """
    if not (math.isfinite(seconds) and seconds > 0):
        message = f"slower_than({seconds!r}): the limit is a number of seconds above 0"
        raise MetricError(message)
    name = f"slower_than_{seconds:g}_seconds".replace(".", "_").replace("-", "_").replace("+", "")

    @metric(better="lower", unit="fraction", kind="binary", needs={"seconds"}, name=name, deterministic=False)
    def slower(trial: Trial) -> bool | None:
        """Whether the call was slower than the limit; lower is better."""
        return None if trial.trajectory.seconds is None else trial.trajectory.seconds > seconds

    return slower


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
