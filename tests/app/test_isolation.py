"""Which agents have processes of their own."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_agenteval.agents import adapt
from pytest_agenteval.agents.isolated import IsolatedAgent
from pytest_agenteval.app.isolation import kept_apart
from pytest_agenteval.app.settings import parse_settings


@pytest.mark.parametrize(
    ("suite", "is_apart"), [("refunds", True), ("refunds[gpt]", True), ("support", False), ("other", False)]
)
def test_a_suites_isolation_goes_before_that_of_the_project(suite: str, is_apart: bool) -> None:
    tables = {"refunds": {"isolation": "process"}, "support": {"isolation": "none"}}
    agent = adapt(str.upper)
    found = kept_apart(agent, suite, parse_settings({"suites": tables}, root=Path()))
    assert isinstance(found, IsolatedAgent) == is_apart
    if isinstance(found, IsolatedAgent):
        found.close()
    else:
        assert found is agent


def test_the_projects_isolation_is_that_of_all_suites_that_say_nothing() -> None:
    settings = parse_settings({"isolation": "process", "suites": {"support": {"isolation": "none"}}}, root=Path())
    assert [settings.isolation_of(suite) for suite in ("refunds", "support")] == ["process", "none"]
