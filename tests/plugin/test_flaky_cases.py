"""What a session tells of repeats: where the variance lies, which cases are flaky, whose the quarantined ones are."""

from __future__ import annotations

from datetime import UTC, datetime

from pytest_agenteval.cli import main
from pytest_agenteval.model.quarantine import day_of, days_after
from tests.plugin.sessions import Project

SOMETIMES = """
import pytest

def shop(text, attempt):
    return "within 30 days" if attempt in RIGHT.get(text, range(9)) else "never"

RIGHT = {"late": (1, 4), "lost": (1, 2, 3, 5), "gone": ()}

@pytest.fixture(scope="session")
def agent():
    return shop
"""
QUESTIONS = ("fine", "late", "lost", "gone")


def lines_of(text: str, word: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.strip().startswith(word)]


def flaky_project(project: Project) -> Project:
    project.agent(SOMETIMES)
    project.gate("success = { floor = 0.2, margin = 0.5 }")
    project.cases(*QUESTIONS, repeats=5)
    return project


def test_variance_and_flaky_cases_are_told_the_same_with_and_without_workers(both: Project) -> None:
    text = flaky_project(both).run().text
    # By hand: means 1, .4, .8, 0. Within 2.0/16 = .125; between (2.95/3 - .125)/5 = .1717; .1717/.2967 = 58 %.
    # c1 is right in 2 of 5, c2 in 4 of 5: (2·2·3/20 + 2·4·1/20) / 4 = 25 %.
    assert lines_of(text, "success: ") == [
        "success: 58 % of the variance is between cases; two runs disagree on 25 % of the cases"
    ]
    assert lines_of(text, "flaky: ") == ["flaky: c1 (2 of 5), c2 (4 of 5)"]
    assert lines_of(text, "error_rate: ") == []  # that the agent always answers is nothing to tell


def test_one_attempt_tells_nothing_of_repeats(project: Project) -> None:
    text = flaky_project(project).run("--agent-eval-repeats=1").text
    assert lines_of(text, "flaky: ") == []
    assert "looked stable" not in text
    assert "of the variance" not in text


def test_a_quarantined_case_is_told_with_owner_and_last_day_and_its_asserts_go_on_counting(project: Project) -> None:
    flaky_project(project)
    project.gate("success = { floor = 1.0, margin = 0.5 }")
    project.agent(SOMETIMES.replace('"lost": (1, 2, 3, 5), "gone": ()', ""))
    project.cases(*QUESTIONS, repeats=5, body="assert case.id != 'c1' or trial.output != 'never'")
    assert project.run().verdicts["refunds/success"] == "below_floor"
    until = days_after(day_of(datetime.now(UTC)), 30)
    words = ["quarantine", "add", "refunds", "c1", "--owner", "Kim", "--until", until, "--reason", "rebuilt"]
    assert main(["--root", str(project.root), *words]) == 0
    session = project.run()
    assert session.verdicts["refunds/success"] == "no_baseline"
    assert lines_of(session.text, "1 case quarantined") == [
        f"1 case quarantined, out of what gates: c1 (Kim, until {until})"
    ]
    assert lines_of(session.text, "flaky: ") == ["flaky: c1 (2 of 5, quarantined)"]
    assert [line.split()[:3] for line in lines_of(session.text, "success ")] == [["success", "3", "1.0000"]]
    assert 1 in session.causes  # the body of c1 failed in three attempts
    assert "ERROR: tests failed" not in session.text  # pytest itself has told
    session.result.assert_outcomes(passed=18, failed=4)
