"""Whether the agent of a suite has processes of its own, as the settings say."""

from __future__ import annotations

from pytest_agenteval.app.settings import Settings
from pytest_agenteval.contracts import Agent


def kept_apart(agent: Agent, suite: str, settings: Settings) -> Agent:
    """The agent, in processes of its own where the suite's isolation is ``process``. Call it on the main thread."""
    if settings.isolation_of(suite) == "none":
        return agent
    from pytest_agenteval.agents.isolated import Limits, isolated

    return isolated(
        agent, Limits(seconds=settings.agent_timeout, memory=settings.memory_limit, file=settings.file_limit)
    )
