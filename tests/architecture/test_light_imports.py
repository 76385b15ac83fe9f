"""An installed but unused plugin costs nothing: what is loaded is asked of a fresh process."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.quiet import QUIET

if TYPE_CHECKING:
    from pathlib import Path

HEAVY = {"numpy", "pandas", "scipy", "jinja2", "hypothesis"}

# Compared with what was there before: an editable install or coverage may load modules when Python starts.
NEW_MODULES = """
import json, sys
before = set(sys.modules)
import pytest_agenteval
print(json.dumps(sorted(set(sys.modules) - before)))
"""

# Asked at the very end, when all that a session loads has been loaded.
UNRELATED_CONFTEST = """
import json, pathlib, sys

def pytest_unconfigure(config):
    plugged = config.pluginmanager.has_plugin("pytest_agenteval")
    pathlib.Path("loaded.json").write_text(json.dumps([plugged, sorted(sys.modules)]))
"""

# Two metrics, a 0 or 1 and a share, worse on as many cases as the agent is told.
JUDGED_SUITE = """
import os
import pytest
from pytest_agenteval import Case, agent_cases

@pytest.fixture(scope="session")
def agent():
    return lambda text: "out of order" if int(text) < int(os.environ["WORSE"]) else "in good order"

@agent_cases(
    [Case(id=f"c{n}", input=str(n), expect={"output": "in good order", "contains": "good"}) for n in range(40)],
    metrics=["contains", "token_f1"],
)
def test_order(trial):
    pass
"""
JUDGED = """
import json, os, sys
import pytest
from pytest_agenteval.cli import main

tests = set()
for worse, attempts in (("0", "2"), ("10", "1"), ("30", "1")):
    os.environ["WORSE"] = worse
    pytest.main(["-q", *sys.argv[1:], "--agent-eval", "--agent-eval-repeats", attempts])
    with open(".agenteval/verdict.json") as verdict:
        tests |= {one.get("comparison", {}).get("test") for one in json.load(verdict)["verdicts"]}
    if worse == "0":
        gating = ["--metric", "contains", "--metric", "token_f1"]
        main(["baseline", "approve", "orders", *gating, "--reason", "good", "--by", "Dana"])
with open("loaded.json", "w") as loaded:
    json.dump([sorted(map(str, tests)), sorted(sys.modules)], loaded)
"""


@pytest.fixture(scope="module")
def modules_of_a_session(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """All modules loaded after `pytest`, without a flag, has run a project that knows nothing of agents."""
    project: Path = tmp_path_factory.mktemp("unrelated")
    (project / "conftest.py").write_text(UNRELATED_CONFTEST)
    (project / "test_sum.py").write_text("def test_sum():\n    assert 1 + 1 == 2\n")
    # Hypothesis's own plugin loads all of Hypothesis at the end of every run, and is not ours to judge.
    command = [sys.executable, "-m", "pytest", "-q", *QUIET]
    subprocess.run(command, cwd=project, check=True, capture_output=True)
    plugged, modules = json.loads((project / "loaded.json").read_text())
    assert plugged, "the plugin is not installed in this environment. Run: make test"
    return set(modules)


def test_importing_the_package_loads_the_standard_library_at_most() -> None:
    answer = subprocess.run([sys.executable, "-c", NEW_MODULES], check=True, capture_output=True, text=True)
    tops = {name.partition(".")[0] for name in json.loads(answer.stdout)}
    assert "pytest_agenteval" in tops
    assert tops - sys.stdlib_module_names == {"pytest_agenteval"}


def test_a_session_without_agent_cases_loads_nothing_heavy(modules_of_a_session: set[str]) -> None:
    assert not HEAVY & modules_of_a_session


def test_a_session_without_agent_cases_enters_no_room_but_the_plugin(modules_of_a_session: set[str]) -> None:
    ours = [name.split(".") for name in modules_of_a_session if name.startswith("pytest_agenteval.")]
    rooms = {parts[1] for parts in ours}
    assert "plugin" in rooms
    assert rooms <= {"plugin", "errors"}


def test_the_weeks_of_a_history_are_told_without_anything_heavy(tmp_path: Path) -> None:
    asked = "from pytest_agenteval.cli import main; main(['--root', sys.argv[1], 'history', 'weeks'])"
    source = f"import json, sys\n{asked}\nprint(json.dumps(sorted(sys.modules)))"
    answer = subprocess.run([sys.executable, "-c", source, tmp_path], check=True, capture_output=True, text=True)
    assert not {*HEAVY, "pluggy"} & set(json.loads(answer.stdout))


def test_repeats_and_baselines_are_judged_without_numpy_and_scipy(tmp_path: Path) -> None:
    (tmp_path / "test_orders.py").write_text(JUDGED_SUITE)
    subprocess.run([sys.executable, "-c", JUDGED, *QUIET], cwd=tmp_path, check=True, capture_output=True)
    tests, modules = json.loads((tmp_path / "loaded.json").read_text())
    assert tests == ["McNemar mid-p", "None", "paired t", "sign flips"], "nothing is proven of a test that was not made"
    assert not HEAVY & set(modules)
