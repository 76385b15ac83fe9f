"""The projects that the tests of the plug-in run pytest in.

A test runs with two workers as well (``both``) where a worker does or tells what it checks: its items' outcomes, its
calls, a refusal while it collects, its end. What the gate makes of the trials is the same code on the same trials
(test_distribution.py), and so is run in one process; two workers cost twenty times as much.
"""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.plugin.sessions import CONFTEST, PYPROJECT, Project
from tests.quiet import QUIET


@pytest.fixture
def project(pytester: pytest.Pytester) -> Project:
    """A project with an agent and no case, for plain sessions."""
    return _with_agent(Project(pytester=pytester))


@pytest.fixture(params=[0, 2], ids=["plain", "two-workers"])
def both(request: pytest.FixtureRequest, pytester: pytest.Pytester) -> Project:
    """The same project, whose sessions are plain in one test and have two workers in the other."""
    return _with_agent(Project(pytester=pytester, workers=request.param))


@pytest.fixture(scope="session")
def _compiled(tmp_path_factory: pytest.TempPathFactory) -> None:
    """One session that leaves the bytecode of what every session loads."""
    root = tmp_path_factory.mktemp("compiled")
    (root / "conftest.py").write_text(CONFTEST, "utf-8")
    (root / "suites" / "a").mkdir(parents=True)
    (root / "suites" / "a" / "test_a.py").write_text(
        "from pytest_agenteval import *\n@agent_cases(Case(id='a', input='x'))\ndef test_a(trial): pass\n", "utf-8"
    )
    words = ["--agent-eval", "--rootdir", str(root), "-n1", *QUIET]
    subprocess.run([sys.executable, "-m", "pytest", *words], cwd=root, check=False, stdout=subprocess.DEVNULL)


@pytest.fixture(autouse=True)
def _bytecode_is_read_and_not_written(_compiled: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """A project's files change within the second that bytecode is told apart by."""
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    monkeypatch.setattr(sys, "dont_write_bytecode", True)


def _with_agent(project: Project) -> Project:
    project.put("pyproject.toml", PYPROJECT)
    project.agent(CONFTEST)
    return project
