"""A run that was cut off goes on: what it has is not called again."""

from __future__ import annotations

import errno
import json
import subprocess
import sys
from pathlib import Path

import pytest

from pytest_agenteval.app import resuming
from pytest_agenteval.store.journal import Journal, read_journals
from tests.crash.faults import Faults
from tests.plugin.sessions import PYPROJECT, Project, Session

# pytester would hand a plain KeyboardInterrupt on to the tests themselves.
CTRL_C = "raise type('Stop', (KeyboardInterrupt,), {})"
AGENT = """
import os, pytest

def shop(text):
    with open("calls", "a") as calls:
        calls.write(f"{text}\\n")
    return f"within 30 days, {text}"

@pytest.fixture(scope="session")
def agent():
    return shop
"""
INPUTS = ("one", "two", "three", "four", "five", "six")


@pytest.fixture
def cut_off(project: Project) -> Project:
    """A project whose run R ended by Ctrl-C in its third test."""
    project.agent(AGENT)
    project.gate("success = { floor = 0.2, margin = 0.3 }")
    project.cases(*INPUTS, body=f"if case.id == 'c2': {CTRL_C}")
    session = project.run("--agent-eval-run-id", "R", "--agent-eval-concurrency", "1", "-x")
    assert session.code == 2
    project.cases(*INPUTS)
    return project


def calls(project: Project) -> list[str]:
    return (project.root / "calls").read_text("utf-8").split("\n")[:-1]


def n_kept(project: Project, run: str = "R") -> int:
    """How many trials the journals of the run hold; they are made one by one, in the order of the items."""
    return len(read_journals(project.root / ".agenteval" / "runs" / run).trials)


def resumed(project: Project, *words: str) -> Session:
    return project.run("--agent-eval-concurrency", "1", "--agent-eval-resume", *words)


def refusal(project: Project, *words: str) -> str:
    """What is said where the run does not go on."""
    before = calls(project)
    session = project.run("--agent-eval-resume", *words)
    assert session.code == 4
    assert calls(project) == before
    return session.text


def test_only_the_rest_is_called_and_the_run_is_whole_under_its_own_id(cut_off: Project) -> None:
    n_done = n_kept(cut_off)
    assert 3 <= n_done < 6
    before = calls(cut_off)
    assert len(before) - n_done <= 1  # the one that was under way
    began = json.loads((cut_off.root / ".agenteval" / "runs" / "R" / "run.json").read_text("utf-8"))["started"]
    session = resumed(cut_off)
    assert sorted(calls(cut_off)[len(before) :]) == sorted(set(INPUTS) - set(INPUTS[:n_done]))
    assert f"resuming run R: {n_done} of 6 done" in session.text
    assert session.text.index("resuming run R") < session.text.index("test_refunds.py")
    assert (session.verdict["run"], session.verdict["trials"], session.verdict["partial"]) == ("R", 6, [])
    assert (session.run["run"]["id"], session.run["run"]["started"], len(session.trials)) == ("R", began, 6)


def test_scores_that_are_all_there_stand_and_others_are_taken_from_the_kept_trial(cut_off: Project) -> None:
    cut_off.test(f"""
@metric(better="higher")
def length(trial):
    with open("scored", "a") as scored:
        scored.write(f"{{trial.case.id}}\\n")
    return len(trial.output) / 100

CASES = [Case(id=f"c{{n}}", input=text) for n, text in enumerate({INPUTS!r})]

@agent_cases(CASES, metrics=[length])
def test_refund(trial, case):
    if case.id == "c1" and not os.path.exists("second"):
        open("second", "w").close()
        {CTRL_C}

import os
""")
    assert cut_off.run("--agent-eval-run-id", "S").code == 2
    scored = (cut_off.root / "scored").read_text("utf-8").split()
    assert scored[:2] == ["c0", "c1"]
    session = resumed(cut_off, "S")
    assert sorted((cut_off.root / "scored").read_text("utf-8").split()) == [f"c{n}" for n in range(6)]
    assert session.scores("c0")["length"] == 0.19


def test_the_body_runs_on_the_kept_trial_which_is_redacted(project: Project) -> None:
    project.agent(AGENT)
    secret = "sk-proj-" + "a1B2" * 12
    project.cases(f"key {secret}", "other", body=CTRL_C)
    assert project.run("--agent-eval-run-id", "R").code == 2
    project.cases(f"key {secret}", "other", body=f"assert {secret!r} not in trial.output or case.id != 'c0'")
    assert len(resumed(project).trials) == 2
    assert len(calls(project)) == 2


def test_a_case_that_was_edited_is_called_anew(cut_off: Project) -> None:
    n_done, before = n_kept(cut_off), calls(cut_off)
    cut_off.cases("changed", *INPUTS[1:])
    session = resumed(cut_off, "R")
    assert f"resuming run R: {n_done - 1} of 6 done" in session.text
    assert sorted(calls(cut_off)[len(before) :]) == sorted(["changed", *INPUTS[n_done:]])
    [first] = [trial for trial in session.trials if trial["case"]["id"] == "c0"]
    assert first["case"]["input"] == "changed"


def test_a_test_that_calls_its_agent_itself_does_so_again(cut_off: Project) -> None:
    at_first = "case.id == 'c1' and not os.path.exists('second') and not os.mkdir('second')"
    body = f"record_trial(agent(case.input))\n    if {at_first}: "
    source = "@agent_cases([Case(id=f'c{n}', input=str(n)) for n in range(3)], metrics=['success'])\n"
    (cut_off.root / "calls").write_text("x\n" * 6, "utf-8")
    cut_off.test(f"import os\n{source}def test_refund(agent, case, record_trial):\n    {body}{CTRL_C}\n")
    assert cut_off.run("--agent-eval-run-id", "own").code == 2
    session = resumed(cut_off, "own")
    assert (session.verdict["trials"], session.verdict["partial"]) == (3, [])
    assert calls(cut_off)[6:] == ["0", "1", "0", "1", "2"]


def test_what_cannot_go_on_is_4_and_says_what_can(cut_off: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "there is no such run to go on with; cut off were: R. Name one" in refusal(cut_off, "suites/refunds")
    assert "R was begun with other --agent-eval-agent: ''" in refusal(cut_off, "R", "--agent-eval-agent", "os:getcwd")
    assert "Leave out --agent-eval-run-id" in refusal(cut_off, "R", "--agent-eval-run-id", "S")
    again = cut_off.run("--agent-eval-run-id", "R")
    assert (again.code, "Go on with it: --agent-eval-resume R" in again.text) == (4, True)
    with monkeypatch.context() as patch:
        patch.setattr("pytest_agenteval.plugin.begin.versions", lambda: {"pytest-agenteval": "9"})
        assert "R was begun with other versions: pytest-agenteval 0" in refusal(cut_off)
    resumed(cut_off)
    assert "R came to its end, and the history has it" in refusal(cut_off, "R")
    assert "there is no run to go on with in" in refusal(cut_off)


def test_a_run_that_is_still_under_way_is_not_gone_on_with(cut_off: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resuming, "_ENDS_WITHIN", 0.05)
    journal = Journal(cut_off.root / ".agenteval" / "runs" / "R", "gw7")
    session = cut_off.run("--agent-eval-resume")
    assert session.code == 12
    assert "journal-gw7.jsonl is held by a process: the run is still under way" in session.text
    journal.close()
    assert resumed(cut_off).verdict["trials"] == 6


def test_where_nothing_can_be_written_any_more_the_run_ends_and_goes_on_when_there_is_room(project: Project) -> None:
    project.agent(AGENT)
    many = [f"question {n}" for n in range(60)]
    project.cases(*many)
    faults = Faults(project.root / ".agenteval", errno.ENOSPC, 9, lasting=True, only="write")
    with pytest.MonkeyPatch.context() as patch:
        faults.inject(patch)
        session = project.run("--agent-eval-concurrency", "2")
    assert session.code == 12
    assert "journal-main.jsonl could not be written: No space left on device. Make room" in session.text
    n_called = len(calls(project))
    assert n_called < 60  # nothing is paid for that cannot be kept
    again = resumed(project)
    assert (again.verdict["trials"], again.verdict["partial"]) == (60, [])
    assert set(calls(project)) == set(many)


def test_a_journal_that_is_not_seen_to_the_disk_is_red_and_nothing_is_judged(both: Project) -> None:
    both.agent(f"""{AGENT}
sync = os.fsync

def failing(handle):
    if "/journal-" in os.readlink(f"/proc/self/fd/{{handle}}"):
        raise OSError(5, "Input/output error")
    sync(handle)

os.fsync = failing
""")
    both.cases(*INPUTS)
    session = both.run_apart()
    assert session.code == 12
    assert session.verdicts == {}
    assert "durability unknown for" in session.text


def test_a_worker_that_dies_takes_one_case_with_it_and_nothing_is_called_twice(project: Project) -> None:
    project.agent(AGENT.replace("    return f", "    if text == 'bad':\n        os.kill(os.getpid(), 9)\n    return f"))
    project.put("pyproject.toml", PYPROJECT)
    project.cases("a", "bad", *(f"order {n}" for n in range(8)))
    session = project.run_apart("--agent-eval-concurrency", "2", workers=2)
    assert "crashed while running" in session.text
    assert 1 in session.causes
    assert session.verdict["partial"] == ["refunds"]
    assert len(session.trials) == 9
    called = [text for text in calls(project) if text != "bad"]
    assert len(called) == len(set(called)) == 9


def test_two_runs_at_once_both_come_to_their_end(cut_off: Project) -> None:
    cut_off.cases("a", "b", "c")
    words = ["-q", "-p", "no:cacheprovider", "--agent-eval", "--agent-eval-run-id"]
    commands = [[sys.executable, "-m", "pytest", *words, name] for name in ("left", "right")]
    both = [subprocess.Popen(command, cwd=cut_off.root, stdout=subprocess.DEVNULL) for command in commands]
    assert len({process.wait(60) for process in both}) == 1
    assert sorted(path.name for path in Path(cut_off.root).glob("history/*/*.gz")) == [
        "run-left.jsonl.gz",
        "run-right.jsonl.gz",
    ]
