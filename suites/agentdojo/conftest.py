"""The agent of the baseline; another recording is chosen by ``--agent-eval-agent``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pytest_agenteval import connect

if TYPE_CHECKING:
    from pytest_agenteval.contracts import Agent

RECORDINGS = Path(__file__).parent / "recordings"


@pytest.fixture(scope="session")
def agent() -> Agent:
    """The agent that the baselines were approved with."""
    return connect(RECORDINGS / "claude-3-5-sonnet-20240620.jsonl.gz")
