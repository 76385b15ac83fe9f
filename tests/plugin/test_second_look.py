"""A drop that the first look shows is asked for once more, in the same session, before it stops a merge."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from tests.plugin.sessions import Project, Session, records

N = 40

AGENT = """
import pathlib
import pytest

WRONG, ONCE = {wrong!r}, {once!r}

@pytest.fixture(scope="{scope}")
def agent():
    opened = pathlib.Path("opened.txt")
    opened.write_text(opened.read_text() + "o" if opened.exists() else "o")
    def shop(text, attempt):
        with open("calls.txt", "a") as calls:
            calls.write(f"{{text}} {{attempt}}\\n")
        n = int(text.split()[1])
        return "never" if n < WRONG and (attempt == 1 or not ONCE) else "within 30 days"
    yield shop
    opened.write_text(opened.read_text() + "c")
"""


def agent(wrong: int, *, once: bool = False, scope: str = "session") -> str:
    """Wrong on the first questions: always, or on the first attempt only."""
    return AGENT.format(wrong=wrong, once=once, scope=scope)


@pytest.fixture
def approved(project: Project) -> Project:
    return with_baseline(project)


@pytest.fixture
def approved_both(both: Project) -> Project:
    """The same, in one process and in several."""
    return with_baseline(both)


def with_baseline(project: Project) -> Project:
    """A project whose baseline has two attempts a case: one for the screen, one held back."""
    project.gate("success = { margin = 0.15 }")
    project.cases(*(f"q {n}" for n in range(N)))
    project.agent(agent(0))
    assert project.run("--agent-eval-repeats", "2", workers=0).code in (0, 10)
    assert project.approve() == 0
    for left in ("calls.txt", "opened.txt"):
        (project.root / left).unlink()
    return project


def verdict(session: Session, metric: str = "success") -> dict[str, Any]:
    [found] = [one for one in session.verdict["verdicts"] if one["metric"] == metric]
    return dict(found)


def calls(project: Project) -> Sequence[str]:
    return (project.root / "calls.txt").read_text().splitlines()


def test_a_real_drop_is_seen_twice_and_stops_the_merge(approved_both: Project) -> None:
    approved_both.agent(agent(20))
    session = approved_both.run()
    found = verdict(session)
    assert (session.code, found["outcome"], found["confirmed"]) == (10, "regressed", True)
    assert len(found["confirmation"]["lost"]) == len(found["comparison"]["lost"]) == 20
    assert found["confirmation"]["stage"] == "confirmation"
    assert "second look: a drop shows, so 40 cases of refunds are asked once more" in session.text.splitlines()
    assert session.text.count("refunds: with 40 cases") == 1


def test_each_common_case_is_asked_exactly_once_more_under_a_further_attempt(approved_both: Project) -> None:
    approved_both.agent(agent(20))
    approved_both.run()
    assert sorted(calls(approved_both)) == sorted(f"q {n} {attempt}" for n in range(N) for attempt in (1, 2))


def test_what_an_agent_prints_in_the_second_look_does_not_reach_the_terminal(approved_both: Project) -> None:
    loud = agent(20).replace("        n = int(", "        print('raw \\x1b[31m')\n        n = int(")
    assert loud != agent(20)
    approved_both.agent(loud)
    session = approved_both.run()
    assert verdict(session)["confirmed"]
    assert "raw" not in session.text


def test_a_drop_that_the_second_look_does_not_show_only_warns(approved: Project) -> None:
    approved.agent(agent(20, once=True))
    session = approved.run()
    found = verdict(session)
    assert (session.code, found["outcome"], found["reason"]) == (0, "inconclusive", "not confirmed")
    assert "a second and independent one does not confirm it" in session.text
    assert approved.run("--agent-eval-gate", "release").code == 11


def test_no_drop_means_no_second_call(approved: Project) -> None:
    session = approved.run()
    assert session.code == 0
    assert len(calls(approved)) == N
    assert "second look" not in session.text


def test_bodies_are_left_out_of_the_second_look(approved_both: Project) -> None:
    approved_both.cases(*(f"q {n}" for n in range(N)), body="with open('bodies.txt', 'a') as bodies: bodies.write('b')")
    approved_both.agent(agent(20))
    approved_both.run()
    assert (approved_both.root / "bodies.txt").read_text() == "b" * N


def test_the_trials_of_the_second_look_are_kept_and_stand_in_no_estimate(approved: Project) -> None:
    approved.agent(agent(20))
    session = approved.run()
    rows = records(approved.root)[1:]
    again = [row["second_look"] for row in rows if "second_look" in row]
    assert len(again) == N
    assert {row["attempt"] for row in again} == {2}
    assert session.estimate("success")["n"] == N
    assert session.estimate("success")["value"] == 0.5
    assert session.verdict["trials"] == N


@pytest.mark.parametrize(("scope", "workers"), [("function", 0), ("module", 0), ("session", 0), ("session", 2)])
def test_an_agent_of_any_scope_is_up_for_its_second_look_and_down_after_it(
    project: Project, scope: str, workers: int
) -> None:
    project.gate("success = { margin = 0.15 }")
    project.cases(*(f"q {n}" for n in range(N)))
    project.agent(agent(0, scope=scope))
    project.run("--agent-eval-repeats", "2")
    project.approve()
    (project.root / "opened.txt").unlink()
    project.agent(agent(20, scope=scope))
    session = project.run(workers=workers)
    assert verdict(session)["confirmed"]
    told = (project.root / "opened.txt").read_text()
    if workers == 0:  # workers write the file at once, over each other
        assert told.count("o") == told.count("c")
        assert told.count("o") == {"function": 2 * N, "module": 2, "session": 1}[scope]
    assert told.endswith("c")


def test_an_agent_that_breaks_in_the_second_look_leaves_it_open_and_red(approved_both: Project) -> None:
    source = agent(20).replace(
        'return "never"', 'if attempt == 2: raise ConnectionError("no route")\n        return "never"'
    )
    approved_both.setting("retries = 0")
    approved_both.agent(source)
    session = approved_both.run()
    found = verdict(session)
    assert (session.code, found["outcome"], found["reason"]) == (11, "inconclusive", "no second look")
    assert "no route" in found["message"]


def test_a_replay_is_judged_by_one_look(approved: Project) -> None:
    approved.agent(agent(20))
    approved.run("--agent-eval-record")
    session = approved.run("--agent-eval-mode", "replay")
    found = verdict(session)
    assert (found["outcome"], found.get("confirmation")) == ("regressed", None)
    assert "second look" not in session.text


def test_a_test_that_calls_its_agent_itself_is_judged_by_one_look(approved: Project) -> None:
    body = "record_trial(agent(case.input, attempt=1))"
    source = "".join(f"    Case(id='c{n}', input='q {n}', expect={{'contains': ['30 days']}}),\n" for n in range(N))
    approved.test(
        f"@agent_cases(\n{source}    metrics=['success'])\ndef test_refund(agent, record_trial, case):\n    {body}\n"
    )
    approved.agent(agent(20))
    session = approved.run()
    assert session.code == 10
    assert "confirmation" not in verdict(session)
    assert len(calls(approved)) == N


def test_a_fixture_that_fails_at_the_end_of_the_session_is_told(project: Project) -> None:
    project.cases("q 1")
    project.agent(agent(0) + "    raise OSError('the agent did not stop')\n")
    session = project.run()
    assert session.code == 10
    assert "the agent did not stop" in session.text
    assert "INTERNALERROR" not in session.text
