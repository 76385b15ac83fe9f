"""The fixture ``agent`` of who has not defined one: it says how."""

from __future__ import annotations

import pytest


@pytest.fixture(scope="session")
def agent() -> object:
    """Your agent: override this fixture in your conftest.py."""
    pytest.fail(
        "no agent: define the fixture 'agent' in a conftest.py (any callable, or connect(…)), "
        "or name one by --agent-eval-agent",
        pytrace=False,
    )
