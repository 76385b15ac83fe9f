"""The models that lose ground, as recorded on the date that the variable BFCL_DATE names."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pytest_agenteval import connect

if TYPE_CHECKING:
    from pytest_agenteval.contracts import Agent

RECORDINGS = Path(__file__).parent / "recordings"
DATE = os.environ.get("BFCL_DATE", "2024-07-22")
MODELS = ["mistral-tiny-2312", "gemini-1.5-pro-preview-0514", "claude-3-opus-20240229-FC"]


@pytest.fixture(scope="session", params=MODELS)
def agent(request: pytest.FixtureRequest) -> Agent:
    """A model on the chosen date: a suite of its own, with baselines of its own."""
    return connect(RECORDINGS / DATE / f"{request.param}.jsonl.gz")
