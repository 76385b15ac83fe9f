"""The agent that the suite calls, unless ``--agent-eval-agent`` names another."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from suites.support.agent import triage

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_agenteval import Trajectory


@pytest.fixture(scope="session")
def agent() -> Callable[[str], Trajectory]:
    """The support desk's agent, version 1."""
    return triage
