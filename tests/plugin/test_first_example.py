"""The example that the design shows a user, word for word, from the first run to a regression."""

from __future__ import annotations

import json

import pytest

from tests.plugin.sessions import Project
from tests.quiet import QUIET

CONFTEST = """
import pytest

{agent}

@pytest.fixture(scope="session")
def agent():
    return support_agent            # any callable, sync or async; or connect("http://…"), connect("cmd: …"), a replay
"""

GOOD = """
from pytest_agenteval import Trajectory

def support_agent(text):
    return Trajectory(output="Yes, within 30 days.", steps=[])
"""

BAD = GOOD.replace("Yes, within 30 days.", "No.")

TEST_FILE = """
from pytest_agenteval import Case, agent_cases, load_cases, metric

@metric(better="higher", unit="fraction")
def states_the_window(trial):
    return "30 days" in trial.output

@agent_cases(
    load_cases("refunds.jsonl"),
    Case(id="no-order-number", input="I want my money back", expect={"calls": []}, failure_mode="FM-012"),
    metrics=["success", "tool_calls", states_the_window], repeats=5,
)
def test_refund(trial, case):
    assert not trial.called("delete_customer")        # hard: must never happen
"""

SETTINGS = """
[tool.pytest-agenteval]
owner = "Dana Reyes <dana@example.org>"
[tool.pytest-agenteval.suites.refunds.gate]
success  = { floor = 0.80, margin = 0.03 }
cost_usd = { ceiling = 0.02 }

[tool.pytest.ini_options]
"""


def example(project: Project) -> Project:
    project.put("pyproject.toml", SETTINGS.replace("cost_usd = { ceiling = 0.02 }", ""))
    project.agent(CONFTEST.format(agent=GOOD))
    project.put("suites/refunds/test_refunds.py", TEST_FILE)
    rows = [
        {"id": f"window-{n}", "input": f"Can I return order {n}?", "expect": {"contains": ["30 days"]}}
        for n in range(60)
    ]
    project.put("suites/refunds/cases/refunds.jsonl", "".join(f"{json.dumps(row)}\n" for row in rows))
    return project


def test_from_no_baseline_over_an_approved_one_to_a_regression(both: Project) -> None:
    first = example(both).run()
    assert (first.code, first.verdicts["refunds/success"]) == (10, "no_baseline")
    first.result.assert_outcomes(passed=61 * 5 + 1, failed=1)

    assert both.approve() == 0
    assert both.run().code == 0

    both.agent(CONFTEST.format(agent=BAD))
    worse = both.run()
    assert worse.code == 10
    assert worse.verdicts["refunds/success"] in {"below_floor", "regressed"}
    worse.result.stdout.fnmatch_lines(["*refunds/success: below_floor: *", "*gate: *exit code 10*"])


def test_a_cost_that_no_agent_tells_is_inconclusive_and_never_zero(project: Project) -> None:
    example(project).put("pyproject.toml", SETTINGS)
    session = project.run()
    assert session.verdicts["refunds/cost_usd"].startswith(("no_baseline", "inconclusive"))
    assert session.estimate("cost_usd")["value"] is None


MAIL = """
    import pytest
    from pytest_agenteval import Case, agent_cases

    @pytest.fixture(scope="session")
    def agent():
        return str.upper

    @agent_cases(Case(id="a", input="x", expect={"output": "X"}), metrics=["success"])
    def test_mail(trial, case):
        assert case.suite == "mail"
"""


def test_a_project_in_a_folder_of_a_larger_repository_keeps_its_own_things(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.put("pyproject.toml", "[tool.pytest.ini_options]\n")  # of the whole repository: no table of ours
    project.put("service/suites/mail/test_mail.py", MAIL)
    service = project.root / "service"
    monkeypatch.chdir(service)
    project.pytester.runpytest_inprocess(*QUIET, "--agent-eval", "-p", "no:cacheprovider").assert_outcomes(
        passed=2, failed=1
    )
    assert (service / ".agenteval" / "verdict.json").is_file()
    assert not (project.root / ".agenteval").exists()
