"""``--agent-eval-cache``: an answer of an earlier run stands for a call, and is told to be one."""

from __future__ import annotations

import json
import sys

import pytest

from pytest_agenteval.cli import main
from tests.plugin.sessions import Project, Session

AGENT = """
from pathlib import Path
import pytest
from pytest_agenteval import AgentIdentity, Step, Trajectory

PROMPT = "within 30 days"

def shop(text, attempt):
    with Path(__file__).with_name("calls.txt").open("a") as calls:
        calls.write(f"{text} {attempt}\\n")
    if "crash" in text:
        raise ValueError("boom")
    said = f"{PROMPT}, attempt {attempt}" + (" sk-ant-api03-" + "a1B2" * 24 if "secret" in text else "")
    step = Step(kind="model", seconds=0.5, tokens_in=90, tokens_out=10, cost_usd=0.01)
    return Trajectory(output=said, steps=[step], agent=AgentIdentity(name="shop"))

@pytest.fixture(scope="session")
def agent():
    return shop
"""


@pytest.fixture
def shop(both: Project) -> Project:
    both.agent(AGENT)
    both.gate("success = { floor = 0.1 }")
    both.cases("a", "b", "b", "crash", "secret", metrics="['success', 'tokens', 'log_latency_seconds']", repeats=2)
    return both


def cached(project: Project, *arguments: str) -> tuple[Session, list[str]]:
    """A run with the cache, and the calls that it made."""
    calls = project.root / "calls.txt"
    calls.write_text("", "utf-8")
    session = project.run("--agent-eval-cache", *arguments)
    return session, sorted(calls.read_text("utf-8").splitlines())


def answers(session: Session) -> dict[tuple[str, int], object]:
    return {(one["case"]["id"], one.get("attempt", 1)): one["trajectory"].get("output") for one in session.trials}


AGAIN = ["crash 1", "crash 2", "secret 1", "secret 2"]
"""An error is no answer, and what had to be redacted is not kept."""


def test_a_second_run_calls_only_for_what_has_no_answer_to_keep(shop: Project) -> None:
    first, called = cached(shop)
    assert len(called) == 10
    assert first.verdict.get("cached", 0) == 0
    second, called = cached(shop, "--agent-eval-budget", "4-calls", "--agent-eval-record")
    assert called == AGAIN
    assert answers(second) == answers(first)
    assert answers(second)["c0", 1] != answers(second)["c0", 2]
    assert {name: score for name, score in second.scores("c0").items() if "latency" not in name} == {
        name: score for name, score in first.scores("c0").items() if "latency" not in name
    }
    _is_told(second)
    _is_kept_in_a_recording(shop)
    third, called = cached(shop, "--agent-eval-mode", "replay")
    assert (called, third.scores("c0")["latency_seconds"]) == ([], None)


def _is_told(session: Session) -> None:
    """In the terminal, in the verdict, in the run's record; and no time of such a trial counts as measured."""
    assert "6 of 10 trials came from the cache" in session.text
    assert session.verdict["cached"] == 6
    assert session.run["run"]["cached"] == {"refunds": 6}
    [trial] = [one for one in session.trials if one["case"]["id"] == "c1" and one.get("attempt", 1) == 2]
    assert trial["trajectory"]["cached"] is True
    assert "seconds" not in trial["trajectory"]
    assert "seconds" not in trial["trajectory"]["steps"][0]
    reasons = {one["metric"]: one.get("reason", "") for one in trial["scores"]}
    assert "from the cache" in reasons["latency_seconds"]
    assert "from the cache" in reasons["log_latency_seconds"]
    assert session.scores("c1", 2)["tokens"] == 100


def _is_kept_in_a_recording(project: Project) -> None:
    lines = (project.root / "suites" / "refunds" / "recordings" / "shop.jsonl").read_text("utf-8").splitlines()
    rows = [json.loads(line) for line in lines[1:]]
    assert sum(row["trajectory"].get("cached", False) for row in rows) == 6


def test_what_makes_the_agent_or_the_question_another_one_is_a_miss_and_the_rest_is_not(project: Project) -> None:
    project.agent(AGENT)
    project.cases("a", "b")
    assert len(cached(project)[1]) == 2
    project.cases("a", "b", body="assert trial.output")
    assert cached(project)[1] == []
    project.cases("a", "another")
    assert cached(project)[1] == ["another 1"]
    project.agent(AGENT.replace("30 days", "40 days"))
    assert len(cached(project)[1]) == 2
    project.agent(AGENT)
    assert cached(project)[1] == []
    for file in (project.root / ".agenteval" / "cache").iterdir():
        file.write_bytes(file.read_bytes()[:-20])
    session, called = cached(project)
    assert len(called) == 1
    assert session.text.count("of the cache could not be read") == 1


def test_an_agent_that_takes_the_case_is_asked_again_when_anything_of_it_changed(project: Project) -> None:
    project.agent(AGENT.replace("def shop(text, attempt):", "def shop(text, attempt, case):"))
    project.test("@agent_cases(Case(id='a', input='x', tags=['one']))\ndef test_a(trial): pass")
    assert len(cached(project)[1]) == 1
    project.test("@agent_cases(Case(id='a', input='x', tags=['two']))\ndef test_a(trial): pass")
    assert len(cached(project)[1]) == 1
    assert cached(project)[1] == []
    assert main(["--root", str(project.root), "report"]) == 0
    [page] = project.root.glob("reports/*.md")
    assert "1 trial came from the cache" in page.read_text("utf-8")


def test_a_command_is_known_by_its_words(project: Project) -> None:
    project.cases("a")
    project.put("bot.py", "print('\"within 30 days\"')")
    for words, n_cached in (("one", 0), ("one", 1), ("two", 0)):
        session, _ = cached(project, "--agent-eval-agent", f"cmd: {sys.executable} bot.py {words}")
        assert session.verdict.get("cached", 0) == n_cached
