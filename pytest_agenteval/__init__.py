"""Evaluate AI agents with pytest, compare with baselines kept in git, and gate the merge.

This module imports nothing until a name is used: an installed but unused plugin must cost nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pytest_agenteval.agents import connect as connect
    from pytest_agenteval.app.bulk import score_many as score_many
    from pytest_agenteval.app.frames import load_history as load_history
    from pytest_agenteval.hookspecs import hookimpl as hookimpl
    from pytest_agenteval.metrics import metric as metric
    from pytest_agenteval.model.case import Case as Case
    from pytest_agenteval.model.score import Score as Score
    from pytest_agenteval.model.trajectory import AgentIdentity as AgentIdentity
    from pytest_agenteval.model.trajectory import Step as Step
    from pytest_agenteval.model.trajectory import Trajectory as Trajectory
    from pytest_agenteval.model.trial import Trial as Trial
    from pytest_agenteval.plugin.cases import agent_cases as agent_cases
    from pytest_agenteval.plugin.cases import load_cases as load_cases

_ROOMS = {
    "AgentIdentity": "model.trajectory",
    "Case": "model.case",
    "Score": "model.score",
    "Step": "model.trajectory",
    "Trajectory": "model.trajectory",
    "Trial": "model.trial",
    "agent_cases": "plugin.cases",
    "connect": "agents",
    "hookimpl": "hookspecs",
    "load_cases": "plugin.cases",
    "load_history": "app.frames",
    "metric": "metrics",
    "score_many": "app.bulk",
}

__all__ = sorted(_ROOMS)  # the table is the one list of public names


def __getattr__(name: str) -> object:
    if name not in _ROOMS:
        message = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(message)
    from importlib import import_module

    value = getattr(import_module(f"{__name__}.{_ROOMS[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return [*globals(), *_ROOMS]
