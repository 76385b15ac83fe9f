"""The projects that the tests of the plug-in run pytest in."""

from __future__ import annotations

import pytest

from tests.plugin.sessions import CONFTEST, PYPROJECT, Project


@pytest.fixture
def project(pytester: pytest.Pytester) -> Project:
    """A project with an agent and no case, for plain sessions."""
    return _with_agent(Project(pytester=pytester))


@pytest.fixture(params=[0, 2], ids=["plain", "two-workers"])
def both(request: pytest.FixtureRequest, pytester: pytest.Pytester) -> Project:
    """The same project, whose sessions are plain in one test and have two workers in the other."""
    return _with_agent(Project(pytester=pytester, workers=request.param))


def _with_agent(project: Project) -> Project:
    project.put("pyproject.toml", PYPROJECT)
    project.agent(CONFTEST)
    return project
