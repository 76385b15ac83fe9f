"""A budget stops a run honestly: what is done is kept and judged, and nothing that was cut short is green."""

from __future__ import annotations

import re

import pytest

from pytest_agenteval.cli import main
from tests.plugin.sessions import Project, Session

COUNTING = """
import pytest
from pytest_agenteval import Step, Trajectory

@pytest.fixture(scope="session")
def agent():
    def agent(text):
        with open("calls.txt", "a") as file:
            file.write("x")
        if "down" in text:
            raise ConnectionError("no route")
        step = Step(kind="model", tokens_in=30, tokens_out=10, cost_usd=0.25)
        answer = "never" if "wrong" in text else "within 30 days"
        return TRAJECTORY
    return agent
"""

TELLING = COUNTING.replace("TRAJECTORY", "Trajectory(output=answer, steps=(step,))")
SILENT = COUNTING.replace("TRAJECTORY", "answer")
TWELVE = [f"order {n}" for n in range(12)]


@pytest.fixture
def counted(project: Project) -> Project:
    """Twelve cases that pass their gate, and an agent that tells what it takes."""
    project.gate("success = { floor = 0.1 }")
    project.agent(TELLING)
    project.cases(*TWELVE)
    return project


def n_calls(project: Project) -> int:
    file = project.root / "calls.txt"
    return len(file.read_text()) if file.exists() else 0


def told(session: Session) -> list[str]:
    """The causes of exit code 11 that are no verdict's."""
    return [cause["text"] for cause in session.verdict["causes"] if "budget" in cause["text"]]


def n_not_called(session: Session) -> int:
    [number] = re.findall(r"(\d+) not called", session.result.outlines[-1])
    return int(number)


def test_five_calls_are_made_seven_items_are_not_called_and_the_run_is_inconclusive(counted: Project) -> None:
    session = counted.run("--agent-eval-budget", "5-calls", "-rs")
    assert (n_calls(counted), len(session.trials), n_not_called(session)) == (5, 5, 7)
    assert {trial["case"]["id"] for trial in session.trials} == {"c0", "c1", "c2", "c3", "c4"}
    assert session.verdicts["refunds/success"].startswith("inconclusive")
    assert session.code == session.verdict["exit_code"] == 11
    assert told(session) == ["the budget of 5 calls is spent; 7 trials not made. Allow more by --agent-eval-budget"]
    assert (
        "\nthe budget of 5 calls is spent; 7 trials not made. Allow more by --agent-eval-budget\ngate: " in session.text
    )
    assert session.text.count("  → Allow more by --agent-eval-budget\n") == len(session.verdicts)
    assert "Run the whole suite" not in session.text
    assert main(["--root", str(counted.root), "verdict", "check"]) == 11


def test_a_budget_that_is_just_enough_cuts_nothing_short(counted: Project) -> None:
    session = counted.run("--agent-eval-budget", "12-calls", "-q")
    assert (n_calls(counted), told(session)) == (12, [])
    assert 11 not in session.causes


def test_what_was_cut_short_is_not_green_where_a_part_is_meant_either(counted: Project) -> None:
    assert counted.run("--agent-eval-budget", "5-calls", "--agent-eval-partial").code == 11


def test_items_that_were_not_called_are_run_by_last_failed(counted: Project) -> None:
    counted.run("--agent-eval-budget", "5-calls")
    session = counted.run("--lf", "--agent-eval-partial")
    assert {trial["case"]["id"] for trial in session.trials} == {f"c{n}" for n in range(5, 12)}


def test_two_workers_share_the_budget(counted: Project) -> None:
    session = counted.run("--agent-eval-budget", "6-calls", workers=2)
    assert (n_calls(counted), len(session.trials), n_not_called(session)) == (6, 6, 6)
    why = "the budget of 6 calls (3 for each of 2 workers) is spent"
    assert (session.code, told(session)) == (11, [f"{why}; 6 trials not made. Allow more by --agent-eval-budget"])


@pytest.mark.parametrize(
    ("budget", "why"),
    [
        ("100-tokens", "the budget of 100 tokens is spent: 120"),
        ("0.5usd", "the budget of 0.5 usd is spent: 0.5000"),
        ("0.0001min", "the budget of 0.0001 min is spent"),
    ],
)
def test_tokens_money_and_minutes_are_held_to(counted: Project, budget: str, why: str) -> None:
    session = counted.run("--agent-eval-budget", budget, "--agent-eval-concurrency", "1")
    made = {"100-tokens": 3, "0.5usd": 2}.get(budget, n_calls(counted))
    assert n_calls(counted) == made < 12
    assert (session.code, told(session)) == (
        11,
        [f"{why}; {12 - made} trials not made. Allow more by --agent-eval-budget"],
    )


def test_an_agent_that_does_not_tell_its_tokens_is_stopped_after_its_first_answer(counted: Project) -> None:
    counted.agent(SILENT)
    session = counted.run("--agent-eval-budget", "1M-tokens", "--agent-eval-concurrency", "1")
    assert n_calls(counted) == 1
    assert session.code == 11
    assert "the agent does not tell its tokens (steps of its Trajectory); 11 trials not made" in told(session)[0]


def test_retries_are_calls(counted: Project) -> None:
    counted.setting("retries = 1")
    counted.cases("down 0", *TWELVE)
    session = counted.run("--agent-eval-budget", "5-calls", "--agent-eval-concurrency", "1")
    assert (n_calls(counted), len(session.trials)) == (5, 4)


def test_a_regression_that_was_seen_before_the_end_does_not_turn_green(counted: Project) -> None:
    counted.gate("success = { floor = 0.9, margin = 0.05 }")
    counted.cases(*[f"order {n}" for n in range(40)])
    counted.run()
    assert counted.approve() == 0
    counted.cases(*[f"wrong {n}" for n in range(40)])
    session = counted.run("--agent-eval-budget", "30-calls", "-q")
    assert session.code in (10, 11)
    assert session.verdicts["refunds/success"] != "pass"


def test_no_budget_and_one_that_is_none_are_refused_before_any_call(counted: Project) -> None:
    session = counted.run("--agent-eval-budget", "5 apples")
    assert (session.code, n_calls(counted)) == (4, 0)
    assert "write it like 5usd, 200k-tokens, 30min or 500-calls" in session.text


@pytest.mark.parametrize("workers", [0, 2])
def test_a_second_look_spends_what_the_first_has_left_and_no_more(counted: Project, workers: int) -> None:
    counted.gate("success = { margin = 0.05 }")
    counted.cases(*[f"order {n}" for n in range(40)], repeats=2)
    counted.run()
    assert counted.approve() == 0
    counted.agent(TELLING.replace('"wrong" in text', "int(text.split()[1]) > 19"))
    (counted.root / "calls.txt").unlink()
    session = counted.run("--agent-eval-budget", "100-calls", workers=workers)
    assert "second look" in session.text
    assert n_calls(counted) == 100
    assert session.code in (10, 11)
    assert len(told(session)) == 1
